"""The first load of a domain: index, snapshot of the feed and warehouse from an archive, beside the stream.

The stream's rate is that of the local stack (Kinesis API, resolve and warehouse consumers) on the same two cores, with
the same events from the first one put to the last one in the warehouse; there are fewer of them, since it takes as long
for each. State: the index and the warehouse are read and compared with F, place by place, as a reconciliation does.
``MDM_SPARK_BOOTSTRAP=RECORDS`` takes another number than ``RECORDS``.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from contextlib import closing
from itertools import islice
from pathlib import Path

from archived_events import archive_events
from histories import POPULATION_SEED, RULES_DEFAULT
from rebuild import fill_archive
from show import Show

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support")]

from end_state import settle, wait_for  # noqa: E402

from mdm_stream.archive import open_archive  # noqa: E402
from mdm_stream.core.model import RecordEvent  # noqa: E402
from mdm_stream.core.ruleset import Ruleset  # noqa: E402
from mdm_stream.deployment import WAREHOUSE_FILE  # noqa: E402
from mdm_stream.feed.published import PublishedState  # noqa: E402
from mdm_stream.index.redis.index import RedisIndex  # noqa: E402
from mdm_stream.index.redis.scan import open_scanner  # noqa: E402
from mdm_stream.local.pipeline import start_consumers  # noqa: E402
from mdm_stream.local.servers.redis import RedisServer  # noqa: E402
from mdm_stream.local.stack import CHANGES_STREAM, LocalStack  # noqa: E402
from mdm_stream.rebuild.warehouse_fill import WarehouseFill  # noqa: E402
from mdm_stream.reconcile.bootstrap import Bootstrap, BootstrapReport  # noqa: E402
from mdm_stream.reconcile.compare import Compare, CompareSettings  # noqa: E402
from mdm_stream.reconcile.expected import Expected  # noqa: E402
from mdm_stream.reconcile.folded_states import ArchiveAt  # noqa: E402
from mdm_stream.reconcile.session import local_session  # noqa: E402
from mdm_stream.reconcile.spark_fill import SparkFill  # noqa: E402
from mdm_stream.reconcile.workspace import Workspace  # noqa: E402
from mdm_stream.rules import load_ruleset  # noqa: E402
from mdm_stream.simulate import generate  # noqa: E402
from mdm_stream.simulate.stream import PEOPLE_MAX  # noqa: E402
from mdm_stream.warehouse import DuckDbWarehouse  # noqa: E402
from producers.publisher import Publisher  # noqa: E402

VARIABLE = "MDM_SPARK_BOOTSTRAP"
RECORDS = 1_000_000
STREAMED = 20_000
LATE = 50
TIMES_MIN = 2.0


class _Nothing:
    """What was published of a domain of which nothing was; a feed that holds what comes after."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []

    def read(self, state: PublishedState) -> None:
        """There is nothing to apply."""

    finish = read

    def publish(self, messages: list[tuple[str, bytes]]) -> None:
        """Take messages."""
        self.messages += messages


def figures(show: Show, scratch: Path) -> None:
    """Load, compare, and stream."""
    size = int(os.environ.get(VARIABLE, RECORDS))
    rules = load_ruleset(RULES_DEFAULT)
    archived = fill_archive(scratch / "archive", rules, size, min(size, PEOPLE_MAX), in_bulk=True)
    show.fact("archived", f"{len(archived.refs):,} records, {archived.events:,} events")
    loaded_per_s = _bootstrapped(show, scratch, rules, archived.events)
    streamed_per_s = _streamed(scratch / "stream")
    times = loaded_per_s / streamed_per_s
    show.figure("events a second, beside those of the stream", f"{loaded_per_s:,.0f} beside {streamed_per_s:,.0f}: "
                f"{times:.1f} times", floor=f"{TIMES_MIN:g} times", holds=times >= TIMES_MIN)  # fmt: skip


