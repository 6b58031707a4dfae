"""What stewards send: overrides, their expiry, erasures. Written and read again, and refused when wrong."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from small_world import small_rules

from mdm_stream.contracts.change import encode_event
from mdm_stream.core.model import EraseEvent, OverrideEvent
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.errors import RejectedEventError

DECODER = Decoder({"person": small_rules()})
RECEIVED = Delivery.from_row(b"", 7)
OVERRIDE = {
    "domain": "person",
    "source": "crm",
    "record_id": "42",
    "op": "override",
    "version": 3,
    "event_time": "2026-01-01T00:00:00Z",
    "expires_at": "2026-02-01T00:00:00Z",
    "attributes": {"given_name": "Ada", "email": ["a@x.org"]},
    "steward": "reviewer",
}
EXPIRY = {
    "domain": "person",
    "source": "crm",
    "record_id": "42",
    "op": "override_expired",
    "version": 3,
    "event_time": "2026-02-01T00:00:00Z",
    "attributes": ["given_name", "email"],
}
ERASURE = {"domain": "person", "source": "crm", "record_id": "42", "op": "erase", "event_time": "2026-01-01T00:00:00Z"}


def decoded(event):
    """Return what an event says."""
    return DECODER.decode(replace(RECEIVED, raw=orjson.dumps(event)))


@pytest.mark.parametrize("event", [OVERRIDE, EXPIRY, ERASURE], ids=lambda event: event["op"])
def test_an_event_that_is_written_reads_as_it_was(event):
    """Decoding what ``encode_event`` writes gives an equal event."""
    (change,) = decoded(event)
    assert isinstance(change, EraseEvent if event is ERASURE else OverrideEvent)
    assert change.refs == ("crm/42",)
    assert DECODER.decode(Delivery.from_row(encode_event(change), 99)) == (change,)


def test_position_and_arrival_stand_in_for_version_and_time():
    """An override without a version is ordered and dated by when it arrived."""
    (change,) = decoded({k: v for k, v in OVERRIDE.items() if k not in ("version", "event_time", "expires_at")})
    assert (change.version, change.event_time_us, change.expires_at_us) == (7, 7, None)


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({**OVERRIDE, "attributes": {"shoe_size": "42"}}, "unknown_attribute"),
        ({**OVERRIDE, "attributes": {}}, "too_short"),
        ({**OVERRIDE, "domain": "planet"}, "unknown_domain"),
        ({**OVERRIDE, "source": "ghost"}, "unknown_source"),
        ({**OVERRIDE, "expires_at": "tomorrow"}, "wrong_format"),
        ({k: v for k, v in OVERRIDE.items() if k != "steward"}, "missing"),
        ({**EXPIRY, "attributes": ["shoe_size"]}, "unknown_attribute"),
        ({k: v for k, v in EXPIRY.items() if k != "version"}, "missing"),
        ({**ERASURE, "version": 3}, "unexpected"),
        ({**ERASURE, "source": "ghost"}, "unknown_source"),
    ],
)
def test_a_wrong_steward_event_is_rejected_with_its_reason(event, code):
    """What cannot be applied is refused, so that no steward believes that it was."""
    with pytest.raises(RejectedEventError) as rejected:
        decoded(event)
    assert [reason.code for reason in rejected.value.reasons] == [code]
