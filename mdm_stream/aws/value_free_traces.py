"""Traces without values: what X-Ray gets of a function is its calls and times, and of exceptions type and place.

The SDK keeps the text of every exception that passes a subsegment, with ``capture_error=False`` too, and of a call to
S3 the object's key. Both may hold what a source sent. So it is taken out where all segments pass: at the emitter.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

_AWS_KEPT = frozenset({"account_id", "id_2", "operation", "region", "request_id", "retries", "xray"})
"""Of what is known of a call to AWS; the rest are its parameters."""


class ValueFreeEmitter:
    """Sends segments to the daemon without texts of exceptions, parameters of calls, and paths of addresses."""

    def __init__(self) -> None:
        from aws_xray_sdk.core.emitters.udp_emitter import UDPEmitter  # noqa: PLC0415 - of the functions' extras

        self._emitter = UDPEmitter()

    def set_daemon_address(self, address: str | None) -> None:
        """Take where the daemon listens, as the SDK writes it; ``None`` leaves it where it was."""
        self._emitter.set_daemon_address(address)

    def send_entity(self, entity: Any) -> None:
        """Send a segment, or a part of one, with all that it holds."""
        take_values_out(entity)
        self._emitter.send_entity(entity)


def take_values_out(entity: Any) -> None:
    """Take out of a segment, and out of its parts, what may hold a value."""
    cause = getattr(entity, "cause", None)
    for thrown in cause.get("exceptions", ()) if isinstance(cause, dict) else ():
        thrown.message = ""
    known = getattr(entity, "aws", None) or {}
    for name in known.keys() - _AWS_KEPT:
        del known[name]
    request = (getattr(entity, "http", None) or {}).get("request", {})
    if "url" in request:
        address = urlsplit(str(request["url"]))
        request["url"] = f"{address.scheme}://{address.netloc}"
    for part in getattr(entity, "subsegments", None) or ():
        take_values_out(part)


def keep_values_out() -> None:
    """Have all segments of this process sent without values; to be called once a tracer is there."""
    from aws_xray_sdk.core import xray_recorder  # noqa: PLC0415 - of the functions' extras

    emitter = ValueFreeEmitter()
    emitter.set_daemon_address(os.environ.get("AWS_XRAY_DAEMON_ADDRESS"))
    xray_recorder.emitter = emitter
