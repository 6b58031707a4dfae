"""A Splink model as a rule set with a model file: the same comparisons, weights, term frequencies and prior.

What comes out scores a pair as ``Linker.inference.predict`` does. Attributes are of type ``verbatim``, for Splink
compares columns as they are: what was cleaned before Splink saw it has to be cleaned before it is delivered here too.
Levels and columns that rules cannot express are errors, one a line, and nothing is written.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mdm_stream.core.name_patterns import ATTRIBUTE_PATTERN
from mdm_stream.core.standardise import STANDARDISERS
from mdm_stream.errors import ConfigurationError
from mdm_stream.rules.learned import (
    LEARNED_DECIMALS,
    MODEL_FORMAT,
    TERMS_MAX,
    LearnedComparison,
    LearnedLevel,
    LearnedModel,
    LevelTerms,
    TermTable,
)
from mdm_stream.rules.model import BITS_MAX
from mdm_stream.train.splink_sql import Term, UnreadableConditionError, read_blocking_rule, read_condition

LINK_DEFAULT = 0.85
REVIEW_DEFAULT = 0.5
LABEL_CHARS_MAX = 80


@dataclass(frozen=True, slots=True)
class ImportedRules:
    """A rule set as YAML values, its model, and notes: what is not as in Splink though scores are."""

    rules: dict[str, Any]
    model: LearnedModel
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Import:
    """What is found on the way through a model."""

    terms: Mapping[str, Mapping[str, float]]
    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def attribute(self, column: str, *, multi: bool = False) -> str:
        """Return the attribute of a column, declared if it is new."""
        name = column.lower()
        if not re.fullmatch(ATTRIBUTE_PATTERN, name):
            self.problems.append(f"column {column!r} is no name of an attribute; rename it in the model")
        known = self.attributes.setdefault(name, {"type": "verbatim"})
        if multi:
            known["multi"] = True
        return name


def import_splink(
    settings: Mapping[str, Any], domain: str, model_file: str, terms: Mapping[str, Mapping[str, float]] | None = None
) -> ImportedRules:
    """Return a Splink model (the JSON of ``linker.misc.save_model_to_json``) as rules of a domain.

    ``terms`` are term frequencies by column and value, for the columns that the model adjusts by them.
    ``ConfigurationError`` with a line for each thing that cannot be carried over.
    """
    work = _Import(terms or {})
    compared = settings.get("comparisons")
    prior = settings.get("probability_two_random_records_match")
    if not isinstance(compared, list) or not compared or not isinstance(prior, int | float) or not 0.0 < prior < 1.0:
        raise ConfigurationError(
            "this is no Splink model: expected 'comparisons' and 'probability_two_random_records_match'; save it with "
            "linker.misc.save_model_to_json"
        )
    comparisons: dict[str, Any] = {}
    learned: dict[str, LearnedComparison] = {}
    for place, each in enumerate(compared):
        name = str(each.get("output_column_name") or f"comparison_{place + 1}")
        comparisons[name], learned[name] = _comparison(name, each, work)
    keys = _blocking(settings, work)
    if settings.get("link_type", "dedupe_only") != "dedupe_only":
        work.notes.append(f"link_type {settings['link_type']}: records of one source are compared with each other too")
    if work.problems:
        raise ConfigurationError(
            "\n".join(["the model cannot be carried over, and nothing was written", *work.problems])
        )
    used = {level.terms.attribute for each in learned.values() for level in each.levels if level.terms}
    tables = {name: _table(work.terms, name) for name in sorted(used)}
    model = LearnedModel(
        format=MODEL_FORMAT,
        domain=domain,
        about={"method": "imported from Splink"},
        prior=float(prior),
        comparisons=learned,
        terms=tables,
    )
    rules = {
        "domain": domain,
        "version": 1,
        "attributes": work.attributes,
        "blocking": {"keys": keys},
        "match": {
            "method": "fellegi_sunter",
            "model": model_file,
            "prior": float(prior),
            "thresholds": {"link": LINK_DEFAULT, "review": REVIEW_DEFAULT},
            "comparisons": comparisons,
        },
    }
    return ImportedRules(rules, model, tuple(work.notes))


def read_terms(path: Path, column: str) -> dict[str, float]:
    """Return a table of term frequencies: CSV with the columns ``NAME`` and ``tf_NAME``, as Splink computes it.

    ``ConfigurationError`` for a file that is none.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream)
            wanted = (column, f"tf_{column}")
            if not set(wanted) <= set(rows.fieldnames or ()):
                raise ConfigurationError(
                    f"{path}: expected the columns {wanted[0]} and {wanted[1]}, as Splink has them"
                )
            found = {row[wanted[0]]: float(row[wanted[1]]) for row in rows if row[wanted[0]]}
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error, ValueError, TypeError) as error:
        raise ConfigurationError(f"{path}: is no CSV file of values and their frequencies") from error
    if any(not 0.0 < frequency <= 1.0 for frequency in found.values()):
        raise ConfigurationError(f"{path}: a frequency is not above 0 and at most 1")
    return found


