"""Everything that a change stream may hold and that is no event, with the reason for which each is rejected."""

from __future__ import annotations

import gzip
import random
from typing import NamedTuple

import orjson

from mdm_stream.simulate import DEMO_RULES

RULES = DEMO_RULES
"""The rules under which these are bad: ``web`` is canonical with integer versions, ``crm`` is fed by Debezium."""

DEPTH = 100_000
LARGE_BYTES = 900_000
FIVE_MB = 5_000_000


class BadEvent(NamedTuple):
    """Raw bytes and the code of the one reason that must be among those given."""

    raw: bytes
    code: str


def good_event(number: int) -> bytes:
    """Return a canonical event that can be resolved; each number is a record and a person of its own."""
    return _event(record_id=f"good-{number}", attributes={"given_name": f"Q{number}x", "email": f"q{number}@e.org"})


def bad_events() -> dict[str, BadEvent]:
    """Return bad events by what is wrong with them. None holds a line break, so that each is a line of a file too."""
    return {**_no_json(), **_no_change(), **_no_row()}


def five_mb_event() -> BadEvent:
    """Return an event larger than any stream takes; only a file can hold it."""
    return BadEvent(_event(attributes={"city": "x" * FIVE_MB}), "too_large")


def _no_json() -> dict[str, BadEvent]:
    good = _event(attributes={"given_name": "Zoë"})
    return {
        "truncated": BadEvent(good[:60], "truncated_json"),
        "truncated inside a character": BadEvent(good[: good.index("ë".encode()) + 1], "truncated_json"),
        "white space": BadEvent(b" \t  ", "empty"),
        "random binary": BadEvent(_binary(300), "binary"),
        "gzip": BadEvent(_gzip_without_line_breaks(), "binary"),
        "UTF-16": BadEvent("person".encode("utf-16"), "binary"),
        "Latin-1": BadEvent(good.replace("ë".encode(), b"\xeb"), "not_utf8"),
        "brackets, open": BadEvent(b"[" * DEPTH, "invalid_json"),
        "brackets, closed": BadEvent(b"[" * DEPTH + b"]" * DEPTH, "invalid_json"),
        "brackets as a value": BadEvent(_raw_value(b"[" * DEPTH + b"]" * DEPTH), "invalid_json"),
        "lone surrogate, escaped": BadEvent(_raw_value(rb'"\ud800"'), "invalid_json"),
        "lone surrogate, encoded": BadEvent(_raw_value(b'"\xed\xa0\x80"'), "not_utf8"),
        "NaN": BadEvent(_raw_value(b"NaN"), "invalid_json"),
        "number of a thousand digits": BadEvent(_raw_value(b"9" * 1_000), "out_of_range"),
        "raw control character": BadEvent(_raw_value(b'"\x01"'), "invalid_json"),
        "array": BadEvent(b"[1, 2]", "not_an_object"),
    }


