"""An index, its archive and its feed, written as the resolve consumer does, and rebuilt."""

from __future__ import annotations

import random

import orjson
from small_world import small_rules
from torture.world import World as SmallWorld
from torture.world import history

from mdm_stream.archive import Archive, ArchivedRecord, open_archive
from mdm_stream.contracts.change import encode_event
from mdm_stream.contracts.golden import parse_envelope
from mdm_stream.core.model import EraseEvent, OverrideEvent
from mdm_stream.engine.batch import Engine
from mdm_stream.feed.published import PublishedState
from mdm_stream.feed.publisher import publish_outbox
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.rebuild.run import Rebuild, RebuildOptions

RULES = small_rules()
REFS = SmallWorld(records_per_source=5).refs
OPTIONS = RebuildOptions(workers=1, batch_size=7, states_max=10, publish_grace_s=0.0)


class Feed:
    """A subscriber: notes every message, and applies those that are newer for their key."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def publish(self, messages: list[tuple[str, bytes]]) -> None:
        """Take messages."""
        self.messages += [message for _, message in messages]

    def published(self) -> PublishedState:
        """Return what was published, in whatever order it is read."""
        state = PublishedState("person")
        for message in random.Random(1).sample(self.messages, len(self.messages)):
            state.apply(parse_envelope(message))
        return state

    def read(self, state: PublishedState) -> None:
        """Apply what was published, as the rebuild's reader does."""
        for message in self.messages:
            state.apply(parse_envelope(message))

    finish = read

    def state(self) -> tuple[dict[str, dict[str, object]], dict[str, str]]:
        """Return golden records and crosswalk as a subscriber has them, told in order."""
        golden: dict[str, dict[str, object]] = {}
        crosswalk: dict[str, str] = {}
        told = {}
        for message in self.messages:
            data = orjson.loads(message)["data"]
            told[data["epoch"], data["sequence"]] = data
        for _, change in sorted(told.items()):
            for key in change.get("removed", ()):
                crosswalk.pop(f"{key['source']}/{key['record_id']}", None)
            if change["op"] == "retire":
                golden.pop(change["golden_id"], None)
            if change["op"] == "upsert":
                names = ("domain", "golden_id", "members", "values", "provenance")
                golden[change["golden_id"]] = {name: change[name] for name in names}
                crosswalk |= {f"{key['source']}/{key['record_id']}": change["golden_id"] for key in change["members"]}
        return golden, crosswalk


def rows_of(events) -> list[ArchivedRecord]:
    """Return events as the resolve consumer archives them."""
    kinds = {EraseEvent: "erase", OverrideEvent: "override"}
    return [
        ArchivedRecord("person", event.refs, f"{n:064d}", n, f"changes/{n}", encode_event(event), kind)
        for n, event in enumerate(events)
        for kind in [kinds.get(type(event), "verdict" if hasattr(event, "verdict") else "record")]
    ]


class World:
    """An index, its archive and its feed, written as the resolve consumer does."""

    def __init__(self, client, url, tmp_path, rules=RULES) -> None:
        self.client, self.url = client, url
        self.archive: Archive = open_archive((tmp_path / "archive").as_uri())
        self.feed = Feed()
        self.rules = rules
        self.index = RedisIndex(client, rules)

    def deliver(self, events, *, archived=True) -> None:
        """Apply, archive and publish."""
        engine = Engine(self.rules, self.index, sleep=lambda _: None)
        for start in range(0, len(events), 9):
            assert engine.process(events[start : start + 9]).failed == []
            reached = self.index.position()
            if archived:
                self.archive.append("person", rows_of(events[start : start + 9]), reached)
            publish_outbox(self.index, self.feed)

    def rebuild(self, rules=None):
        """Make a new epoch."""
        return Rebuild(
            rules or self.rules,
            self.url,
            "main",
            archive=self.archive,
            golden=self.feed,
            published=self.feed,
            options=OPTIONS,
        ).run()


def events_of(seed: int, length: int = 60):
    """A history with overrides and erasures in it."""
    events = history(SmallWorld(records_per_source=5), random.Random(seed), length)
    return [*events, EraseEvent("person", REFS[seed], 3)]
