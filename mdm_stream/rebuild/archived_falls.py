"""Positions that fall in what was delivered: all of them, found in the archive under rules that need not be in use."""

from __future__ import annotations

from mdm_stream.archive import Archive
from mdm_stream.archive.rows import delivery_of
from mdm_stream.core.histories import split_version
from mdm_stream.core.model import RecordEvent, version_order
from mdm_stream.core.position_fall import Contradiction, PositionFall
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Decoder
from mdm_stream.errors import RejectedEventError


def falls_of(archive: Archive, rules: Ruleset, tolerance_us: int) -> tuple[list[PositionFall], int]:
    """Return the falls, sorted, and how many archived rows were read.

    It remembers the greatest whole write of each record, some 500 bytes of it. A patch is compared with that alone: two
    patches of one record may be of different columns.
    """
    decoder = Decoder({rules.domain: rules}, archived=True)
    greatest: dict[str, RecordEvent] = {}
    found: dict[str, PositionFall] = {}
    rows = 0
    for row in archive.read_new(rules.domain, set()):
        rows += 1
        try:
            events = decoder.decode(delivery_of(row))
        except RejectedEventError:
            continue
        for event in events:
            if not isinstance(event, RecordEvent) or event.domain != rules.domain:
                continue
            held = greatest.get(event.ref)
            fall = None if held is None else _between(held, event, tolerance_us)
            if fall is not None:
                found.setdefault(fall.key, fall)
                if found[fall.key] is not fall:
                    found[fall.key].add(fall)
            if event.op != "patch" and (held is None or version_order(event.version) > version_order(held.version)):
                greatest[event.ref] = _without_values(event)
    return sorted(found.values(), key=lambda fall: fall.key), rows


def _between(left: RecordEvent, right: RecordEvent, tolerance_us: int) -> PositionFall | None:
    """Return the fall that two writes of one record are, if the later one, by the log, has the smaller version."""
    lost, won = sorted((left, right), key=lambda event: version_order(event.version))
    lost_us, won_us = (event.place.time_in(event.event_time_us) for event in (lost, won))
    if lost.version == won.version or lost_us - won_us <= tolerance_us:
        return None
    contradiction = Contradiction(won_us, lost_us, split_version(lost.version)[0], lost.place)
    return PositionFall.of(lost.source, contradiction)


def _without_values(event: RecordEvent) -> RecordEvent:
    return RecordEvent(
        event.domain, event.source, event.record_id, event.op, event.version, event.event_time_us, place=event.place
    )
