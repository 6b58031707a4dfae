"""Large components in pages: what is stored is a function of the component, and a change writes what it changes."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import small_rules
from torture.keyspace import differences, expected_keys, states_of, stored_keys

from mdm_stream.core.cluster.edges import Edge
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.plan.commit import ABSENT, HeldComponent, HeldGolden, HeldItem
from mdm_stream.core.plan.component_id import component_id_of
from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import TransientError
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.index.redis.pages import (
    INLINE_MEMBERS_MAX,
    PageMemory,
    component_of,
    decode_directory,
    decode_page,
    encode_directory,
    encode_page,
    page_digest,
    pages_of,
)

RULES = small_rules(max_block_size=20, max_cluster_size=40, kept=2)
PREFIX = "mdm:{main:person}:1:"
COUNTERS = ("meta", "out")


def member(number: int, version: int = 1, op: str = "upsert") -> RecordEvent:
    """Return the write of a link in a chain, which shares an email with the one before and with the one after."""
    emails = (f"m{number}@example.org", f"m{number + 1}@example.org")
    values = {"given_name": "Ann", "family_name": "Lee", "email": emails}
    return RecordEvent("person", "crm", f"{number:05}", op, version, 1, values if op == "upsert" else {})


def keyspace(client: object) -> dict[str, object]:
    """Return what is stored, beside counters and the outbox."""
    return {name: held for name, held in stored_keys(client, PREFIX).items() if name not in COUNTERS}


def component(refs: list[str], seed: int) -> HeldComponent:
    """Return a component whose links, golden records and review items reach from page to page."""
    chance = random.Random(seed)
    members = tuple(sorted(refs))
    pairs = sorted({tuple(sorted(chance.sample(members, 2))) for _ in range(3 * len(members))})
    clusters: dict[int, list[str]] = {}
    for ref in members:
        clusters.setdefault(chance.randrange(1 + len(members) // 5), []).append(ref)
    golden = [HeldGolden(f"g{i}", f"d{i}", tuple(reversed(held))) for i, held in clusters.items()]
    return HeldComponent(
        ABSENT,
        members,
        tuple(f"{chance.getrandbits(64):016x}" for _ in members),
        tuple(Edge(a, b, True, chance.choice([1.5, 60.0]), 0.9, "", "12") for a, b in pairs),
        tuple(sorted(golden, key=lambda each: min(each.members))),
        tuple(HeldItem(pair, "d" * 16) for pair in pairs[::7]),
    )


@settings(deadline=None, max_examples=40)
@given(st.sets(st.integers(0, 10**6), min_size=2, max_size=300), st.integers(0, 99))
def test_a_component_is_what_its_pages_say(numbers, seed):
    """Cut, stored, read and joined again it is the same; the directory lists every page with its digest."""
    whole = component([f"crm/{number}" for number in numbers], seed)
    pages = pages_of(whole)
    assert (len(pages) == 1) or len(numbers) > INLINE_MEMBERS_MAX
    stored = {page.members[0]: encode_page(page) for page in pages}
    digests = {first: page_digest(content) for first, content in stored.items()}
    assert decode_directory(encode_directory(digests)) == digests
    assert component_of(ABSENT, map(decode_page, stored.values())) == whole


def test_one_member_more_changes_few_pages_wherever_it_stands():
    """Of a hundred pages at most three have another digest: its own, or the two that it was cut into, and no other."""
    refs = [f"crm/{number:05}" for number in range(0, 30_000, 10)]
    pages = {page_digest(encode_page(page)) for page in pages_of(_bare(refs))}
    assert len(pages) > 60
    for number in range(5, 30_000, 997):
        more = {page_digest(encode_page(page)) for page in pages_of(_bare([*refs, f"crm/{number:05}"]))}
        assert len(more - pages) <= 2, number


def _bare(refs: list[str]) -> HeldComponent:
    members = tuple(sorted(refs))
    golden = tuple(HeldGolden(ref, "d", (ref,)) for ref in members)
    return HeldComponent(ABSENT, members, ("0" * 16,) * len(members), (), golden, ())


def test_a_component_is_renamed_seldom_in_whatever_order_its_members_arrive():
    """Descending arrivals, each of them the least so far, rename it some ln(n) times, not n times."""
    refs = [f"crm/{number:05}" for number in range(2_000)]
    for arrivals in (refs, refs[::-1]):
        names = [component_id_of(sorted(arrivals[:count])) for count in range(1, len(refs), 7)]
        assert sum(a != b for a, b in pairwise(names)) < 30


def test_pages_are_put_and_dropped_with_what_they_are_of(redis_client):
    """It grows past one page, is changed, split, joined and taken away: Redis holds what F says, no page more."""
    index = RedisIndex(redis_client, RULES)
    engine = Engine(RULES, index)
    steps = [
        [member(n) for n in range(0, 400, 2)],
        [member(n) for n in range(1, 400, 2)],
        [member(200, 2, "delete")],
        [member(200, 3), member(7, 2), member(390, 2)],
        [member(n, 9, "delete") for n in range(100, 300)],
        [member(n, 9, "delete") for n in range(60, 400) if not 100 <= n < 300],
        [member(n, 10, "delete") for n in range(60)],
    ]
    pages = []
    for events in steps:
        for start in range(0, len(events), 40):
            assert engine.process(events[start : start + 40]).failed == []
        engine.drain()
        stored = keyspace(redis_client)
        assert differences(stored, expected_keys(RULES, states_of(stored))) == []
        pages.append(len(stored.get("page", {})))
    assert pages[0] == pages[-1] == pages[-2] == 0
    assert min(pages[1:5]) > 2
    assert max(pages) > 5


def test_one_change_writes_what_it_changes(redis_client, monkeypatch):
    """A new member at the end of a component of 1,500 writes two pages of fifty; who wrote them reads none of them."""
    index = RedisIndex(redis_client, RULES)
    engine = Engine(RULES, index)
    for start in range(0, 1_500, 100):
        engine.process([member(n) for n in range(start, start + 100)])
    engine.drain()
    pages = redis_client.hgetall(PREFIX + "page")
    assert len(pages) > 40
    put = []
    stored_components = index._stored_components

    def noting(commit):
        found = stored_components(commit)
        put.append(found[1][::2])
        return found

    monkeypatch.setattr(index, "_stored_components", noting)
    read = index.counters.bytes_read
    engine.process([member(1_500)])
    after = redis_client.hgetall(PREFIX + "page")
    changed = {first.decode() for first, content in after.items() if pages.get(first) != content}
    assert [sorted(firsts) for firsts in put] == [sorted(changed)]
    assert 0 < len(changed) <= 3
    assert index.counters.bytes_read == read


def test_processes_that_take_turns_read_what_the_other_changed(redis_client):
    """Two of them, and one that starts afresh, change one component in turn: the state is F."""
    engines = [Engine(RULES, RedisIndex(redis_client, RULES)) for _ in range(2)]
    events = [member(n) for n in range(150)]
    events += [member(n, 2, op) for n, op in zip(range(0, 150, 11), ["delete", "upsert"] * 7, strict=True)]
    random.Random(1).shuffle(events)
    for turn, start in enumerate(range(0, len(events), 5)):
        engines[turn % 2].process(events[start : start + 5])
        if turn % 9 == 8:
            engines[1] = Engine(RULES, RedisIndex(redis_client, RULES))
    engines[0].drain()
    assert RedisIndex(redis_client, RULES).snapshot() == resolve(RULES, events)
    stored = keyspace(redis_client)
    assert differences(stored, expected_keys(RULES, states_of(stored))) == []


def test_a_page_that_changes_between_two_reads_is_read_again(redis_client, monkeypatch):
    """The directory was read before a commit, its pages after it: the component is read anew, not pieced together."""
    writer = Engine(RULES, RedisIndex(redis_client, RULES))
    for start in range(0, 200, 50):
        writer.process([member(n) for n in range(start, start + 50)])
    reader = RedisIndex(redis_client, RULES)
    read_pages = reader._read_pages
    turns = iter([[member(3, 2)], [member(3, 3)], []])

    def after_a_commit(digests):
        writer.process(next(turns))
        return read_pages(digests)

    monkeypatch.setattr(reader, "_read_pages", after_a_commit)
    near = reader.read_neighbourhood(["crm/00000"])
    assert near == RedisIndex(redis_client, RULES).read_neighbourhood(["crm/00000"])

    monkeypatch.setattr(reader, "_read_pages", lambda _: None)
    with pytest.raises(TransientError, match="kept changing"):
        reader.read_neighbourhood(["crm/00000"])


def test_what_is_remembered_is_bounded_and_right():
    """By stored bytes, the pages used last; a page at another digest, or with other content, is not the one held."""
    memory = PageMemory(bytes_max=1_000)
    pages = [pages_of(_bare([f"crm/{n}"]))[0] for n in range(20)]
    for n, page in enumerate(pages):
        memory.put(bytes([n]), page, 100)
        memory.page_at("crm/0", b"\0")
    assert memory.page_at("crm/0", b"\0") == pages[0]
    assert [memory.digest_of(page) is not None for page in pages] == [True] + [False] * 10 + [True] * 9
    assert memory.page_at("crm/19", b"\x12") is None
    assert memory.digest_of(pages[19]._replace(revisions=("1" * 16,))) is None
    memory.put(b"x", pages[19], 5_000)
    assert memory.page_at("crm/0", b"\0") is None
