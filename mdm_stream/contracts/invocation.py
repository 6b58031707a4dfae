"""What invokes a function besides its own kind of event: the tick of a schedule, told alike by every handler.

    EventBridge rule       {"source": "aws.events", "detail-type": "Scheduled Event", ...}
    EventBridge Scheduler  {"source": "aws.scheduler", "detail-type": "Scheduled Event", ...}, its default input
    the local stack        {"source": "mdm.schedule", "detail-type": "Scheduled Event", ...}

A schedule with an input of its own says ``{"source": "mdm.schedule"}``. Anything else that a handler does not know is
an error: an event that were taken for a tick would be lost in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mdm_stream.errors import TerminalError

TICK_SOURCE = "mdm.schedule"
TICK_SOURCES = frozenset({"aws.events", "aws.scheduler", TICK_SOURCE})
TICK_TYPE = "Scheduled Event"


class UnknownInvocationError(TerminalError):
    """A function was invoked with what it is not made for."""


def is_tick(event: Mapping[str, Any]) -> bool:
    """Tell whether an event is a schedule's: it brings nothing, and asks what waits."""
    return event.get("source") in TICK_SOURCES and event.get("detail-type", TICK_TYPE) == TICK_TYPE


def unknown_invocation(wanted: str) -> UnknownInvocationError:
    """Return the error of a function that takes ``wanted`` and ticks; nothing of the event is in it."""
    return UnknownInvocationError(
        f"this function takes {wanted}, and schedules of EventBridge; correct what else invokes it"
    )
