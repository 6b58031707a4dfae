"""Events a second of the decoder of each format, and its share of the time that a whole event takes.

    python benchmarks/decoders.py [--events 20000] [--whole 6000]

One row of a dozen columns, as each format writes it, plain and in aggregates. The whole is decoding and what the engine
takes for an event of the generated population on a real Redis; archive and feed come on top and are not counted, so the
share is at least as large here as in a deployment. Times are CPU times, so that a busy machine does not change them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
from engine import NAMESPACE, ROOT, Spent, population_batches
from show import Show

from mdm_stream.contracts.kpl import UserRecord, aggregate_of
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Decoder, Delivery, unpack
from mdm_stream.decode.files.event_files import PIECE_BYTES, line_events
from mdm_stream.decode.formats import FORMATS
from mdm_stream.engine.batch import Engine
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.local.servers.redis import RedisServer
from mdm_stream.rules import load_ruleset

EVENTS, WHOLE, BATCH, PEOPLE = 20_000, 6_000, 500, 100_000
SHARE_MAX = 0.10
USER_RECORDS = 100
FORMAT_RULES = "extends: person\nversion: 1\nsources:\n  web: {format: canonical, version_kind: integer}\n" + "".join(
    f"  of_{each.name}: {{format: {each.name}, table: t, key: [id]}}\n" for each in FORMATS if each.declared.needs_table
)
ROW: dict[str, Any] = {
    "id": 1, "given_name": "Adelgundis", "middle_name": None, "family_name": "Wintersheim", "birth_date": "1971-02-03",
    "email": "a.wintersheim@example.org", "phone": "+49 228 1234567", "street": "Lange Gasse 7", "city": "Bonn",
    "region": "NRW", "postcode": "53111", "country": "DE", "note": "not in the rules",
}  # fmt: skip
CSV_FORMS = (
    ("quoted", "utf-8", ",", '"'),
    ("plain", "utf-8", ",", ""),
    ("of cp1252 and semicolons", "cp1252", ";", ""),
    ("of UTF-16 and tabs", "utf-16", "\t", ""),
)
RARE = {"csv_row"}
"""No stream's rate depends on it: rows of files that were rejected, and their redrives, alone are of this format."""
MADE_MS = 1_767_225_600_000


def canonical(number: int) -> dict[str, Any]:
    """The row as a canonical event."""
    attributes = {name: value for name, value in ROW.items() if name != "id"}
    event = {"domain": "person", "source": "web", "record_id": str(number), "op": "upsert", "version": number}
    return {**event, "event_time": "2026-01-01T00:00:00Z", "attributes": attributes}


def debezium(number: int) -> dict[str, Any]:
    """The row as a Debezium update with both images."""
    source = {"version": "2.7", "connector": "postgresql", "db": "d", "schema": "public", "table": "t"}
    source |= {"ts_ms": MADE_MS, "lsn": number, "sequence": f'["{number}","{number}"]', "txId": 9, "snapshot": "false"}
    row = {**ROW, "id": number}
    return {"before": row, "after": row, "source": source, "op": "u", "ts_ms": MADE_MS, "transaction": None}


def dms(number: int) -> dict[str, Any]:
    """The row as a DMS update."""
    metadata = {"timestamp": "2026-01-01T00:00:00.000000Z", "record-type": "data", "operation": "update"}
    metadata |= {
        "schema-name": "s",
        "table-name": "t",
        "stream-position": f"{number:016x}.{number}.0",
        "transaction-id": 5,
    }
    return {"data": {**ROW, "id": number}, "metadata": {**metadata, "transaction-record-id": 1}}


def dynamodb(number: int) -> dict[str, Any]:
    """The row as a change of an item, by way of Kinesis."""
    image = {name: {"NULL": True} if value is None else {"S": str(value)} for name, value in ROW.items()}
    image["id"] = {"N": str(number)}
    change = {"ApproximateCreationDateTime": MADE_MS + number, "Keys": {"id": image["id"]}, "NewImage": image}
    return {"eventName": "MODIFY", "tableName": "t", "dynamodb": {**change, "OldImage": image, "SizeBytes": 700}}


