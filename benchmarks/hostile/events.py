"""Hostile events: what anybody who may write one record to the change stream can put there."""

from __future__ import annotations

import base64
import gzip
import json
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

LONG = 60_000
"""Characters of a long value: just below what the contract takes."""
DEPTH = 50_000
NOW = "2026-11-01T10:00:00Z"


@dataclass(frozen=True, slots=True)
class HostileEvent:
    """Raw bytes for the change stream, and of which kind they are."""

    kind: str
    name: str
    raw: bytes


def hostile_events() -> list[HostileEvent]:
    """Return the corpus, the same in each run."""
    parts = {
        "time": _times,
        "version": _versions,
        "identity": _identities,
        "attribute name": _attribute_names,
        "long value": _long_values,
        "odd value": _odd_values,
        "many values": _many_values,
        "not JSON": _no_json,
        "not an event": _no_event,
        "steward event": _steward_events,
        "Debezium": _debezium,
        "DMS": _dms,
        "envelope": _envelopes,
    }
    return [HostileEvent(kind, name, raw) for kind, part in parts.items() for name, raw in part()]


def good_event(number: int) -> bytes:
    """Return an ordinary event: each number is a record and a person of its own."""
    return _event(
        record_id=f"good-{number}",
        attributes={"given_name": f"Q{number}x", "family_name": f"Z{number}y", "email": f"q{number}@example.org"},
    )


