"""The envelope of an event that is sent again."""

import random
import zlib
from dataclasses import replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rulesets import PERSONS

from mdm_stream.contracts.change import EVENT_BYTES_MAX
from mdm_stream.core.canonical import digest_of_bytes
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.decode.formats import depends_on_receipt
from mdm_stream.decode.redrive_envelope import (
    ENVELOPE_BYTES_MAX,
    INFLATION_MAX,
    MARKER,
    PARTITION_KEY_BYTES_MAX,
    RAW_BYTES_MAX,
    is_envelope,
    unwrap,
    wrap,
)
from mdm_stream.errors import RejectedEventError, TerminalError

ORIGIN = "mdm-changes/shardId-000000000001:7"
RAW = b'{"domain":"person","source":"crm","record_id":"1","op":"upsert","attributes":{}}'
POSITION, ARRIVAL_TIME_US = "7".zfill(64), 1_700_000_000_123_000
HEAD = {
    "position": POSITION,
    "arrival_time_us": ARRIVAL_TIME_US,
    "origin": ORIGIN,
    "digest": "",
    "compressed": False,
}


def noise(size):
    """Bytes that no compressor makes smaller."""
    return random.Random(4).randbytes(size)


def rejected(data):
    """The one reason for which an envelope is rejected; it never repeats what is inside."""
    with pytest.raises(RejectedEventError) as caught:
        unwrap(data)
    (reason,) = caught.value.reasons
    assert reason.code == "bad_envelope"
    assert "person" not in reason.message
    return reason


def at_seven(raw):
    """Bytes delivered at the seventh place of a stream."""
    return Delivery(raw, POSITION, ARRIVAL_TIME_US, ORIGIN)


def framed(head, body=b""):
    """An envelope made by hand."""
    text = head if isinstance(head, bytes) else orjson.dumps(head)
    return MARKER + len(text).to_bytes(2, "big") + text + body


@settings(max_examples=50, deadline=None)
@given(
    st.binary(max_size=300).filter(lambda raw: not is_envelope(raw)),
    st.integers(0, 10**64 - 1),
    st.integers(-(10**15), 10**16),
    st.text(st.characters(exclude_categories=["C", "Z"]), max_size=50),
)
def test_what_goes_in_comes_out(raw, number, time_us, origin):
    """Bytes, position, arrival time and origin come back as they were, and the same event has one envelope."""
    delivery = Delivery(raw, str(number).zfill(64), time_us, origin)
    envelope = wrap(delivery)
    assert unwrap(envelope) == delivery
    assert wrap(delivery) == envelope


def test_an_event_in_its_envelope_decodes_as_it_did_at_first():
    """Without a version and a time of its own, the event still is the one that was delivered first."""
    decoder = Decoder(PERSONS)
    first = at_seven(RAW.replace(b"crm", b"streamed"))
    assert decoder.decode(unwrap(wrap(first))) == decoder.decode(first)
    assert decoder.decode(first) != decoder.decode(replace(first, position="8".zfill(64)))


@pytest.mark.parametrize("raw", [b"", b"{}", RAW, b"\x1f\x8b\x08", b"\xf3\x89\x9a\xc2", b"\x8f", noise(64)])
def test_what_is_no_envelope_is_left_alone(raw):
    """Events of every format, and rubbish, are no envelopes."""
    assert unwrap(raw) is None


@pytest.mark.parametrize("size", [EVENT_BYTES_MAX, EVENT_BYTES_MAX - 100, 5_000_000])
@pytest.mark.parametrize("filling", [b"x", b"4f 8a 1c 93 "])
def test_an_envelope_fits_the_stream_that_its_event_came_by(size, filling):
    """An event of the largest size, as text compresses, is smaller in its envelope; so is one from a larger stream."""
    raw = (filling * size)[:size]
    envelope = wrap(at_seven(raw))
    assert len(envelope) + PARTITION_KEY_BYTES_MAX <= EVENT_BYTES_MAX
    assert unwrap(envelope).raw == raw


def test_what_fits_is_not_compressed():
    """Most envelopes show their event as it is, to whoever looks at the stream."""
    assert RAW in wrap(at_seven(RAW))


