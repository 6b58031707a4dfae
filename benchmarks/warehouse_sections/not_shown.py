"""What fakesnow cannot show of Snowflake, and how each was checked otherwise, so that nobody takes it for shown.

Every statement that the writers issue is collected while they migrate, apply, erase and look, by either kind, and
parsed by sqlglot in Snowflake's dialect; so is the DDL for dynamic tables, which is never run. The SELECT that a
dynamic table is defined by is run as plain SQL on DuckDB and compared with what the merge writer makes.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import sqlglot
from local_snowflake import local_snowflake
from show import Show

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from feed_messages import TABLES, contents  # noqa: E402
from killed_writers import FEED, Kill, KilledDuckDbSession, append_warehouse, merged  # noqa: E402

from mdm_stream.warehouse import SnowflakeWarehouse  # noqa: E402
from mdm_stream.warehouse.append import VIEWS, FoldSettings  # noqa: E402
from mdm_stream.warehouse.append.fold import FOLDS  # noqa: E402
from mdm_stream.warehouse.append.schema import fold_statements  # noqa: E402
from mdm_stream.warehouse.dialect import SNOWFLAKE  # noqa: E402
from mdm_stream.warehouse.snowflake.append import SnowflakeEventSession  # noqa: E402
from warehouse_sections.append import changing_feed  # noqa: E402

STATEMENTS_MIN = 100
COMMANDS = ("PUT ", "REMOVE ", "SHOW PARAMETERS ")
"""Of the client, of stages and of the account: sqlglot reads them to their end, and says nothing of what is in them."""

NOT_SHOWN = (
    ("dynamic tables", "their SELECT runs as plain SQL below; DDL is parsed; refreshes: examples/snowflake_account.py"),
    ("locks and concurrent MERGE", ("no statement of the append path locks (tests/warehouse/append); error 000625 is "
     "answered by a session that says it; four merge writers take turns here")),
    ("Time Travel and Fail-safe", ("dates by what the database says of its tables (tests/warehouse/snowflake/"
     "test_old_versions.py); reading an old row: examples/snowflake_account.py")),
    ("COPY GRANTS, roles, grants", ("every view that is replaced has the words (tests); grants of the docs are parsed; "
     "docs/operate/snowflake-check.sql, steps 5 and 6")),
    ("load metadata of COPY (a file is loaded once)", ("nothing depends on it: repetitions fold away, as any_order "
     "shows with each batch loaded anew")),
    ("limits of statements and locks, query tags", ("what is sent at login and with each statement is read off the "
     "connection (tests/warehouse/snowflake/test_snowflake_session.py)")),
    ("search optimisation, masking and row access policies", ("options, run against a stand-in; their "
     "conditions parse in Snowflake's dialect and are evaluated on DuckDB (test_warehouse_options.py)")),
    ("Snowpipe Streaming", ("a stand-in made after the documentation of its REST API, with fakesnow behind it "
     "(tests/warehouse/snowflake/test_streaming.py)")),
    ("credits and times", "a model with named constants: `mdm-stream warehouse cost`; step 8 of snowflake-check.sql"),
)  # fmt: skip


def figures(show: Show, scratch: Path) -> None:
    """Print the list, then parse what was sent and run the folds."""
    for what, how in NOT_SHOWN:
        show.fact(f"not shown: {what}", how)
    sent = _statements()
    kinds, refused = Counter[str](), []
    for sql in sent:
        if sql.startswith(COMMANDS):
            kinds["command without a grammar"] += 1
            continue
        try:
            kind = sqlglot.parse_one(sql, read="snowflake").key
        except sqlglot.errors.SqlglotError:
            kind = "refused"
        if kind in {"refused", "command"} and not sql.startswith("ALTER DYNAMIC TABLE"):
            refused.append(sql)
        kinds[kind] += 1
    said = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    show.figure("different statements of the writers", f"{len(sent)} ({said})", floor=f"{STATEMENTS_MIN}",
                holds=len(sent) >= STATEMENTS_MIN)  # fmt: skip
    show.figure("of these, that sqlglot's Snowflake dialect refuses", len(refused), floor="0", holds=not refused)
    for sql in refused:
        show.fact("refused", " ".join(sql.split())[:100])
    _folds(show, scratch / "fold.duckdb")


def _statements() -> set[str]:
    """Return all that either kind of writer sends, to migrate, apply, erase and look, and the DDL of dynamic tables."""
    sent: set[str] = set()
    real = SnowflakeEventSession._run  # noqa: SLF001 - where every statement passes

    def noting(session: Any, step: str, sql: str, *more: Any, **options: Any) -> list[tuple[Any, ...]]:
        sent.add(sql)
        return real(session, step, sql, *more, **options)

    SnowflakeEventSession._run = noting  # type: ignore[method-assign]  # noqa: SLF001
    try:
        with local_snowflake() as arguments:
            for writer in ("merge", "append"):
                given = {**arguments, "schema": f"not_shown_{writer}"}
                warehouse = SnowflakeWarehouse(given, writer=writer, fold=VIEWS)  # type: ignore[arg-type]
                for batch in (FEED[:5], FEED[5:], FEED[::-1]):
                    warehouse.apply(batch)
                list(warehouse.published("person"))
                warehouse.erased("person")
                warehouse.position("person")
                warehouse.mentions("person", "crm", "1")
                warehouse.search(["Wilhelmina"])
                list(warehouse.history_with(["Wilhelmina"], 5))
                warehouse.old_versions("person", ["crm/1"])
                warehouse.close()
    finally:
        SnowflakeEventSession._run = real  # type: ignore[method-assign]  # noqa: SLF001
    sent |= {sql for _, sql in fold_statements(SNOWFLAKE, FoldSettings(3_600, "FOLD_WH"))}
    return sent


def _folds(show: Show, path: Path) -> None:
    """Run each defining SELECT on the events of a feed that came twice and shuffled."""
    feed = changing_feed(400)
    warehouse = append_warehouse(lambda: KilledDuckDbSession(path, Kill(None)))
    for batch in (feed[200:], feed[::-1][:300], feed[:250], feed):
        warehouse.apply(batch)
    expected, rows, wrong = merged(feed), 0, []
    dynamic = dict(fold_statements(SNOWFLAKE, FoldSettings(3_600, "FOLD_WH")))
    for table, columns in TABLES.items():
        defining = dynamic[table].split(" AS\n", 1)[1]
        found = sorted(warehouse.query(f"SELECT {columns} FROM ({defining})"), key=repr)
        rows += len(found)
        if found != expected[table] or contents(warehouse)[table] != expected[table]:
            wrong.append(table)
    warehouse.close()
    same = sum(dynamic[table].endswith(SNOWFLAKE.render(FOLDS[table]).strip()) for table in FOLDS)
    show.figure("dynamic tables whose SELECT is the fold, word by word", same, floor=str(len(FOLDS)),
                holds=same == len(FOLDS))  # fmt: skip
    show.figure(f"of {len(TABLES)} folds run as plain SQL on DuckDB ({rows:,} rows), those unlike the merge writer's",
                ", ".join(wrong) or 0, floor="0", holds=not wrong and rows > 0)  # fmt: skip
