"""An erasure: the value is in no table afterwards, and every place that still holds it is named, with its date."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from local_snowflake import local_snowflake
from show import Show

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from feed_messages import contents, erase, origins, upsert  # noqa: E402
from killed_writers import Kill, KilledDuckDbSession, append_warehouse  # noqa: E402

from mdm_stream.contracts.golden import FeedEnvelope  # noqa: E402
from mdm_stream.warehouse import DuckDbWarehouse, SnowflakeWarehouse  # noqa: E402
from mdm_stream.warehouse.append import VIEWS  # noqa: E402
from mdm_stream.warehouse.duckdb.read_copy import READ_COPY_AGE_S  # noqa: E402
from mdm_stream.warehouse.warehouse import SqlWarehouse  # noqa: E402

MARKER = "Wilhelmina \v Wintersheim"
CHANGES = 300
ERASED = "crm/7"
HOLDING_VALUES = {"merge": {"golden_history", "golden_record"}, "append": {"golden_event"}}


def figures(show: Show, scratch: Path) -> None:
    """Erase one record of a history, deliver its values once more, and look for them everywhere."""
    path = scratch / "warehouse.duckdb"
    merge = DuckDbWarehouse(path, copy_age_s=READ_COPY_AGE_S)
    _erase(show, "DuckDB, merge", merge)
    merge.close()
    found = merge.search([MARKER])
    show.fact("DuckDB, merge: places with the value before the purge", ", ".join(found) or "none")
    merge.purge()
    found = merge.search([MARKER])
    show.figure("DuckDB, merge: places with the value after the purge, bytes of file and read copy among them",
                ", ".join(found) or 0, floor="0", holds=not found)  # fmt: skip
    left = merge.old_versions("person", [ERASED])
    show.figure("DuckDB, merge: tables that keep old versions", len(left), floor="0", holds=not left)
    merge.close()
    _erase(show, "DuckDB, append", append_warehouse(lambda: KilledDuckDbSession(scratch / "append.duckdb", Kill(None))))
    with local_snowflake() as arguments:
        for writer in ("merge", "append"):
            given = {**arguments, "schema": f"erasure_{writer}"}
            warehouse = SnowflakeWarehouse(given, writer=writer, fold=VIEWS)  # type: ignore[arg-type]
            _erase(show, f"fakesnow, {writer}", warehouse)
            _old_versions(show, f"fakesnow, {writer}", warehouse, HOLDING_VALUES[writer])
            warehouse.close()


def _erase(show: Show, name: str, warehouse: SqlWarehouse) -> None:
    feed = [_change(number) for number in range(1, CHANGES + 1)]
    warehouse.apply(feed)
    before = warehouse.search([MARKER])
    warehouse.apply([erase(CHANGES + 1, ERASED)])
    warehouse.apply(feed[::-1])
    found = [place for place in warehouse.search([MARKER]) if not place.endswith(".duckdb")]
    named = warehouse.mentions("person", *ERASED.split("/"))
    tables = [place for place in found if not place.startswith("warehouse.read.duckdb")]
    show.figure(f"{name}: tables that hold the value, before, and after a late delivery",
                f"{len(before)}, {len(tables)}", floor="1 or more, 0", holds=bool(before) and not tables)  # fmt: skip
    left = [place for place in named if not place.startswith("warehouse.read.duckdb")]
    show.figure(f"{name}: tables whose provenance names the record", len(left), floor="0", holds=not left)
    others = sum("Jane" in str(row) for row in contents(warehouse)["golden_record"])
    show.figure(f"{name}: golden records that keep the values of others", others, floor="10", holds=others == 10)


def _old_versions(show: Show, name: str, warehouse: SnowflakeWarehouse, expected: set[str]) -> None:
    """Print what the receipt of the erasure says: each table of which the database keeps old rows, and until when."""
    now = datetime.now(UTC)
    told = warehouse.old_versions("person", [ERASED])
    for each in told:
        show.fact(f"{name}: {each.table} keeps old rows by {each.kept_by}", f"left_until {each.until:%Y-%m-%dT%H:%MZ}")
    tables = {each.table for each in told}
    dated = all(each.until > now for each in told)
    show.figure(f"{name}: tables whose old rows can still be read, named with a date", ", ".join(sorted(tables)),
                floor=", ".join(sorted(expected)), holds=tables >= expected and dated)  # fmt: skip


def _change(number: int) -> FeedEnvelope:
    golden = number % 10
    first, second = f"crm/{golden}", f"erp/{golden}"
    said = MARKER if first == ERASED else f"name {golden}"
    return upsert(number, f"g{golden}", [first, second], values={"name": said, "note": f"Jane {golden}"},
                  provenance={"name": origins(first), "note": origins(second)})  # fmt: skip
