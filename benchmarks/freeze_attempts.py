"""Attempts to freeze, hijack or spoof a record by a version or a time, each in every order of delivery.

    python benchmarks/freeze_attempts.py [--json]

Honest events, hostile ones, and where one is needed what a person does about it. Each arrives at a time of its own,
which no order of processing changes. An attempt is held off if in every order each hostile event is *refused* with a
reason, or has *no effect* on values and golden id; or if it is *told* (``absorbed_later`` names the source, once honest
events that come after it are absorbed) and what the person does then puts the right value back. Prints a line an
attempt; ends with 1 where one got through.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import permutations
from typing import Any

import orjson

from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.reference import Resolution, resolve
from mdm_stream.core.ruleset import Ruleset, Source
from mdm_stream.core.times import format_time_us
from mdm_stream.decode import Decoder, Delivery, unpack
from mdm_stream.decode.redrive_envelope import check_first_place, wrap
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import RejectedEventError
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.rules import load_ruleset

DAY_US = 86_400_000_000
NOW_US = 1_780_000_000_000_000
"""When the hostile event arrives (in May 2026); honest ones come days before and after."""
RIGHT, WRONG = "Lindqvist", "Mallory"
SOURCES = {
    "crm": Source("crm"),
    "erp": Source("erp"),
    "clock": Source("clock", version_kind="milliseconds"),
    "iso": Source("iso", version_kind="time"),
    "texts": Source("texts", version_kind="text"),
    "stream": Source("stream", version_kind="position"),
    "log": Source("log", "debezium", "public.person", ("id",), version="rev"),
}


@dataclass(frozen=True, slots=True)
class Sent:
    """One record of the stream: what it says, and how many days after the hostile moment it arrives."""

    raw: bytes
    day: float
    place: int
    hostile: bool = False

    @property
    def delivery(self) -> Delivery:
        """The record as the stream delivers it."""
        return Delivery(
            self.raw, str(self.place).zfill(64), round(NOW_US + self.day * DAY_US), f"changes/s:{self.place}"
        )


@dataclass(frozen=True, slots=True)
class Attempt:
    """A history with hostile events in it. ``remedy`` is what a person sends after all has come."""

    name: str
    sent: tuple[Sent, ...]
    remedy: tuple[Sent, ...] = ()


@dataclass(slots=True)
class Outcome:
    """What became of an attempt: ``how`` it was held off, or empty if it got through in some order."""

    name: str
    how: str = ""
    orders: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    told: int = 0
    wrong: int = 0


def event(source: str, version: object, day: float, family_name: str, **members: Any) -> bytes:
    """Return an upsert of record 1 whose time is some days after the hostile moment."""
    whole = {"domain": "person", "source": source, "record_id": "1", "op": "upsert", "version": version}
    whole |= {"event_time": time_text(day), "attributes": person(family_name)}
    return orjson.dumps({name: value for name, value in (whole | members).items() if value is not None})


def person(family_name: str) -> dict[str, str]:
    """Return attributes by which all records here are of one person."""
    return {"given_name": "Ines", "family_name": family_name, "birth_date": "1980-04-02", "email": "i@example.org"}


def time_text(day: float) -> str:
    """Return the RFC 3339 time some days after the hostile moment."""
    return format_time_us(round(NOW_US + day * DAY_US))


def row(rev: object, day: float, family_name: str) -> bytes:
    """Return a Debezium update of the row of record 1."""
    source = {"table": "person", "schema": "public", "ts_ms": round((NOW_US + day * DAY_US) / 1_000)}
    return orjson.dumps({"op": "u", "source": source, "after": {"id": "1", "rev": rev, **person(family_name)}})


def decision(op: str, version: object, day: float, **members: Any) -> bytes:
    """Return a steward's verdict on records crm/1 and erp/1, or an override of crm/1."""
    whole: dict[str, Any] = {"domain": "person", "op": op, "version": version, "event_time": time_text(day)}
    if op == "verdict":
        whole |= {"a": {"source": "crm", "record_id": "1"}, "b": {"source": "erp", "record_id": "1"}}
    return orjson.dumps({"steward": "s-1", **whole, **members})


def override(source: str, day: float, family_name: str, version: int | None = None) -> bytes:
    """Return a steward's override of the family name of record 1."""
    stamp = round(NOW_US + day * DAY_US) if version is None else version
    values = {"family_name": family_name}
    return decision("override", stamp, day, source=source, record_id="1", attributes=values)


