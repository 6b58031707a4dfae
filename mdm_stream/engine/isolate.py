"""A batch in which something meets an unexpected fault: the halves find it, and everything else is applied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from mdm_stream.core.faults import EngineFault, is_of_the_process
from mdm_stream.engine.batch_report import BatchReport

T = TypeVar("T")


@dataclass(slots=True)
class Isolated:
    """What became of a batch: a report of what was applied, and by its place each item that met a fault of its own.

    Places, those in ``report.failed`` too, count the items from 0.
    """

    report: BatchReport = field(default_factory=BatchReport)
    faults: dict[int, EngineFault] = field(default_factory=dict)


def isolated(items: Sequence[T], apply: Callable[[Sequence[T]], BatchReport]) -> Isolated:
    """Apply items, together if that is possible. ``apply`` is idempotent and says by place what failed for now.

    An unexpected exception halves the items, down to one that meets it alone: n items with f faults take fewer than
    2 f log2(n) + 1 calls, and 2 n at the most. A fault of the process, and every ``MdmError``, is raised as it is.
    """
    outcome = Isolated()
    _apply(items, 0, apply, outcome)
    return outcome


def _apply(items: Sequence[T], offset: int, apply: Callable[[Sequence[T]], BatchReport], outcome: Isolated) -> None:
    if outcome.report.failed:  # what comes after a failure is delivered again anyway
        outcome.report.failed += range(offset, offset + len(items))
        return
    try:
        report = apply(items)
    except Exception as error:
        if is_of_the_process(error):
            raise
        if len(items) < 2:
            outcome.faults[offset] = EngineFault.of(error)
            return
    else:
        outcome.report.add(report)
        outcome.report.failed += [offset + place for place in report.failed]
        if report.cause:
            outcome.report.cause, outcome.report.fault = report.cause, report.fault
        return
    middle = len(items) // 2
    _apply(items[:middle], offset, apply, outcome)
    _apply(items[middle:], offset + middle, apply, outcome)
