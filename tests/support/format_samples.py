"""Samples of every registered wire format, for the contract suite. A new format adds its own here."""

from __future__ import annotations

from pathlib import Path

import orjson

_FIXTURES = Path(__file__).parents[1] / "fixtures"


def _canonical() -> list[bytes]:
    event = {"domain": "person", "source": "web", "record_id": "42", "op": "upsert", "attributes": {"city": "Köln"}}
    sides = {"a": {"source": "web", "record_id": "1"}, "b": {"source": "web", "record_id": "2"}}
    return [
        orjson.dumps(each)
        for each in (
            {**event, "source": "streamed"},
            {**event, "version": 1, "event_time": "2026-01-01T00:00:00Z"},
            {**event, "version": 2, "event_time": "2026-01-02T00:00:00Z", "op": "patch"},
            {"domain": "person", "op": "verdict", **sides, "verdict": "link", "steward": "reviewer"},
        )
    ]


def _debezium() -> list[bytes]:
    samples = []
    for lsn, (op, before, after) in enumerate(
        [
            ("r", None, {"id": 7, "first": "Ada"}),
            ("c", None, {"id": 7, "first": "Ada"}),
            ("u", {"id": 7, "first": "Ada"}, {"id": 8, "first": "Ada"}),
            ("d", {"id": 8}, None),
        ],
        start=100,
    ):
        source = {"connector": "postgresql", "db": "shop", "schema": "public", "table": "customer", "lsn": lsn}
        change = {"op": op, "before": before, "after": after, "source": {**source, "ts_ms": 1_700_000_000_000 + lsn}}
        samples += [orjson.dumps(change), orjson.dumps({"schema": None, "payload": change})]
    flat = {"id": 7, "first": "Ada", "__op": "c", "__schema": "public", "__table": "customer", "__source_lsn": 104}
    fields = [{"field": "id", "type": "int32"}, {"field": "first", "type": "int32", "name": "io.debezium.time.Date"}]
    schema = {"type": "struct", "fields": [{"field": "after", "type": "struct", "fields": fields}]}
    source = {
        "connector": "postgresql",
        "schema": "public",
        "table": "customer",
        "lsn": 106,
        "ts_ms": 1_700_000_000_000,
    }
    typed = {"op": "c", "before": None, "after": {"id": 7, "first": 5_673}, "source": source}
    samples += [
        orjson.dumps({**flat, "__source_ts_ms": 1_700_000_000_104}),
        orjson.dumps({**flat, "__source_ts_ms": 1_700_000_000_105, "__source_lsn": 105, "__deleted": "true"}),
        orjson.dumps({"schema": schema, "payload": typed}),
    ]
    return [*samples, b'{"ts_ms":1}']


def _dms() -> list[bytes]:
    samples = []
    for place, operation in enumerate(("load", "insert", "update", "delete"), start=1):
        metadata = {
            "timestamp": "2026-03-02T08:14:22.010552Z",
            "record-type": "data",
            "operation": operation,
            "schema-name": "sales",
            "table-name": "client",
            "transaction-record-id": place,
            "stream-position": f"0000000{place}/0A1B2C3D",
        }
        samples.append(orjson.dumps({"data": {"company": "A", "client_no": 7, "name1": "Ada"}, "metadata": metadata}))
    return [*samples, (_FIXTURES / "dms" / "control_minimal.json").read_bytes().strip()]


def _dynamodb() -> list[bytes]:
    samples = []
    image = {"pk": {"S": "7"}, "first": {"S": "Ada"}, "home": {"M": {"town": {"S": "Bonn"}}}, "paid": {"N": "1.50"}}
    for made_ms, name in enumerate(("INSERT", "MODIFY", "REMOVE", "INSERT", "REMOVE"), start=1_700_000_000_000):
        change = {"ApproximateCreationDateTime": made_ms, "Keys": {"pk": image["pk"]}, "SizeBytes": 90}
        change |= {"OldImage": image} if name == "REMOVE" else {"NewImage": image}
        samples.append(
            orjson.dumps({"eventName": name, "tableName": "customers", "dynamodb": change, "userIdentity": None})
        )
    return samples