def frozen(name: str, before: bytes, hostile: bytes, after: bytes, *remedy: bytes) -> Attempt:
    """Return an attempt on one record: honest yesterday, hostile now, honest in two days; then the remedy."""
    sent = (Sent(before, -1, 10), Sent(hostile, 0, 20, hostile=True), Sent(after, 2, 30))
    return Attempt(name, sent, tuple(Sent(each, 3, 40 + at) for at, each in enumerate(remedy)))


def attempts() -> list[Attempt]:
    """Return all attempts."""
    now_ms, now_ns = NOW_US // 1_000, NOW_US * 1_000
    top = 2**63 - 1
    old, new = event("crm", 7, -1, "Oldname"), event("crm", 8, 2, RIGHT)
    ahead = [
        frozen("an integer version of 2^63-1", old, event("crm", top, 0, WRONG), new),
        frozen("nanoseconds where versions are milliseconds",
               event("clock", now_ms - 86_400_000, -1, "Oldname"), event("clock", now_ns, 0, WRONG),
               event("clock", now_ms + 2 * 86_400_000, 2, RIGHT)),
        frozen("a text among integer versions", old, event("crm", "9", 0, WRONG), new),
        frozen("no version among integers", old, event("crm", None, 0, WRONG), new),
        frozen("a version of the year 2099 where versions are times",
               event("iso", time_text(-1), -1, "Oldname"), event("iso", "2099-01-01T00:00:00Z", 0, WRONG),
               event("iso", time_text(2), 2, RIGHT)),
        frozen("a position of one's own where the stream's count",
               event("stream", None, -1, "Oldname"), event("stream", "9" * 64, 0, WRONG),
               event("stream", None, 2, RIGHT)),
        frozen("a version column of 2^63-1 in a database row",
               row(7, -1, "Oldname"), row(top, 0, WRONG), row(8, 2, RIGHT)),
        frozen("a database row's version written in canonical form",
               row(7, -1, "Oldname"), event("log", "9" * 20, 0, WRONG), row(8, 2, RIGHT)),
        frozen("an event time of the year 9999", old, event("crm", 8, 0, WRONG, event_time="9999-12-31T00:00:00Z"),
               event("crm", 9, 2, RIGHT)),
    ]  # fmt: skip
    told = [
        frozen("the greatest text among text versions", event("texts", "0001", -1, "Oldname"),
               event("texts", "~", 0, WRONG), event("texts", "0002", 2, RIGHT), override("texts", 3, RIGHT)),
        frozen("a counter as high as a clock's nanoseconds", old, event("crm", now_ns, 0, WRONG), new,
               override("crm", 3, RIGHT)),
    ]  # fmt: skip
    return [*ahead, *told, *_of_stewards(top), *_of_births()]


def _of_stewards(top: int) -> list[Attempt]:
    two = (Sent(event("crm", 7, -2, RIGHT), -2, 1), Sent(event("erp", 7, -2, RIGHT, record_id="1"), -2, 2))
    stamp = NOW_US + 2 * DAY_US
    verdict = Sent(decision("verdict", stamp, 2, verdict="link"), 2, 30)
    return [
        Attempt("a verdict of a version that no other beats",
                (*two, Sent(decision("verdict", top, 0, verdict="separate"), 0, 20, hostile=True), verdict)),
        Attempt("a verdict whose version is a text",
                (*two, Sent(decision("verdict", "z", 0, verdict="separate"), 0, 20, hostile=True), verdict)),
        frozen("an override of a version that no other beats", event("crm", 7, -1, "Oldname"),
               override("crm", 0, WRONG, top), override("crm", 2, RIGHT)),
    ]  # fmt: skip


def _of_births() -> list[Attempt]:
    honest = (Sent(event("erp", 1, -400, "Oldname"), -400, 1), Sent(event("erp", 2, 2, RIGHT), 2, 30))

    def hijack(name: str, raw: bytes) -> Attempt:
        return Attempt(name, (*honest, Sent(raw, 0, 20, hostile=True)))

    def enveloped(raw: bytes, day: float) -> bytes:
        return wrap(replace(Sent(raw, day, 5).delivery, origin="changes/s:5"))

    return [
        hijack("a golden id by an event time of the year 1",
               event("crm", 1, 0, RIGHT, event_time="0001-01-01T00:00:00Z")),
        hijack("a golden id by an event time of 1901", event("crm", 1, 0, RIGHT, event_time="1901-01-01T00:00:00Z")),
        hijack("a golden id by an envelope of 2020", enveloped(event("crm", 1, -2_300, RIGHT), -2_300)),
        frozen("a version of 2099 by an envelope of 2099", event("iso", time_text(-1), -1, "Oldname"),
               enveloped(event("iso", time_text(26_000), 26_000, WRONG), 26_000), event("iso", time_text(2), 2, RIGHT)),
    ]  # fmt: skip


