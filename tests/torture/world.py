"""Small worlds in which everything meets everything: rule sets, values, and events drawn as single numbers."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from small_world import ATTRIBUTES, learned, small_rules

from mdm_stream.core.model import ChangeEvent, EraseEvent, OverrideEvent, RecordEvent, Value, VerdictEvent, make_ref

T = TypeVar("T")

DOMAIN = "person"
RULES = (
    small_rules(),
    small_rules(max_block_size=3, max_cluster_size=2),
    small_rules(exclusive=(2,)),
    small_rules(2, 9),
    small_rules(50, 50),
    small_rules(kept=1),
    small_rules(exclusive=(2,), kept=1),
    small_rules(50, 50, kept=1),
    small_rules(50, 4, kept=2),
    small_rules(3, refined_above=2),
    small_rules(50, 50, kept=2, refined_above=2),
    small_rules(50, 50, clustering="evidence"),
    small_rules(4, 4, exclusive=(2,), kept=1, clustering="evidence"),
    learned(small_rules(50, 50, clustering="evidence")),
    learned(small_rules(3, 50, kept=2, refined_above=2, clustering="evidence", also=True)),
    learned(small_rules(4, 5, also=True)),
)
"""Blocks that cross their limit at once or never, clusters that are cut at two members or never, exclusive values;
records that keep all of their links and questions, or the strongest alone; keys that refine themselves; joins that all
the evidence must support; models that were learned; names that are compared with others; and all of these at once.
"""

_DENSE: Mapping[str, Sequence[Value]] = {
    "given_name": ["Ann", "Anne", "Bob", "Bob", None],
    "family_name": ["Lee", "Lee", "Lee", "Leigh", "Kim", None],
    "birth_date": ["1980-01-01", "1980-01-01", "1980-01-02", "1991-05-05", None],
    "email": [(), ("a@x.org",), ("b@x.org",), ("a@x.org", "b@x.org")],
}
_WIDE: Mapping[str, Sequence[Value]] = {
    "given_name": ["Zoe", "Zora", "Zack", "Ann", "Anna", None],
    "family_name": ["Abc", "Lee", "Kim", "Qqq", "Roth", None],
    "birth_date": ["1970-01-01", "1970-09-09", "1980-01-01", "1991-05-05", None],
    "email": [(), ("a@x.org",), ("b@x.org",), ("a@x.org", "c@x.org"), ("d@x.org", "b@x.org")],
}
_TIDE: Mapping[str, Sequence[Value]] = {
    "given_name": [None],
    "family_name": ["Lee", "Kim", None],
    "birth_date": [None],
    "email": [(), ("a@x.org",), ("b@x.org",)],
}
VALUES = {"dense": _DENSE, "wide": _WIDE, "tide": _TIDE}
"""In a dense world everything meets everything. In a wide one records meet in some blocks and not in others, so that a
batch falls into many groups. With the tide, few blocks hold all, and cross their limit with every other event.
"""

SOURCES = ("crm", "erp", "web")
RECORD_IDS = ("1", "2", "a/b", 'ü "4"', "5", "6")
"""What a record id may hold that a key, a pair or a hash field must survive: slashes, quotes, letters beyond ASCII."""
VERSIONS = (-1, 0, 1, 2, 3, 4, 5, 6, 7)
"""Few enough that versions collide and arrive late; of one kind, as a source that declares no other has them."""
DAY_US = 86_400_000_000

OPS = (
    *("upsert",) * 22,
    *("patch",) * 6,
    *("delete",) * 5,
    *("link", "link", "separate", "separate", "none") * 2,
    *("override",) * 3,
    *("override_expired",) * 1,
    *("erase",) * 1,
)
"""What an event does, as often as it stands here."""


@dataclass(frozen=True, slots=True)
class World:
    """Which rules, which values, and how many records of each source there are."""

    rules: int = 0
    values: str = "dense"
    records_per_source: int = 2

    @property
    def refs(self) -> tuple[str, ...]:
        """The references of all records that events can name."""
        return tuple(make_ref(source, i) for source in SOURCES for i in RECORD_IDS[: self.records_per_source])


SMALLEST = World()


def event_of(world: World, code: int) -> ChangeEvent:
    """Return the event that a number stands for: its digits, spread and in the mixed base of the choices, are these.

    One number an event is quick to draw, and a failing schedule shrinks by leaving numbers out.
    """
    digits = _Digits((code * _SPREAD % 2**64) >> 8)
    op = digits.choose(OPS)
    ref = digits.choose(world.refs)
    version = digits.choose(VERSIONS)
    time_us = digits.below(50) * DAY_US
    values = VALUES[world.values]
    if op == "erase":
        return EraseEvent(DOMAIN, ref, time_us)
    if op in ("link", "separate", "none"):
        other = digits.choose([other for other in world.refs if other != ref])
        a, b = sorted((ref, other))
        return VerdictEvent(DOMAIN, a, b, op, version, time_us, "steward-1")  # type: ignore[arg-type]
    if op.startswith("override"):
        expired = op == "override_expired"
        names = digits.some_of(ATTRIBUTES)
        attributes = {name: None if expired else digits.choose(values[name]) for name in names}
        ends_us = None if expired else digits.choose((None, 60 * DAY_US))
        return OverrideEvent(
            DOMAIN, ref, version, time_us, "" if expired else "steward-1", attributes, ends_us, expired
        )
    names = {"upsert": ATTRIBUTES, "patch": digits.some_of(ATTRIBUTES) if op == "patch" else (), "delete": ()}[op]
    source, record_id = ref.split("/", 1)
    attributes = {name: digits.choose(values[name]) for name in names}
    return RecordEvent(DOMAIN, source, record_id, op, version, time_us, attributes)  # type: ignore[arg-type]


CODE_MAX = 2**24 - 1
"""The largest number of an event. Hypothesis draws evenly from ranges up to this, and mostly small ones from larger."""

_SPREAD = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio: times this, and cut to 64 bits, neighbouring numbers are far apart."""


def history(world: World, randomness: random.Random, length: int) -> list[ChangeEvent]:
    """Return events that a seed decides, for tests that need a history and nothing else."""
    return [event_of(world, randomness.randint(0, CODE_MAX)) for _ in range(length)]


class _Digits:
    def __init__(self, code: int) -> None:
        self._code = code

    def below(self, base: int) -> int:
        self._code, digit = divmod(self._code, base)
        return digit

    def choose(self, choices: Sequence[T]) -> T:
        return choices[self.below(len(choices))]

    def some_of(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return one or two of the names."""
        return tuple(sorted({self.choose(names), self.choose(names)}))
