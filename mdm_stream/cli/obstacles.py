"""What keeps a running stack's consumers from writing, said when it begins, and when it is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

import redis

from mdm_stream.archive import Archive
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.position_fall import told
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.errors import MdmError
from mdm_stream.index.redis.epochs import Epochs

BUILDING_LINE_S = 5.0
"""Between two lines about an epoch that is being filled."""


class Obstacles:
    """Watches every domain of some rules. ``look`` says what has changed since it was called last, in one line each.

    Nothing is remembered of an obstacle but that it was said: each look asks the index and the archive anew, so a
    warning holds as long as its cause.
    """

    def __init__(
        self,
        client: redis.Redis,
        rulesets: Iterable[Ruleset],
        namespace: str,
        archive: Archive,
        say: Callable[[str], None],
        *,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rulesets = {rules.domain: rules for rules in rulesets}
        self._epochs = {domain: Epochs(client, rules, namespace) for domain, rules in self._rulesets.items()}
        self._archive = archive
        self._say = say
        self._clock_s = clock_s
        self._said: dict[str, str] = {}
        self._falls_said: set[tuple[str, str]] = set()
        self._building: dict[str, EpochPosition | None] = {}
        self._building_said_s: dict[str, float] = {}

    def look(self) -> None:
        """Say which obstacles are new, which are over, and how far rebuilds have come; nothing of passing faults."""
        for domain, epochs in self._epochs.items():
            with suppress(MdmError):
                self._look_at_building(domain, epochs)
                self._look_at_obstacle(domain, epochs)
                self._look_at_falls(domain)

    def _look_at_falls(self, domain: str) -> None:
        """Say once of a source and its log that positions fall."""
        for fall in self._archive.falls(domain).undeclared(self._rulesets[domain], time.time_ns() // 1_000):
            if (domain, fall.key) not in self._falls_said:
                self._falls_said.add((domain, fall.key))
                self._say(f"warning: {told(fall, domain)}")

    def _look_at_obstacle(self, domain: str, epochs: Epochs) -> None:
        found = epochs.obstacle(partial(self._archive.witness, domain))
        if found == self._said.get(domain):
            return
        if found is None:
            live = epochs.live()
            self._say(f"domain {domain!r} is written again, in epoch {live}; the events held back are delivered now")
            del self._said[domain]
        else:
            self._say(f"warning: {found}; until then its events stay on the stream")
            self._said[domain] = found

    def _look_at_building(self, domain: str, epochs: Epochs) -> None:
        reached = epochs.building()
        before, self._building[domain] = self._building.get(domain), reached
        # An epoch that a killed rebuild has left comes no further, and is not worth a line.
        if reached is None:
            if self._building_said_s.pop(domain, None) is not None:
                self._say(f"domain {domain!r}: the rebuild is over; epoch {epochs.live()} is live")
            return
        if reached == before or reached.clock == 0:
            return
        now_s = self._clock_s()
        if domain not in self._building_said_s or now_s - self._building_said_s[domain] >= BUILDING_LINE_S:
            self._building_said_s[domain] = now_s
            self._say(f"domain {domain!r}: a rebuild fills epoch {reached.epoch}, {reached.clock:,} commits so far")
