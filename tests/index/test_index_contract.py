"""One contract, two indexes: what each operation does, what conflicts, and what an absent thing is."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from redis.crc import key_slot
from small_world import small_rules

from mdm_stream.core.cluster.edges import Edge, scored_edge
from mdm_stream.core.cluster.golden import Golden
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.fold import EMPTY, fold, fold_record
from mdm_stream.core.match.score import PairScore
from mdm_stream.core.model import EraseEvent, RecordEvent
from mdm_stream.core.plan.commit import Commit, HeldComponent, HeldGolden, HeldItem, HeldReview, OutboxChange
from mdm_stream.core.record import Record, build_record
from mdm_stream.errors import TerminalError, TransientError
from mdm_stream.index.errors import EpochChangedError
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.index.port import Block, CommitOutcome, Neighbourhood
from mdm_stream.index.redis.index import RedisIndex

LIMIT = 3
RULES = small_rules(max_block_size=LIMIT)
APPLIED = CommitOutcome()
ODD_REFS = ["crm/a/b//c", "crm/ü 漢 🦊", "crm/\"'{}[]\\,", "crm/" + "x" * 256, "crm/suspended", "crm/1", "crm/\u2028"]
CHUNK = 4000
"""How many values the scripts hand to one Redis command; the tests go past it, and past what Lua's stack takes."""


@pytest.fixture(params=["memory", "redis"])
def index(request, redis_client):
    """Each index, empty."""
    return MemoryIndex(RULES) if request.param == "memory" else RedisIndex(redis_client, RULES)


def record(ref: str, version: int = 1, op: str = "upsert", **attributes: object) -> Record:
    """A record after one event."""
    source, record_id = ref.split("/", 1)
    event = RecordEvent("person", source, record_id, op, version, 0, attributes)
    return build_record(RULES, ref, fold_record(EMPTY, event).state)


def review(a: str, b: str, weight: float = 1.5) -> Edge:
    """A REVIEW edge."""
    return scored_edge((a, b), PairScore(weight, 0.5, False, "", "123"))


def kept(edge: Edge) -> HeldReview:
    """A REVIEW edge that its first record alone keeps, as a plan writes it."""
    return HeldReview(edge, by_a=True, by_b=False)


def component(members: tuple[str, ...], **more: object) -> HeldComponent:
    """A component as a plan writes it."""
    parts = {"links": (), "golden": (HeldGolden("g1", "d1", members),), "refused": (), **more}
    return HeldComponent("", members, ("0123456789abcdef",) * len(members), **parts)


def commit(index: object, **writes: object) -> CommitOutcome:
    """Commit one thing."""
    return index.commit([Commit(**writes)])[0]


def test_nothing_is_there_at_first(index):
    """Reads of what does not exist, and of nothing at all, are empty, not errors."""
    assert index.read_records([]) == {}
    assert index.read_records(["crm/1"]) == {}
    assert index.read_blocks({}) == {}
    assert index.read_blocks({"k": LIMIT}) == {"k": Block("", 0, {})}
    assert index.read_neighbourhood([]) == Neighbourhood({}, {}, {}, {})
    assert index.read_neighbourhood(["crm/1"]) == Neighbourhood({}, {}, {}, {})
    assert index.pending(10) == []
    assert index.read(10) == []
    assert index.commit([]) == []
    index.acknowledge([])


@pytest.mark.parametrize("ref", ODD_REFS)
def test_a_record_comes_back_as_it_was_put(index, ref):
    """Under any reference; live records and tombstones, with every kind of value."""
    email = ("a@x.org", "b@x.org")
    live = record(ref, given_name="Zoë 漢", email=email, birth_date="31/12/1980", unused=(1, 2.5, None))
    assert commit(index, put_records=[live]) == APPLIED
    assert index.read_records([ref, "crm/none"]) == {ref: live}
    dead = record(ref, 2, "delete")
    assert commit(index, put_records=[dead], expect_records={ref: live.revision}) == APPLIED
    assert index.read_records([ref]) == {ref: dead}


