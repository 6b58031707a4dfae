"""Stories: events that are told to an engine on a real Redis one by one, and what must be true after each of them.

A story checks by itself, whenever it was told something, that the index holds F of all that was told, that a subscriber
of the feed has the same, that no redirect dangles, and that the review queue has no item that is settled. The scenarios
say what F then is.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import permutations

import orjson
import redis
from small_world import small_rules
from torture.keyspace import Keys, stored_keys
from torture.subscriber import golden_of_feed

from mdm_stream.core.canonical import canonical_json, digest_of
from mdm_stream.core.cluster.golden import golden_id_of
from mdm_stream.core.model import (
    ChangeEvent,
    EraseEvent,
    OverrideEvent,
    RecordEvent,
    Value,
    Verdict,
    VerdictEvent,
    Version,
    split_ref,
)
from mdm_stream.core.reference import Resolution, resolve
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.engine.batch import Engine
from mdm_stream.index.redis.index import RedisIndex

RULES = small_rules(max_block_size=50, max_cluster_size=50)
"""Equal emails link; so do equal names with an equal or a near birth date. Nothing is suspended or too large."""
DAY_US = 86_400_000_000
ORDERS_MAX = 24
"""All orders of four events. Of a longer story so many are drawn, which change with its length alone."""

ANN: dict[str, Value] = {"given_name": "Ann", "family_name": "Lee", "birth_date": "1980-01-01"}
ANNE: dict[str, Value] = {"given_name": "Anne", "family_name": "Lee", "birth_date": "1980-01-02"}
"""With Ann this is a pair for review: 0.83."""
BOB: dict[str, Value] = {"given_name": "Bob", "family_name": "Kim", "birth_date": "1991-05-05"}


def record(ref: str, attributes: dict[str, Value], *, version: Version = 1, day: int = 0, **more: Value) -> RecordEvent:
    """Return an upsert of a record, dated some days after 1970 began."""
    source, record_id = split_ref(ref)
    return RecordEvent("person", source, record_id, "upsert", version, day * DAY_US, {**attributes, **more})


def patch(ref: str, *, version: Version, **attributes: Value) -> RecordEvent:
    """Return a change of single attributes."""
    source, record_id = split_ref(ref)
    return RecordEvent("person", source, record_id, "patch", version, DAY_US, attributes)


def delete(ref: str, *, version: Version = 9) -> RecordEvent:
    """Return a deletion, later than anything that is known of its record unless another version is given."""
    source, record_id = split_ref(ref)
    return RecordEvent("person", source, record_id, "delete", version, 100 * DAY_US)


def verdict(a: str, b: str, word: Verdict, *, version: Version = 1) -> VerdictEvent:
    """Return a steward's word on two records, in either order."""
    return VerdictEvent("person", *sorted((a, b)), word, version, DAY_US, "steward-1")


def override(
    ref: str, *, version: Version = 1, day: int = 1, expires_day: int | None = None, **attributes: Value
) -> OverrideEvent:
    """Return a steward's values for a record."""
    expires_at_us = None if expires_day is None else expires_day * DAY_US
    return OverrideEvent("person", ref, version, day * DAY_US, "steward-1", attributes, expires_at_us)


def expiry(ended: OverrideEvent) -> OverrideEvent:
    """Return the event that ends an override."""
    assert ended.expires_at_us is not None
    nothing = dict.fromkeys(ended.attributes)
    return OverrideEvent("person", ended.ref, ended.version, ended.expires_at_us, "", nothing, expired=True)


def erasure(ref: str) -> EraseEvent:
    """Return the erasure of a record."""
    return EraseEvent("person", ref, 0)


def golden_id(ref: str) -> str:
    """Return the id of the golden record whose anchor a record is."""
    return golden_id_of("person", ref)


def members(found: Resolution) -> dict[str, set[str]]:
    """Return the members of each golden record."""
    clusters: dict[str, set[str]] = {}
    for ref, held_by in found.crosswalk.items():
        clusters.setdefault(held_by, set()).add(ref)
    return clusters