def _bootstrapped(show: Show, scratch: Path, rules: Ruleset, events: int) -> float:
    spark = local_session(2, scratch / "spark")
    archive = open_archive((scratch / "archive").as_uri())
    late = [
        RecordEvent(
            rules.domain, "web", f"late-{number}", "upsert", 1, 1, {"given_name": "Late", "family_name": "Comer"}
        )
        for number in range(LATE)
    ]
    feed, began_s = _Nothing(), time.monotonic()
    with (
        RedisServer() as server,
        server.client() as client,
        closing(DuckDbWarehouse(scratch / "w.duckdb")) as warehouse,
    ):
        fill = SparkFill(
            Workspace(spark, str(scratch / "tables")),
            rules,
            ArchiveAt((scratch / "archive").as_uri()),
            server.url,
            "main",
        )

        def tell(messages: Iterable[bytes]) -> None:
            archive_events(scratch / "archive", rules, late)
            WarehouseFill(warehouse, follow=_no_claims).apply(messages)

        report = Bootstrap(fill, archive, published=feed, tell=tell, golden=feed).run()
        seconds = time.monotonic() - began_s
        _say(show, report, seconds, client)
        there = RedisIndex(client, rules).golden_of([event.ref for event in late])
        show.figure("records of events that arrived meanwhile, in the result", len(there), floor=f"{LATE}",
                    holds=len(there) == LATE)  # fmt: skip
        WarehouseFill(warehouse, follow=_no_claims).apply(message for _, message in feed.messages)
        assert fill.computed is not None
        state = fill.computed.state
        found = Compare(
            rules,
            Expected(state.records, state.links, state.crosswalk, state.golden, state.review),
            open_scanner(client, rules),
            archive,
            fill.computed.objects,
            Workspace(spark, str(scratch / "compared")),
            warehouse=warehouse,
            settings=CompareSettings(settle_s=0.0),
        ).run()
    spark.stop()
    show.figure("places of index and warehouse that are not F", sum(found.drift.values()), floor="0",
                holds=found.is_clean and found.records > 0 and not found.warehouse_behind)  # fmt: skip
    return events / seconds


def _say(show: Show, report: BootstrapReport, seconds: float, client: object) -> None:
    info = client.info("commandstats")  # type: ignore[attr-defined]
    commands = sum(each["calls"] for each in info.values())
    show.fact("loaded", f"{report.records:,} records in {seconds:,.0f} s: {report.records / seconds:,.0f} a second; "
              f"{report.steps}")  # fmt: skip
    inside = f"{commands / report.records:.2f} commands with those inside of scripts"
    show.fact("Redis", f"{report.calls / report.records:.4f} calls a record, {inside}; "
              f"{report.bytes_written / report.records:,.0f} bytes a record")  # fmt: skip


def _streamed(folder: Path) -> float:
    """Return the events a second of the local stack, from the first one put to the last one in the warehouse."""
    rules = load_ruleset(RULES_DEFAULT)
    events = list(islice(generate(STREAMED, POPULATION_SEED).events(), STREAMED))
    with LocalStack(folder) as stack:
        start_consumers(stack, [str(RULES_DEFAULT)])
        began_s = time.monotonic()
        with Publisher(stack.kinesis.client("kinesis"), CHANGES_STREAM) as publisher:
            for event in events:
                publisher.put(event.raw, event.partition_key)
        golden = len(settle(stack, rules, 1_800.0).golden)
        warehouse = folder / WAREHOUSE_FILE
        wait_for(lambda: _golden_in(warehouse) == golden, 1_800.0, 0.5)
        return len(events) / (time.monotonic() - began_s)


def _golden_in(warehouse: Path) -> int:
    with closing(DuckDbWarehouse(warehouse, read_only=True, lock_wait_ms=20_000)) as opened:
        return int(opened.query("SELECT count(*) FROM current_golden_record")[0][0])


def _no_claims(claim: object) -> bytes:
    raise AssertionError(f"no message of this population is that large: {claim}")
