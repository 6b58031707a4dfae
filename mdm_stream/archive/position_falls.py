"""Where positions of a domain's sources fell while their time went on: kept beside the archive, for people to see.

::

    domain=<d>/sources/falls/<id>.json      a ``PositionFall``, and when it was noted last

Nothing reads them to decide anything. Consumers that note one at the same moment may lose some of its count, and never
that there is one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass

import orjson

from mdm_stream.archive.object_names import domain_folder
from mdm_stream.core.canonical import digest_of
from mdm_stream.core.model import History
from mdm_stream.core.position_fall import PositionFall
from mdm_stream.core.ruleset import DAY_US, Ruleset
from mdm_stream.errors import MdmError
from mdm_stream.objects.store import MissingObjectError, ObjectStore, fetch_ahead

FALLS_MAX = 100
"""Falls that one process notes of a domain: one a source and log. Further ones are counted by the metric alone."""
FALL_DAYS = 14
"""Days after which a fall that was not seen again is shown no more: it was declared otherwise, or a clock was wrong."""
NOTED_AGAIN_S = 10.0
"""Seconds after which a fall that goes on is noted again by the same process."""


@dataclass(frozen=True, slots=True)
class NotedFall:
    """A fall, and when it was noted last."""

    fall: PositionFall
    noted_us: int


class FallStore:
    """The falls of one domain. Any number of processes may read and write them."""

    def __init__(self, store: ObjectStore, domain: str) -> None:
        """Take the archive's store; ``ValueError`` if that is no domain's name."""
        self._store = store
        self._folder = f"{domain_folder(domain)}sources/falls/"

    def note(self, fall: PositionFall, now_us: int) -> None:
        """Add a fall to what is noted, durably on return."""
        name = f"{self._folder}{digest_of(fall.key)}.json"
        joined = PositionFall(**asdict(fall))
        for each in self._read([name]):
            joined.add(each.fall)
        self._store.put(name, orjson.dumps({"noted_us": now_us, **asdict(joined)}))

    def undeclared(self, rules: Ruleset, now_us: int) -> list[PositionFall]:
        """Return the falls that no history of these rules explains, sorted; those that are long over are left out."""
        listed = [stored.name for stored in self._store.list(self._folder)]
        recent = [each.fall for each in self._read(listed) if each.noted_us > now_us - FALL_DAYS * DAY_US]
        return sorted((each for each in recent if not each.is_declared(_histories(rules, each))), key=lambda x: x.key)

    def _read(self, names: list[str]) -> Iterator[NotedFall]:
        for _, content in fetch_ahead(self._store, names) if names else ():
            if isinstance(content, MissingObjectError):
                continue
            try:
                members = orjson.loads(content)
                noted_us = int(members.pop("noted_us"))
                yield NotedFall(PositionFall(**members), noted_us)
            except (ValueError, TypeError, KeyError, AttributeError):  # of another release, or damaged: noted anew
                continue


class FallWatch:
    """Notes the falls that one process finds, each again only after a while. A store that fails stops no batch."""

    def __init__(
        self,
        open_store: Callable[[str], FallStore],
        now_us: Callable[[], int],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take how to open a domain's store, the time, and a clock that never goes back."""
        self._open_store = open_store
        self._now_us = now_us
        self._clock_s = clock_s
        self._waiting: dict[tuple[str, str], PositionFall] = {}
        self._noted_s: dict[tuple[str, str], float] = {}

    def note(self, domain: str, falls: Iterable[PositionFall]) -> None:
        """Note falls of a batch: a new one at once."""
        for fall in falls:
            key = domain, fall.key
            if key not in self._waiting and key not in self._noted_s and len(self._noted_s) >= FALLS_MAX:
                continue
            waiting = self._waiting.setdefault(key, PositionFall(**{**asdict(fall), "count": 0}))
            waiting.add(fall)
        self.settle()

    def settle(self) -> None:
        """Note what waits and is due: with each batch, and with each tick."""
        for key, waiting in list(self._waiting.items()):
            noted_s = self._noted_s.get(key)
            if noted_s is not None and self._clock_s() - noted_s < NOTED_AGAIN_S:
                continue
            with suppress(MdmError):  # else with the next batch or tick
                self._open_store(key[0]).note(waiting, self._now_us())
                self._noted_s[key] = self._clock_s()
                del self._waiting[key]


def _histories(rules: Ruleset, fall: PositionFall) -> tuple[History, ...]:
    source = rules.sources.get(fall.source)
    return () if source is None else source.histories