def _table(terms: Mapping[str, Mapping[str, float]], name: str) -> TermTable:
    values: dict[str, float] = {}
    for value, frequency in terms[name].items():
        match = STANDARDISERS["verbatim"](value, {}).match
        if isinstance(match, str):
            values[match] = max(frequency, values.get(match, 0.0))
    if len(values) > TERMS_MAX:
        raise ConfigurationError(f"{name}: {len(values):,} values have a frequency; expected at most {TERMS_MAX:,}")
    return TermTable(values=values)


def _comparison(name: str, given: Mapping[str, Any], work: _Import) -> tuple[dict[str, Any], LearnedComparison]:
    levels: list[dict[str, Any]] = []
    learned: list[LearnedLevel] = []
    read: list[tuple[Mapping[str, Any], tuple[Term, ...]]] = []
    for number, level in enumerate(given.get("comparison_levels") or (), 1):
        where = f"comparison {name!r}, level {number}"
        try:
            terms = read_condition(str(level.get("sql_condition", "")))
        except UnreadableConditionError as error:
            work.problems.append(f"{where}: {error}")
            continue
        read.append((level, terms))
        when, text = _when(terms, work)
        bits = _bits(level, where, work)
        label = str(level.get("label_for_charts") or text)[:LABEL_CHARS_MAX]
        levels.append({"when": when, "label": label, "bits": round(bits, LEARNED_DECIMALS)})
        swap = [each for each in terms if each.kind == "swap"]
        if swap:
            levels[-1]["attributes"] = [work.attribute(column) for column in swap[0].columns]
        learned.append(LearnedLevel(when=text, bits=round(bits, LEARNED_DECIMALS), m=level.get("m_probability"),
                                    u=level.get("u_probability")))  # fmt: skip
    if not read or read[-1][1]:
        work.problems.append(f"comparison {name!r} has no ELSE as its last level; add one")
    for place, (level, terms) in enumerate(read):
        found = _level_terms(name, level, terms, read, work)
        learned[place] = learned[place].model_copy(update={"terms": found})
    columns = {work.attribute(column): None for _, terms in read for each in terms for column in each.columns}
    return {"attributes": list(columns), "levels": levels}, LearnedComparison(levels=tuple(learned))


def _when(terms: tuple[Term, ...], work: _Import) -> tuple[Any, str]:
    """Return a level's condition as rules write it, and as a model file names it."""
    if not terms:
        return "else", "else"
    if len(terms) == 1 and terms[0].kind == "swap":
        columns = "/".join(work.attribute(column) for column in terms[0].columns)
        return {"swap": terms[0].threshold}, f"swap {terms[0].threshold:g} {columns}"
    when: dict[str, Any] = {}
    texts = []
    for term in terms:
        name = work.attribute(term.columns[0], multi=term.kind == "intersect")
        if term.kind == "swap" or name in when:
            work.problems.append(
                f"a level asks for {term.kind} of {name!r} beside other things, which rules cannot say"
            )
            continue
        when[name] = term.kind if term.threshold is None else {term.kind: term.threshold}
        threshold = "" if term.threshold is None else f" {term.threshold:g}"
        texts.append(f"{term.kind}{threshold} {name}")
    return when, ", ".join(texts)


