"""Events in an archive, as the resolve consumer leaves them, for the benchmarks that read one."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from rebuild import ARRIVAL_TIME_US, SEGMENT_ROWS

from mdm_stream.archive import open_archive
from mdm_stream.archive.rows import rows_of
from mdm_stream.contracts.change import encode_event
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Delivery


def archive_events(folder: Path, rules: Ruleset, events: Iterable[ChangeEvent]) -> int:
    """Archive events, ``SEGMENT_ROWS`` a segment, each at a place and a time of its own; return how many."""
    archive, remaining, count = open_archive(folder.as_uri()), iter(events), 0
    while batch := list(islice(remaining, SEGMENT_ROWS)):
        rows = []
        for event in batch:
            count += 1
            delivery = Delivery(encode_event(event), f"{count:064d}", ARRIVAL_TIME_US + count, "changes")
            rows += rows_of(rules.domain, [event], delivery)
        archive.append(rules.domain, rows, EpochPosition(1, count, count))
    return count
