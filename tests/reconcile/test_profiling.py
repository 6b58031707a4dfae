"""A profile's tables say what can be counted another way, and the same as ``mdm-stream profile --shared``."""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow.parquet as pq
import pytest
from source_tree import ROOT

from mdm_stream.archive import open_archive
from mdm_stream.archive.rows import rows_of
from mdm_stream.cli.main import run
from mdm_stream.contracts.change import encode_event
from mdm_stream.core.blocking.keys import key_digest
from mdm_stream.core.blocking.limits import block_limit, expression_limit
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.model import ChangeEvent, RecordEvent, VerdictEvent, split_ref
from mdm_stream.core.record import Record, build_record
from mdm_stream.core.reference import fold_events
from mdm_stream.core.standardise import set_aside
from mdm_stream.decode import Delivery
from mdm_stream.errors import ConfigurationError
from mdm_stream.profile.shared import SharedValues
from mdm_stream.reconcile.blocking_statistics import chapman
from mdm_stream.reconcile.digests import value_digest
from mdm_stream.reconcile.profiling import ArchiveUntil, ProfileOptions, profile_state, require_new, write_profile
from mdm_stream.reconcile.recompute import recompute
from mdm_stream.reconcile.workspace import Workspace
from mdm_stream.rules import load_ruleset

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.timeout(600)
"""A profile is many small jobs of Spark, which wait for each other where a machine is busy."""

RULES = replace(load_ruleset("person"), digest="profiled", max_block_size=15)
DESK, SURNAME = "desk@clinic.example", "Quackenbush"
PEOPLE, EVENTS = 120, 420
ARRIVED_BY, LATER = 1_000, 150
"""The time in microseconds before which everything had arrived that is profiled, and records that came later."""
PLACES = {attribute.name: place for place, attribute in enumerate(RULES.attributes)}


def person_event(number: int) -> RecordEvent:
    """One write of one of some people in one of two sources: with placeholders, invalid values, and what is missing."""
    chance = random.Random(number)
    person = chance.randrange(PEOPLE)
    attributes = {
        "given_name": f"{chance.choice(['Ann', 'Bob', 'Cid'])}{chr(97 + person % 26)}",
        "family_name": SURNAME if person % 3 else f"Kim{chr(97 + person // 5)}",
        "birth_date": f"{1950 + person % 40}-0{1 + person % 9}-11" if person % 7 else "1970-01-01",
        "email": DESK if person % 4 == 0 else f"p{person}@x.example",
        "phone": chance.choice([f"+4420712345{person:02}"[:13], "nonsense", "none", ""]),
        "national_id": "1.91431E+18" if person % 11 == 0 else f"ID{person:06}",
        "city": "Leeds" * chance.choice([1, 1, 1, 9]),
    }
    op = "delete" if number % 29 == 0 else "upsert"
    source = "crm" if chance.random() < 0.7 else "erp"
    return RecordEvent("person", source, str(person), op, number, number, {} if op == "delete" else attributes)


EVERYTHING: list[ChangeEvent] = [person_event(number) for number in range(1, EVENTS + 1)]
EVERYTHING.append(VerdictEvent("person", "crm/1", "crm/2", "link", 1, 1, "steward-1"))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The events as they were archived: each arrived at its number, in microseconds."""
    url = (tmp_path_factory.mktemp("profiled") / "archive").as_uri()
    rows = [
        row
        for number, event in enumerate(EVERYTHING, start=1)
        for row in rows_of("person", [event], Delivery(encode_event(event), f"{number:08}", number, "changes"))
    ]
    for number in range(LATER):
        event = RecordEvent("person", "web", str(number), "upsert", 1, 1, {"city": "York", "birth_date": "2001-02-03"})
        rows += rows_of("person", [event], Delivery(encode_event(event), f"9{number:07}", ARRIVED_BY, "changes"))
    for first in range(0, len(rows), 150):
        open_archive(url).append("person", rows[first : first + 150], EpochPosition(1, first, first))
    return url


@pytest.fixture(scope="module")
def profiled(spark: SparkSession, archive: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The rows of each table, those of the links, the summary and the folder."""
    work, folder = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("profile") / "person"
    workspace = Workspace(spark, str(work))
    state = recompute(spark, workspace, RULES, ArchiveUntil(archive, ARRIVED_BY)).state
    made = profile_state(workspace, RULES, state, ProfileOptions(values=True))
    summary = write_profile(made, folder, {"domain": "person"})
    tables = {name: pq.read_table(folder / name).to_pylist() for name in made.tables}
    return {**tables, "links": state.links.collect(), "summary": summary, "folder": folder, "recall": made.recall}


