"""What became of a batch: counts, and what could not be done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from mdm_stream.core.blocking.keys import key_digest
from mdm_stream.core.blocking.limits import tag_of
from mdm_stream.core.model import split_ref
from mdm_stream.core.position_fall import PositionFall
from mdm_stream.core.record import Record, overrides_set_aside
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.standardise import set_aside


class SuspendedKey(NamedTuple):
    """A blocking key that too many records share now: its expression, and a digest that names no value."""

    domain: str
    expression: str
    digest: str


@dataclass(slots=True)
class BatchReport:
    """What became of a batch.

    ``failed`` holds the positions (in the batch) of events that could not be committed for now; everything else is
    applied. ``absorbed`` events changed nothing (duplicates and stale ones); ``collisions`` met another event of the
    same version. ``conflicts`` counts commits that had to be planned again; ``pairs`` the candidate pairs scored;
    ``merges`` the golden records that ended in another one. ``erased`` are those of the batch's records that stay
    erased whatever is delivered. ``stuck`` has the unexpected faults, by type and place, of records that wait for
    re-evaluation: these stay queued, and the state is not F before that is mended. ``falls`` are the writes of records
    that lost to earlier ones, by more than ``later_tolerance_s``, by ``PositionFall.key``.
    ``set_aside`` counts, by ``attribute: why``, the values of records built that are kept as delivered and count for
    nothing, and by ``override of attribute: why`` those of stewards' overrides. ``suspended`` are the blocking keys
    that grew past ``max_block_size`` with the batch. ``cause`` says why something failed, and ``fault`` is the type of
    the error behind it, if there is one.
    """

    events: int = 0
    absorbed: int = 0
    collisions: int = 0
    pairs: int = 0
    conflicts: int = 0
    reevaluated: int = 0
    changes: int = 0
    merges: int = 0
    erased: set[str] = field(default_factory=set)
    stuck: list[str] = field(default_factory=list)
    falls: dict[str, PositionFall] = field(default_factory=dict)
    set_aside: dict[str, int] = field(default_factory=dict)
    suspended: list[SuspendedKey] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    cause: str = ""
    fault: str = ""

    def met(self, error: Exception) -> None:
        """Note what keeps the batch from being done for now."""
        self.cause, self.fault = str(error), type(error).__name__

    def add(self, other: BatchReport) -> None:
        """Add another report's counts (not its failures) to this one."""
        for name in ("events", "absorbed", "collisions", "pairs", "conflicts", "reevaluated", "changes", "merges"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.erased |= other.erased
        self.stuck += other.stuck
        self.suspended += other.suspended
        for fall in other.falls.values():
            self.note(fall)
        for why, count in other.set_aside.items():
            self.set_aside[why] = self.set_aside.get(why, 0) + count

    def note_suspended(self, rules: Ruleset, keys: Iterable[str]) -> None:
        """Note blocking keys that too many records share now; not those whose pairs others find."""
        for key in keys:
            expression = next(each for each in rules.blocking if each.tag == tag_of(key))
            if expression.refined_above is None:
                self.suspended.append(SuspendedKey(rules.domain, expression.text, key_digest(key)))

    @property
    def suspended_by_expression(self) -> dict[str, int]:
        """How many keys of each expression grew past the limit."""
        return dict(Counter(key.expression for key in self.suspended))

    def note(self, fall: PositionFall) -> None:
        """Add writes that lost to earlier ones."""
        if fall.key in self.falls:
            self.falls[fall.key].add(fall)
        else:
            self.falls[fall.key] = replace(fall)

    @property
    def absorbed_later(self) -> dict[str, int]:
        """How many writes lost to earlier ones, by source."""
        counts: dict[str, int] = {}
        for fall in self.falls.values():
            counts[fall.source] = counts.get(fall.source, 0) + fall.count
        return counts

    def count_set_aside(self, rules: Ruleset, record: Record) -> None:
        """Count the values of a record that are kept as delivered and count for nothing."""
        if record.live:
            columns, source = record.state.columns(), split_ref(record.ref)[0]
            for position, reason in set_aside(rules, source, columns, record.values):
                why = f"{rules.attributes[position].name}: {reason}"
                self.set_aside[why] = self.set_aside.get(why, 0) + 1
            for position, reason in overrides_set_aside(rules, record):
                why = f"override of {rules.attributes[position].name}: {reason}"
                self.set_aside[why] = self.set_aside.get(why, 0) + 1