def attempt(one: Attempt, rules: Ruleset) -> Outcome:
    """Deliver an attempt in every order, and say what became of it."""
    outcome = Outcome(one.name)
    honest = [sent for sent in one.sent if not sent.hostile]
    expected = resolve(rules, _decoded(honest, rules, Counter()))
    refused: Counter[str] = Counter()
    effects = 0
    for order in permutations(one.sent):
        outcome.orders += 1
        told, found = _delivered(order, rules, refused)
        effects += _said(found) != _said(expected)
        outcome.told += bool(told)
        after = (*order, *one.remedy)
        _, found = _delivered(after, rules, Counter())
        outcome.wrong += RIGHT not in _names(found) or _ids(found) != _ids(expected)
    # In the order of arrival what is absorbed comes after what beats it, so that is when it can be told.
    told, _ = _delivered(sorted(one.sent, key=lambda sent: sent.day), rules, Counter())
    outcome.refused = {code: count // outcome.orders for code, count in refused.items()}
    hostile = sum(sent.hostile for sent in one.sent)
    if outcome.wrong == 0 and refused.total() == hostile * outcome.orders:
        outcome.how = "refused"
    elif outcome.wrong == 0 and not effects:
        outcome.how = "no effect"
    elif outcome.wrong == 0 and told and one.remedy:
        outcome.how = "told"
    return outcome


def _decoded(order: Iterable[Sent], rules: Ruleset, refused: Counter[str]) -> list[ChangeEvent]:
    decoder = Decoder({rules.domain: rules})
    events: list[ChangeEvent] = []
    for sent in order:
        try:
            for delivery in unpack(sent.delivery):
                check_first_place(delivery, sent.delivery)
                events += decoder.decode(delivery)
        except RejectedEventError as error:
            refused[error.reasons[0].code] += 1
    return events


def _delivered(order: Iterable[Sent], rules: Ruleset, refused: Counter[str]) -> tuple[dict[str, int], Resolution]:
    """Return what was told as absorbed though later, by source, and the state; the reference has the same one."""
    events = _decoded(order, rules, refused)
    index = MemoryIndex(rules)
    engine = Engine(rules, index)
    told: Counter[str] = Counter()
    for each in events:
        told.update(engine.process([each]).absorbed_later)
    engine.drain()
    found = index.snapshot()
    if found != resolve(rules, events):
        raise AssertionError("engine and reference differ")
    return dict(told), found


def _said(found: Resolution) -> list[tuple[str, object]]:
    return [(golden_id, content["values"]) for golden_id, content in found.golden.items()]


def _names(found: Resolution) -> list[object]:
    return [content["values"]["family_name"] for content in found.golden.values()]  # type: ignore[index]


def _ids(found: Resolution) -> list[str]:
    return sorted(found.golden)


def attempts_rules() -> Ruleset:
    """Return the pack's rules for persons with a source of each kind of version."""
    rules = load_ruleset("person")
    return replace(rules, sources=SOURCES)


def run() -> list[Outcome]:
    """Return what became of every attempt."""
    rules = attempts_rules()
    return [attempt(each, rules) for each in attempts()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 if an attempt got through."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    as_json = parser.parse_args(arguments).json
    outcomes = run()
    through = sum(not outcome.how for outcome in outcomes)
    if as_json:
        print(orjson.dumps({"attempts": [asdict(each) for each in outcomes], "through": through}).decode())
    else:
        for outcome in outcomes:
            codes = ", ".join(outcome.refused)
            print(f"{outcome.how or 'GOT THROUGH':<12}{outcome.name}: {outcome.orders} orders{codes and f', {codes}'}")
        print(f"{len(outcomes)} attempts, {through} got through")
    return 1 if through else 0


if __name__ == "__main__":
    sys.exit(main())