def test_what_cannot_fit_is_told():
    """Bytes that no compressor makes smaller fit up to the stream's limit, and are refused above it, never cut."""
    overhead = len(wrap(at_seven(b"")))
    largest = noise(ENVELOPE_BYTES_MAX - overhead)
    assert unwrap(wrap(at_seven(largest))).raw == largest
    with pytest.raises(TerminalError, match="in its envelope"):
        wrap(at_seven(largest + b"!"))
    with pytest.raises(TerminalError, match="in its envelope"):
        wrap(at_seven(b"x" * (RAW_BYTES_MAX + 1)))


def test_an_envelope_cannot_swell():
    """However well the bytes compress: inside there is at most a fixed multiple of what the stream delivered."""
    raw = b"x" * EVENT_BYTES_MAX
    envelope = wrap(at_seven(raw))
    assert len(raw) <= INFLATION_MAX * len(envelope)
    assert unwrap(envelope).raw == raw
    hostile = framed({**HEAD, "compressed": True}, zlib.compress(b"x" * 50_000_000))
    assert "more than" in rejected(hostile).message


def test_an_envelope_in_an_envelope_is_refused():
    """Nobody can send one, and nobody can make one: it would cost work for every layer."""
    with pytest.raises(ValueError, match="as it is"):
        wrap(at_seven(wrap(at_seven(RAW))))
    inner = wrap(at_seven(RAW))
    digest = digest_of_bytes(f"{POSITION} {ARRIVAL_TIME_US} {ORIGIN}\n".encode() + inner)
    assert "another envelope" in rejected(framed({**HEAD, "digest": digest}, inner)).message


def test_every_cut_and_every_flipped_byte_is_noticed():
    """A damaged envelope is rejected, wherever the damage is: it never yields another event."""
    envelope = wrap(at_seven(RAW))
    for end in range(len(MARKER) - 1, len(envelope)):
        rejected(envelope[:end])
    for place in range(len(MARKER) - 1, len(envelope)):
        damaged = bytearray(envelope)
        damaged[place] ^= 0x04
        rejected(bytes(damaged))
    compressed = wrap(at_seven(b"x" * EVENT_BYTES_MAX))
    rejected(compressed[:400])
    rejected(compressed + b"1")


@pytest.mark.parametrize(
    "head",
    [
        b"[]",
        b"{}",
        b"{",
        b"\xff\xff",
        b"[" * 5_000,
        b"x" * 9_000,
        {**HEAD, "more": 1},
        {**HEAD, "position": "zzz"},
        {**HEAD, "position": "٣"},
        {**HEAD, "position": ""},
        {**HEAD, "position": "1" * 257},
        {**HEAD, "position": 7},
        {**HEAD, "arrival_time_us": True},
        {**HEAD, "arrival_time_us": 2**60},
        {**HEAD, "origin": "a\nb"},
        {**HEAD, "origin": "o" * 1_025},
        {**HEAD, "compressed": 1},
        {**HEAD, "compressed": True},
        HEAD,
    ],
    ids=str,
)
def test_a_hostile_head_is_refused(head):
    """Whatever stands in the head, the answer is a rejection with a reason: no other error, and no event."""
    rejected(framed(head))


def test_an_envelope_of_a_later_format_is_told_apart():
    """It is rejected, so kept in quarantine as it is, and a consumer that reads it can be given it later."""
    assert "upgrade" in rejected(MARKER[:-1] + b"\x02" + b"anything").message


@pytest.mark.parametrize(
    ("raw", "depends"),
    [
        (RAW, True),
        (RAW.replace(b'"op"', b'"version":1,"op"'), True),
        (RAW.replace(b'"op"', b'"version":1,"event_time":null,"op"'), True),
        (RAW.replace(b'"op"', b'"version":1,"event_time":"2026-01-01T00:00:00Z","op"'), False),
        (RAW[:-1], False),
        (b"\x00\xff", False),
        (b"[" * 100_000, False),
        (b"{}", False),
        (b"null", False),
        (b'{"data":{},"metadata":{"timestamp":"2026-01-01T00:00:00Z","record-type":"data"}}', False),
        (b'{"data":{},"metadata":{"record-type":"data"}}', True),
        (b'{"payload":{"op":"c","source":{"ts_ms":5}}}', False),
        (b'{"payload":{"op":"c","source":{"ts_ms":0},"ts_ms":7}}', False),
        (b'{"op":"c","after":{},"source":{"ts_ms":0}}', True),
        (b'{"payload":7}', True),
    ],
)
def test_which_bytes_depend_on_where_they_arrived(raw, depends):
    """Events that lack a version or a time do; those that have both do not, and neither does what is no event."""
    assert depends_on_receipt(raw) is depends
