"""The rules of a domain as Splink's settings, for a run of Splink beside F: ``spark_sections/scale.py``.

Splink is given what F has made ready: standardised values, blocking keys without the suspended ones, and for measures
that DuckDB does not have (nicknames, Metaphone, sorted words) a column with what they compare. Levels, thresholds and
weights are those of the rules; a weight of so many bits is given as m and u of that ratio. Similarities by sorted
words are normalised Levenshtein in DuckDB, RapidFuzz's Indel in F, and of shared words ``token_set`` becomes "all words
of one are among the other's": pairs near a threshold may differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mdm_stream.core.blocking.limits import block_limit
from mdm_stream.core.match import phonetics
from mdm_stream.core.model import MatchValues
from mdm_stream.core.ruleset import Comparison, Level, Predicate, Ruleset
from mdm_stream.core.standardise import nickname_root
from mdm_stream.reconcile.records import decode_match

MADE_READY: Mapping[str, Callable[[str], str]] = {
    "nickname": nickname_root,
    "metaphone": phonetics.metaphone,
    "sorted": lambda text: " ".join(sorted(text.split())),
}
SURE = 0.9
SOME = 0.5


def splink_settings(rules: Ruleset) -> dict[str, Any]:
    """Return the settings of a run that links records of one table."""
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "ref",
        "probability_two_random_records_match": rules.match.prior,
        "retain_matching_columns": False,
        "blocking_rules_to_generate_predictions": [
            {"blocking_rule": f"l.k_{each.tag} = r.k_{each.tag}", "sql_dialect": "duckdb"} for each in rules.blocking
        ],
        "comparisons": [_comparison(rules, each) for each in rules.match.comparisons],
    }


def write_splink_records(tables: Path, rules: Ruleset, out: Path) -> tuple[int, int]:
    """Write the live records of a workspace's table as one file; return how many, and how many values and keys after
    the first of an attribute or a key expression were left out.
    """
    names = [attribute.name for attribute in rules.attributes]
    closed = _closed(tables, rules)
    columns: dict[str, list[str | None]] = {"ref": []}
    columns |= {name: [] for name in names}
    columns |= {f"{name}_{kind}": [] for name in names for kind in MADE_READY}
    columns |= {f"k_{each.tag}": [] for each in rules.blocking}
    left_out = 0
    for path in sorted((tables / "records").glob("*.parquet")):
        found = pq.read_table(path, columns=["ref", "live", "match", "keys"])
        for row in found.filter(found["live"]).to_pylist():
            columns["ref"].append(row["ref"])
            left_out += _add_values(columns, names, decode_match(row["match"]))
            left_out += _add_keys(columns, rules, (key for key in row["keys"] if key not in closed))
    pq.write_table(pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}), out)
    return len(columns["ref"]), left_out


def _closed(tables: Path, rules: Ruleset) -> set[str]:
    found: set[str] = set()
    for path in sorted((tables / "blocks").glob("*.parquet")):
        table = pq.read_table(path)
        found.update(key for key, n in zip(*(table[name].to_pylist() for name in ("key", "members")), strict=True)
                     if n > block_limit(rules, key))  # fmt: skip
    return found


def _add_values(columns: dict[str, list[str | None]], names: list[str], match: MatchValues) -> int:
    left_out = 0
    for name, value in zip(names, match, strict=True):
        texts = (value,) if isinstance(value, str) else value or ()
        left_out += max(0, len(texts) - 1)
        text = texts[0] if texts else None
        columns[name].append(text or None)
        for kind, make in MADE_READY.items():
            columns[f"{name}_{kind}"].append((make(text) or None) if text else None)
    return left_out


def _add_keys(columns: dict[str, list[str | None]], rules: Ruleset, keys: Iterable[str]) -> int:
    left_out, own = 0, dict.fromkeys(each.tag for each in rules.blocking)
    for key in keys:
        tag = key.partition(":")[0]
        left_out += own[tag] is not None
        own[tag] = own[tag] or key
    for tag, key in own.items():
        columns[f"k_{tag}"].append(key)
    return left_out


def _comparison(rules: Ruleset, comparison: Comparison) -> dict[str, Any]:
    return {
        "output_column_name": comparison.name,
        "comparison_levels": [_level(rules, level) for level in comparison.levels],
    }


def _level(rules: Ruleset, level: Level) -> dict[str, Any]:
    if any(each.kind == "else" for each in level.when):
        condition = "ELSE"
    else:
        condition = " AND ".join(f"({_condition(rules, each)})" for each in level.when)
    if level.bits == 0 and level.when[0].kind == "null" and len(level.when) == 1:
        return {"sql_condition": condition, "label_for_charts": level.label or condition, "is_null_level": True}
    m, u = (SURE, SURE * 2.0**-level.bits) if level.bits > 0 else (SURE * 2.0**level.bits, SURE)
    if level.bits == 0:
        m = u = SOME
    return {"sql_condition": condition, "label_for_charts": level.label or condition, "m_probability": m,
            "u_probability": u}  # fmt: skip


def _condition(rules: Ruleset, predicate: Predicate) -> str:
    names = [rules.attributes[index].name for index in predicate.attributes]
    if predicate.kind == "null":
        return " OR ".join(f"{name}_l IS NULL OR {name}_r IS NULL" for name in names)
    if predicate.kind == "swap":
        one, other = names
        return " AND ".join(
            f"jaro_winkler_similarity({left}_l, {right}_r) >= {predicate.threshold}"
            for left, right in ((one, other), (other, one))
        )
    return _CONDITIONS[predicate.kind](names[0], predicate.threshold)


_CONDITIONS: Mapping[str, Callable[[str, float], str]] = {
    "exact": lambda name, _: f"{name}_l = {name}_r",
    "jaro_winkler": lambda name, bar: f"jaro_winkler_similarity({name}_l, {name}_r) >= {bar}",
    "damerau_levenshtein": lambda name, bar: f"damerau_levenshtein({name}_l, {name}_r) <= {bar:g}",
    "token_sort": lambda name, bar: (
        f"1 - levenshtein({name}_sorted_l, {name}_sorted_r) / "
        f"greatest(length({name}_sorted_l), length({name}_sorted_r)) >= {bar}"
    ),
    "token_set": lambda name, _: (
        f"list_has_all(string_split({name}_l, ' '), string_split({name}_r, ' ')) OR "
        f"list_has_all(string_split({name}_r, ' '), string_split({name}_l, ' '))"
    ),
    "prefix": lambda name, bar: (
        f"least(length({name}_l), length({name}_r)) >= {bar:g} AND "
        f"(starts_with({name}_l, {name}_r) OR starts_with({name}_r, {name}_l))"
    ),
    "initial": lambda name, _: (
        f"least(length({name}_l), length({name}_r)) = 1 AND left({name}_l, 1) = left({name}_r, 1)"
    ),
    "nickname": lambda name, _: f"{name}_nickname_l = {name}_nickname_r",
    "metaphone": lambda name, _: f"{name}_metaphone_l = {name}_metaphone_r",
    "date_within": lambda name, bar: (
        f"abs(date_diff('day', try_cast({name}_l AS DATE), try_cast({name}_r AS DATE))) <= {bar:g}"
    ),
    "date_swap": lambda name, _: (
        f"left({name}_l, 4) = left({name}_r, 4) AND substr({name}_l, 6, 2) = substr({name}_r, 9, 2) AND "
        f"substr({name}_l, 9, 2) = substr({name}_r, 6, 2) AND {name}_l <> {name}_r"
    ),
}
