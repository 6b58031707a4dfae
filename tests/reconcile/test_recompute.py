"""F on Spark is F: the same ids, members, values, provenance and review queue, byte for byte."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from small_world import learned, small_rules
from spark_worlds import differences, folded_rows, resolution_of, worlds

from mdm_stream.archive import Exclusion, open_archive
from mdm_stream.archive.rows import rows_of
from mdm_stream.contracts.change import encode_event
from mdm_stream.core.cluster.clustering import connected
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.reference import resolve
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Delivery
from mdm_stream.errors import TerminalError
from mdm_stream.reconcile.components import component_roots
from mdm_stream.reconcile.folded_states import ArchiveAt
from mdm_stream.reconcile.recompute import recompute, resolve_folded
from mdm_stream.reconcile.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

HISTORIES = 24
RULES = small_rules(max_block_size=12)


def person_event(number: int) -> RecordEvent:
    """One of a few versions of one of a few people in one of three sources."""
    chance = random.Random(number)
    given = chance.choice(["Ann", "Anna", "Bob", "Rob"])
    attributes = {
        "given_name": given,
        "family_name": chance.choice(["Lee", "Leigh", "Kim"]),
        "birth_date": f"19{chance.randrange(60, 99)}-01-02",
        "email": (f"{given}@example.com".lower(),) if number % 3 else (),
    }
    op = "delete" if number % 17 == 0 else "upsert"
    source, record_id = chance.choice(["crm", "erp", "web"]), str(chance.randrange(40))
    return RecordEvent(
        RULES.domain, source, record_id, op, 1 + number, number * 1_000_000, {} if op == "delete" else attributes
    )


def sparse_event(number: int) -> RecordEvent:
    """One of a few versions of one of sixty records that lack much, and many of which share an address."""
    chance = random.Random(number)
    given = chance.choice(["Ann", "Anna", "Anne", "Bob", "Rob", None, None])
    family = chance.choice(["Lee", "Leigh", "Kim", "Stone", "Roth", "Abel", "Moss"])
    attributes = {
        "given_name": given,
        "family_name": family,
        "birth_date": chance.choice([None, f"19{chance.randrange(60, 70)}-01-02"]),
        "email": chance.choice([(), ("info@x.org",), ("info@x.org", f"{family.lower()}@x.org")]),
    }
    source, record_id = chance.choice(["crm", "erp", "web"]), str(chance.randrange(60))
    return RecordEvent(RULES.domain, source, record_id, "upsert", 1 + number, number * 1_000_000, attributes)


@pytest.mark.parametrize("rules_seed", [2, 11, 188])
def test_small_histories_come_out_as_the_reference_says(spark: SparkSession, tmp_path: Path, rules_seed: int) -> None:
    """Updates, deletes, verdicts, overrides, erasures, suspended keys, limits, clusters by links or by evidence, and
    a learned model.
    """
    world = worlds(rules_seed, range(HISTORIES))
    match = world.rules.match
    assert match.clustering == {2: "evidence", 11: "components", 188: "evidence"}[rules_seed]
    expected = resolve(world.rules, world.events)
    if rules_seed == 188:
        assert expected != resolve(replace(world.rules, match=replace(match, dependences=())), world.events)
    assert len(expected.golden) > HISTORIES
    folded = spark.createDataFrame(folded_rows(world.events, tasks=3), "ref string, state binary")
    found = resolve_folded(Workspace(spark, str(tmp_path)), world.rules, folded)
    assert differences(expected, resolution_of(found)) == []


def test_refined_keys_and_common_values_come_out_as_the_reference_says(spark: SparkSession, tmp_path: Path) -> None:
    """Blocks split by what refines their key, and addresses that too many records share are no evidence."""
    rules = small_rules(max_block_size=8, max_cluster_size=50, refined_above=4)
    events = [person_event(number) for number in range(150)]
    expected = resolve(rules, events)
    assert expected != resolve(small_rules(max_block_size=8, max_cluster_size=50), events)
    assert expected != resolve(without_addresses(rules), events)
    folded = spark.createDataFrame(folded_rows(events, tasks=3), "ref string, state binary")
    found = resolve_folded(Workspace(spark, str(tmp_path)), rules, folded)
    assert differences(expected, resolution_of(found)) == []


def test_all_ways_of_matching_at_once_come_out_as_the_reference_says(spark: SparkSession, tmp_path: Path) -> None:
    """Refined keys, values that are no evidence, a learned model, clusters by evidence, names compared with others."""
    rules = learned(small_rules(8, 50, refined_above=3, clustering="evidence", also=True))
    events = [sparse_event(number) for number in range(150)]
    expected = resolve(rules, events)
    match = rules.match
    for other in (
        without_addresses(rules),
        replace(rules, match=replace(match, clustering="components")),
        replace(rules, match=replace(match, dependences=())),
        replace(rules, attributes=tuple(replace(each, also=()) for each in rules.attributes)),
        replace(rules, blocking=tuple(replace(each, refined_above=None) for each in rules.blocking)),
    ):
        assert expected != resolve(other, events)
    folded = spark.createDataFrame(folded_rows(events, tasks=3), "ref string, state binary")
    found = resolve_folded(Workspace(spark, str(tmp_path)), rules, folded)
    assert differences(expected, resolution_of(found)) == []


def without_addresses(rules: Ruleset) -> Ruleset:
    """Return rules under which no pair meets by an address: where many share it, what it says is the difference."""
    return replace(rules, blocking=tuple(each for each in rules.blocking if each.tag != "e"))


@pytest.mark.parametrize("shape", ["path", "star", "clique", "several"])
def test_components_are_those_of_the_graph(spark: SparkSession, tmp_path: Path, shape: str) -> None:
    """The least number of a component is its root, in a number of rounds that grows with the path's logarithm."""
    chance = random.Random(shape)
    names = list(range(1, 65))
    chance.shuffle(names)
    links = {
        "path": list(pairwise(names)),
        "star": [(names[0], other) for other in names[1:]],
        "clique": [(a, b) for a in names[:20] for b in names[:20] if a < b],
        "several": [(chance.choice(names), chance.choice(names)) for _ in range(30)],
    }[shape]
    links = [(a, b) for a, b in links if a != b]
    frame = spark.createDataFrame(links, "a_rid long, b_rid long")
    roots, rounds = component_roots(Workspace(spark, str(tmp_path)), frame)
    nodes = sorted({node for link in links for node in link})
    expected = connected([f"{node:03d}" for node in nodes], [(f"{a:03d}", f"{b:03d}") for a, b in links])
    found = {row.rid: row.root for row in roots.collect()}
    assert found == {int(node): int(members[0]) for members in expected for node in members}
    assert rounds <= 9


