"""The warehouse's current tables as tables for Spark, read in pages by ordinary statements on DuckDB and Snowflake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from mdm_stream.core.canonical import digest_of
from mdm_stream.core.model import make_ref
from mdm_stream.reconcile.workspace import Workspace
from mdm_stream.warehouse import Warehouse
from mdm_stream.warehouse.paging import FIRST_PAGE_ROWS, next_page_rows

ROWS_PER_QUERY = 5_000

TABLES: Mapping[str, Mapping[str, str]] = {
    "golden": {
        "golden_id": "string", "live": "bool_", "digest": "string", "origins": "strings", "anchor": "string",
    },
    "crosswalk": {"ref": "string", "golden_id": "string"},
    "evidence": {"op": "string", "first": "string", "second": "string", "digest": "string"},
}  # fmt: skip
"""``digest`` is that of :func:`digest_of_values`, ``origins`` the records that values come from, ``anchor`` the record
that a retired id leads by. ``evidence`` is what was last said of records, links and review items, if the rules publish
it, with the digest of ``contracts.evidence``."""

_GOLDEN = """
SELECT golden_id, status, anchor_source, anchor_record_id, golden_values, provenance, member_count
FROM golden_record WHERE domain = ? AND golden_id > ? ORDER BY golden_id LIMIT {rows}
"""

_CROSSWALK = """
SELECT source, record_id, golden_id FROM crosswalk
WHERE domain = ? AND golden_id IS NOT NULL AND (source > ? OR (source = ? AND record_id > ?))
ORDER BY source, record_id LIMIT {rows}
"""


@dataclass(frozen=True, slots=True)
class WarehouseRead:
    """The greatest (epoch, sequence) that was applied before the tables were read; how many golden records are live."""

    position: tuple[int, int]
    golden: int


def digest_of_values(values: object, provenance: object, members: int) -> str:
    """Return the digest of what a golden record says in the warehouse."""
    return digest_of([values, provenance, members])


def write_warehouse(warehouse: Warehouse, domain: str, workspace: Workspace) -> WarehouseRead:
    """Write the tables of what the warehouse says of a domain now. It is closed then: the next reading opens it anew,
    and a read copy that has been replaced by then is seen.
    """
    position = warehouse.position(domain)
    live = 0
    with workspace.table_files(TABLES) as tables:
        for rows in _golden_pages(warehouse, domain):
            live += sum(row[1] for row in rows)
            tables.add("golden", rows)
        for places in _crosswalk_pages(warehouse, domain):
            tables.add("crosswalk", places)
        said = (each for each in warehouse.published_evidence(domain) if each.digest is not None)
        tables.add("evidence", ((*each.key, each.digest) for each in said))
    warehouse.close()
    return WarehouseRead(position, live)


def _golden_pages(warehouse: Warehouse, domain: str) -> Iterator[list[tuple[Any, ...]]]:
    last, rows_max = "", FIRST_PAGE_ROWS
    while rows := warehouse.query(_GOLDEN.format(rows=rows_max), [domain, last]):
        last = rows[-1][0]
        yield [_golden_row(row) for row in rows]
        size = sum(len(row[4] or "") + len(row[5] or "") for row in rows)
        rows_max = next_page_rows(len(rows), size, ROWS_PER_QUERY)


def _golden_row(row: tuple[Any, ...]) -> tuple[Any, ...]:
    golden_id, status, source, record_id, values, provenance, members = row
    said, origins = orjson.loads(values or "{}"), orjson.loads(provenance or "{}")
    refs = {make_ref(origin["source"], origin["record_id"]) for several in origins.values() for origin in several}
    anchor = None if source is None else make_ref(source, record_id)
    live = status == "live"
    return golden_id, live, digest_of_values(said, origins, int(members)) if live else None, sorted(refs), anchor


def _crosswalk_pages(warehouse: Warehouse, domain: str) -> Iterator[list[tuple[str, str]]]:
    source, record_id = "", ""
    while rows := warehouse.query(_CROSSWALK.format(rows=ROWS_PER_QUERY), [domain, source, source, record_id]):
        source, record_id = rows[-1][0], rows[-1][1]
        yield [(make_ref(each[0], each[1]), each[2]) for each in rows]