def _bits(level: Mapping[str, Any], where: str, work: _Import) -> float:
    if level.get("is_null_level"):
        return 0.0
    m, u = level.get("m_probability"), level.get("u_probability")
    if not isinstance(m, int | float) or not isinstance(u, int | float):
        work.problems.append(f"{where}: has no m_probability and u_probability; train the model first")
        return 0.0
    if m <= 0.0 or u <= 0.0:
        work.notes.append(f"{where}: m or u is 0, which is infinite evidence; it becomes {BITS_MAX:g} bits")
        return 0.0 if m <= 0.0 and u <= 0.0 else (BITS_MAX if u <= 0.0 else -BITS_MAX)
    return max(-BITS_MAX, min(BITS_MAX, math.log2(m / u)))


def _level_terms(
    name: str,
    level: Mapping[str, Any],
    terms: tuple[Term, ...],
    read: list[tuple[Mapping[str, Any], tuple[Term, ...]]],
    work: _Import,
) -> LevelTerms | None:
    column = level.get("tf_adjustment_column")
    weight = float(level.get("tf_adjustment_weight", 1.0))
    if not column or not weight or level.get("is_null_level") or not terms:
        return None
    attribute = work.attribute(str(column))
    if attribute not in work.terms:
        work.problems.append(
            f"comparison {name!r} adjusts by the term frequencies of {column!r}, which are not in the model; give them "
            f"with --terms {column}=FILE (linker.table_management.compute_tf_table({column!r}))"
        )
        return None
    at_exact = _exact_level(level, attribute, read)
    u = None if at_exact is None else at_exact.get("u_probability")
    if not isinstance(u, int | float) or not 0.0 < u <= 1.0:
        work.problems.append(f"comparison {name!r} has no exact level of {column!r} with a u_probability")
        return None
    return LevelTerms(attribute=attribute, u=float(u), weight=weight, floor=float(level.get("tf_minimum_u_value", 0.0)))


def _exact_level(
    level: Mapping[str, Any], attribute: str, read: list[tuple[Mapping[str, Any], tuple[Term, ...]]]
) -> Mapping[str, Any] | None:
    """Return the level whose u the term frequencies of an attribute are compared with, as Splink finds it."""
    if level.get("disable_tf_exact_match_detection"):
        return level
    for other, terms in read:
        if [(term.kind, [column.lower() for column in term.columns]) for term in terms] == [("exact", [attribute])]:
            return other
    return None


def _blocking(settings: Mapping[str, Any], work: _Import) -> dict[str, str]:
    keys: dict[str, str] = {}
    for number, rule in enumerate(settings.get("blocking_rules_to_generate_predictions") or (), 1):
        sql = rule if isinstance(rule, str) else str(rule.get("blocking_rule", ""))
        where = f"blocking rule {number} ({sql})"
        try:
            equal, other = read_blocking_rule(sql)
        except UnreadableConditionError as error:
            work.problems.append(f"{where}: {error}")
            continue
        if not equal:
            work.problems.append(f"{where}: has no equality such as l.city = r.city; write a key for it by hand")
            continue
        if other:
            work.notes.append(f"{where}: {' and '.join(other)} is left out, so more pairs are compared")
        exploded = (
            {str(each).lower() for each in (rule.get("arrays_to_explode") or ())} if isinstance(rule, dict) else set()
        )
        parts = []
        for function, column, argument in equal:
            name = work.attribute(column, multi=column.lower() in exploded)
            parts.append(name if function == "exact" else f"{function}({name}, {argument})")
        text = " + ".join(parts)
        if text not in keys.values():
            keys[f"key_{number}"] = text
    if not keys and not work.problems:
        work.problems.append("the model has no blocking rules to generate predictions, so no records would be compared")
    return keys
