"""Overrides whose time has come: the events that end them go to the steward stream, and from there to the archive."""

from __future__ import annotations

from collections.abc import Callable

from mdm_stream.contracts.change import encode_event
from mdm_stream.core.model import Version
from mdm_stream.core.overrides import expiries_due
from mdm_stream.feed.publisher import FeedPublisher
from mdm_stream.index.port import Index
from mdm_stream.resolve.report import StreamReport

EXPIRY_RESEND_US = 300_000_000
"""An expiry that was sent is given five minutes to come back on the steward stream, before it is sent again. It is
harmless twice, but a consumer that is held or far behind would be sent one with each tick.
"""


class Expiries:
    """Sends expiries of at most ``per_tick_max`` records with each tick, and remembers what it has sent lately."""

    def __init__(self, steward: FeedPublisher, now_us: Callable[[], int], per_tick_max: int) -> None:
        """Take the publisher of the steward stream: a source's stream may bring no end of a steward's decision."""
        self._steward = steward
        self._now_us = now_us
        self._per_tick_max = per_tick_max
        self._sent_us: dict[tuple[str, str, Version, int], int] = {}

    def send_due(self, domain: str, index: Index, report: StreamReport) -> None:
        """Put the events on the steward stream that end overrides whose time has come."""
        now_us = self._now_us()
        records = index.read_records(index.due(now_us, self._per_tick_max))
        due = {
            (domain, event.ref, event.version, event.event_time_us): event
            for ref, record in records.items()
            for event in expiries_due(domain, ref, record.state, now_us)
        }
        self._sent_us = {key: at_us for key, at_us in self._sent_us.items() if at_us > now_us - EXPIRY_RESEND_US}
        events = [event for key, event in due.items() if key not in self._sent_us]
        if events:
            messages = [(f"{domain}/{event.ref}"[:256], encode_event(event)) for event in events]
            refused = report.send(self._steward, messages)
            self._sent_us |= {key: now_us for key in due if key not in self._sent_us}
            report.expired += len(events) - len(refused)
