"""The questions of the analysts' guide, each one query: run as it stands, and answered rightly, on either database."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from local_snowflake import local_snowflake
from show import Show

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from analysts_questions import FEED, questions, wrong_answers  # noqa: E402

from mdm_stream.warehouse import DuckDbWarehouse, SnowflakeWarehouse  # noqa: E402
from mdm_stream.warehouse.append import VIEWS  # noqa: E402
from mdm_stream.warehouse.warehouse import SqlWarehouse  # noqa: E402

QUESTIONS_MIN = 20
LINES_MAX = 12


def figures(show: Show, scratch: Path) -> None:
    """Count the questions, and ask them of a warehouse of either kind on Snowflake's protocol, and of DuckDB."""
    asked = questions()
    show.figure("questions in docs/guide/analysts.md", len(asked), floor=str(QUESTIONS_MIN),
                holds=len(asked) >= QUESTIONS_MIN)  # fmt: skip
    longest = max(len(sql.strip().splitlines()) for sql in asked.values())
    show.figure("lines of the longest query", longest, floor=f"at most {LINES_MAX}", holds=longest <= LINES_MAX)
    _ask(show, "DuckDB", DuckDbWarehouse(scratch / "warehouse.duckdb"), len(asked))
    with local_snowflake() as arguments:
        _ask(show, "fakesnow, append", SnowflakeWarehouse({**arguments, "schema": "questions_append"}, writer="append",
             fold=VIEWS), len(asked))  # fmt: skip
        merge = SnowflakeWarehouse({**arguments, "schema": "questions_merge"}, writer="merge")
        _ask(show, "fakesnow, merge", merge, len(asked))


def _ask(show: Show, name: str, warehouse: SqlWarehouse, asked: int) -> None:
    warehouse.apply(FEED)
    began_s = time.perf_counter()
    wrong = wrong_answers(warehouse)
    took_s = time.perf_counter() - began_s
    warehouse.close()
    show.figure(f"{name}: questions with the right answer", asked - len(wrong), floor=str(asked), holds=not wrong)
    for question in wrong:
        show.fact("wrong", question)
    show.fact(f"{name}: time of all", f"{took_s:.1f} s")
