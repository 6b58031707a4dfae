"""The impact of going from one state to another: each kind by a pair of states, sums, and one result on two engines."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

import orjson
import pytest
from reconcile_world import RULES, ReconcileWorld, people, person
from small_world import small_rules

from mdm_stream.core.canonical import canonical_json
from mdm_stream.core.cluster.edges import Edge
from mdm_stream.core.cluster.golden import digest_of_content, key_of
from mdm_stream.core.f_version import bind
from mdm_stream.core.reference import Resolution
from mdm_stream.errors import ConfigurationError
from mdm_stream.index.redis.scan import open_scanner
from mdm_stream.reconcile.impact import (
    CLUSTER_KINDS,
    OTHERS_SHOWN,
    Impact,
    ImpactSample,
    IndexState,
    ValueFigures,
    as_json,
    impact_of,
    index_state,
    require_comparable,
)
from mdm_stream.reconcile.impact_in_process import StateInProcess, impact_in_process, state_of_events
from mdm_stream.reconcile.live_index import write_index
from mdm_stream.reconcile.workspace import Workspace

Clusters = Mapping[str, Sequence[str]]


def state(
    clusters: Clusters,
    values: Mapping[str, Mapping[str, object]] | None = None,
    review: Mapping[tuple[str, str], Mapping[str, object]] | None = None,
    doubts: Sequence[tuple[str, str]] = (),
) -> StateInProcess:
    """Return a state with these members by golden id, values by golden id, items of the queue, pairs in doubt."""
    golden = {
        golden_id: {"members": [key_of(ref) for ref in refs], "values": (values or {}).get(golden_id, {})}
        for golden_id, refs in sorted(clusters.items())
    }
    crosswalk = {ref: golden_id for golden_id, refs in clusters.items() for ref in refs}
    edges = tuple(Edge(a, b, False, 0.0, 0.5, "", "") for a, b in doubts)
    return StateInProcess(Resolution(crosswalk, golden, dict(review or {})), edges)


def refs(text: str) -> list[str]:
    """Return a record for each letter."""
    return [f"crm/{letter}" for letter in text]


def impact(before: StateInProcess, after: StateInProcess, samples: int = 20) -> Impact:
    """Compare in this process."""
    return impact_in_process("person", before, after, samples=samples)


def counted(found: Impact) -> dict[str, tuple[int, int, int]]:
    """Return the kinds that there are: clusters before, after, and their records."""
    return {
        kind: (each.before, each.after, each.records)
        for kind, each in found.clusters.items()
        if (each.before, each.after) != (0, 0)
    }


KINDS: dict[str, tuple[Clusters, Clusters, dict[str, tuple[int, int, int]], list[ImpactSample]]] = {
    "unchanged": ({"g1": refs("ab")}, {"g1": refs("ab")}, {"unchanged": (1, 1, 2)}, []),
    "renamed": (
        {"g1": refs("ab")}, {"g2": refs("ab")}, {"renamed": (1, 1, 2)},
        [ImpactSample("renamed", "g1", ("g2",), 1, ("crm/a",))],
    ),
    "resized": (
        {"g1": refs("abx")}, {"g1": refs("aby")}, {"resized": (1, 1, 2)},
        [ImpactSample("resized", "g1", ("g1",), 1, ("crm/a",))],
    ),
    "merged": (
        {"g1": refs("ab"), "g2": refs("c")}, {"g1": refs("abc")}, {"merged": (2, 1, 3)},
        [ImpactSample("merged", "g1", ("g1", "g2"), 2, ("crm/a", "crm/c"))],
    ),
    "split": (
        {"g1": refs("abc")}, {"g1": refs("ab"), "g2": refs("c")}, {"split": (1, 2, 3)},
        [ImpactSample("split", "g1", ("g1", "g2"), 2, ("crm/a", "crm/c"))],
    ),
    "moved": (
        {"g1": refs("ab"), "g2": refs("cd")}, {"g1": refs("a"), "g2": refs("bcd")}, {"moved": (2, 2, 4)},
        [
            ImpactSample("moved", "g1", ("g1", "g2"), 2, ("crm/a", "crm/b")),
            ImpactSample("moved", "g2", ("g2",), 1, ("crm/c",)),
        ],
    ),
    # The first cluster goes whole into one of which a part comes from elsewhere: the group is no star.
    "moved in a chain": (
        {"g1": refs("a"), "g2": refs("bc"), "g3": refs("de")},
        {"g1": refs("ab"), "g2": refs("cd"), "g4": refs("e")},
        {"moved": (3, 3, 5)},
        [
            ImpactSample("moved", "g1", ("g1",), 1, ("crm/a",)),
            ImpactSample("moved", "g2", ("g1", "g2"), 2, ("crm/b", "crm/c")),
            ImpactSample("moved", "g3", ("g2", "g4"), 2, ("crm/d", "crm/e")),
        ],
    ),
    "new": ({}, {"g1": refs("ab")}, {"new": (0, 1, 2)}, [ImpactSample("new", "g1", (), 0, ("crm/a",))]),
    "gone": ({"g1": refs("ab")}, {}, {"gone": (1, 0, 2)}, [ImpactSample("gone", "g1", (), 0, ("crm/a",))]),
    # A record that only one side has makes no merge of one cluster, and no split.
    "merged, and a record appears": (
        {"g1": refs("a"), "g2": refs("b")}, {"g1": refs("abz")}, {"merged": (2, 1, 2)},
        [ImpactSample("merged", "g1", ("g1", "g2"), 2, ("crm/a", "crm/b"))],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_cluster_is_named(kind):
    """By hand: two states, and the one kind that all of their clusters are of."""
    before, after, expected, samples = KINDS[kind]
    found = impact(state(before), state(after))
    assert counted(found) == expected
    assert [sample for sample in found.samples if sample.kind in CLUSTER_KINDS] == samples


def test_what_appears_vanishes_and_has_another_id_is_counted_by_record():
    """And golden records by their id."""
    found = impact(state({"g1": refs("abx"), "g3": refs("m")}), state({"g2": refs("aby"), "g3": refs("m")}))
    records, golden = found.records, found.golden
    assert (records.before, records.after, records.appeared, records.vanished, records.other_id) == (4, 4, 1, 1, 2)
    assert (golden.before, golden.after, golden.created, golden.retired, golden.changed) == (2, 2, 1, 1, 0)


def test_values_are_compared_by_attribute_and_never_shown():
    """Of golden ids that both sides have; a null is no value; other members alone change no value."""
    before = {"g1": {"name": "Ann", "email": ["secret"], "city": None}, "g2": {"name": "Bo"}, "g3": {"name": "Cy"}}
    after = {"g1": {"name": "Anne", "email": None, "city": "Secret"}, "g2": {"name": "Bob"}, "g4": {"name": "Cy"}}
    clusters = {"g1": refs("a"), "g2": refs("b"), "g3": refs("c"), "g5": refs("de"), "g6": refs("f")}
    switched = {"g1": refs("a"), "g2": refs("b"), "g4": refs("c"), "g5": refs("d"), "g6": refs("ef")}
    found = impact(state(clusters, before), state(switched, after))
    assert found.golden.values_changed == 2
    assert found.golden.changed == 4
    assert found.values == {
        "city": ValueFigures(gained=1),
        "email": ValueFigures(lost=1),
        "name": ValueFigures(changed=2),
    }
    assert [sample for sample in found.samples if sample.kind == "values"] == [
        ImpactSample("values", "g1", ("city", "email", "name"), 3),
        ImpactSample("values", "g2", ("name",), 1),
    ]
    assert orjson.loads(orjson.dumps(as_json(found))) == as_json(found)
    assert "ecret" not in repr((found, found.samples, as_json(found)))


def test_the_load_of_stewards_is_counted():
    """Opened, closed, and asked on both sides in other words; answered ones; all pairs in the middle band."""
    clusters = {"g1": refs("a"), "g2": refs("b"), "g3": refs("c")}
    ab, ac, bc = ("crm/a", "crm/b"), ("crm/a", "crm/c"), ("crm/b", "crm/c")
    found = impact(
        state(clusters, review={ab: {"confidence": 0.5}, ac: {"answered": True}}, doubts=[ab]),
        state(clusters, review={ab: {"confidence": 0.6}, bc: {"answered": True}}, doubts=[ab, bc]),
    )
    review = {field.name: getattr(found.review, field.name) for field in fields(found.review)}
    assert review == {
        "before": 2, "after": 2, "opened": 1, "closed": 1, "changed": 1, "answered_before": 1, "answered_after": 1,
        "pairs_before": 1, "pairs_after": 2,
    }  # fmt: skip
    assert found.samples == (
        ImpactSample("opened", *("crm/b", ("crm/c",)), 1, bc),
        ImpactSample("closed", "crm/a", ("crm/c",), 1, ac),
    )
    assert not found.is_none


def test_samples_are_bounded_in_number_and_in_what_each_names():
    """A merge of many clusters names some, and says how many there are."""
    many = OTHERS_SHOWN + 5
    before = {f"g{n:02}{m:02}": [f"crm/{n}-{m:02}"] for n in range(4) for m in range(many)}
    after = {f"g{n:02}00": [f"crm/{n}-{m:02}" for m in range(many)] for n in range(4)}
    found = impact(state(before), state(after), samples=2)
    merged = [sample for sample in found.samples if sample.kind == "merged"]
    assert [sample.item for sample in merged] == ["g0000", "g0100"]
    assert [(len(sample.others), sample.others_count, len(sample.refs)) for sample in merged] == [
        (OTHERS_SHOWN, many, OTHERS_SHOWN)
    ] * 2
    assert impact(state(before), state(after), samples=0).samples == ()


def dealt(chance: random.Random, records: int) -> StateInProcess:
    """Return some of so many records, dealt to clusters by chance: small ones, so that all kinds come up."""
    clusters: dict[str, list[str]] = {}
    for ref in (f"crm/{n}" for n in range(records) if chance.random() < 0.9):
        clusters.setdefault(f"g{chance.randrange(records)}", []).append(ref)
    values = {golden_id: {"name": chance.choice(["a", "b", None])} for golden_id in clusters}
    pairs = {
        (f"crm/{n}", f"crm/{n + 1}"): {"answered": chance.random() < 0.5} for n in chance.sample(range(records), 3)
    }
    return state(clusters, values, pairs, list(pairs))


def kinds_by_groups(before: Resolution, after: Resolution) -> dict[str, tuple[int, int, int]]:
    """Return what ``counted`` should be, by walking the overlap groups: slow and obvious."""
    sides = [set(before.golden), set(after.golden)]
    shared = {(before.crosswalk[ref], after.crosswalk[ref]) for ref in before.crosswalk if ref in after.crosswalk}
    found: dict[str, list[int]] = {}
    left = [{("old", each) for each in sides[0]}, {("new", each) for each in sides[1]}]
    waiting = left[0] | left[1]
    while waiting:
        group, edge = set(), {waiting.pop()}
        while edge:
            group |= edge
            edge = {
                other
                for old, new in shared
                for one, other in ((("old", old), ("new", new)), (("new", new), ("old", old)))
                if one in group and other not in group
            }
        waiting -= group
        old, new = ([each for side, each in group if side == name] for name in ("old", "new"))
        of_old = {ref for ref, golden_id in before.crosswalk.items() if golden_id in old}
        of_new = {ref for ref, golden_id in after.crosswalk.items() if golden_id in new}
        if len(old) == len(new) == 1:
            same = "unchanged" if old == new else "renamed"
            kind = same if of_old == of_new else "resized"
        elif not old or not new:
            kind = "gone" if old else "new"
        else:
            kind = "merged" if len(new) == 1 else "split" if len(old) == 1 else "moved"
        figures = found.setdefault(kind, [0, 0, 0])
        for place, figure in enumerate((len(old), len(new), len(of_old & of_new if old and new else of_old | of_new))):
            figures[place] += figure
    return {kind: (old, new, records) for kind, (old, new, records) in found.items()}


@pytest.mark.parametrize("seed", range(30))
def test_every_cluster_is_counted_once_and_as_its_group_says(seed):
    """Figures that queries take from neighbours alone are those of whole overlap groups."""
    chance = random.Random(seed)
    before, after = dealt(chance, 12), dealt(chance, 12)
    found = impact(before, after)
    assert counted(found) == kinds_by_groups(before.resolution, after.resolution)
    assert sum(each.before for each in found.clusters.values()) == found.golden.before == len(before.resolution.golden)
    assert sum(each.after for each in found.clusters.values()) == found.golden.after == len(after.resolution.golden)
    records = found.records
    assert records.before - records.vanished == records.after - records.appeared
    both_ways = sum(each.records for kind, each in found.clusters.items() if kind not in ("new", "gone"))
    assert both_ways == records.before - records.vanished


@pytest.mark.parametrize("seed", range(3))
def test_the_same_state_has_no_impact(seed):
    """Everything is unchanged, and there is nothing to show."""
    same = dealt(random.Random(seed), 12)
    found = impact(same, same)
    assert found.is_none
    assert set(counted(found)) == {"unchanged"}
    assert (found.samples, found.values) == ((), {})
    assert not impact(same, dealt(random.Random(seed + 1), 12)).is_none


def test_empty_states_compare():
    """Of no record, nothing changes."""
    assert impact(state({}), state({})).is_none


def test_rules_that_ask_less_merge_what_others_keep_apart():
    """F of events in this process, under two rule sets."""
    events = people(6)
    asked = state_of_events(RULES, events)
    merged = state_of_events(replace(RULES, match=replace(RULES.match, prior=0.5)), events)
    found = impact(asked, merged)
    assert counted(found) == {"merged": (12, 6, 18)}
    assert (found.review.closed, found.review.pairs_before, found.review.pairs_after) == (12, 12, 0)
    assert impact(asked, state_of_events(RULES, list(reversed(events)))).is_none


def test_states_of_two_domains_or_of_two_versions_of_f_are_not_compared():
    """They have nothing in common, or one process cannot have made both."""
    with pytest.raises(ConfigurationError, match="two domains, 'person' and 'company'"):
        require_comparable(RULES, replace(RULES, domain="company"))
    ours = replace(RULES, digest=bind("0" * 8))
    with pytest.raises(ConfigurationError, match="two versions of F"):
        require_comparable(ours, replace(RULES, digest="00000000+another"))
    require_comparable(ours, replace(small_rules(), digest=bind("1" * 8)))


def on_spark(spark, each: StateInProcess) -> IndexState:
    """Return a state as DataFrames."""
    said = each.resolution
    golden = [(golden_id, canonical_json(content)) for golden_id, content in said.golden.items()]
    return IndexState(
        spark.createDataFrame(
            [(edge.a, edge.b, edge.link) for edge in each.doubts], "a string, b string, link boolean"
        ),
        spark.createDataFrame(list(said.crosswalk.items()), "ref string, golden_id string"),
        spark.createDataFrame(
            [(golden_id, digest_of_content(content), bytearray(content)) for golden_id, content in golden],
            "golden_id string, digest string, content binary",
        ),
        spark.createDataFrame(
            [(*pair, bytearray(canonical_json(item))) for pair, item in said.review.items()],
            "a string, b string, item binary",
        ),
    )


@pytest.mark.timeout(900)  # a job on a machine that has other work
@pytest.mark.parametrize("seed", [1])
def test_spark_finds_what_this_process_finds(spark, seed):
    """Figures and samples: one text of queries, and the same answer."""
    chance = random.Random(seed)
    before, after = dealt(chance, 60), dealt(chance, 60)
    found = impact_of(spark, "person", on_spark(spark, before), on_spark(spark, after), samples=3)
    assert found == impact(before, after, samples=3)
    assert found.samples


def read_now(world: ReconcileWorld, name: str) -> IndexState:
    """Return what the index of a world holds."""
    workspace = Workspace(world.spark, (world.folder / name).as_uri())
    write_index(open_scanner(world.client, RULES), workspace)
    return index_state(workspace)


@pytest.mark.one_redis
@pytest.mark.timeout(900)  # a job on a machine that has other work
def test_a_live_index_is_a_side(spark, redis_client, tmp_path: Path):
    """What an index holds compares with what F says, so a switch can be held against its forecast."""
    events = people(5)
    gone = person("web", "3", 500, given_name="Zed", family_name="Elsewhere", birth_date="1933-03-03")
    world = ReconcileWorld(spark, redis_client, tmp_path)
    world.deliver(events)
    live = read_now(world, "live")
    before = state_of_events(RULES, [])
    expected = state_of_events(RULES, events)
    assert impact_of(spark, "person", on_spark(spark, before), live) == impact(before, expected)
    world.deliver([gone])
    later = read_now(world, "later")
    world.warehouse.close()
    moved = impact_of(spark, "person", live, later)
    assert moved == impact(expected, state_of_events(RULES, [*events, gone]))
    assert not moved.is_none