def test_rounds_are_bounded(spark: SparkSession, tmp_path: Path) -> None:
    """A job that would go on and on says so."""
    path = spark.createDataFrame([(n, n + 1) for n in range(50)], "a_rid long, b_rid long")
    with pytest.raises(TerminalError, match="after 1 rounds"):
        component_roots(Workspace(spark, str(tmp_path)), path, rounds_max=1)


def test_an_archive_is_read_whole_and_a_killed_job_goes_on(spark: SparkSession, tmp_path: Path) -> None:
    """Parts and segments, repetitions, a domain beside it; a second run in the same folder computes nothing again,
    unless something else was taken out meanwhile.
    """
    events = [person_event(number) for number in range(120)]
    archive = open_archive(f"file://{tmp_path / 'archive'}")
    rows = [
        row
        for number, event in enumerate(events)
        for row in rows_of(RULES.domain, [event], Delivery(encode_event(event), str(number), number, "changes"))
    ]
    archive.append(RULES.domain, rows[:50], EpochPosition(1, 1, 1))
    archive.append(RULES.domain, rows[40:80], EpochPosition(1, 2, 2))
    archive.compact(RULES.domain)
    archive.append(RULES.domain, rows[70:], EpochPosition(1, 3, 3))
    stages: list[tuple[str, float]] = []
    workspace = Workspace(spark, str(tmp_path / "work"), lambda stage, seconds: stages.append((stage, seconds)))
    opened = ArchiveAt(f"file://{tmp_path / 'archive'}")
    found = recompute(spark, workspace, RULES, opened)
    assert differences(resolve(RULES, events), resolution_of(found.state)) == []
    assert set(found.objects) == {each.name for each in archive.objects(RULES.domain)}
    assert (found.counters.rows, found.counters.rejected) == (len(rows[:80]) + len(rows[70:]), {})
    assert all(seconds > 0 for _, seconds in stages)
    stages.clear()
    again = recompute(spark, workspace, RULES, opened)
    assert again.objects == found.objects
    assert all(seconds == 0 for stage, seconds in stages if not stage.startswith("links"))
    out = Exclusion("x", "crm", 0, 60, 1)  # by the time of arrival
    without = recompute(spark, workspace, RULES, opened, exclusions=[out])
    counting = [each for n, each in enumerate(events) if n >= 60 or each.source != "crm"]
    assert differences(resolve(RULES, counting), resolution_of(without.state)) == []
    assert without.counters.excluded > 0
