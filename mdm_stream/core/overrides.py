"""When overrides end, and the events that end them."""

from __future__ import annotations

from mdm_stream.core.fold import HeldOverride, RecordState
from mdm_stream.core.model import OverrideEvent, Value, Version


def next_expiry_us(state: RecordState) -> int | None:
    """Return when the first of a record's standing overrides ends (``None``: none ever does)."""
    return min((end_us for held in state.overrides.values() if (end_us := _end_us(held)) is not None), default=None)


def expiries_due(domain: str, ref: str, state: RecordState, now_us: int) -> list[OverrideEvent]:
    """Return the events that end a record's overrides whose time has come, one for each version and time.

    An expiry has the version of what it ends, so a newer override stands, whichever of the two comes first. The same
    state gives the same events: sending them again changes nothing.
    """
    ending: dict[tuple[Version, int], dict[str, Value]] = {}
    for attribute, held in sorted(state.overrides.items()):
        end_us = _end_us(held)
        if end_us is not None and end_us <= now_us:
            ending.setdefault((held.version, end_us), {})[attribute] = None
    return [
        OverrideEvent(domain, ref, version, end_us, "", attributes, expired=True)
        for (version, end_us), attributes in ending.items()
    ]


def _end_us(held: HeldOverride) -> int | None:
    return held.expires_at_us if held.value is not None else None
