"""Inputs for the decoders that are nearly right: mutations of samples of every format, plain and wrapped. Seeded."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import orjson
from format_samples import FILE_SAMPLES, SAMPLES

from mdm_stream.contracts.kpl import MARKER as AGGREGATE_MARKER
from mdm_stream.contracts.kpl import UserRecord, aggregate_of
from mdm_stream.decode import Delivery
from mdm_stream.decode.redrive_envelope import MARKER as ENVELOPE_MARKER
from mdm_stream.decode.redrive_envelope import wrap

INPUT_BYTES_MAX = 20_000
"""Mutations may double an input; what is larger is cut."""

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1, 1e308, -1e308, 5e-324, 0.1, 1e15,
    "", " ", "0", "-0", "1E+18", "NaN", "7" * 400, "a" * 300, "\u0000", "\u200b", "\ud7ff", "\U0010ffff", "i\u0307",
    "2026-01-01T00:00:00Z", "2026-13-01", "0000-00-00", "9999-12-31T23:59:59.999999Z", "0/0", "ffffffff/ffffffff",
    "mysql-bin.000001:4", "[null,null]", '["1","2"]', "__debezium_unavailable_value", "X19kZWJleml1bV91bmF2YWls",
    [], {}, [None], [[]], [{}], {"": None}, {"S": "a"}, {"N": "1e999"}, {"N": "12345678901234567890.5"}, {"L": [{}]},
    {"M": {"M": {}}}, {"NULL": True}, {"SS": [1]}, {"wkb": "AAAA", "srid": None}, {"scale": 2, "value": "AQ=="},
)  # fmt: skip
NAMES = (
    "op", "type", "data", "metadata", "source", "before", "after", "payload", "schema", "dynamodb", "eventName", "Keys",
    "NewImage", "database", "table", "domain", "record_id", "attributes", "version", "event_time", "signature", "xid",
    "position", "ts", "ts_ms", "ts_ns", "connector", "lsn", "scn", "file", "pos", "commit", "old", "ddl", "verdict",
)  # fmt: skip
TOKENS = (
    b"\x00", b"\xff", b"\xef\xbb\xbf", b"\x1f\x8b", b"{", b"}", b"[", b'"', b"\\", b"\\ud800", b"\\u0000", b",", b":",
    b"1e9", b"-", b"9" * 25, b"null", b"NaN", AGGREGATE_MARKER, ENVELOPE_MARKER, b"\r\n", b"\xc3", b"\xed\xa0\x80",
)  # fmt: skip


class FuzzedInputs:
    """Draws inputs. The same seed gives the same ones."""

    def __init__(self, seed: int, more: Sequence[bytes] = ()) -> None:
        """Take further samples beside those of the contract suite."""
        self._random = random.Random(seed)
        self._samples = [raw for samples in (*SAMPLES.values(), more) for raw in samples]
        self._files = list(FILE_SAMPLES.values())
        self._parsed = [event for event in map(_parsed, self._samples) if isinstance(event, dict)]
        self._kinds: tuple[Callable[[], bytes], ...] = (
            self._structure, self._structure, self._structure, self._bytes, self._bytes, self._aggregate,
            self._message, self._envelope,
        )  # fmt: skip

    def draw(self) -> bytes:
        """Return the next input."""
        return self._random.choice(self._kinds)()[:INPUT_BYTES_MAX]

    def _structure(self) -> bytes:
        """An event with some of its members replaced, renamed, dropped, added or taken from another one."""
        chance = self._random
        event = _copied(chance.choice(self._parsed))
        for _ in range(1 + int(chance.random() * 3)):
            self._change(event)
        return orjson.dumps(event, option=orjson.OPT_NON_STR_KEYS)

    def _change(self, event: dict[str, Any]) -> None:
        chance, inside = self._random, event
        # Down a few levels, so that members deep in an event change as often as those at its top.
        while inside:
            name = chance.choice(list(inside))
            if isinstance(inside[name], dict) and inside[name] and chance.random() < 0.7:
                inside = inside[name]
                continue
            break
        drawn = chance.random()
        if not inside or drawn < 0.2:
            inside[chance.choice(NAMES)] = self._value()
        elif drawn < 0.7:
            inside[name] = self._value()
        elif drawn < 0.85:
            del inside[name]
        elif drawn < 0.95:
            inside[chance.choice(NAMES)] = inside.pop(name)
        else:
            event |= _copied(chance.choice(self._parsed))

    def _value(self) -> Any:
        chance = self._random
        drawn = chance.random()
        if drawn < 0.8:
            return _copied(chance.choice(VALUES))
        if drawn < 0.9:
            other = chance.choice(self._parsed)
            return _copied(other[chance.choice(list(other))])
        if drawn < 0.95:
            return [chance.choice(VALUES) for _ in range(chance.randrange(1, 30))]
        return chance.getrandbits(chance.randrange(1, 64))

    def _bytes(self) -> bytes:
        """An event, a file or another input with some bytes overwritten, put in, taken out, moved or doubled."""
        chance = self._random
        raw = bytearray(chance.choice(self._samples if chance.random() < 0.9 else self._files))
        if chance.random() < 0.1:
            raw = bytearray(self._aggregate() if chance.random() < 0.5 else self._envelope())
        for _ in range(1 + int(chance.random() * 4)):
            start = int(chance.random() * (len(raw) + 1))
            drawn = chance.random()
            if drawn < 0.3 and start < len(raw):
                raw[start] = chance.getrandbits(8)
            elif drawn < 0.55:
                raw[start:start] = chance.choice(TOKENS)
            elif drawn < 0.75:
                del raw[start : start + 1 + int(chance.random() * 8)]
            elif drawn < 0.85:
                raw[start:start] = raw[: int(chance.random() * len(raw))]
            elif drawn < 0.95:
                raw[start:] = chance.choice(self._samples)[start:]
            else:
                del raw[start:]
        return bytes(raw)

    def _aggregate(self) -> bytes:
        """An aggregate, sound as such, of inputs and holes."""
        chance = self._random
        records = [
            None if chance.random() < 0.1 else UserRecord(self._inner(), f"key-{chance.randrange(3)}")
            for _ in range(chance.randrange(4))
        ]
        return aggregate_of(records)

    def _message(self) -> bytes:
        """An aggregate whose message is damaged, under a checksum that is right."""
        chance = self._random
        message = bytearray(self._aggregate()[len(AGGREGATE_MARKER) : -16])
        for _ in range(1 + int(chance.random() * 3)):
            start = int(chance.random() * (len(message) + 1))
            if chance.random() < 0.5 and start < len(message):
                message[start] = chance.getrandbits(8)
            elif chance.random() < 0.5:
                message[start:start] = chance.randbytes(chance.randrange(1, 12))
            else:
                del message[start : start + 1 + int(chance.random() * 4)]
        return AGGREGATE_MARKER + message + hashlib.md5(message).digest()

    def _envelope(self) -> bytes:
        """An envelope of an input, at any place, some of them within a record."""
        chance = self._random
        first = Delivery.from_row(self._inner(), chance.getrandbits(chance.randrange(1, 200)) + 1, "changes/s:1")
        event = replace(first, arrival_time_us=chance.getrandbits(50), subsequence=chance.choice((0, 0, 1, 9_999)))
        try:
            return wrap(event)
        except ValueError:  # an envelope already
            return event.raw

    def _inner(self) -> bytes:
        chance = self._random
        drawn = chance.random()
        if drawn < 0.3:
            return chance.choice(self._samples)
        if drawn < 0.95:
            return self._structure()
        return chance.choice((b"", AGGREGATE_MARKER, ENVELOPE_MARKER, aggregate_of([UserRecord(b"{}", "k")])))


def _copied(value: Any) -> Any:
    """Return a value that may be changed: no two inputs share a part."""
    return orjson.loads(orjson.dumps(value)) if isinstance(value, dict | list) else value


def _parsed(raw: bytes) -> object:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
