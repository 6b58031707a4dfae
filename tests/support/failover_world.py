"""A shop's MySQL that fails over, a CRM that DMS reloads, an Oracle core: messages as their connectors write them."""

from __future__ import annotations

from typing import Any

from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.times import parse_time_us
from mdm_stream.rules import load_ruleset

OLD_SERVER, NEW_SERVER = 223344, 223355
OLD_GTIDS, NEW_GTIDS = "3e11fa47-71ca-11e1-9e33-c80aa9429562", "9c22fa47-71ca-11e1-9e33-c80aa9429999"

SOURCES = {
    "shop": "format: debezium, table: shop.customer, key: [id], attributes: {given_name: first_name, "
    "family_name: last_name, email: email, city: city}",
    "crm": "format: dms, table: crm.customer, key: [id], attributes: {given_name: first_name, "
    "family_name: last_name, email: email, city: city}",
    "core": "format: debezium, table: CRM.CUSTOMER, key: [ID], attributes: {given_name: FIRST_NAME, "
    "family_name: LAST_NAME, email: EMAIL}",
    "web": "format: canonical, attributes: {given_name: given_name, family_name: family_name, email: email}",
}


def rules_text(**histories: str) -> str:
    """Return rules with all sources; ``histories`` are the YAML lists of those that have some, by source."""
    lines = ["extends: person", "version: 1", "sources:"]
    for name, text in SOURCES.items():
        own = f", histories: {histories[name]}" if name in histories else ""
        lines.append(f"  {name}: {{{text}{own}}}")
    return "\n".join(lines) + "\n"


def rules_of(folder: Any, **histories: str) -> Ruleset:
    """Return those rules, compiled."""
    path = folder / "rules.yaml"
    path.write_text(rules_text(**histories))
    return load_ruleset(path)


def _ms(time: str) -> int:
    return parse_time_us(time) // 1_000


def mysql(
    record: int,
    time: str,
    file: int,
    pos: int,
    *,
    op: str = "u",
    server: int = OLD_SERVER,
    gtids: str = OLD_GTIDS,
    **row: Any,
) -> dict[str, Any]:
    """Return a change of a row of the shop, as Debezium's MySQL connector writes it."""
    image = {"id": record, "first_name": "Ada", "last_name": "Noor", "email": None, "city": None, **row}
    source = {
        "connector": "mysql", "ts_ms": _ms(time), "snapshot": "false", "db": "shop", "table": "customer",
        "server_id": server, "gtid": f"{gtids}:{pos}", "file": f"mysql-bin.{file:06d}", "pos": pos, "row": 0,
    }  # fmt: skip
    before, after = ({"id": record}, None) if op == "d" else (None, image)
    return {"before": before, "after": after, "source": source, "op": op, "ts_ms": _ms(time)}


def dms(record: int, time: str, operation: str, pos: int = 0, **row: Any) -> dict[str, Any]:
    """Return a row of the CRM, as DMS writes it: a load has no position."""
    metadata = {
        "timestamp": time, "record-type": "data", "operation": operation, "partition-key-type": "primary-key",
        "schema-name": "crm", "table-name": "customer",
    }  # fmt: skip
    if operation != "load":
        position = f"mysql-bin-changelog.000012:{pos}:3:{pos}:0:mysql-bin-changelog.000012"
        metadata |= {"commit-timestamp": time, "stream-position": position, "transaction-record-id": 1}
    image = {"id": record} if operation == "delete" else {"id": record, "first_name": "Ada", "last_name": "Noor", **row}
    return {"data": image, "metadata": metadata}


def oracle(record: int, rs_id: str | None, *, op: str = "u", ssn: int = 0, **row: Any) -> dict[str, Any]:
    """Return a change of a row of the core: of one transaction, all at one SCN."""
    source = {
        "connector": "oracle", "ts_ms": 1767600000000, "snapshot": "false", "db": "ORCL", "schema": "CRM",
        "table": "CUSTOMER", "scn": "5001", "commit_scn": "5009", "rs_id": rs_id, "ssn": ssn, "redo_thread": 1,
    }  # fmt: skip
    image = {"ID": record, "FIRST_NAME": "Irene", "LAST_NAME": "Vasquez", "EMAIL": None, **row}
    before, after = ({"ID": record}, None) if op == "d" else (None, image)
    return {"before": before, "after": after, "source": source, "op": op, "ts_ms": 1767600000000}