def _maxwell() -> list[bytes]:
    row: dict[str, object] = {"database": "shop", "table": "customer", "ts": 1_700_000_000}
    ada = {"id": 7, "first": "Ada"}
    rows = [
        {**row, "type": "bootstrap-insert", "data": ada},
        {**row, "type": "insert", "xid": 9, "xoffset": 0, "data": ada},
        {**row, "type": "update", "xid": 9, "commit": True, "data": ada, "old": {"first": "A"}},
        {**row, "type": "update", "xid": 10, "commit": True, "data": {**ada, "id": 8}, "old": {"id": 7}},
        {**row, "type": "delete", "xid": 11, "commit": True, "data": {**ada, "id": 8}},
        {**row, "type": "table-alter", "old": {}, "def": {}, "sql": "ALTER TABLE customer"},
    ]
    return [orjson.dumps(each) for each in rows]


def _dsql() -> list[bytes]:
    samples = []
    images = (("c", None, {"id": 7, "first": "Ada"}), ("u", None, {"id": 7, "first": "Ada"}), ("d", {"id": 7}, None))
    for made, (op, before, after) in enumerate((*images, images[0]), start=1_700_000_000):
        source = {"version": "1.0", "ts_ms": made * 1_000, "ts_ns": made * 10**9, "txId": "a", "cluster": "b"}
        source |= {"schema": "public", "table": "member", "db": "postgres"}
        event = {"type": "full", "op": op, "before": before, "after": after, "source": source, "ts_ms": made * 1_000}
        samples.append(orjson.dumps(event))
    return samples


def _postgres() -> list[bytes]:
    block = {"system": "7345", "timeline": 1, "database": "shop", "schema": "public", "table": "buyer"}
    samples = []
    for place, (op, images) in enumerate(
        [
            ("read", {"row": {"id": "7", "first": "Ada"}}),
            ("insert", {"row": {"id": "7", "first": "Ada"}}),
            ("update", {"row": {"id": "8", "first": "Ada"}, "old": {"id": "7"}, "unchanged": ["town"]}),
            ("delete", {"old": {"id": "8"}}),
        ],
        start=1,
    ):
        where = {"commit_lsn": f"0/{place}F", "lsn": f"0/{place}A", "time": "2026-03-02T08:14:22.010552Z"}
        message = {"postgres": block | where, "op": op, "identity": ["id"], "types": {"id": "int8"}, **images}
        samples.append(orjson.dumps(message))
    return samples


def _csv_rows() -> list[bytes]:
    row = {"file": "web.csv", "header": ["record_id", "city"], "delimiter": ";", "quote": '"', "line_end": "\n"}
    place = {"encoding": "utf-8", "source": "web", "loaded_at": "2026-01-31T09:30:00Z", "record": None}
    return [
        orjson.dumps({"csv_row": {**row, **place, "line": number + 1, "row": number, **text}})
        for number, text in enumerate(
            [
                {"text": "1;Bonn\n"},
                {"text": '2;"K\u00f6ln\nam Rhein"\n', "encoding": "cp1252"},
                {"latin1": "3;Ulm\n", "loaded_at": None},
                {"text": "1;Kiel\n", "record": {"domain": "person", "source": "web", "record_id": "1"}},
            ],
            start=1,
        )
    ]


SAMPLES = {
    "canonical": _canonical(),
    "debezium": _debezium(),
    "dms": _dms(),
    "dynamodb": _dynamodb(),
    "maxwell": _maxwell(),
    "dsql": _dsql(),
    "postgres": _postgres(),
    "csv_row": _csv_rows(),
}
"""Events of each format of the stream, those of one record in the order of its log, and one that says no change."""

FILE_SAMPLES = {"csv": b'source,record_id,version,city\nweb,1,1,Bonn\nweb,2,1,"K\xc3\xb6ln\nam Rhein"\n'}
"""A file of each format of files, of two rows, of a source that the tests' rules have."""
