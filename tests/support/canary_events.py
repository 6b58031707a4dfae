"""Events, messages of the feed, files and requests that hold the canary's values, by the path that each goes."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping
from typing import Any

import orjson
from canary_values import ATTRIBUTES, BORN, EMAIL, FAMILY, GIVEN, NUMBER, PHONE, STREET

from mdm_stream.contracts.kpl import UserRecord, aggregate_of
from mdm_stream.decode import Delivery
from mdm_stream.decode.redrive_envelope import MARKER, wrap

RULES = """\
extends: person
version: 1
publish: [records, matches, reviews]
blocking: {max_block_size: 3}
sources:
  web: {format: canonical, version_kind: integer, trust: 0.5}
  form: {format: canonical, trust: 0.4}
  crm:
    format: debezium
    table: public.customer
    key: [id]
    attributes: {given_name: first_name, family_name: last_name, birth_date: dob, email: email, phone: phone}
  erp:
    format: dms
    table: sales.client
    key: [client_no]
    attributes: {given_name: name2, family_name: name1}
  vendor:
    format: csv
    key: id
    attributes: {given_name: first, family_name: last, email: mail, phone: tel}
    files: {rejected_share_max: 0.4}
"""
"""Keys of few members suspend, so that suspended ones are met with."""

Raws = Mapping[str, bytes]


def event(op: str = "upsert", *, record_id: str = "1", source: str = "web", **members: Any) -> dict[str, Any]:
    """Return a canonical event of the canary."""
    told = {"domain": "person", "source": source, "record_id": record_id, "op": op, "version": 1}
    told["event_time"] = "2026-03-01T00:00:00Z"
    if op in ("upsert", "patch"):
        told["attributes"] = dict(ATTRIBUTES)
    told |= members
    return {name: value for name, value in told.items() if value is not None}


def good_events(first: int = 0) -> Raws:
    """Return what is applied: whole records and parts, of every format, alone and in aggregates."""
    ids = [f"r-{first + number}" for number in range(8)]
    source = {
        "connector": "postgresql",
        "schema": "public",
        "table": "customer",
        "lsn": 7 + first,
        "ts_ms": 1_767_225_600_000,
    }
    row = {"id": ids[5], "first_name": GIVEN, "last_name": FAMILY, "dob": BORN, "email": EMAIL, "phone": PHONE}
    metadata = {
        "timestamp": "2026-03-02T08:14:22.010552Z",
        "record-type": "data",
        "operation": "insert",
        "schema-name": "sales",
        "table-name": "client",
        "transaction-record-id": 1 + first,
        "stream-position": f"{1 + first:08d}/0A1B2C3D",
    }
    people = [orjson.dumps(event(record_id=each)) for each in ids[:5]]
    again = orjson.dumps(event(record_id=ids[0], version=1, attributes={**ATTRIBUTES, "city": "Bonn"}))
    return {
        "whole records": people[0],
        "same record once more": people[0],
        "other content of one version": again,
        "records of one block": people[1],
        "and another": people[2],
        "and one that suspends the key": people[3],
        "aggregate": aggregate_of([UserRecord(people[4], EMAIL), UserRecord(people[1], FAMILY)]),
        "patch": orjson.dumps(event("patch", record_id=ids[0], version=2, attributes={"street": STREET})),
        "many values": orjson.dumps(
            event(record_id=ids[6], attributes={**ATTRIBUTES, "email": [f"{n}.{EMAIL}" for n in range(60)]})
        ),
        "values that no standardiser takes": orjson.dumps(
            event(record_id=ids[7], attributes=dict.fromkeys(ATTRIBUTES, f"{GIVEN} {STREET} {PHONE}"))
        ),
        "a row of Debezium": orjson.dumps({"op": "c", "before": None, "after": row, "source": source}),
        "a row of DMS": orjson.dumps(
            {"data": {"client_no": ids[0], "name1": FAMILY, "name2": GIVEN}, "metadata": metadata}
        ),
        "deletion": orjson.dumps(event("delete", record_id=ids[4], version=3)),
        "redriven": wrap(Delivery.from_kinesis(people[2], "1", 1_767_225_600.0, "changes/shardId-000000000000:1")),
    }


def stewards_events(record_id: str, other: str) -> Raws:
    """Return what people say: an override that ends, and a decision about two records."""
    pair = {"a": {"source": "web", "record_id": record_id}, "b": {"source": "web", "record_id": other}}
    verdict = {"domain": "person", "op": "verdict", **pair, "verdict": "separate", "version": 1, "steward": GIVEN}
    ending = {"expires_at": "2026-03-02T00:00:00Z"}
    return {
        "override": orjson.dumps(event("override", record_id=record_id, attributes={"city": STREET}, steward=GIVEN)),
        "override that ends": orjson.dumps(
            event("override", record_id=other, attributes={"city": STREET}, steward=EMAIL, **ending)
        ),
        "decision": orjson.dumps({**verdict, "event_time": "2026-03-01T00:00:00Z"}),
        "reason of a decision": orjson.dumps({**verdict, "reason": f"is {GIVEN}", "version": 2}),
    }


def erasures(record_id: str) -> Raws:
    """Return the erasure of a record, and what is said of it later."""
    return {
        "erasure": orjson.dumps(event("erase", record_id=record_id, version=None)),
        "event of an erased record": orjson.dumps(event(record_id=record_id, version=9)),
        "bad event of an erased record": orjson.dumps(event(record_id=record_id, version=9, surprise=GIVEN)),
        "half an event of an erased record": orjson.dumps(event(record_id=record_id, version=9))[:-9],
    }


def bad_events() -> Raws:
    """Return what is rejected: the canary in every place of an event, and in what is none."""
    whole = orjson.dumps(event())
    envelope = wrap(Delivery.from_kinesis(whole, "7", 1_767_225_600.0, f"{GIVEN}/{EMAIL}:7"))
    place = {"connector": "postgresql", "schema": "public", "table": "customer", "lsn": 7}
    row = {"op": "c", "before": None, "after": {"id": "1", "first_name": GIVEN}}
    metadata = {"record-type": "data", "operation": "insert", "schema-name": "sales", "table-name": "client"}
    return {
        "half an event": whole[: whole.index(GIVEN.encode()) + 20],
        "no JSON": f"{GIVEN} {FAMILY} {EMAIL} {PHONE}".encode(),
        "text alone": orjson.dumps(GIVEN),
        "list": orjson.dumps([GIVEN, ATTRIBUTES]),
        "gzip": gzip.compress(whole),
        "base64": base64.b64encode(whole),
        "UTF-16": whole.decode().encode("utf-16"),
        "Latin-1": whole.decode().encode("latin-1"),
        "number of a thousand digits": whole.replace(b'"version":1', b'"version":' + b"9" * 1_000),
        "not a number": whole.replace(b'"version":1', b'"version":NaN'),
        "unknown shape": orjson.dumps(ATTRIBUTES),
        "oversized": orjson.dumps(event(note=f"{GIVEN} " * 60_000)),
        "long value": orjson.dumps(event(attributes={"city": f"{GIVEN} " * 9_000})),
        **{f"value as {name}": orjson.dumps(event(**{name: GIVEN})) for name in _TEXTS},
        **{f"value in a list as {name}": orjson.dumps(event(**{name: [EMAIL]})) for name in _TEXTS},
        **{f"value in an object as {name}": orjson.dumps(event(**{name: {GIVEN: NUMBER}})) for name in _TEXTS},
        "long record_id": orjson.dumps(event(record_id=EMAIL * 40)),
        "control character in record_id": orjson.dumps(event(record_id=f"{EMAIL}\x01")),
        "record_id with spaces": orjson.dumps(event(record_id=f" {STREET} ")),
        "name of a member": orjson.dumps(event(**{GIVEN: 1})),
        "name of an attribute": orjson.dumps(event(attributes={EMAIL: "x", GIVEN: ["y"]})),
        "object as a value": orjson.dumps(event(attributes={"city": {GIVEN: EMAIL}})),
        "list of lists as a value": orjson.dumps(event(attributes={"email": [[EMAIL]]})),
        "control character in a value": orjson.dumps(event(attributes={"city": f"{GIVEN}\x1b"})),
        "text as integer version": orjson.dumps(event(version=PHONE)),
        "version of a source that numbers none": orjson.dumps(event(source="form", version=PHONE)),
        "unknown table": orjson.dumps({**row, "source": {**place, "table": GIVEN}}),
        "unknown schema": orjson.dumps({**row, "source": {**place, "schema": GIVEN}}),
        "position of a row": orjson.dumps({**row, "source": {**place, "lsn": PHONE}}),
        "operation of a row": orjson.dumps({**row, "op": GIVEN, "source": place}),
        "row without its key": orjson.dumps({**row, "after": {"first_name": GIVEN}, "source": place}),
        "list as a row": orjson.dumps({**row, "after": [GIVEN], "source": place}),
        "table of DMS": orjson.dumps({"data": {"client_no": "1"}, "metadata": {**metadata, "table-name": GIVEN}}),
        "operation of DMS": orjson.dumps({"data": ATTRIBUTES, "metadata": {**metadata, "operation": EMAIL}}),
        "position of DMS": orjson.dumps(
            {"data": {"client_no": "1"}, "metadata": {**metadata, "stream-position": PHONE}}
        ),
        "decision on one record": orjson.dumps(_decision("web", EMAIL)),
        "decision of an unknown source": orjson.dumps(_decision(GIVEN, NUMBER)),
        "operation without a right": orjson.dumps(event("override", attributes={"city": STREET}, steward=GIVEN)),
        "aggregate of bad events": aggregate_of([UserRecord(GIVEN.encode(), EMAIL), UserRecord(whole[:-5], GIVEN)]),
        "aggregate within an aggregate": aggregate_of([UserRecord(aggregate_of([UserRecord(whole, EMAIL)]), GIVEN)]),
        "damaged aggregate": aggregate_of([UserRecord(whole, EMAIL)])[:-20] + b"x" * 20,
        "half an aggregate": aggregate_of([UserRecord(whole, EMAIL)])[:-30],
        "damaged envelope": envelope[:-7],
        "envelope of nothing": MARKER + len(GIVEN.encode()).to_bytes(2, "big") + GIVEN.encode() + whole,
        "envelope in an envelope": MARKER + envelope,
        "envelope of a place that cannot be": envelope,
        "claim check": orjson.dumps(claim_check()),
    }


_TEXTS = ("domain", "source", "record_id", "op", "version", "event_time", "attributes", "steward", "expires_at")


def _decision(source: str, record_id: str) -> dict[str, Any]:
    side = {"source": source, "record_id": record_id}
    return {"domain": "person", "op": "verdict", "a": side, "b": side, "verdict": GIVEN, "version": 1, "steward": EMAIL}


def claim_check(**changed: Any) -> dict[str, Any]:
    """Return a claim check for data that are nowhere."""
    message = {
        "specversion": "1.0",
        "id": "person/1/1",
        "source": "mdm-stream",
        "type": "mdm.golden.upserted",
        "subject": "person/0123456789abcdef",
        "time": "2026-03-01T12:00:00.000000Z",
        "dataref": f"s3://claims/{GIVEN}",
        "datasize": 100,
        "datasha256": "0" * 64,
    }
    return message | changed


def bad_messages(good: bytes) -> Raws:
    """Return messages of the golden feed that cannot be applied, made of one that can be."""
    message = orjson.loads(good)
    data = message["data"]
    return {
        "half a message": good[:-20],
        "no JSON": f"{GIVEN} {EMAIL}".encode(),
        "list": orjson.dumps([ATTRIBUTES]),
        "message of a later release": orjson.dumps({**message, "type": f"mdm.{GIVEN}"}),
        **{f"value as {name}": orjson.dumps({**message, name: GIVEN}) for name in message if name != "type"},
        **{f"value as {name} of the data": orjson.dumps({**message, "data": {**data, name: EMAIL}}) for name in data},
        **{
            f"value in an object as {name} of the data": orjson.dumps(
                {**message, "data": {**data, name: {GIVEN: EMAIL}}}
            )
            for name in data
        },
        "member that nothing knows": orjson.dumps({**message, GIVEN: EMAIL}),
        "claim check for what is nowhere": orjson.dumps(claim_check()),
        "claim check elsewhere": orjson.dumps(claim_check(dataref=f"file:///{EMAIL}", datasha256="1" * 64)),
        "claim check of a wrong digest": orjson.dumps(claim_check(datasha256=EMAIL)),
        "claim check of a wrong id": orjson.dumps(claim_check(id=f"person/{GIVEN}/1")),
    }


def files() -> Raws:
    """Return files of a vendor by their keys in the drop bucket."""
    head = "id,first,last,mail,tel\n"
    rows = [f"v{number},{GIVEN},{FAMILY},{EMAIL},{PHONE}\n" for number in range(9)]
    good = "".join([head, *rows])
    return {
        "person/vendor/good.csv": f"{good}{GIVEN},only two\n".encode(),
        f"person/vendor/{GIVEN} {EMAIL}.csv": good.replace("v", "w").encode(),
        "person/vendor/held.csv": "".join([head, *rows[:3], *[f"{EMAIL},{GIVEN}\n"] * 9]).encode(),
        "person/vendor/header.csv": f"{GIVEN},{EMAIL}\n1,2\n".encode(),
        "person/vendor/no ids.csv": "".join([head, *[f",{GIVEN},{FAMILY},{EMAIL},{PHONE}\n"] * 9]).encode(),
        "person/vendor/latin.csv": good.replace("v", "l").encode("latin-1"),
        "person/vendor/quotes.csv": f'{head}v1,"{GIVEN},{FAMILY}\n'.encode(),
        "person/vendor/zip.csv": gzip.compress(good.encode()),
        f"person/{GIVEN}/unknown.csv": good.encode(),
        f"{EMAIL}/unknown.csv": good.encode(),
        f"{GIVEN}.csv": good.encode(),
    }


def bad_file_messages(bucket: str) -> Mapping[str, str]:
    """Return bodies of messages to gatekeeper and workers that are none."""
    created = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": {"key": EMAIL}}}
    step = {"load": GIVEN, "attempt": 1, "step": "chunk", "chunk": 0}
    return {
        "no JSON": GIVEN,
        "list": orjson.dumps([EMAIL]).decode(),
        "no event of S3": orjson.dumps({"Records": [{"eventName": GIVEN}]}).decode(),
        "object that is gone": orjson.dumps({"Records": [created]}).decode(),
        "bucket that is none": orjson.dumps(
            {"Records": [{**created, "s3": {"bucket": {"name": GIVEN}, "object": {"key": EMAIL}}}]}
        ).decode(),
        "step of no load": orjson.dumps(step).decode(),
        "step that is none": orjson.dumps({**step, "load": "0" * 64, "step": EMAIL}).decode(),
        "attempt that is none": orjson.dumps({**step, "load": "0" * 64, "attempt": PHONE}).decode(),
        "notification": orjson.dumps({"Type": "Notification", "Message": GIVEN}).decode(),
        "event of another service": orjson.dumps({"source": EMAIL, "detail-type": GIVEN, "detail": {}}).decode(),
    }