def maxwell(number: int) -> dict[str, Any]:
    """The row as Maxwell writes it."""
    row = {"database": "d", "table": "t", "type": "update", "ts": MADE_MS // 1_000, "xid": number, "commit": True}
    return {**row, "position": f"m.000006:{number}", "data": {**ROW, "id": number}, "old": {"city": "Köln"}}


def dsql(number: int) -> dict[str, Any]:
    """The row as Aurora DSQL sends it."""
    source = {"version": "1.0", "ts_ms": MADE_MS, "ts_ns": MADE_MS * 10**6 + number, "schema": "public", "table": "t"}
    return {"type": "full", "op": "u", "before": None, "after": {**ROW, "id": number}, "source": source}


def postgres(number: int) -> dict[str, Any]:
    """The row as our PostgreSQL reader writes it."""
    row = {name: None if value is None else str(value) for name, value in ROW.items()} | {"id": str(number)}
    block = {"system": "7345", "timeline": 1, "database": "d", "schema": "public", "table": "t"}
    block |= {"commit_lsn": f"0/{number:X}F", "lsn": f"0/{number:X}A", "time": "2026-01-01T00:00:00Z"}
    return {"postgres": block, "op": "update", "identity": ["id"], "types": {"id": "int8"}, "row": row}


def csv_row(number: int) -> dict[str, Any]:
    """The row as one of a file that was rejected, and is redriven."""
    row = {"file": "web.csv", "line": number + 1, "row": number or 1, "header": ["record_id", *list(ROW)[1:-1]]}
    text = ",".join(map(str, [number, *("" if value is None else value for value in list(ROW.values())[1:-1])]))
    form = {"delimiter": ",", "quote": '"', "line_end": "\n", "encoding": "utf-8", "source": "web", "record": None}
    return {"csv_row": {**row, **form, "loaded_at": "2026-01-01T00:00:00Z", "text": text + "\n"}}


MADE: dict[str, Callable[[int], dict[str, Any]]] = {
    each.__name__: each for each in (canonical, debezium, dms, dynamodb, maxwell, dsql, postgres, csv_row)
}


def figures(show: Show, events: int = EVENTS, whole: int = WHOLE) -> None:
    """Show each format, plain and aggregated, and CSV."""
    engine_us = _engine_us(whole)
    show.fact("engine, microseconds of CPU an event", f"{engine_us:,.0f}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.yaml"
        path.write_text(FORMAT_RULES, "utf-8")
        rules = load_ruleset(path)
    decoder = Decoder({rules.domain: rules})
    for form in FORMATS:
        if form.name in RARE:
            continue
        raws = [orjson.dumps(MADE[form.name](number)) for number in range(events)]
        _tell(show, form.name, _decode_us(decoder, raws, events), engine_us)
        packed = [
            aggregate_of(
                [UserRecord(raw, f"key-{number}") for number, raw in enumerate(raws[start : start + USER_RECORDS])]
            )
            for start in range(0, events, USER_RECORDS)
        ]
        _tell(show, f"{form.name} in aggregates", _decode_us(decoder, packed, events), engine_us)
    rejected = [orjson.dumps(csv_row(number)) for number in range(events)]
    show.fact("csv_row, microseconds of CPU an event", f"{_decode_us(decoder, rejected, events):,.1f}")
    for what, encoding, delimiter, quote in CSV_FORMS:
        _tell(show, f"csv, {what}", _csv_us(rules, events, encoding, delimiter, quote), engine_us)


def _tell(show: Show, name: str, decode_us: float, engine_us: float) -> None:
    share = decode_us / (decode_us + engine_us)
    shown = f"{1e6 / decode_us:,.0f} events/s, {decode_us:.1f} microseconds, {share:.1%} of an event"
    show.figure(name, shown, floor=f"under {SHARE_MAX:.0%}", holds=share < SHARE_MAX)


def _decode_us(decoder: Decoder, raws: Sequence[bytes], events: int) -> float:
    """Return the CPU time of unpacking and decoding, in microseconds an event."""
    records = [
        Delivery.from_kinesis(raw, str(number), 1.8e9, "changes/s:1") for number, raw in enumerate(raws, start=1)
    ]
    began_s, found = time.process_time(), 0
    for record in records:
        for delivery in unpack(record):
            found += len(decoder.decode(delivery))
    took_s = time.process_time() - began_s
    if found != events:
        raise ValueError(f"{events:,} rows gave {found:,} events")
    return took_s / events * 1e6


def _csv_us(rules: Ruleset, events: int, encoding: str, delimiter: str, quote: str) -> float:
    header = delimiter.join(("record_id", "version", *list(ROW)[1:-1]))
    row = delimiter.join(f"{quote}{'' if value is None else value}{quote}" for value in list(ROW.values())[1:-1])
    rows = (f"{number}{delimiter}{number}{delimiter}{row.replace('Bonn', 'Köln')}" for number in range(events))
    text = "\r\n".join((header, *rows, "")).encode(encoding)
    lines = [text[at : at + PIECE_BYTES] for at in range(0, len(text), PIECE_BYTES)]
    began_s = time.process_time()
    found = sum(1 for _ in line_events(lines, "csv", "web", {rules.domain: rules}))
    took_s = time.process_time() - began_s
    if found != events:
        raise ValueError(f"{events:,} rows gave {found:,} events")
    return took_s / events * 1e6


def _engine_us(events: int) -> float:
    """Return the CPU time of the engine, its index client included, in microseconds an event."""
    rules = load_ruleset(ROOT / "examples" / "rules" / "demo.yaml")
    spent = Spent()
    with RedisServer() as server, server.client() as client:
        engine, done = Engine(rules, RedisIndex(client, rules, NAMESPACE)), 0
        for batch in population_batches(PEOPLE, events, rules, BATCH)(Spent()):
            with spent.timed():
                engine.process(batch)
            done += len(batch)
    return spent.cpu_s / done * 1e6


def main() -> int:
    """Run and print; 1 if a share is too large."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=EVENTS, help="of each format")
    parser.add_argument("--whole", type=int, default=WHOLE, help="events that the engine is timed with")
    options = parser.parse_args()
    return Show().run({"decoders": lambda show: figures(show, options.events, options.whole)}, ())


if __name__ == "__main__":
    sys.exit(main())