def clusters(found: Resolution) -> list[list[str]]:
    """Return who is together with whom."""
    return sorted(sorted(refs) for refs in members(found).values())


def values(found: Resolution, ref: str) -> dict[str, object]:
    """Return the golden values of whatever golden record a record is in."""
    held = found.golden[found.crosswalk[ref]]["values"]
    assert isinstance(held, dict)
    return held


def digest(found: Resolution) -> str:
    """Return one digest of crosswalk, golden records and review queue."""
    review = [[*pair, item] for pair, item in found.review.items()]
    return digest_of(orjson.loads(canonical_json([found.crosswalk, found.golden, review])))


class Story:
    """What was told so far, and the index that it was told to, which no other story shares."""

    def __init__(self, client: redis.Redis, rules: Ruleset = RULES, namespace: str = "main") -> None:
        self.client, self.rules, self.namespace = client, rules, namespace
        self.index = RedisIndex(client, rules, namespace)
        self.engine = Engine(rules, self.index)
        self.events: list[ChangeEvent] = []

    def tell(self, *events: ChangeEvent, batch_size: int = 1) -> Resolution:
        """Deliver events and return the state, which is F of all that was ever told."""
        self.events += events
        for start in range(0, len(events), batch_size):
            assert self.engine.process(events[start : start + batch_size]).failed == []
        self.engine.drain()
        found = self.index.snapshot()
        assert found == resolve(self.rules, self.events)
        self._check_feed(found)
        for pair in found.review:
            left, right = (found.crosswalk[ref] for ref in pair)
            assert left != right, "an item of the review queue whose records are one"
        return found

    def stored(self) -> Keys:
        """Return what Redis holds, beside what counts commits, queues, and what the feed was told."""
        found = stored_keys(self.client, f"mdm:{{{self.namespace}:{self.rules.domain}}}:1:")
        return {name: held for name, held in found.items() if name not in ("meta", "out")}

    def _check_feed(self, found: Resolution) -> None:
        entries = self.index.read(1_000_000)
        assert golden_of_feed(entries) == (found.golden, found.crosswalk)
        newest = {}
        for entry in entries:
            change = orjson.loads(entry.content)
            if change["op"] != "erase":
                newest[change["golden_id"]] = change
        for golden in newest:
            end = follow(newest, found.crosswalk, golden)
            assert end is None or end in found.golden


def follow(newest: dict[str, dict[str, object]], crosswalk: dict[str, str], golden: str) -> str | None:
    """Return the live golden record that an id leads to, ``None`` where the record that it is made from is gone.

    A retired id leads to where its anchor is now; fails where that is no live golden record.
    """
    if newest[golden]["op"] != "retire":
        return golden
    anchor = newest[golden]["anchor"]
    end = crosswalk.get(f"{anchor['source']}/{anchor['record_id']}")
    assert end is None or newest[end]["op"] == "upsert", "a redirect that dangles"
    return end


def orders(events: Sequence[ChangeEvent]) -> Iterator[list[ChangeEvent]]:
    """Yield every order of a short story, and drawn ones of a longer one; in each, some events come twice."""
    randomness = random.Random(len(events))
    found = permutations(events) if len(events) <= 4 else _drawn(events, randomness)
    for order in found:
        again = randomness.sample(order, randomness.randrange(len(order)))
        yield [*order, *again] if randomness.random() < 0.5 else [*again, *order]


def same_in_any_order(client: redis.Redis, events: Sequence[ChangeEvent], rules: Ruleset = RULES) -> Resolution:
    """Tell a story in many orders, with repetitions, in batches of all sizes; return the one state that comes of it."""
    found = resolve(rules, events)
    for number, order in enumerate(orders(events)):
        client.flushall()
        story = Story(client, rules)
        assert story.tell(*order, batch_size=1 + number % len(order)) == found
    return found


def _drawn(events: Sequence[ChangeEvent], randomness: random.Random) -> Iterator[list[ChangeEvent]]:
    for _ in range(ORDERS_MAX):
        yield randomness.sample(events, len(events))
