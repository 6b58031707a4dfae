"""The live system is damaged while events stream: one command names it, mends it, and proves that it is F again."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
import redis
from end_state import change_events, settle, state_of_warehouse, wait_for
from stack_addresses import addresses_of

from mdm_stream.contracts.change import encode_event
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.reference import resolve
from mdm_stream.deployment import WAREHOUSE_FILE, write_stack
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.local.pipeline import RESOLVE, start_consumers
from mdm_stream.local.stack import CHANGES_STREAM, LocalStack
from mdm_stream.rules import load_ruleset
from mdm_stream.simulate import DEMO_RULES, generate
from producers.publisher import Publisher

PEOPLE = 100
RATE_S = 0.5
SETTLE_S = 8
LATE_US = 1_767_225_600_000_000

pytestmark = [
    pytest.mark.skipif(shutil.which("java") is None, reason="Java is not installed, which Spark needs"),
    pytest.mark.spark,
    pytest.mark.long,
    pytest.mark.timeout(1_800),
]


def _command(state: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a process of its own: a session of Spark is one for a process."""
    command = [sys.executable, "-m", "mdm_stream.cli.main", "reconcile", "--state", str(state), "--json", *arguments]
    return subprocess.run(command, capture_output=True, timeout=1_500, check=False)


def _damage(client: redis.Redis, index: RedisIndex) -> str:
    """Give a golden record an old value; return its id."""
    golden_id = min(index.scan_crosswalk().values())
    key = "mdm:{main:person}:1:gold"
    content = orjson.loads(client.hget(key, golden_id))
    content["values"]["city"] = "Elsewhere"
    client.hset(key, golden_id, orjson.dumps(content, option=orjson.OPT_SORT_KEYS))
    return golden_id


def test_damage_under_load_is_named_mended_and_gone(tmp_path: Path) -> None:
    """Writers go on meanwhile, and what they change is no drift; the report is kept, and written as a page."""
    pytest.importorskip("pyspark", reason="pyspark is not installed (pip install 'mdm-stream[spark]')")
    state, rules_file = tmp_path / "state", tmp_path / "rules.yaml"
    rules_file.write_text(DEMO_RULES)
    rules = load_ruleset(rules_file)
    deliveries = list(generate(PEOPLE, 5).events())
    stop = threading.Event()
    with LocalStack(state) as stack:
        start_consumers(stack, [str(rules_file)])
        write_stack(state, addresses_of(stack, rules_file))
        _publish(stack, deliveries, 0.0, stop)
        wait_for(lambda: stack.consumer_status(RESOLVE).get("records", 0) >= len(deliveries))
        settle(stack, rules)
        damaged = _damage(stack.redis.client(), RedisIndex(stack.redis.client(), rules))
        stream = threading.Thread(target=_publish, args=(stack, _late_people(), RATE_S, stop))
        stream.start()
        try:
            done = _command(state, "--repair", "--settle", str(SETTLE_S), "--report", str(tmp_path / "report"))
        finally:
            stop.set()
            stream.join()
        assert done.returncode == 0, (done.stdout[-2_000:], done.stderr[-2_000:])
        report: dict[str, Any] = orjson.loads(done.stdout)["reconciled"][0]
        assert report["kinds"].keys() == {"stale_golden"}
        assert [sample["first"] for sample in report["samples"]] == [damaged]
        assert (report["repair"]["failed"], report["after_repair"]["drift"]) == ([], 0)
        found = settle(stack, rules)
        assert found == resolve(rules, change_events(stack.kinesis.client("kinesis"), rules))
        wait_for(lambda: state_of_warehouse(stack.state_dir / WAREHOUSE_FILE).golden == found.golden)
        kept = orjson.loads(_command(state, "--history").stdout)["runs"]
        assert kept == [report]
    page = (tmp_path / "report" / "person.html").read_text()
    assert "stale_golden" in page
    assert "Elsewhere" not in page


def _late_people() -> Iterator[Any]:
    """Yield events without end, of people who share nothing with those that are there: what is touched says nothing."""
    for number in count(1):
        values = {"given_name": f"Late{number}", "family_name": f"Comer{number}"}
        event = RecordEvent("person", "web", f"late-{number}", "upsert", number, LATE_US + number, values)
        yield SimpleNamespace(raw=encode_event(event), partition_key=f"late-{number}")


def _publish(stack: LocalStack, deliveries: Iterable[Any], rate_s: float, stop: threading.Event) -> None:
    with Publisher(stack.kinesis.client("kinesis"), CHANGES_STREAM) as publisher:
        for event in deliveries:
            if stop.is_set():
                return
            publisher.put(event.raw, event.partition_key)
            time.sleep(rate_s)
