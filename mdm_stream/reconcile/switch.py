"""A switch of rules, looked at before it is made and after: the forecast, and what came of it.

*Before*: the live index, and F of the archive under the new rules. Writers go on, so the two are not of one moment;
records that have changed since the archive was listed, and all that share a cluster with them on either side, are left
out of the comparison, and counted. *After*: the epoch that was replaced, as it was when it was fenced, and the one that
is live now. Of what neither has changed, the forecast has to say the same: F is a function of what was delivered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import redis

from mdm_stream.archive import Archive, Exclusion
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.index.redis.scan import open_scanner, scanner_of
from mdm_stream.reconcile.impact import SAMPLES, Impact, IndexState, ResolvedState, impact_of, index_state
from mdm_stream.reconcile.live_index import write_index
from mdm_stream.reconcile.recompute import Recomputed
from mdm_stream.reconcile.touched import moved_records, write_later_states
from mdm_stream.reconcile.worker_rules import WorkerRules
from mdm_stream.reconcile.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SETTLE_S = 60.0
"""Until what was committed is archived: the resolve function's time-out."""


@dataclass(frozen=True, slots=True)
class SwitchForecast:
    """What new rules would make of a domain. ``left_out``: records about which that cannot be said, because they, or
    some that share a cluster with them, have changed since the archive was listed.
    """

    impact: Impact
    left_out: int


@dataclass(frozen=True, slots=True)
class SwitchOutcome:
    """What a switch has made of a domain, and what had been forecast of the same records; ``left_out`` as in
    ``SwitchForecast``.
    """

    actual: Impact
    forecast: Impact
    left_out: int

    @property
    def is_as_forecast(self) -> bool:
        """Whether both say the same."""
        return self.actual == self.forecast


class RulesSwitch:
    """One switch of one domain. ``workspace`` is the job's own: its tables have values of records."""

    def __init__(
        self,
        workspace: Workspace,
        rules: tuple[Ruleset, Ruleset],
        client: redis.Redis,
        namespace: str,
        archive: Archive,
        *,
        samples: int = SAMPLES,
        settle_s: float = SETTLE_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take the rules of the live epoch, and those that are to be put in their place."""
        self._workspace = workspace
        self._old, self._new = rules
        self._client = client
        self._namespace = namespace
        self._archive = archive
        self._samples = samples
        self._settle_s = settle_s
        self._sleep = sleep
        self._sides: tuple[ResolvedState, ResolvedState] | None = None
        self._seen: set[str] = set()
        self._computed: Recomputed | None = None
        self._exclusions: Sequence[Exclusion] = ()

    def forecast(self, computed: Recomputed, exclusions: Sequence[Exclusion]) -> SwitchForecast:
        """Compare the live index with what was recomputed under the new rules. Reads the whole index."""
        write_index(open_scanner(self._client, self._old, self._namespace), self._workspace.within("before"))
        before = index_state(self._workspace.within("before"))
        self._computed, self._exclusions = computed, exclusions
        self._sides = (before, computed.state)
        left_out = self._changed("changed-before", [*self._sides], ["before"])
        return SwitchForecast(self._impact(*self._sides, left_out), left_out.count())

    def outcome(self, replaced: int) -> SwitchOutcome:
        """Compare the epoch that was replaced, and is kept, with the live one; and both with the forecast.

        Call ``forecast`` first. Waits ``settle_s``, for what was committed meanwhile to be archived.
        """
        assert self._sides is not None, "there is no forecast"
        write_index(scanner_of(self._client, self._old, self._namespace, replaced), self._workspace.within("replaced"))
        write_index(open_scanner(self._client, self._new, self._namespace), self._workspace.within("live"))
        self._sleep(self._settle_s)
        actual = (index_state(self._workspace.within("replaced")), index_state(self._workspace.within("live")))
        left_out = self._changed("changed-after", [*self._sides, *actual], ["before", "replaced", "live"])
        return SwitchOutcome(self._impact(*actual, left_out), self._impact(*self._sides, left_out), left_out.count())

    def _impact(self, before: ResolvedState, after: ResolvedState, left_out: DataFrame) -> Impact:
        sides = (_without(before, left_out), _without(after, left_out))
        return impact_of(self._workspace.spark, self._new.domain, *sides, samples=self._samples)

    def _changed(self, name: str, sides: Sequence[ResolvedState], read: Sequence[str]) -> DataFrame:
        """Return the records that have changed since the archive was listed, and those beside them (``ref``)."""
        assert self._computed is not None
        place = self._workspace.within(name)
        write_later_states(self._archive, self._new, set(self._computed.objects), self._exclusions, place)
        moved = moved_records(WorkerRules.of(self._new), self._computed.state.records, place).select("ref")
        waiting = (self._workspace.within(each).read("waiting").select("ref") for each in read)
        found = reduce(lambda left, right: left.unionByName(right), waiting, moved).distinct()
        places = [
            side.crosswalk.selectExpr("ref", f"concat('{number}:', golden_id) AS cluster")
            for number, side in enumerate(sides)
        ]
        clusters = reduce(lambda left, right: left.unionByName(right), places)
        found = self._workspace.write(f"{name}-0", found)
        before, count, rounds = -1, found.count(), 0
        while count > before:  # it grows up to the records that there are
            rounds += 1
            reached = clusters.join(found, "ref", "left_semi").select("cluster").distinct()
            beside = clusters.join(reached, "cluster", "left_semi").select("ref")
            found = self._workspace.write(f"{name}-{rounds}", found.unionByName(beside).distinct())
            before, count = count, found.count()
        return found


def _without(side: ResolvedState, left_out: DataFrame) -> IndexState:
    """Return a state without some records, and without all that is said of them."""
    crosswalk = side.crosswalk.join(left_out, "ref", "left_anti")

    def neither(table: DataFrame) -> DataFrame:
        for end in ("a", "b"):
            table = table.join(left_out.withColumnRenamed("ref", end), end, "left_anti")
        return table

    return IndexState(
        links=neither(side.links),
        crosswalk=crosswalk,
        golden=side.golden.join(crosswalk.select("golden_id").distinct(), "golden_id", "left_semi"),
        review=neither(side.review),
    )
