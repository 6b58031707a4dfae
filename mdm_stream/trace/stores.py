"""The stores that a trace looks into, and how it is to look."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mdm_stream.archive import SourceMarks
from mdm_stream.contracts.golden import ClaimCheck, FeedEnvelope
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.dead_letters import DeadLetters
from mdm_stream.decode import Decoder
from mdm_stream.index.reader import IndexReader
from mdm_stream.trace.in_archive import ArchiveTrace
from mdm_stream.trace.in_feed import FeedTrace
from mdm_stream.trace.in_stream import StreamTrace
from mdm_stream.trace.in_warehouse import WarehouseTrace

JOURNEYS_MAX = 10
"""Deliveries, or golden changes, that are shown where nothing else is said: the newest."""


@dataclass(frozen=True, slots=True)
class TraceStores:
    """The stores of one domain, as far as they were named; ``None`` for one that is not looked into.

    ``places`` says for people where each is, by the names ``index``, ``archive``, ``dead_letters``, ``change_stream``,
    ``golden_feed`` and ``warehouse``. ``decoder`` is one of archived events.
    """

    rules: Ruleset
    decoder: Decoder
    index: IndexReader
    archive: ArchiveTrace
    marks: SourceMarks
    letters: Sequence[DeadLetters]
    warehouse: WarehouseTrace | None
    feed: FeedTrace | None
    streams: StreamTrace | None
    follow: Callable[[ClaimCheck], FeedEnvelope]
    places: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """How to trace: how many journeys, whether the streams are read whole, with values or not, and files of log lines.

    ``since_day`` (``YYYY-MM-DD``, or empty) is the first day of the archive that is looked into.
    """

    last: int = JOURNEYS_MAX
    scan_streams: bool = False
    values: bool = False
    logs: Sequence[Path] = ()
    since_day: str = ""
