"""A resolver with everything around it real but the streams."""

from __future__ import annotations

import orjson
from open_authority import ANYBODY
from small_world import small_rules

from mdm_stream.archive import Archive, open_archive
from mdm_stream.aws.deadline import Deadline
from mdm_stream.dead_letters.quarantine import open_quarantine
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import TransientError
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.resolve.intake import Intake
from mdm_stream.resolve.merge_watch import MergeWatch
from mdm_stream.resolve.resolver import DomainResolver, Resolver

RULES = small_rules()


class Stream:
    """A stream that notes what is put on it."""

    def __init__(self) -> None:
        self.messages: list[dict[str, object]] = []
        self.longest_s = 0.0

    def publish(self, messages: list[tuple[str, bytes]]) -> None:
        """Take messages."""
        self.messages += [orjson.loads(message) for _, message in messages]

    def until(self, deadline: Deadline) -> None:
        """A list answers."""

    def call_s(self) -> float:
        """How long a call may last."""
        return self.longest_s


class World:
    """A resolver with everything around it real but the streams, and a hook between archiving and what follows."""

    def __init__(self, client, tmp_path, settings=None, decoded_by=RULES) -> None:
        self.archive: Archive = open_archive((tmp_path / "archive").as_uri())
        self.golden, self.changes = Stream(), Stream()
        self.holds: list[str] = []
        self.redis_fails = False
        self.index = RedisIndex(client, RULES)
        self.clock_us = 0
        self.sent = 0
        parts = DomainResolver(
            Engine(RULES, self.index, settings, sleep=lambda _: None),
            self.index,
            self.index,
            MergeWatch(1, lambda: 0.0),
            self.hold,
        )
        self.resolver = Resolver(
            Intake(Decoder({"person": decoded_by}), ANYBODY),
            {"person": parts},
            archive=self.archive,
            quarantine=open_quarantine((tmp_path / "quarantine").as_uri()),
            golden=self.golden,
            steward=self.changes,
            now_us=lambda: self.clock_us,
            expiries_per_tick_max=100,
        )

    def hold(self, reason: str) -> None:
        """Take the hold that the resolver asks for, unless Redis fails."""
        if self.redis_fails:
            raise TransientError("Redis did not take the hold")
        self.holds.append(reason)

    def handle(self, *events):
        """Deliver events, each under its own position."""
        return self.resolver.handle(self.deliveries(events))

    def deliveries(self, events):
        """Return events as they are delivered, each under its own position."""
        records = []
        for event in events:
            self.sent += 1
            records.append(Delivery.from_row(orjson.dumps(event), self.sent, f"changes/{self.sent}"))
        return records

    def rows(self):
        """Return kind and raw bytes of everything archived, by kind and position."""
        rows = self.archive.read(self.archive.objects("person"))
        return sorted((row.kind, row.position, row.raw) for row in rows)


def upsert(record_id: str, version: int = 1, **attributes: object) -> dict[str, object]:
    """A whole record of the CRM."""
    return {
        "domain": "person",
        "source": "crm",
        "record_id": record_id,
        "op": "upsert",
        "version": version,
        "event_time": "2026-01-01T00:00:00Z",
        "attributes": {"given_name": "Ann", "family_name": "Lee", "birth_date": "1980-01-01", **attributes},
    }


def erase(record_id: str) -> dict[str, object]:
    """An erasure of a record of the CRM."""
    return {"domain": "person", "source": "crm", "record_id": record_id, "op": "erase"}