@pytest.fixture(scope="module")
def live() -> list[Record]:
    """The live records, by the core."""
    records = [build_record(RULES, ref, state) for ref, state in fold_events(EVERYTHING).items()]
    return [record for record in records if record.live]


def test_it_says_what_the_report_of_one_process_says(profiled: dict[str, Any]) -> None:
    """Records, shared values with their sources, suspended keys, and why values count for nothing."""
    one = SharedValues(RULES)
    for event in EVERYTHING:
        one.add(event)
    report = one.report()
    one.close()
    assert profiled["summary"]["records"] == report.records
    expected = {
        (group.name, value.value): (value.records, dict(value.sources), group.suspicious_from)
        for group in report.attributes
        for value in group.values
    }
    found = {
        (row["attribute"], row["value"]): (row["records"], dict(row["sources"]), row["suspicious_from"])
        for row in profiled["shared_values"]
    }
    assert found == expected
    assert DESK in {value for _, value in found}
    reasons = {
        f"{row['attribute']}: {reason}": count
        for row in profiled["attributes"]
        if row["source"] == ""
        for reason, count in row["reasons"]
    }
    assert reasons == report.reasons
    assert {reason.split()[1] for reason in reasons} >= {"placeholder", "wrong_form", "scientific_notation"}
    suspended = {(each.name, value.digest, value.records) for each in report.suspended for value in each.values}
    listed = {
        (row["expression"], row["digest"], row["records"]) for row in profiled["largest_blocks"] if row["suspended"]
    }
    # The tables also have keys that are closed since others refine them; the report names what loses pairs.
    refined = {each.text for each in RULES.blocking if each.refined_above is not None}
    assert suspended <= listed
    assert {expression for expression, _, _ in listed - suspended} <= refined
    assert suspended


def test_attributes_are_those_of_the_records(profiled: dict[str, Any], live: list[Record]) -> None:
    """What each record has, distinct and unique values, quartiles and fences, by source and of all sources."""
    by_name = {(row["source"], row["attribute"]): row for row in profiled["attributes"]}
    assert {source for source, _ in by_name} == {"", "crm", "erp"}
    for source in ("", "crm", "erp"):
        some = [each for each in live if source in ("", split_ref(each.ref)[0])]
        for name, place in PLACES.items():
            row, values = by_name[source, name], [each.values[place] for each in some]
            states = Counter(_what(each, place) for each in some)
            states["invalid"] += states.pop("scientific_notation", 0)
            assert row["records"] == len(some)
            assert [row["present"], row["missing"], row["placeholders"], row["invalid"]] == [
                states["present"], states["missing"], states["placeholder"], states["invalid"],
            ]  # fmt: skip
            assert row["completeness"] == states["present"] / len(some)
            matches = Counter(match for value in values for match in _several(value.match))
            assert row["values"] == matches.total()
            assert row["distinct_values"] == len(matches)
            assert row["unique_values"] == sum(count == 1 for count in matches.values())
            assert row["most_shared"] == max(matches.values(), default=0)
    dates = np.array([each.match[PLACES["birth_date"]] for each in live if each.match[PLACES["birth_date"]]], "M8[D]")
    _measured(by_name["", "birth_date"], dates.astype(int))
    cities = by_name["", "city"]
    assert (cities["measure"], cities["least"], cities["greatest"], cities["outliers"]) == ("characters", 5, 45, None)
    _measured(by_name["", "email"], [len(str(each.values[PLACES["email"]].value[0])) for each in live])


