"""Old versions of erased rows on Snowflake: what is told of them is what the database says of its tables.

fakesnow has no Time Travel and says of every table that it is permanent with a day of it. So what other tables mean is
shown with a session that answers the one statement about retention, and runs every other on DuckDB.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from feed_messages import erase, origins, upsert

from mdm_stream.errors import TerminalError
from mdm_stream.warehouse import DuckDbWarehouse, SnowflakeWarehouse
from mdm_stream.warehouse.dialect import SNOWFLAKE
from mdm_stream.warehouse.migrations import load_migrations
from mdm_stream.warehouse.session import Session
from mdm_stream.warehouse.snowflake.old_versions import BATCH_MARGIN, SELECT_RETENTION, SHOW_LEAST, old_versions

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
FEED = [upsert(1, "g1", ["crm/1", "crm/2"], values={"name": "Zoë"}, provenance={"name": origins("crm/1")})]
ERASED = erase(2, "crm/1")
Rows = Sequence[tuple[str, str, int]]


class WithRetention:
    """A DuckDB session that says of its tables what it is given."""

    def __init__(self, session: Session, rows: Rows, least: int | None) -> None:
        """Take the rows of the statement about retention, and the account's minimum; None: the role may not read it."""
        self._session, self._rows, self._least = session, rows, least

    def execute(self, sql: str, parameters: Sequence[object] = (), *, step: str) -> list[tuple[Any, ...]]:
        """Answer the statement about retention, and run any other."""
        if sql == SELECT_RETENTION:
            return list(self._rows)
        if sql == SHOW_LEAST:
            if self._least is None:
                raise TerminalError("the role lacks a privilege")
            return [("MIN_DATA_RETENTION_TIME_IN_DAYS", str(self._least), "0", "ACCOUNT")]
        return self._session.execute(sql, parameters, step=step)


def kept(rows: Rows, now: datetime, *, cut_off: bool = False, least: int | None = 0) -> dict[str, datetime]:
    """Erase at noon, or begin then and end a day later, and return what is told at ``now``."""
    moments = iter([NOON, NOON + DAY])
    warehouse = DuckDbWarehouse(":memory:", clock=lambda: next(moments))
    if cut_off:
        warehouse.query("SELECT 1")
        key = "'person', 'crm', '1', 'g1', 1, 2"
        warehouse.query(f"INSERT INTO erased_record SELECT {key}, TIMESTAMP '2026-03-01', TIMESTAMP '2026-02-01'")
    else:
        warehouse.apply([*FEED, ERASED])
    if cut_off:
        warehouse.apply([*FEED, ERASED])
    told = warehouse._run(
        lambda session: old_versions(WithRetention(session, rows, least), "person", ["crm/1"], now)  # type: ignore[arg-type]
    )
    warehouse.close()
    return {each.table: each.until for each in told}


@pytest.mark.parametrize(
    ("transient", "days", "until"),
    [
        ("YES", 0, None),
        ("YES", 1, NOON + BATCH_MARGIN + DAY),
        ("NO", 0, NOON + BATCH_MARGIN + 7 * DAY),
        ("NO", 1, NOON + BATCH_MARGIN + 8 * DAY),
        ("NO", 90, NOON + BATCH_MARGIN + 97 * DAY),
    ],
)
def test_time_travel_and_fail_safe_count(transient: str, days: int, until: datetime | None) -> None:
    """A permanent table adds seven days; one without either keeps nothing."""
    assert kept([("GOLDEN_HISTORY", transient, days)], NOON) == ({"golden_history": until} if until else {})


@pytest.mark.parametrize(
    ("transient", "own", "least", "days"),
    [
        ("NO", 1, 7, 7 + 7), ("NO", 30, 7, 30 + 7), ("NO", 0, 90, 90 + 7), ("NO", 1, None, 90 + 7),
        ("YES", 0, 7, 1), ("YES", 1, 90, 1), ("YES", 0, 0, 0), ("YES", 0, None, 1),
    ],
)  # fmt: skip
def test_the_minimum_of_the_account_counts(transient: str, own: int, least: int | None, days: int) -> None:
    """The greater of the two, and of a transient table a day at most; a minimum that cannot be read is the longest."""
    until = {"golden_history": NOON + BATCH_MARGIN + days * DAY} if days else {}
    assert kept([("GOLDEN_HISTORY", transient, own)], NOON, least=least) == until


def test_when_the_time_has_passed_nothing_is_left() -> None:
    """A later verification finds nothing, without anything having been done."""
    rows = [("GOLDEN_HISTORY", "YES", 1), ("GOLDEN_RECORD", "NO", 1)]
    assert set(kept(rows, NOON + timedelta(hours=24))) == {"golden_history", "golden_record"}
    assert set(kept(rows, NOON + timedelta(hours=25))) == {"golden_record"}
    assert kept(rows, NOON + timedelta(days=8, hours=1)) == {}


def test_a_table_that_is_not_known_counts_and_one_without_values_does_not() -> None:
    """What another version or a person has made there may hold a value."""
    rows = [("CROSSWALK", "NO", 1), ("ERASED_RECORD", "NO", 1), ("A_COPY", "NO", 1)]
    assert set(kept(rows, NOON)) == {"a_copy"}


def test_an_erasure_that_a_later_batch_completed_counts_from_there() -> None:
    """Rows are replaced when they are swept, which may be long after the erasure was first written down."""
    assert kept([("GOLDEN_HISTORY", "YES", 1)], NOON, cut_off=True) == {"golden_history": NOON + BATCH_MARGIN + DAY}


def test_through_the_connector(snowflake_server: dict[str, Any]) -> None:
    """The statements run there; a record that is not erased has no old versions to speak of."""
    now = [NOON]
    warehouse = SnowflakeWarehouse(
        {**snowflake_server, "database": "mdm", "schema": "old"}, writer="merge", clock=lambda: now[0]
    )
    warehouse.apply(FEED)
    assert warehouse.old_versions("person", ["crm/1"]) == []
    warehouse.apply([ERASED])
    told = {each.table: each.until for each in warehouse.old_versions("person", ["crm/1", "crm/2"])}
    assert told == dict.fromkeys(["evidence_history", "golden_history", "golden_record"], NOON + BATCH_MARGIN + 8 * DAY)
    now[0] += 9 * DAY
    assert warehouse.old_versions("person", ["crm/1"]) == []
    warehouse.close()


def test_every_table_is_transient_with_its_retention_and_every_view_keeps_its_grants() -> None:
    """No migration makes a table with Fail-safe, or takes away what readers were granted."""
    assert len(_made("TABLE")) >= 6
    assert len(_made("VIEW")) >= 5
    for statement in _made("TABLE"):
        assert statement.startswith("CREATE TRANSIENT TABLE IF NOT EXISTS ")
        assert statement.endswith(") DATA_RETENTION_TIME_IN_DAYS = 1 DEFAULT_DDL_COLLATION = ''")
    for statement in _made("VIEW"):
        assert " COPY GRANTS AS" in statement.splitlines()[0]


def _made(kind: str) -> list[str]:
    rendered = [SNOWFLAKE.render(statement) for migration in load_migrations() for statement in migration.statements]
    return [sql for sql in rendered if sql.startswith("CREATE") and kind in sql.splitlines()[0]]
