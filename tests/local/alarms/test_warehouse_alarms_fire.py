"""The warehouse consumer's alarms fire by their fault, on the real handler with DuckDB, and clear once it is over."""

from __future__ import annotations

import importlib
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alarm_bench import Watch
from feed_messages import upsert

from mdm_stream.local.event_source.mapping import FunctionContext, ShardRecord, kinesis_event

MODULE = "consumers.warehouse.handler"
NUMBERS = itertools.count(1)


@pytest.fixture
def apply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Deliver messages of the golden feed to a handler at its cold start."""
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
    monkeypatch.setenv("MDM_WAREHOUSE_DUCKDB_PATH", str(tmp_path / "warehouse.duckdb"))
    sys.modules.pop(MODULE, None)
    module: Any = importlib.import_module(MODULE)

    def deliver(*raws: bytes) -> None:
        records = [ShardRecord(str(next(NUMBERS)), "k", raw, time.time()) for raw in raws]
        module.handler(
            kinesis_event(records, "shardId-000000000000", "arn:aws:kinesis:::stream/g"), FunctionContext("w")
        )

    yield deliver
    sys.modules.pop(MODULE, None)


def change(ago_s: float = 0.0) -> bytes:
    """Return a golden change that was committed so many seconds ago."""
    number = next(NUMBERS)
    committed_at = f"{datetime.now(UTC) - timedelta(seconds=ago_s):%Y-%m-%dT%H:%M:%SZ}"
    message = upsert(number, f"golden{number}", [f"crm/{number}"], committed_at=committed_at)
    return message.model_dump_json().encode()


def test_a_message_fails_its_batch(apply: Callable[..., None], watch: Watch) -> None:
    """It is no message of the feed; what comes after it is applied."""
    bench = watch("warehouse-failing", service="mdm-warehouse")
    bench.is_silent(lambda: apply(change()))
    bench.fires(lambda: apply(change(), b"{"))
    bench.clears(lambda: apply(change()))


def test_changes_come_late(apply: Callable[..., None], watch: Watch) -> None:
    """They were committed more than a quarter of an hour before."""
    bench = watch("warehouse-late", service="mdm-warehouse")
    bench.is_silent(lambda: apply(change()))
    bench.fires(lambda: apply(change(), change(1_000)))
    bench.clears(lambda: apply(change()))


def test_messages_of_a_later_release_are_skipped(apply: Callable[..., None], watch: Watch) -> None:
    """Their type is not known here."""
    bench = watch("warehouse-skips", service="mdm-warehouse")
    bench.is_silent(lambda: apply(change()))
    later = change().replace(b"mdm.golden.upserted", b"mdm.golden.imagined")
    bench.fires(lambda: apply(change(), later))
    bench.clears(lambda: apply(change()))