def _no_change() -> dict[str, BadEvent]:
    whole = orjson.loads(_event())
    return {
        "empty object": BadEvent(b"{}", "unknown_shape"),
        "no record_id": BadEvent(_without(whole, "record_id"), "missing"),
        "no op": BadEvent(_without(whole, "op"), "missing"),
        "no attributes": BadEvent(_without(whole, "attributes"), "missing"),
        "no version, where the source has its own": BadEvent(_without(whole, "version"), "version_kind"),
        "number as record_id": BadEvent(_event(record_id=42), "wrong_type"),
        "list as attributes": BadEvent(_event(attributes=["Ada"]), "wrong_type"),
        "object as a value": BadEvent(_event(attributes={"city": {"name": "Leeds"}}), "wrong_type"),
        "text as version of an integer source": BadEvent(_event(version="7"), "version_kind"),
        "truth value as version": BadEvent(_event(version=True), "wrong_type"),
        "version beyond 64 bits": BadEvent(_event().replace(b'"version":1', b'"version":' + b"9" * 40), "wrong_type"),
        "version just beyond 64 bits": BadEvent(_event(version=2**63), "out_of_range"),
        "impossible time": BadEvent(_event(event_time="2026-02-30T00:00:00Z"), "wrong_format"),
        "unknown domain": BadEvent(_event(domain="galaxy"), "unknown_domain"),
        "unknown source": BadEvent(_event(source="fax"), "unknown_source"),
        "unknown op": BadEvent(_event(op="merge"), "unknown_value"),
        "unknown member": BadEvent(_event(recordid="1"), "unexpected"),
        "empty record_id": BadEvent(_event(record_id=""), "too_short"),
        "control character in record_id": BadEvent(_event(record_id="a\x00b"), "control_character"),
        "control character in a value": BadEvent(_event(attributes={"city": "a\x1bb"}), "control_character"),
        "900 kB value": BadEvent(_event(attributes={"city": "x" * LARGE_BYTES}), "too_long"),
        "member given twice": BadEvent(b'{"domain":"person","domain":"person"}', "missing"),
        "shape of two formats": BadEvent(_event(data={}, metadata={"record-type": "data"}), "ambiguous_shape"),
        "verdict on one record": BadEvent(_verdict_on_itself(), "same_record"),
    }


def _no_row() -> dict[str, BadEvent]:
    customer = {"connector": "postgresql", "schema": "public", "table": "customer", "lsn": 7, "sequence": '["6","7"]'}
    supplier = customer | {"table": "supplier"}
    metadata = {"record-type": "data", "operation": "insert", "schema-name": "sales", "table-name": "client"}
    return {
        "row without its key": BadEvent(_debezium(customer, after={"first_name": "Ada"}), "missing"),
        "row of an unknown table": BadEvent(_debezium(supplier, after={"id": 1}), "unknown_table"),
        "emptied table": BadEvent(_debezium(customer, op="t"), "truncate"),
        "list as a row": BadEvent(orjson.dumps({"data": [1], "metadata": metadata}), "wrong_type"),
        "change without a position": BadEvent(
            orjson.dumps({"data": {"client_no": "K1"}, "metadata": metadata}), "no_position"
        ),
    }


def _event(**changed: object) -> bytes:
    event: dict[str, object] = {
        "domain": "person",
        "source": "web",
        "record_id": "bad",
        "op": "upsert",
        "version": 1,
        "event_time": "2026-01-01T00:00:00Z",
        "attributes": {},
    }
    return orjson.dumps(event | changed)


def _raw_value(value: bytes) -> bytes:
    """An event one of whose values is given in its JSON form, which need not be JSON."""
    return _event(attributes={"city": "?"}).replace(b'"?"', value)


def _without(event: dict[str, object], member: str) -> bytes:
    return orjson.dumps({name: value for name, value in event.items() if name != member})


def _debezium(source: dict[str, object], op: str = "c", after: dict[str, object] | None = None) -> bytes:
    return orjson.dumps({"before": None, "after": after, "source": source, "op": op, "ts_ms": 1_767_225_600_000})


def _verdict_on_itself() -> bytes:
    key = {"source": "web", "record_id": "good-1"}
    members = {"domain": "person", "op": "verdict", "a": key, "b": key, "verdict": "link", "version": 1, "steward": "s"}
    return orjson.dumps(members)


def _binary(size: int) -> bytes:
    """Random bytes, zero among them, that neither hold nor begin or end with a line break."""
    randomness = random.Random(20)
    return b"\x00" + bytes(randomness.choice([b for b in range(256) if b not in b"\r\n"]) for _ in range(size))


def _gzip_without_line_breaks() -> bytes:
    for number in range(1_000):
        packed = gzip.compress(_event(record_id=str(number)), mtime=0)
        if b"\n" not in packed and b"\r" not in packed:
            return packed
    raise AssertionError("every gzip stream held a line break")
