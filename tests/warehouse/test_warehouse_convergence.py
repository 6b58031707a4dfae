"""Whatever way the feed is delivered, the tables end up the same: those of a slow, obvious fold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from feed_messages import clear, contents, erase, rejected, retire, upsert
from feed_strategies import START, deliveries, feeds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mdm_stream.contracts.evidence import EVIDENCE, RecordChanged
from mdm_stream.contracts.golden import FeedEnvelope, GoldenChange, QuarantinedEvent, RecordErased
from mdm_stream.errors import TransientError
from mdm_stream.warehouse import DuckDbWarehouse
from mdm_stream.warehouse.append import AppendLayout
from mdm_stream.warehouse.duckdb.append import DuckDbEventSession
from mdm_stream.warehouse.warehouse import SqlWarehouse

FAR = datetime(9999, 12, 31)  # noqa: DTZ001 - the warehouse stores UTC without an offset


class CrashingSession:
    """A DuckDB session that dies before one of its statements; without ``atomic`` each statement commits by itself."""

    def __init__(self, inner: DuckDbEventSession, *, atomic: bool) -> None:
        self.inner = inner
        self.dialect = inner.dialect
        self.atomic = atomic
        self.statements_left: int | None = None

    @property
    def statements(self) -> int:
        """Statements that were run."""
        return self.inner.statements

    def execute(self, sql: str, parameters: Sequence[object] = (), *, step: str) -> list[tuple[Any, ...]]:
        """Run one statement, or crash before it."""
        self._count()
        return self.inner.execute(sql, parameters, step=step)

    def stage(self, ndjson: bytes, applied_at: datetime) -> None:
        """Stage, or crash before it."""
        self._count()
        self.inner.stage(ndjson, applied_at)

    def load_events(self, ndjson: bytes, batch_id: str, applied_at: datetime) -> None:
        """Load, or crash before it or after it."""
        self._count()
        self.inner.load_events(ndjson, batch_id, applied_at)
        self._count()

    def clear_staging(self) -> None:
        """Clear, or crash before it."""
        self._count()
        self.inner.clear_staging()

    def stage_needles(self, parts: Sequence[str]) -> None:
        """Stage, or crash before it."""
        self._count()
        self.inner.stage_needles(parts)

    def clear_needles(self) -> None:
        """Clear, or crash before it."""
        self._count()
        self.inner.clear_needles()

    def transaction(self) -> AbstractContextManager[None]:
        """A real one, or none."""
        return self.inner.transaction() if self.atomic else nullcontext()

    def close(self) -> None:
        """Close the real session."""
        self.inner.close()

    def _count(self) -> None:
        if self.statements_left is not None:
            if self.statements_left == 0:
                self.statements_left = None
                raise TransientError("crashed here")
            self.statements_left -= 1


@pytest.fixture(scope="module", params=["merge", "append"])
def crashing(request: pytest.FixtureRequest) -> Iterator[tuple[CrashingSession, SqlWarehouse]]:
    """One migrated database for all examples, which clear it: making a new one each would take most of the time."""
    session = CrashingSession(DuckDbEventSession(":memory:", read_only=False, lock_wait_ms=0), atomic=True)
    append = AppendLayout()
    layout_of = (lambda _: append) if request.param == "append" else None
    warehouse = SqlWarehouse(lambda: session, layout_of=layout_of)
    warehouse.query("SELECT 1")
    yield session, warehouse
    warehouse.close()


def names(origin: Any, ref: str) -> bool:
    """Whether a provenance entry is of a record, or of a steward's override for it."""
    return f"{origin.source}/{origin.record_id}" in (ref, f"steward/{ref}")