def test_a_record_at_another_revision_is_a_conflict(index):
    """Expected absent and there, there and absent, at one revision and at another: nothing is written."""
    first, second = record("crm/1", 1), record("crm/1", 2)
    assert commit(index, expect_records={"crm/1": first.revision}, put_records=[second]).conflicts == ("record",)
    assert commit(index, expect_records={"crm/1": ""}, put_records=[first]) == APPLIED
    assert commit(index, expect_records={"crm/1": ""}, put_records=[second]).conflicts == ("record",)
    assert commit(index, expect_records={"crm/1": second.revision}, put_records=[second]).conflicts == ("record",)
    assert index.read_records(["crm/1"]) == {"crm/1": first}


def test_a_commit_that_conflicts_writes_nothing_at_all(index):
    """All or nothing, whatever the commit holds; the commits beside it are applied on their own."""
    loser = Commit(
        expect_records={"crm/1": "0" * 16, "crm/2": ""},
        put_records=[record("crm/2")],
        put_blocks={"k": {"crm/2": "r"}},
        suspend={"s": {"crm/2": "r"}},
        put_components={"crm/2": component(("crm/2",))},
        component_of={"crm/2": "crm/2"},
        crosswalk={"crm/2": "g1"},
        put_golden={"g1": Golden("g1", ("crm/2",), b"{}", "d1")},
        put_edges=[kept(review("crm/1", "crm/2"))],
        put_review={("crm/1", "crm/2"): {"reason": "score"}},
        enqueue=["crm/2"],
        changes=[OutboxChange("g1", b"{}")],
    )
    winner = Commit(put_records=[record("crm/3")], changes=[OutboxChange("g3", b"3")])
    assert index.commit([loser, winner]) == [CommitOutcome(("record",)), APPLIED]
    assert list(index.read_records(["crm/1", "crm/2", "crm/3"])) == ["crm/3"]
    assert index.read_blocks({"k": LIMIT, "s": LIMIT}) == {"k": Block("", 0, {}), "s": Block("", 0, {})}
    assert index.read_neighbourhood(["crm/2"]) == Neighbourhood({}, {}, {}, {})
    assert index.pending(10) == []
    assert [(entry.sequence, entry.content) for entry in index.read(10)] == [(1, b"3")]
    assert (index.snapshot().crosswalk, index.snapshot().golden, index.snapshot().review) == ({}, {}, {})


def test_every_reason_of_a_conflict_is_told_once(index):
    """The outcome names the kinds of things that had changed, sorted."""
    outcome = commit(
        index,
        expect_records={"crm/1": "x", "crm/2": "x"},
        expect_components={"crm/1": "x"},
        expect_blocks={"k": "x"},
        expect_suspended={"s": 0},
    )
    assert outcome.conflicts == ("block", "component", "record", "suspended")


def test_an_open_block_is_written_whole_and_stamped(index):
    """Each write gives a new stamp, an expectation of an old one conflicts, and a block without members is gone."""
    commit(index, put_blocks={"k": dict.fromkeys(ODD_REFS[:LIMIT], "r1")})
    first = index.read_blocks({"k": LIMIT})["k"]
    assert (first.size, first.members) == (LIMIT, dict.fromkeys(ODD_REFS[:LIMIT], "r1"))
    commit(index, put_blocks={"k": {"crm/1": "r2"}}, expect_blocks={"k": first.stamp})
    second = index.read_blocks({"k": LIMIT})["k"]
    assert second.stamp != first.stamp
    assert second.members == {"crm/1": "r2"}
    assert commit(index, put_blocks={"k": {}}, expect_blocks={"k": first.stamp}).conflicts == ("block",)
    assert commit(index, put_blocks={"k": {}}, expect_blocks={"k": second.stamp}) == APPLIED
    assert index.read_blocks({"k": LIMIT}) == {"k": Block("", 0, {})}


