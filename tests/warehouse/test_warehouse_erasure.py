"""Erasure in the tables and in the DuckDB file: nothing that came from an erased record is left, or can come back."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from feed_messages import contents, erase, match, origins, record, retire, upsert

from mdm_stream.contracts.evidence import RecordOverride
from mdm_stream.contracts.golden import FeedEnvelope
from mdm_stream.errors import TransientError
from mdm_stream.warehouse import DuckDbWarehouse, SnowflakeWarehouse, WarehouseBusyError, erasure
from mdm_stream.warehouse.append import AppendLayout
from mdm_stream.warehouse.duckdb import file as duckdb_file
from mdm_stream.warehouse.duckdb.session import DuckDbSession
from mdm_stream.warehouse.session import Session
from mdm_stream.warehouse.snowflake.session import SnowflakeSession
from mdm_stream.warehouse.warehouse import SqlWarehouse

pytestmark = pytest.mark.long

MARKER = "Wilhelmina Q. Marker-Value"


def golden(sequence: int, golden_id: str, member: str, text: str, **where: Any) -> FeedEnvelope:
    """A golden record of one member, whose one value is ``text``."""
    return upsert(sequence, golden_id, [member], values={"name": text}, provenance={"name": origins(member)}, **where)


def shared(sequence: int) -> FeedEnvelope:
    """A golden record of two members, with a list of both, a steward's override for one, and values of each."""
    return upsert(
        sequence,
        "g1",
        ["crm/1", "erp/2"],
        values={"name": MARKER, "city": "Köln", "emails": [f"1 {MARKER}", "two@x"], "phone": f"steward {MARKER}"},
        provenance={
            "name": origins("crm/1"),
            "city": origins("erp/2"),
            "emails": origins("crm/1", "erp/2"),
            "phone": origins("steward/crm/1"),
        },
    )


def holding(warehouse: SqlWarehouse, *tables: str) -> list[str]:
    """The tables that hold what these do: where they are views of one table, that."""
    return ["golden_event"] if isinstance(warehouse._layout, AppendLayout) else list(tables)


def test_an_erasure_takes_the_values_and_leaves_the_others(warehouse: SqlWarehouse) -> None:
    """Single values, items of lists and overrides of the record go, from the state and the history; the rest stays."""
    warehouse.apply([shared(1), golden(2, "g2", "crm/2", "somebody else")])
    assert warehouse.mentions("person", "crm", "1") == holding(warehouse, "golden_record", "golden_history")
    assert warehouse.search([MARKER]) == holding(warehouse, "golden_history", "golden_record")
    warehouse.apply([erase(3, "crm/1")])
    kept = {"city": "Köln", "emails": ["two@x"]}
    rows = warehouse.query("SELECT golden_values, provenance FROM golden_record WHERE golden_id = 'g1'")
    assert json.loads(rows[0][0]) == kept
    assert set(json.loads(rows[0][1])) == set(kept)
    [(payload,)] = warehouse.query("SELECT payload FROM golden_history WHERE sequence = 1")
    assert json.loads(payload)["values"] == kept
    assert [key["record_id"] for key in json.loads(payload)["members"]] == ["1", "2"]
    assert warehouse.query("SELECT source, record_id, epoch, sequence FROM erased_record") == [("crm", "1", 1, 3)]
    assert warehouse.query("SELECT sequence, status FROM golden_history ORDER BY 1") == [
        (1, "live"),
        (2, "live"),
        (3, "erased"),
    ]
    assert warehouse.mentions("person", "crm", "1") == []
    assert warehouse.search([MARKER]) == []
    assert warehouse.search(["somebody else"]) == holding(warehouse, "golden_history", "golden_record")
    assert warehouse.mentions("person", "erp", "2") == holding(warehouse, "golden_record", "golden_history")


def test_what_a_record_said_itself_goes_with_its_erasure(warehouse: SqlWarehouse) -> None:
    """Before the erasure and after it, of the erased record alone, with a steward's override; links keep their keys."""
    kept = {"name": "another"}
    override = {"name": RecordOverride(value=MARKER, steward="steward-1", version=1, event_time="2026-03-01T11:00:00Z")}
    said = [record(1, "crm/1", {"name": MARKER}), record(2, "crm/2", kept), match(3, "crm/1", "crm/2")]
    warehouse.apply(said)
    place = holding(warehouse, "evidence_history")
    assert (warehouse.mentions("person", "crm", "1"), warehouse.search([MARKER])) == (place, place)
    late = record(4, "crm/1", {"name": f"late {MARKER}"}, overrides=override)
    warehouse.apply([erase(5, "crm/1"), late])
    warehouse.apply([late, *said])
    assert (warehouse.mentions("person", "crm", "1"), warehouse.search([MARKER])) == ([], [])
    assert warehouse.mentions("person", "crm", "2") == place
    rows = warehouse.query("SELECT sequence, kind, payload FROM evidence_history ORDER BY sequence")
    assert [(row[0], row[1], row[2] == "{}") for row in rows] == [
        (1, "record", True), (2, "record", False), (3, "match", False), (4, "record", True),
    ]  # fmt: skip
    assert warehouse.query("SELECT source, record_id FROM source_record") == [("crm", "2")]
    assert [(e.key, e.sequence) for e in warehouse.published_evidence("person")] == [
        (("record", "crm/2", ""), 2), (("match", "crm/1", "crm/2"), 3),
    ]  # fmt: skip
    assert warehouse.position("person") == (1, 5)