def forgotten(change: GoldenChange, erased: set[tuple[str, str]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values and provenance of a change by definition: item by item, what names no erased record."""
    refs = [ref for domain, ref in erased if domain == change.domain]
    values, provenance = dict(change.values), {}
    for name, named in change.provenance.items():
        kept = [position for position, origin in enumerate(named) if not any(names(origin, ref) for ref in refs)]
        value = values.pop(name)
        if isinstance(value, list) and len(named) == len(value) and kept:
            values[name], provenance[name] = [value[i] for i in kept], [named[i].model_dump() for i in kept]
        elif len(kept) == len(named):
            values[name], provenance[name] = value, [origin.model_dump() for origin in named]
    return values, provenance


def fold(feed: list[FeedEnvelope]) -> dict[str, list[tuple[Any, ...]]]:
    """The tables by definition: per key the message with the greatest (epoch, sequence), without erased values."""
    golden: dict[tuple[str, str], tuple[Any, ...]] = {}
    claims: dict[tuple[str, str, str], tuple[Any, ...]] = {}
    history: dict[tuple[str, int, int], tuple[Any, ...]] = {}
    reports: dict[str, tuple[Any, ...]] = {}
    evidence: dict[tuple[str, int, int], tuple[Any, ...]] = {}
    erasures = [m.data for m in feed if isinstance(m.data, RecordErased)]
    erased = {(e.domain, f"{e.source}/{e.record_id}") for e in erasures}
    for message in feed:
        change = message.data
        if isinstance(change, QuarantinedEvent):
            row = (datetime.fromisoformat(change.quarantined_at).replace(tzinfo=None),)
            reports[change.quarantine_id] = min(reports.get(change.quarantine_id, row), row)
            continue
        at = datetime.fromisoformat(change.committed_at).replace(tzinfo=None)
        version: tuple[int, int] = (change.epoch, change.sequence)
        if isinstance(change, EVIDENCE):
            of = change if isinstance(change, RecordChanged) else change.a
            is_erased = change.op == "record" and (change.domain, f"{of.source}/{of.record_id}") in erased
            said = {} if is_erased else json.loads(change.model_dump_json())
            other = (None, None) if isinstance(change, RecordChanged) else (change.b.source, change.b.record_id)
            shown_of = (change.op, of.source, of.record_id, *other, change.status, said, at)
            evidence[(change.domain, *version)] = shown_of
            continue
        if isinstance(change, RecordErased):
            history[(change.domain, *version)] = (change.golden_id, "erased", None, at, None, None)
            continue
        status = "live" if change.op == "upsert" else "retired"
        shown = forgotten(change, erased)
        history[(change.domain, *version)] = (change.golden_id, status, change.merged_into, at, *shown)
        state: tuple[Any, ...] = (status, change.merged_into, *shown, len(change.members), at)
        golden_key = (change.domain, change.golden_id)
        golden[golden_key] = max(golden.get(golden_key, ((0, 0),)), (version, *state), key=lambda row: row[0])
        keys: dict[tuple[str, str], str | None] = {(key.source, key.record_id): None for key in change.removed}
        if change.op == "upsert":
            keys |= dict.fromkeys(((key.source, key.record_id) for key in change.members), change.golden_id)
        for record, golden_id in keys.items():
            claim_key = (change.domain, *record)
            claims[claim_key] = max(claims.get(claim_key, ((0, 0),)), (version, golden_id), key=lambda row: row[0])
    newest = {e: max((o.epoch, o.sequence) for o in erasures if _key(o) == e) for e in map(_key, erasures)}
    return {
        "golden_record": sorted(((*key, *row) for key, row in golden.items()), key=repr),
        "crosswalk": sorted(((*key, *row) for key, row in claims.items()), key=repr),
        "golden_history": sorted(((*key, *row) for key, row in history.items()), key=repr),
        "evidence_history": sorted(((*key, *row) for key, row in evidence.items()), key=repr),
        "erased_record": sorted(((*key, version) for key, version in newest.items()), key=repr),
        "quarantined_event": sorted((key, *row) for key, row in reports.items()),
    }


def _key(erasure: RecordErased) -> tuple[str, str, str]:
    return erasure.domain, erasure.source, erasure.record_id


def observed(warehouse: Any) -> dict[str, list[tuple[Any, ...]]]:
    """The tables in the shape of ``fold``."""
    golden = warehouse.query(
        "SELECT domain, golden_id, epoch, sequence, status, merged_into, golden_values, provenance, member_count, "
        "committed_at FROM golden_record"
    )
    crosswalk = warehouse.query("SELECT domain, source, record_id, epoch, sequence, golden_id FROM crosswalk")
    history = warehouse.query(
        "SELECT domain, epoch, sequence, golden_id, status, merged_into, committed_at, payload FROM golden_history"
    )
    evidence = warehouse.query(
        "SELECT domain, epoch, sequence, kind, source, record_id, other_source, other_record_id, status, payload, "
        "committed_at FROM evidence_history"
    )
    erased = warehouse.query("SELECT domain, source, record_id, epoch, sequence FROM erased_record")
    payloads = [json.loads(row[-1]) for row in history]
    return {
        "golden_record": sorted(
            ((*row[:2], row[2:4], *row[4:6], *map(json.loads, row[6:8]), *row[8:]) for row in golden), key=repr
        ),
        "crosswalk": sorted(((*row[:3], row[3:5], row[5]) for row in crosswalk), key=repr),
        "evidence_history": sorted(((*row[:9], json.loads(row[9]), row[10]) for row in evidence), key=repr),
        "golden_history": sorted(
            (
                (*row[:-1], payload.get("values"), payload.get("provenance"))
                for row, payload in zip(history, payloads, strict=True)
            ),
            key=repr,
        ),
        "erased_record": sorted(((*row[:3], row[3:]) for row in erased), key=repr),
        "quarantined_event": sorted(warehouse.query("SELECT quarantine_id, quarantined_at FROM quarantined_event")),
    }


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
@given(case=deliveries(), atomic=st.booleans(), crashes=st.lists(st.integers(0, 15), max_size=12))
def test_any_delivery_gives_the_folded_tables(crashing: Any, case: Any, atomic: bool, crashes: list[int]) -> None:
    """Any order, duplicates, batch splits, and a crash before any statement followed by a redelivery, converge."""
    feed, steps = case
    session, warehouse = crashing
    session.atomic = atomic
    clear(warehouse)
    pending = list(crashes)
    for step in steps:
        if pending:
            session.statements_left = pending.pop()
            with suppress(TransientError):
                warehouse.apply(step)
            session.statements_left = None
        warehouse.apply(step)
    assert observed(warehouse) == fold(feed)
    by_rows = contents(warehouse)
    warehouse.apply(feed)
    assert contents(warehouse) == by_rows


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
@given(case=deliveries())
def test_equal_tables_row_for_row_whatever_the_delivery(crashing: Any, case: Any) -> None:
    """Two deliveries of one feed give the same rows in every column of every table, ``applied_at`` aside."""
    feed, steps = case
    _, warehouse = crashing
    clear(warehouse)
    warehouse.apply(feed)
    straight = contents(warehouse)
    clear(warehouse)
    for step in steps:
        warehouse.apply(step)
    assert contents(warehouse) == straight


def as_an_index_tells(feed: list[FeedEnvelope]) -> list[FeedEnvelope]:
    """The same feed with times that never step back in the order of (epoch, sequence), as an index gives them out."""
    told, latest = [], dict[str, str]()
    for message in sorted(
        (m for m in feed if hasattr(m.data, "sequence")), key=lambda m: (m.data.epoch, m.data.sequence)
    ):
        at = max(latest.get(message.data.domain, ""), message.data.committed_at)
        latest[message.data.domain] = at
        told.append(message.model_copy(update={"data": message.data.model_copy(update={"committed_at": at})}))
    return told


def as_of(warehouse: Any, domain: str, ts: datetime) -> list[tuple[Any, ...]]:
    """The live golden records of a time."""
    rows = warehouse.query(
        "SELECT golden_id, epoch, sequence FROM golden_record_as_of "
        "WHERE domain = ? AND status = 'live' AND CAST(? AS TIMESTAMP) >= valid_from "
        "AND CAST(? AS TIMESTAMP) < valid_to",
        (domain, *[ts.strftime("%Y-%m-%d %H:%M:%S")] * 2),
    )
    return sorted(rows)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
@given(feed=feeds())
def test_state_as_of_a_time_is_a_prefix_of_the_feed(crashing: Any, feed: list[FeedEnvelope]) -> None:
    """At any time, a domain's as-of state is the fold of the feed up to the last change that was told by then."""
    _, warehouse = crashing
    clear(warehouse)
    feed = as_an_index_tells(feed)
    warehouse.apply(feed)
    for domain in ("person", "org"):
        changes = [m for m in feed if isinstance(m.data, GoldenChange) and m.data.domain == domain]
        for second in range(-1, 22, 3):
            ts = START + timedelta(seconds=second)
            prefix = [m for m in changes if datetime.fromisoformat(m.data.committed_at) <= ts]
            expected = sorted((row[1], *row[2]) for row in fold(prefix)["golden_record"] if row[3] == "live")
            assert as_of(warehouse, domain, ts) == expected


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
@given(feed=feeds())
def test_a_golden_record_has_one_state_at_a_time_though_a_clock_stepped_back(
    crashing: Any, feed: list[FeedEnvelope]
) -> None:
    """Rows of old versions may step back: then each golden record by itself is what its own changes so far say."""
    _, warehouse = crashing
    clear(warehouse)
    warehouse.apply(feed)
    for domain in ("person", "org"):
        changes = sorted(
            (m for m in feed if isinstance(m.data, GoldenChange) and m.data.domain == domain),
            key=lambda m: (m.data.epoch, m.data.sequence),
        )
        for second in range(-1, 22, 3):
            ts = START + timedelta(seconds=second)
            prefix, latest = [], dict[str, datetime]()
            for message in changes:
                golden_id, at = message.data.golden_id, datetime.fromisoformat(message.data.committed_at)
                latest[golden_id] = max(latest.get(golden_id, at), at)
                if latest[golden_id] <= ts:
                    prefix.append(message)
            expected = sorted((row[1], *row[2]) for row in fold(prefix)["golden_record"] if row[3] == "live")
            assert as_of(warehouse, domain, ts) == expected


def test_each_epoch_says_which_rules_and_f_it_is_of(duckdb_warehouse: DuckDbWarehouse) -> None:
    """The epochs that told something, with their digests; messages from before digests were told have an empty one."""
    told = {1: "", 2: "abc+1.1.def", 3: "abc+2.1.fed"}
    messages = [
        message.model_copy(update={"data": message.data.model_copy(update={"rules_digest": digest})})
        for epoch, digest in told.items()
        for message in (upsert(1, "g1", ["crm/1"], epoch=epoch), retire(2, "g1", epoch=epoch))
    ]
    duckdb_warehouse.apply([*messages, erase(3, "crm/9", epoch=3)])
    found = duckdb_warehouse.query(
        "SELECT domain, epoch, rules_version, rules_digest, first_sequence, last_sequence FROM golden_epoch ORDER BY 2"
    )
    assert found == [("person", epoch, 3, digest, 1, 2) for epoch, digest in told.items()]


def test_as_of_the_far_future_is_the_current_view(duckdb_warehouse: DuckDbWarehouse) -> None:
    """Open rows end at 9999-12-31, so that the newest state needs no special case."""
    duckdb_warehouse.apply([upsert(1, "g1", ["crm/1"]), upsert(2, "g2", ["crm/2"]), retire(3, "g1", merged_into="g2")])
    as_of = duckdb_warehouse.query(
        "SELECT golden_id, valid_to FROM golden_record_as_of WHERE status = 'live' ORDER BY 1"
    )
    assert [row for row in as_of if row[1] == FAR] == [("g2", FAR)]
    assert duckdb_warehouse.query("SELECT golden_id FROM current_golden_record") == [("g2",)]


@pytest.mark.parametrize("latest_first", [True, False])
@pytest.mark.parametrize("together", [True, False])
def test_the_first_report_of_a_rejected_event_stays(
    duckdb_warehouse: DuckDbWarehouse, latest_first: bool, together: bool
) -> None:
    """Whichever report arrives first, in one batch or in two, the one with the earliest time is kept."""
    reports = [rejected("q1", minute=1, received_from="early"), rejected("q1", minute=2, received_from="late")]
    if latest_first:
        reports.reverse()
    for batch in [reports] if together else [[report] for report in reports]:
        duckdb_warehouse.apply(batch)
    assert duckdb_warehouse.query("SELECT received_from FROM quarantined_event") == [("early",)]


def test_reports_of_the_same_moment_are_told_apart_by_content(duckdb_warehouse: DuckDbWarehouse) -> None:
    """Two reports with one time end the same in either order."""
    reports = [rejected("q1", received_from=name) for name in ("a", "b")]
    kept = []
    for order in (reports, reports[::-1]):
        clear(duckdb_warehouse)
        for report in order:
            duckdb_warehouse.apply([report])
        kept.append(contents(duckdb_warehouse)["quarantined_event"])
    assert kept[0] == kept[1]


def test_a_batch_beyond_the_limit_is_refused(
    duckdb_warehouse: DuckDbWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch larger than an event source can deliver is a programmer's fault."""
    monkeypatch.setattr("mdm_stream.warehouse.warehouse.MESSAGES_PER_APPLY_MAX", 1)
    with pytest.raises(ValueError, match="at most 1 messages"):
        duckdb_warehouse.apply([upsert(1, "g1", []), upsert(2, "g1", [])])