def test_a_suspended_block_grows_shrinks_and_resumes(index):
    """Its members are told up to the size asked for, its size always; every change gives it a new stamp."""
    members = {f"crm/{n}": "r" for n in range(LIMIT + 1)}
    commit(index, suspend={"k": members})
    suspended = index.read_blocks({"k": LIMIT})["k"]
    assert (suspended.size, suspended.members) == (LIMIT + 1, None)
    assert index.read_blocks({"k": LIMIT + 1})["k"].members == members
    commit(index, grow={"k": {"crm/9": "r9", "crm/0": "r0"}}, expect_suspended={"k": 1})
    commit(index, shrink={"k": ["crm/1"]}, expect_suspended={"k": -1})
    changed = index.read_blocks({"k": 100})["k"]
    assert changed.members == {"crm/0": "r0", "crm/2": "r", "crm/3": "r", "crm/9": "r9"}
    assert commit(index, expect_blocks={"k": suspended.stamp}).conflicts == ("block",)
    opened = {"crm/0": "r0", "crm/2": "r"}
    commit(index, put_blocks={"k": opened}, resume=["k"], expect_blocks={"k": changed.stamp})
    assert index.read_blocks({"k": LIMIT})["k"].members == opened
    commit(index, put_blocks={"k": {}})
    assert index.read_blocks({"k": 100}) == {"k": Block("", 0, {})}


@pytest.mark.parametrize(("size", "growth", "holds"), [(4, 0, True), (5, -1, True), (4, -1, False), (3, 1, False)])
def test_a_suspended_block_must_be_past_the_limit_before_and_after(index, size, growth, holds):
    """The plan saw a key that makes no candidates; if it does, or would by the commit, the plan is void."""
    members = {f"crm/{n}": "r" for n in range(size)}
    commit(index, **({"suspend": {"k": members}} if size > LIMIT else {"put_blocks": {"k": members}}))
    outcome = commit(index, expect_suspended={"k": growth})
    assert outcome == (APPLIED if holds else CommitOutcome(("suspended",)))


def test_components_and_their_reviews_are_read_around_records(index):
    """A record's component comes whole, with the REVIEW edges of all its members; its stamp says what was read."""
    refs = tuple(sorted(ODD_REFS[:4]))
    links = tuple(scored_edge(pair, PairScore(7.25, 0.99, True, "same_email", "")) for pair in pairwise(refs))
    edge = review(*sorted((refs[2], "erp/1")))
    whole = component(refs, links=links, refused=(HeldItem((refs[0], refs[3]), "d" * 16),))
    writes = {
        "put_components": {refs[0]: whole},
        "component_of": dict.fromkeys(refs, refs[0]),
        "put_edges": [kept(edge)],
    }
    commit(index, expect_components={refs[0]: ""}, **writes)
    near = index.read_neighbourhood([refs[1], "crm/none", "erp/1"])
    held = near.components[refs[0]]
    assert near.component_of == {refs[1]: refs[0]}
    assert (held.revisions, held.members, held.links, held.golden, held.refused) == (
        whole.revisions,
        refs,
        links,
        whole.golden,
        whole.refused,
    )
    assert near.reviews == {refs[2]: [kept(edge)], "erp/1": [kept(edge)]}
    assert near.review_stamps.keys() == near.reviews.keys()
    commit(index, put_components={refs[0]: whole}, expect_components={refs[0]: held.stamp})
    assert commit(index, expect_components={refs[0]: held.stamp}).conflicts == ("component",)
    commit(index, drop_components=[refs[0]], drop_refs=list(refs), drop_edges=[edge.pair])
    assert index.read_neighbourhood([*refs, "erp/1"]) == Neighbourhood({}, {}, {}, {})


def test_results_are_put_and_dropped(index):
    """Crosswalk, golden records and review items are what the last commit said; dropping what is absent is harmless."""
    edge = review("crm/1", "crm/2")
    golden = Golden("g1", ("crm/1",), b'{"golden_id":"g1"}', "d1")
    commit(index, crosswalk={"crm/1": "g1"}, put_golden={"g1": golden}, put_review={edge.pair: {"reason": "score"}})
    state = index.snapshot()
    assert (state.crosswalk, state.golden) == ({"crm/1": "g1"}, {"g1": {"golden_id": "g1"}})
    assert [item["reason"] for item in state.review.values()] == ["score"]
    for _ in range(2):
        commit(index, drop_refs=["crm/1"], drop_golden=["g1"], drop_review=[edge.pair], drop_edges=[edge.pair])
        assert (index.snapshot().crosswalk, index.snapshot().golden, index.snapshot().review) == ({}, {}, {})