def _what(record: Record, place: int) -> str:
    value = record.values[place]
    if value.value is not None:
        return "present" if value.valid else "invalid"
    why = dict(set_aside(RULES, split_ref(record.ref)[0], record.state.columns(), record.values))
    return why.get(place, "missing")


def _measured(row: dict[str, Any], values: Any) -> None:
    quartiles = np.quantile(values, [0.25, 0.5, 0.75], method="inverted_cdf")
    assert [row["quartile_1"], row["median"], row["quartile_3"]] == list(quartiles)
    width = 1.5 * (quartiles[2] - quartiles[0])
    assert width > 0
    outside = sum(value < quartiles[0] - width or value > quartiles[2] + width for value in values)
    assert (row["outliers"], row["measured"]) == (outside, len(values))


def _several(match: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return match if isinstance(match, tuple) else () if match is None else (match,)


def test_terms_and_distributions_are_exact(profiled: dict[str, Any], live: list[Record]) -> None:
    """Every value of at least five records with its share of the attribute's values, and none else."""
    counts = {name: Counter(v for each in live for v in _several(each.match[at])) for name, at in PLACES.items()}
    expected = {
        (name, match, value_digest(name, match), count, count / counted.total())
        for name, counted in counts.items()
        for match, count in counted.items()
        if count >= 5
    }
    found = [(r["attribute"], r["match"], r["digest"], r["records"], r["share"]) for r in profiled["term_frequencies"]]
    assert set(found) == expected
    assert len(found) == len(expected) > 5
    ranked = [row for row in profiled["distributions"] if (row["source"], row["attribute"]) == ("", "family_name")]
    assert [row["records"] for row in ranked] == sorted(
        (c for c in counts["family_name"].values() if c >= 5), reverse=True
    )


def test_blocks_and_recall_are_those_of_the_records(profiled: dict[str, Any], live: list[Record]) -> None:
    """Keys, pairs, suspended keys; of the linked pairs those that an expression finds, alone; Chapman's estimate."""
    blocks: dict[str, set[str]] = defaultdict(set)
    for each in live:
        for key in each.keys:
            blocks[key].add(each.ref)
    tags = {each.tag: each for each in RULES.blocking}
    at_work = {key: refs for key, refs in blocks.items() if len(refs) <= block_limit(RULES, key)}
    finding = {
        (link.a, link.b): {key.partition(":")[0] for key, refs in at_work.items() if {link.a, link.b} <= refs}
        for link in profiled["links"]
        if link.link and link.rule != "verdict"
    }
    assert len(finding) > 20
    for row in profiled["blocks"]:
        own = {key: refs for key, refs in blocks.items() if key.partition(":")[0] == row["tag"]}
        at_work = [len(refs) for refs in own.values() if len(refs) <= expression_limit(RULES, tags[row["tag"]])]
        assert (row["keys"], row["pairs"]) == (len(own), sum(n * (n - 1) // 2 for n in at_work))
        assert (row["suspended_keys"], row["largest"]) == (
            len(own) - len(at_work),
            max(map(len, own.values()), default=0),
        )
        assert row["records_without"] == len(live) - len({ref for refs in own.values() for ref in refs})
        attributes = {part.attribute for part in tags[row["tag"]].parts}
        found = {pair for pair, by in finding.items() if row["tag"] in by}
        assert (row["linked"], row["only"]) == (len(found), sum(by == {row["tag"]} for by in finding.values()))
        assert row["share_of_linked"] == len(found) / len(finding)
        if row["estimated_pairs"] is not None:
            assert row["estimated_pairs"] == chapman(row["linked"], row["apart_linked"], row["both"])
            apart = {tag for tag, each in tags.items() if not attributes & {part.attribute for part in each.parts}}
            assert row["both"] <= sum(bool(by & apart) for pair, by in finding.items() if pair in found)
    assert any(row["suspended_keys"] for row in profiled["blocks"])
    estimates = [row["estimated_pairs"] for row in profiled["blocks"] if row["estimated_pairs"] is not None]
    recall = profiled["recall"]
    assert (recall.linked, recall.decided) == (len(finding), 1)
    assert recall.estimated_pairs == max(median(estimates), len(finding))
    assert recall.estimated_recall_min == len(finding) / max([*estimates, len(finding)])


@pytest.mark.parametrize(
    ("first", "second", "both", "pairs"), [(200, 150, 120, 201 * 151 / 121 - 1), (50, 50, 6, None)]
)
def test_chapman_needs_pairs_in_both_samples(first: int, second: int, both: int, pairs: float | None) -> None:
    """The estimator as it was published, and nothing where its bias is not small."""
    assert chapman(first, second, both) == pairs


def test_values_are_in_the_tables_only_if_asked_for(profiled: dict[str, Any]) -> None:
    """A digest stands for each beside it."""
    keys = [row for row in profiled["largest_blocks"] if row["key"]]
    assert all(row["digest"] == key_digest(row["key"]) for row in keys)
    assert len(keys) == len(profiled["largest_blocks"]) > 0


def test_the_command_profiles_the_archive_and_compares(
    spark: SparkSession, archive: str, profiled: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """What came later is drift; no value is said, neither printed nor in a table, as none was asked for."""
    monkeypatch.setattr(type(spark), "stop", lambda _: None)
    arguments = ["profile", "--tables", str(tmp_path / "later"), "--against", str(profiled["folder"].parent)]
    code = run([*arguments, "--on", "archive", "--archive", archive, "--rules", "person", "--json"])
    spark.conf.set("spark.sql.shuffle.partitions", "2")
    printed = capsys.readouterr()
    assert code == 3, printed.err
    [document] = orjson.loads(printed.out)["domains"]
    assert document["records"] == profiled["summary"]["records"] + LATER
    drifted = {(each["source"], each["attribute"], each["measure"]) for each in document["drift"]["drifted"]}
    assert drifted >= {("web", "city", "records"), ("", "city", "divergence"), ("", "email", "completeness")}
    assert ("crm", "city", "divergence") not in drifted
    tables = {name: pq.read_table(tmp_path / "later" / "person" / name).to_pylist() for name in document["tables"]}
    written = f"{tables} {printed.out}".lower()
    assert not any(value in written for value in (DESK, SURNAME.lower(), "york", "leeds", "2001-02-03"))
    for row in tables["attributes"]:
        if row["measure"] == "day":
            assert (row["least"], row["greatest"]) == (None, None)
    shown = {row["digest"] for row in profiled["shared_values"]}
    assert shown <= {row["digest"] for row in tables["shared_values"]}
    assert run(arguments) == 3
    printed = capsys.readouterr()
    assert "drifted" in printed.out
    assert "blocking finds" in printed.out
    assert DESK not in printed.out


def test_the_page_says_what_each_column_is(profiled: dict[str, Any]) -> None:
    """No table has a column that docs/operate/profiling.md does not name under it."""
    page = (ROOT / "docs" / "operate" / "profiling.md").read_text("utf-8")
    for name in profiled["summary"]["tables"]:
        section = re.search(rf"^`{name}`:.*?(?=^`\w+`: |^## )", page, re.MULTILINE | re.DOTALL)
        assert section, name
        assert set(pq.read_schema(next((profiled["folder"] / name).glob("*.parquet"))).names) <= set(
            re.findall(r"`(\w+)`", section[0])
        )


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    """A profile is written into a new folder."""
    (tmp_path / "note").touch()
    with pytest.raises(ConfigurationError, match="name another folder"):
        require_new(tmp_path)