def plain_event(name: str, size: int) -> bytes:
    """Return an ordinary event of some ``size`` bytes: distinct words in as many attributes as that takes."""
    words = random.Random(name)
    attributes: dict[str, object] = {"given_name": f"P{name}", "family_name": f"F{name}"}
    columns = ("street", "city", "region", "full_name")
    while (short := size - len(_event(record_id=name, attributes=attributes))) > 0:
        text = " ".join(f"{words.getrandbits(24):x}" for _ in range(max(1, min(short, LONG) // 7)))
        if len(attributes) - 2 < len(columns):
            attributes[columns[len(attributes) - 2]] = text[:200]
        else:
            attributes[f"note_{len(attributes)}"] = text
    return _event(record_id=name, attributes=attributes)


def _json(value: object) -> bytes:
    """Write what other writers refuse, too: numbers of any length, and half a pair of surrogates."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def _event(**changed: object) -> bytes:
    event: dict[str, object] = {
        "domain": "person",
        "source": "web",
        "record_id": "hostile",
        "op": "upsert",
        "version": 1,
        "event_time": NOW,
        "attributes": {"given_name": "Mallory", "family_name": "Storm"},
    }
    return _json(event | changed)


def _times() -> Iterator[tuple[str, bytes]]:
    texts = (
        "0001-01-01T00:00:00+23:59",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00-23:59",
        "9999-12-31T23:59:59.999999Z",
        "9999-12-31T23:59:59-23:59",
        "9999-12-31T23:59:59.9999999Z",
        "0000-00-00T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "1582-10-10T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:00+99:99",
        "2026-01-01",
        "+12026-01-01T00:00:00Z",
        "-0001-01-01T00:00:00Z",
        "2026-01-01T00:00:00." + "9" * 5_000 + "Z",
        "\u0662\u0660\u0662\u0666-\u0660\u0661-\u0660\u0661T00:00:00Z",
        "",
    )
    for text in texts:
        yield f"event time {text[:30]!r}", _event(event_time=text)
    for value in (0, 1e18, True, None, [NOW]):
        yield f"event time {value!r}", _event(event_time=value)
    for text in ("9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"):
        yield f"birth date {text!r}", _event(attributes={"given_name": "Mallory", "birth_date": text})


def _versions() -> Iterator[tuple[str, bytes]]:
    for value in (2**63 - 1, -(2**63), 2**63, 2**64, 0, -1, 1.5, -0.0, True, None, "", "1", "zzz", "9" * 256, [1], {}):
        yield f"version {str(value)[:30]!r}", _event(record_id=f"v-{value!s:.20}", version=value)
    for text in ("9" * 400, "9" * 100_000, "1e400", "1e999999999", "-0", "0x10"):
        yield f"version {text[:12]} ({len(text)})", _event().replace(b'"version":1', f'"version":{text}'.encode())
    yield "no version", _json({k: v for k, v in json.loads(_event()).items() if k != "version"})
    yield "version twice", _event().replace(b'"version":1', b'"version":1,"version":9223372036854775807')


def _identities() -> Iterator[tuple[str, bytes]]:
    ids = (
        "a/b",
        "a|b",
        "a:b",
        "{person}",
        "*",
        "a\nb",
        "a\u2028b",
        "\u202egnp.exe",
        "\u200b",
        "..",
        "../../etc",
        "%2e",
    )
    for record_id in (
        *ids,
        "\ufdfa" * 256,
        "x" * 256,
        "x" * 257,
        "'; DROP TABLE golden;--",
        "__proto__",
        "=cmd|'/c'!A0",
    ):
        yield f"record id {record_id[:14]!r}", _event(record_id=record_id)
    for source in ("steward", "web/x", "WEB", "", "w" * 300, "crm", "\u0435rp"):
        yield f"source {source[:14]!r}", _event(source=source)
    for domain in ("person ", "{x}", "Person", "person\u0000"):
        yield f"domain {domain!r}", _event(domain=domain)


def _attribute_names() -> Iterator[tuple[str, bytes]]:
    names = ("", "given_name ", "__class__", "golden_id", "\u202e", "a.b", "$ref", "' or 1=1", "x" * 128, "x" * 129)
    for name in names:
        yield f"attribute {name[:14]!r}", _event(attributes={name: "x", "given_name": "Mallory"})
    yield "500 attributes", _event(attributes={f"a{i}": "x" for i in range(500)})
    yield "50,000 attributes", _event(attributes={f"a{i}": "x" for i in range(50_000)})
    yield "500 attributes of 1,000 items", _event(attributes={f"a{i}": [str(i)] * 100 for i in range(500)})


ATTRIBUTES = (
    "given_name", "full_name", "birth_date", "gender", "email", "phone", "street", "city", "region", "postcode",
    "country", "national_id",
)  # fmt: skip
SHAPES = {
    "symbols": "&+@./,-" * (LONG // 7),
    "at signs": "@" * LONG,
    "dots": "a." * (LONG // 2),
    "spaces": " x" * (LONG // 2),
    "digits": "1" * LONG,
    "combining": "e" + "\u0301" * LONG,
    "ligatures": "\ufdfa" * (LONG // 3),
}


def _long_values() -> Iterator[tuple[str, bytes]]:
    for attribute in ATTRIBUTES:
        for shape, text in SHAPES.items():
            yield f"{attribute} of {shape}", _event(record_id=f"{attribute}-{shape}", attributes={attribute: text})


def _odd_values() -> Iterator[tuple[str, bytes]]:
    values: tuple[Any, ...] = (
        "\x1b[31mred", "\u202eabc", "=1+1", "<script>alert(1)</script>", "\u0000", "\ud83d", "'", "\\", "%s%n",
        "{{7*7}}", "\ufeff", "\U000e0001", "NaN", "Infinity", "null", "-", "n/a",
        -0.0, 1e308, 5e-324, 2**53 + 1, -(2**63), True,
    )  # fmt: skip
    for number, value in enumerate(values):
        attributes = dict.fromkeys(ATTRIBUTES, value)
        yield f"every attribute {value!a}", _event(record_id=f"odd-{number}", attributes=attributes)
    for text in ("NaN", "1e400", "-Infinity", "1" * 5_000, "0." + "1" * 5_000, "01"):
        yield f"number {text[:12]} ({len(text)})", _event(attributes={"city": "@"}).replace(b'"@"', text.encode())


def _many_values() -> Iterator[tuple[str, bytes]]:
    many = {
        "email": [f"m{i}@example.org" for i in range(1_000)],
        "phone": [f"+1212{i:07d}" for i in range(1_000)],
    }
    for attribute, texts in many.items():
        yield f"1,000 of {attribute}", _event(record_id=f"many-{attribute}", attributes={attribute: texts})
        yield f"1,001 of {attribute}", _event(record_id=f"over-{attribute}", attributes={attribute: [*texts, texts[0]]})
        yield f"one {attribute} 1,000 times", _event(record_id="same", attributes={attribute: [texts[0]] * 1_000})
    yield "both", _event(record_id="many-both", attributes=many)
    yield "long emails", _event(record_id="l", attributes={"email": ["a" * 900 + f"{i}@x.org" for i in range(900)]})
    yield "a list where one value belongs", _event(attributes={"given_name": ["A"] * 1_000})
    yield "lists in lists", _event(attributes={"given_name": [[["A"]]]})


def _no_json() -> Iterator[tuple[str, bytes]]:
    good = _event(attributes={"given_name": "Zoë"})
    noise = random.Random(7).randbytes(900)
    yield "truncated", good[:60]
    yield "truncated, escaped", _event(attributes={"city": "K"}).replace(b'"K"', rb'"K\u00f6ln')[:150]
    yield "cut inside a character", good[: good.index("ë".encode()) + 1]
    yield "binary", b"\xff" + noise
    yield "gzip", gzip.compress(good, mtime=0)
    yield "gzip bomb", gzip.compress(b"0" * 20_000_000, mtime=0)
    yield "base64", base64.b64encode(good)
    for encoding in ("utf-16", "utf-32", "utf-8-sig", "latin-1"):
        yield encoding, good.decode().encode(encoding)
    yield "deep, open", b"[" * DEPTH
    yield "deep, closed", b"[" * DEPTH + b"]" * DEPTH
    yield "deep objects", b'{"a":' * DEPTH
    yield "deep value", good.replace("Zoë".encode(), b"@").replace(b'"@"', b"[" * DEPTH + b"]" * DEPTH)
    yield "two events in one record", good + b"\n" + good
    yield "event and rubbish", good + b"}" * 1_000
    yield "100,000 duplicate members", b'{"a":1' + b',"a":1' * 100_000 + b"}"
    yield "200,000 members", b"{" + b",".join(b'"m%d":1' % i for i in range(60_000)) + b"}"
    yield "long number", b"9" * 900_000
    yield "900 kB of spaces", b" " * 900_000
    yield "900 kB of backslashes", b'"' + b"\\" * 900_000 + b'"'
    yield "900 kB of quotes", b'"' * 900_000
    yield "escapes", b'{"domain":"' + rb"\u0041" * 100_000 + b'"}'
    yield "comments", b"/* */" + good
    yield "single quotes", good.replace(b'"', b"'")
    yield "zero bytes", b""
    yield "one NUL", b"\x00"
    for text in (b"null", b"true", b"[]", b"{}", b'""', b"0"):
        yield text.decode(), text


def _no_event() -> Iterator[tuple[str, bytes]]:
    for op in ("merge", "", "UPSERT", None, 1, ["upsert"], "hold"):
        yield f"op {op!r}", _event(op=op)
    for value in (None, [], "x", 1, {"a": {"b": "c"}}):
        yield f"attributes {value!r}", _event(attributes=value)
    yield "unknown member", _event(Mallory_1980="secret")
    yield "10,000 unknown members", _event(**{f"x{i}": i for i in range(10_000)})
    yield "shapes of two formats", _event(data={}, metadata={"record-type": "data"})
    yield "shapes of three formats", _event(payload={}, schema={}, data={}, metadata={}, before={}, after={}, source={})


def _pair(a: str, b: str) -> dict[str, object]:
    return {"a": {"source": "web", "record_id": a}, "b": {"source": "web", "record_id": b}}


def _steward_events() -> Iterator[tuple[str, bytes]]:
    verdict = {"domain": "person", "op": "verdict", "verdict": "link", "steward": "m", "version": 1, "event_time": NOW}
    yield "verdict on itself", _json({**verdict, **_pair("x", "x")})
    yield "verdict of 2^63-1", _json({**verdict, **_pair("x", "y"), "version": 2**63 - 1})
    yield "verdict of a text version", _json({**verdict, **_pair("x", "y"), "version": "zzz"})
    yield "verdict on the unknown", _json({**verdict, **_pair("none-1", "none-2")})
    yield "verdict by a long name", _json({**verdict, **_pair("x", "y"), "steward": "m" * 5_000})
    yield "verdict that is a list", _json({**verdict, **_pair("x", "y"), "verdict": ["link"]})
    override = {"op": "override", "steward": "m", "attributes": {"city": "Nowhere"}}
    yield "override", _event(**override)
    yield "override of 2^63-1", _event(**override, version=2**63 - 1)
    yield "override that ends before it begins", _event(**override, expires_at="0001-01-01T00:00:00Z")
    yield "override that ends beyond the calendar", _event(**override, expires_at="9999-12-31T23:59:59-23:59")
    yield "override of all", _event(**(override | {"attributes": {f"a{i}": "x" for i in range(500)}}))
    yield "expiry of what is not", _event(op="override_expired", attributes=["city"])
    yield (
        "erase of what is not",
        _json({"domain": "person", "op": "erase", "source": "web", "record_id": "none", "event_time": NOW}),
    )
    yield (
        "erase of a good record",
        _json({"domain": "person", "op": "erase", "source": "web", "record_id": "victim", "event_time": NOW}),
    )


def _debezium() -> Iterator[tuple[str, bytes]]:
    source: dict[str, object] = {
        "connector": "postgresql", "schema": "public", "table": "customer", "lsn": 7, "sequence": '["6","7"]',
        "ts_ms": 1_790_000_000_000,
    }  # fmt: skip
    row = {"id": 1, "first_name": "Mallory", "last_name": "Storm"}

    def change(**changed: object) -> bytes:
        return _json({"op": "c", "before": None, "after": row, "source": source} | changed)

    for op in ("t", "m", "x", "", None, 1):
        yield f"op {op!r}", change(op=op)
    for lsn in (2**63 - 1, -1, "7", None, 1.5, [7]):
        yield f"lsn {lsn!r}", change(source=source | {"lsn": lsn})
    for text in ("[", '["9","9"]', "[null,null]", '["' + "9" * 5_000 + '","7"]', "[" * 10_000, 5):
        yield f"sequence {str(text)[:12]!r}", change(source=source | {"sequence": text})
    for ts_ms in (2**63 - 1, -(2**63), 253_402_300_800_000, -62_135_596_800_001, "now", None):
        yield f"ts_ms {ts_ms!r}", change(source=source | {"ts_ms": ts_ms})
    for table in ("Customer", "public.customer", "\u202e", "c" * 5_000, None, ["customer"]):
        yield f"table {str(table)[:14]!r}", change(source=source | {"table": table})
    yield "10,000 columns", change(after=row | {f"c{i}": i for i in range(10_000)})
    yield "bytes as a value", change(after=row | {"first_name": base64.b64encode(b"\x01" * 40_000).decode()})
    yield "unavailable everywhere", change(after=dict.fromkeys(row, "__debezium_unavailable_value"))
    yield "a row that is a text", change(after="row")
    yield "key of 300 characters", change(after=row | {"id": "k" * 300})
    yield "schema of 10,000 levels", b'{"payload":' + change() + b',"schema":' + b"[" * 10_000 + b"]" * 10_000 + b"}"


def _dms() -> Iterator[tuple[str, bytes]]:
    metadata: dict[str, object] = {
        "record-type": "data", "operation": "insert", "schema-name": "sales", "table-name": "client",
        "timestamp": "2026-11-01T10:00:00.000000Z", "stream-position": "00000001/0A1B2C3D",
        "transaction-record-id": 1, "transaction-id": 5,
    }  # fmt: skip
    row = {"client_no": "K1", "name1": "Storm", "name2": "Mallory"}

    def change(**changed: object) -> bytes:
        return _json({"data": row, "metadata": metadata} | changed)

    for position in ("", "zz", "F" * 5_000, "mysql-bin-changelog." + "9" * 400 + ":1:1", None, 7, "-1/-1"):
        yield f"position {str(position)[:16]!r}", change(metadata=metadata | {"stream-position": position})
    for number in (2**63 - 1, -1, "1", 1e300, None):
        yield f"record number {number!r}", change(metadata=metadata | {"transaction-record-id": number})
    for time in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59Z", "0000-00-00", 5):
        yield f"timestamp {time!r}", change(metadata=metadata | {"timestamp": time})
    yield (
        "control record of our table",
        change(metadata=metadata | {"record-type": "control", "operation": "drop-table"}),
    )
    yield "unknown operation", change(metadata=metadata | {"operation": "purge"})
    yield "data that is a list", change(data=[row] * 1_000)
    yield "10,000 columns", change(data=row | {f"c{i}": "x" for i in range(10_000)})


def _envelopes() -> Iterator[tuple[str, bytes]]:
    marker = b"\x8fmdm-redrive\x01"
    yield "marker alone", marker
    yield "head that is too long", marker + b"\xff\xff" + b"{}"
    yield "head that is no object", marker + b"\x00\x02" + b"[]" + good_event(1)
    head = _json({"position": "1", "arrival_time_us": 0, "origin": "x", "digest": "0" * 32, "compressed": True})
    framed = marker + len(head).to_bytes(2, "big") + head
    yield "wrong digest", framed + zlib.compress(good_event(1))
    yield "bomb", framed + zlib.compress(b"0" * 30_000_000)
    yield "no zlib", framed + b"\x78\x9c" + b"\xff" * 500
    yield "envelope in an envelope", framed + zlib.compress(framed)
    kpl = b"\xf3\x89\x9a\xc2"
    yield "KPL marker alone", kpl
    yield "KPL with a wrong digest", kpl + b"\x0a\x01\x61\x1a\x05\x08\x00\x1a\x01\x7b" + b"\x00" * 16
    yield "claim check", _json({"dataref": "file:///etc/passwd", "specversion": "1.0", "id": "1"})