def test_the_queue_holds_each_record_once_and_is_read_without_taking(index):
    """What is queued stays until a commit takes it off; one that both takes off and puts on leaves it on."""
    commit(index, enqueue=["crm/1", "crm/2"])
    commit(index, enqueue=["crm/2", "crm/3"])
    assert index.pending(10) == index.pending(10) == ["crm/1", "crm/2", "crm/3"]
    assert len(index.pending(2)) == 2
    commit(index, dequeue=["crm/1", "crm/2", "crm/9"], enqueue=["crm/2"])
    assert index.pending(10) == ["crm/2", "crm/3"]


def test_the_outbox_is_in_order_and_without_a_gap(index):
    """Sequence numbers follow the order of commits; what is acknowledged, twice or in any order, is gone for good."""
    index.commit(
        [
            Commit(changes=[OutboxChange("g", b"1"), OutboxChange("g", b"2")]),
            Commit(),
            Commit(changes=[OutboxChange("g", b"3")]),
        ]
    )
    entries = index.read(10)
    assert [(e.epoch, e.sequence, e.content) for e in entries] == [(1, 1, b"1"), (1, 2, b"2"), (1, 3, b"3")]
    assert index.read(10) == entries
    assert index.read(2) == entries[:2]
    index.acknowledge([entries[1]])
    index.acknowledge([entries[1], entries[0]])
    assert index.read(10) == entries[2:]
    index.acknowledge(entries)
    assert index.read(10) == []
    commit(index, changes=[OutboxChange("g", b"4")])
    assert [e.sequence for e in index.read(10)] == [4]


def test_the_outbox_is_read_by_bytes_too(index):
    """A read returns so many bytes and no more, and one change whatever its size; the next one goes on after it."""
    sizes = [10, 400, 50, 60, 900, 1, 1, 1, 1, 1]
    index.commit([Commit(changes=[OutboxChange("g", b"x" * size) for size in sizes])])
    portions, last = [], None
    while entries := index.read(100, after=last, bytes_max=400):
        portions.append([len(entry.content) for entry in entries])
        last = entries[-1]
    assert portions == [[10], [400], [50, 60], [900], [1, 1, 1, 1, 1]]
    assert [len(entry.content) for entry in index.read(3, bytes_max=10_000)] == [10, 400, 50]
    assert [len(entry.content) for entry in index.read(100, bytes_max=10_000)] == sizes


def test_commits_of_any_size_are_taken(index):
    """Thousands of everything in one commit, past what Lua can put on its stack at once."""
    count = 2 * CHUNK + 1
    refs = [f"crm/{n:06}" for n in range(count)]
    records = [record(ref) for ref in refs]
    whole = component(tuple(refs))
    blocks = {f"k{n}": {refs[n]: "r"} for n in range(count)}
    everything = Commit(
        expect_records=dict.fromkeys(refs, ""),
        expect_blocks=dict.fromkeys(blocks, ""),
        put_records=records,
        put_blocks=blocks,
        suspend={"big": dict.fromkeys(refs, "r")},
        put_components={refs[0]: whole},
        component_of=dict.fromkeys(refs, refs[0]),
        crosswalk=dict.fromkeys(refs, "g1"),
        enqueue=refs,
        changes=[OutboxChange("g1", b"{}")] * count,
    )
    assert index.commit([everything]) == [APPLIED]
    assert len(index.read_records(refs)) == count
    assert {key: block.members for key, block in index.read_blocks(dict.fromkeys(blocks, LIMIT)).items()} == blocks
    assert index.read_blocks({"big": count})["big"].size == count
    assert index.read_neighbourhood([refs[7]]).components[refs[0]].members == tuple(refs)
    assert len(index.pending(count)) == count
    assert index.read(count + 1)[-1].sequence == count
    gone = Commit(
        expect_records={record.ref: record.revision for record in records},
        put_blocks={**{key: {} for key in blocks}, "big": {}},
        resume=["big"],
        drop_components=[refs[0]],
        drop_refs=refs,
        dequeue=refs,
    )
    assert index.commit([gone]) == [APPLIED]
    assert index.pending(10) == []
    assert index.snapshot().crosswalk == {}
    assert index.read_blocks({"big": count, "k1": count}) == {"big": Block("", 0, {}), "k1": Block("", 0, {})}