def test_what_is_delivered_after_an_erasure_is_never_staged_with_values(
    duckdb_warehouse: DuckDbWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Late, replayed, or in the same batch: the values of an erased record do not even reach the staging table."""
    staged: list[bytes] = []
    real = DuckDbSession.stage

    def watched(session: DuckDbSession, ndjson: bytes, applied_at: datetime) -> None:
        staged.append(ndjson)
        real(session, ndjson, applied_at)

    monkeypatch.setattr(DuckDbSession, "stage", watched)
    duckdb_warehouse.apply([shared(1), erase(2, "crm/1")])
    duckdb_warehouse.apply([shared(1), shared(3)])
    duckdb_warehouse.apply([golden(1, "g1", "crm/1", MARKER, epoch=2)])
    assert not any(MARKER.encode() in ndjson for ndjson in staged)
    assert duckdb_warehouse.search([MARKER]) == []


def test_only_the_record_of_that_source_and_domain_is_erased(duckdb_warehouse: DuckDbWarehouse) -> None:
    """The same id in another source or another domain is somebody else."""
    duckdb_warehouse.apply(
        [
            golden(1, "g1", "crm/1", "mine"),
            golden(2, "g2", "erp/1", "theirs"),
            golden(1, "g1", "crm/1", "of a company", domain="org"),
            erase(3, "crm/1"),
        ]
    )
    values = duckdb_warehouse.query("SELECT golden_values ->> '$.name' FROM golden_record ORDER BY 1")
    assert values == [("of a company",), ("theirs",), (None,)]


def test_an_erasure_reads_the_rows_of_its_record_alone(
    duckdb_warehouse: DuckDbWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the length of the history, only golden records that the record was a member of are looked at."""
    duckdb_warehouse.apply([golden(n, f"g{n % 20}", f"crm/{n % 20}", f"value {n}") for n in range(1, 200)])
    seen: list[int] = []
    real = erasure._Place.page

    def watched(place: Any, sql: str, *after: object) -> list[tuple[Any, ...]]:
        rows = real(place, sql, *after)
        seen.append(len(rows))
        return rows

    monkeypatch.setattr(erasure._Place, "page", watched)
    duckdb_warehouse.apply([erase(200, "crm/7")])
    assert max(seen) == 10
    assert duckdb_warehouse.mentions("person", "crm", "7") == []


def test_many_rows_are_rewritten_in_pages(duckdb_warehouse: DuckDbWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows and records than one query takes end as they would in one piece."""
    messages = [golden(n, f"g{n % 4}", f"crm/{n % 4}", f"value {n}") for n in range(1, 40)]
    erasures = [erase(50 + n, f"crm/{n}") for n in range(3)]
    duckdb_warehouse.apply([*messages, *erasures])
    at_once = contents(duckdb_warehouse)
    monkeypatch.setattr(erasure, "ROWS_PER_SWEEP_MAX", 3)
    monkeypatch.setattr(erasure, "RECORD_IDS_PER_QUERY_MAX", 2)
    other = DuckDbWarehouse(":memory:")
    other.apply(messages)
    other.apply(erasures)
    assert contents(other) == at_once
    other.close()


class _Interrupted:
    """A session that commits each statement by itself and lets another writer in before its n-th statement."""

    def __init__(self, inner: DuckDbSession, position: int, other: Callable[[Session], None]) -> None:
        self._inner, self._left, self._other = inner, position, other
        self.dialect = inner.dialect

    @property
    def statements(self) -> int:
        return self._inner.statements

    def execute(self, sql: str, parameters: Sequence[object] = (), *, step: str) -> list[tuple[Any, ...]]:
        self._left -= 1
        if self._left == 0:
            self._other(self._inner)
        return self._inner.execute(sql, parameters, step=step)

    def stage(self, ndjson: bytes, applied_at: datetime) -> None:
        self._inner.stage(ndjson, applied_at)

    def clear_staging(self) -> None:
        self._inner.clear_staging()

    def stage_needles(self, parts: Sequence[str]) -> None:
        self._inner.stage_needles(parts)

    def clear_needles(self) -> None:
        self._inner.clear_needles()

    def transaction(self) -> Any:
        return nullcontext()

    def close(self) -> None:
        self._inner.close()


@pytest.mark.parametrize("position", range(1, 19))
def test_two_writers_at_once_leave_no_value(tmp_path: Path, position: int) -> None:
    """Wherever another writer's erasure falls among the statements of a batch, the values of both erased records go."""
    path = tmp_path / "warehouse.duckdb"
    keeper = DuckDbWarehouse(path)
    keeper.apply([shared(1)])

    def erase_meanwhile(_: Session) -> None:
        # A second connection of this process has a staging table of its own.
        beside = DuckDbWarehouse(path)
        beside.apply([erase(5, "crm/1")])
        beside.close()

    def connect() -> Session:
        return _Interrupted(DuckDbSession(str(path), read_only=False, lock_wait_ms=0), position, erase_meanwhile)

    writer = SqlWarehouse(connect)
    writer.query("SELECT 1")
    writer.apply([shared(2), erase(4, "erp/2")])
    keeper.apply([erase(5, "crm/1")])
    assert keeper.mentions("person", "crm", "1") == []
    assert keeper.mentions("person", "erp", "2") == []
    assert keeper.query("SELECT DISTINCT CAST(golden_values AS VARCHAR) FROM golden_record") == [("{}",)]
    for warehouse in (writer, keeper):
        warehouse.close()


def test_rows_that_never_come_to_rest_are_a_transient_error(
    duckdb_warehouse: DuckDbWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If another writer changes the rows again and again, the batch is given back and not retried for ever."""
    duckdb_warehouse.apply([shared(1)])
    monkeypatch.setattr(erasure.statements, "REDACT_HISTORY", "SELECT 1")
    with pytest.raises(TransientError, match="apply the batch again"):
        duckdb_warehouse.apply([erase(2, "crm/1")])


def test_search_finds_a_text_however_json_writes_it(warehouse: SqlWarehouse) -> None:
    """Quotes, line breaks and other scripts are found inside JSON columns, and keys in plain ones."""
    text = 'O\'Brien "Zoë"\n北京'
    warehouse.apply([golden(1, "g1", 'crm/a"b', text)])
    assert warehouse.search([text]) == holding(warehouse, "golden_history", "golden_record")
    assert warehouse.mentions("person", "crm", 'a"b') == holding(warehouse, "golden_record", "golden_history")
    assert holding(warehouse, "crosswalk")[0] in warehouse.search(['a"b'])
    assert warehouse.search(["", "nobody"]) == []


ODD = "Zo\u00eb\x0bO\x7f/\\ \U0001f98a\u2028"


NEEDLES = (ODD, "\x0b", "\x0bO", "/", "\U0001f98a", "o\u00eb\x0b", "\\ \U0001f98a")


def test_search_compares_values_and_not_their_spelling(warehouse: SqlWarehouse) -> None:
    """Control characters, which databases escape in other letters than we do; values in lists; attributes' names."""
    warehouse.apply([golden(1, "g1", f"crm/{ODD}", ODD), golden(2, "g2", "crm/2", "plain")])
    in_keys = upsert(3, "g3", ["crm/3"], values={f"k{ODD}": ["x", ODD]}, provenance={})
    warehouse.apply([in_keys])
    everywhere = set(holding(warehouse, "golden_history", "golden_record"))
    assert [needle for needle in NEEDLES if not everywhere <= set(warehouse.search([needle]))] == []
    assert warehouse.mentions("person", "crm", ODD) == holding(warehouse, "golden_record", "golden_history")
    assert [needle for needle in NEEDLES if len(list(warehouse.history_with([needle], 10))) < 2] == []
    assert warehouse.search(["nowhere"]) == []


def test_what_is_looked_for_is_no_parameter_on_snowflake(
    snowflake_warehouse: Callable[[str], SnowflakeWarehouse], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Snowflake keeps parameters for a week: a search, and a look for a record, leave no value and no id there."""
    warehouse, seen = snowflake_warehouse("needles"), []
    warehouse.apply([golden(1, "g1", "crm/somebody-1", MARKER)])
    real = SnowflakeSession.execute

    def watched(session: Any, sql: str, parameters: Sequence[object] = (), *, step: str) -> Any:
        seen.append(f"{sql} {parameters!r}")
        return real(session, sql, parameters, step=step)

    monkeypatch.setattr(SnowflakeSession, "execute", watched)
    assert warehouse.search([MARKER]) == ["golden_history", "golden_record"]
    assert warehouse.mentions("person", "crm", "somebody-1") == ["golden_record", "golden_history"]
    assert len(list(warehouse.history_with([MARKER], 10))) == 1
    assert seen
    assert not any(MARKER in each or "somebody-1" in each for each in seen)
    assert warehouse.query("SELECT COUNT(*) FROM staged_needle") == [(0,)]
    assert warehouse.query("SELECT COUNT(*) FROM staged_line") == [(0,)]


def test_a_purged_file_holds_no_erased_value(tmp_path: Path) -> None:
    """DuckDB keeps freed pages in plaintext, which search reports; after a purge file and log hold none."""
    path = tmp_path / "ware'house.duckdb"
    warehouse = DuckDbWarehouse(path)
    warehouse.apply([golden(n, f"g{n}", f"crm/{n}", f"value {n}") for n in range(2, 50)])
    warehouse.apply([shared(1)])
    warehouse.close()
    assert MARKER.encode() in path.read_bytes()
    warehouse.apply([erase(60, "crm/1")])
    before = contents(warehouse)
    as_of = "SELECT golden_id, sequence, valid_to FROM golden_record_as_of ORDER BY 1, 2"
    rows = warehouse.query(as_of)
    warehouse.close()
    assert warehouse.search([MARKER]) == [path.name]
    assert warehouse.purge()
    assert warehouse.search([MARKER]) == []
    assert MARKER.encode() not in path.read_bytes()
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert contents(warehouse) == before
    assert warehouse.query(as_of) == rows
    warehouse.apply([shared(1), retire(61, "g1")])
    assert warehouse.query("SELECT COUNT(*) FROM current_golden_record") == [(48,)]
    warehouse.close()
    assert MARKER.encode() not in path.read_bytes()


def test_a_purge_keeps_what_somebody_wrote_while_it_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the file was written to between the copy and its taking the place, it stays as it is and nothing is lost."""
    path = tmp_path / "warehouse.duckdb"
    warehouse = DuckDbWarehouse(path)
    warehouse.apply([shared(1)])
    real, opened = duckdb_file.DuckDbSession, []

    def opening(*args: Any, **options: Any) -> DuckDbSession:
        opened.append(options["read_only"])
        if opened == [False, True]:
            other = DuckDbWarehouse(path)
            other.apply([golden(2, "g2", "crm/2", "late")])
            other.close()
        return real(*args, **options)

    monkeypatch.setattr(duckdb_file, "DuckDbSession", opening)
    with pytest.raises(WarehouseBusyError, match="purge again"):
        warehouse.purge()
    assert warehouse.query("SELECT golden_id FROM current_golden_record ORDER BY 1") == [("g1",), ("g2",)]
    warehouse.close()
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert warehouse.purge()


def test_what_a_killed_purge_left_is_found_and_removed(tmp_path: Path) -> None:
    """The copy of a purge that was cut off may hold values erased since: search sees it, the next purge removes it."""
    path = tmp_path / "warehouse.duckdb"
    warehouse = DuckDbWarehouse(path)
    warehouse.apply([golden(1, "g1", "crm/1", "somebody else")])
    warehouse.close()
    leftover = Path(f"{path}{duckdb_file.COPY_SUFFIX}")
    leftover.write_bytes(b"\0" + MARKER.encode())
    assert warehouse.search([MARKER]) == [leftover.name]
    assert warehouse.purge()
    assert warehouse.search([MARKER]) == []
    assert not leftover.exists()
    warehouse.close()


def test_an_open_that_met_a_purge_opens_the_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who opened the old file just before it was replaced does not write into a file that nobody will ever see."""
    import duckdb  # noqa: PLC0415

    path, spare = tmp_path / "warehouse.duckdb", tmp_path / "spare.duckdb"
    DuckDbWarehouse(path).query("SELECT 1")
    spare.write_bytes(path.read_bytes())
    real = duckdb.connect

    def replaced_meanwhile(*args: Any, **options: Any) -> Any:
        connection = real(*args, **options)
        if spare.exists():
            spare.replace(path)
        return connection

    monkeypatch.setattr(duckdb, "connect", replaced_meanwhile)
    warehouse = DuckDbWarehouse(path)
    warehouse.apply([golden(1, "g1", "crm/1", "kept")])
    warehouse.close()
    monkeypatch.undo()
    assert DuckDbWarehouse(path, read_only=True).query("SELECT COUNT(*) FROM golden_record") == [(1,)]


def test_snowflake_does_not_promise_a_purge(snowflake_warehouse: Callable[[str], SnowflakeWarehouse]) -> None:
    """Old versions of rows stay in Time Travel and Fail-safe, which no statement of ours empties: it says so."""
    assert snowflake_warehouse("purge").purge() is False
