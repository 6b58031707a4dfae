"""What one golden record was at a time, asked of a long history: a filter on one id must reach the table."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median

from show import Show

from mdm_stream.warehouse import DuckDbWarehouse

HISTORY_ROWS = 1_000_000
GOLDEN_IDS = 100_000
ASKED = 20
SECONDS_MAX = 0.2
BEGINNING = datetime(2026, 1, 1)  # noqa: DTZ001 - the tables have UTC without an offset

_FILL = """
INSERT INTO golden_history
SELECT 'person', 1, n, 'g' || (n * 7919) % $ids, 'live', NULL,
    '{"values": {"name": "name ' || n || '", "city": "city ' || n % 1000 || '"}, "provenance": {}}', 1,
    TIMESTAMP '2026-01-01' + to_seconds(n), TIMESTAMP '2026-01-01'
FROM range(1, $rows + 1) AS r(n)
"""
_HISTORY = """
SELECT sequence FROM golden_history WHERE domain = 'person' AND golden_id = ? AND committed_at <= CAST(? AS TIMESTAMP)
ORDER BY sequence DESC LIMIT 1
"""
_QUESTIONS = {
    "one id at a time": "SELECT sequence FROM golden_record_as_of WHERE domain = 'person' AND golden_id = ? "
    "AND CAST(? AS TIMESTAMP) >= valid_from AND CAST(? AS TIMESTAMP) < valid_to AND status = 'live'",
    "one id at a time, no domain named": "SELECT sequence FROM golden_record_as_of WHERE golden_id = ? "
    "AND CAST(? AS TIMESTAMP) >= valid_from AND CAST(? AS TIMESTAMP) < valid_to AND status = 'live'",
}


def figures(show: Show, scratch: Path) -> None:
    """Fill a file with a history, open it anew, and ask for some ids."""
    path = scratch / "warehouse.duckdb"
    filled = DuckDbWarehouse(path)
    filled.query(_FILL.replace("$ids", str(GOLDEN_IDS)).replace("$rows", str(HISTORY_ROWS)))
    filled.close()
    show.fact("history", f"{HISTORY_ROWS:,} rows of {GOLDEN_IDS:,} golden ids, {path.stat().st_size / 1e6:,.0f} MB")
    warehouse = DuckDbWarehouse(path, read_only=True)
    try:
        for what, question in _QUESTIONS.items():
            _ask(show, warehouse, what, question)
    finally:
        warehouse.close()


def _ask(show: Show, warehouse: DuckDbWarehouse, what: str, question: str) -> None:
    took_s, wrong = list[float](), 0
    for number in range(ASKED):
        golden_id = f"g{number * GOLDEN_IDS // ASKED}"
        at = str(BEGINNING + timedelta(seconds=HISTORY_ROWS // 2 + number))
        began_s = time.perf_counter()
        rows = warehouse.query(question, (golden_id, at, at))
        took_s.append(time.perf_counter() - began_s)
        wrong += not rows or rows != warehouse.query(_HISTORY, (golden_id, at))
    show.figure(f"{what}, the median of {ASKED}", f"{median(took_s):.3f} s", floor=f"under {SECONDS_MAX} s",
                holds=median(took_s) < SECONDS_MAX)  # fmt: skip
    show.fact("the slowest, which others on the machine slow down", f"{max(took_s):.3f} s")
    show.figure(f"{what}, answers that the history does not give", wrong, floor="0", holds=wrong == 0)