@pytest.mark.parametrize("place", [0, CHUNK // 2 - 1, CHUNK // 2, CHUNK])
def test_every_expectation_of_a_large_commit_counts(index, place):
    """One record of thousands that is not as expected is a conflict, wherever it stands."""
    refs = [f"crm/{n:06}" for n in range(CHUNK + 1)]
    assert commit(index, put_records=[record(refs[place])]) == APPLIED
    assert commit(index, expect_records=dict.fromkeys(refs, "")).conflicts == ("record",)


def test_an_index_stays_bound_while_nothing_takes_its_place(index):
    """Binding twice gives the same; commits leave it as it is; any other epoch or server is not what was bound."""
    binding = index.bind()
    assert binding.epoch == index.position().epoch == index.epoch == 1
    commit(index, put_records=[record("crm/1")], changes=[OutboxChange("g", b"1")])
    assert index.bind() == binding
    index.require_unchanged(binding)
    for other in (replace(binding, epoch=2), replace(binding, server=binding.server + "0")):
        with pytest.raises(EpochChangedError):
            index.require_unchanged(other)


def test_a_position_counts_commits_and_changes(index):
    """The clock grows with every commit that is applied, the sequence with every change; a conflict moves neither."""
    assert index.position() == EpochPosition(1, 0, 0)
    index.commit([Commit(changes=[OutboxChange("g", b"1"), OutboxChange("g", b"2")]), Commit()])
    assert index.position() == EpochPosition(1, 2, 2)
    commit(index, expect_records={"crm/1": "x"}, changes=[OutboxChange("g", b"3")])
    assert index.position() == EpochPosition(1, 2, 2)


def test_erased_records_are_told_from_all_others(index):
    """Of many references: live, deleted and unknown records are not erased."""
    erased = build_record(RULES, "crm/2", fold(EMPTY, EraseEvent("person", "crm/2", 5), "crm/2").state)
    commit(index, put_records=[record("crm/1"), erased, record("crm/3", 2, "delete")])
    assert index.erased_among([]) == set()
    assert index.erased_among(["crm/1", "crm/2", "crm/3", "crm/4", *ODD_REFS]) == {"crm/2"}
    assert index.erased_among([*(f"erp/{n}" for n in range(CHUNK)), "crm/2"]) == {"crm/2"}


def test_one_slot_holds_all_that_a_script_touches(redis_client):
    """Every key of a domain has the same hash tag, whatever namespace, reference and blocking key it is made of."""
    index = RedisIndex(redis_client, RULES, "a b-{c}")
    edge = review("crm/1", "crm/{2}")
    commit(index, put_records=[record("crm/{2}")], suspend={"k:{x}": {"crm/{2}": "r"}}, put_edges=[kept(edge)])
    commit(index, enqueue=["crm/1"], changes=[OutboxChange("g", b"1")], put_review={edge.pair: {"reason": "score"}})
    assert len({key_slot(key) for key in redis_client.scan_iter()}) == 1


def test_an_index_of_other_rules_is_refused(redis_client):
    """An index belongs to one rule set: another one can neither open it nor, if it was open before, write to it."""
    index = RedisIndex(redis_client, RULES)
    commit(index, put_records=[record("crm/1")])
    with pytest.raises(TerminalError, match="another rule set"):
        RedisIndex(redis_client, small_rules(max_block_size=9))
    redis_client.hset("mdm:{main:person}:1:meta", "rules", "other")
    with pytest.raises(TransientError, match="another epoch, rule set or F"):
        commit(index, put_records=[record("crm/2")])
    with pytest.raises(TerminalError, match="another rule set"):
        index.read_records(["crm/1"])
    with pytest.raises(TerminalError, match="no index"):
        RedisIndex(redis_client, RULES, "elsewhere", create=False)


def test_a_server_that_forgot_the_scripts_is_taught_them_again(redis_client):
    """A restart empties the script cache; the next call loads what it needs."""
    index = RedisIndex(redis_client, RULES)
    index.read_blocks({"k": LIMIT})
    commit(index, put_blocks={"k": {"crm/1": "r"}})
    redis_client.script_flush()
    assert index.read_blocks({"k": LIMIT})["k"].members == {"crm/1": "r"}
    redis_client.script_flush()
    assert commit(index, put_blocks={"k": {}}) == APPLIED
