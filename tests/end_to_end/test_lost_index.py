"""Redis loses everything, or comes back without its last writes, under load: one command, and all is as F says."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis
from click.testing import CliRunner
from end_state import (
    GoldenState,
    change_events,
    feed_changes,
    files_below,
    settle,
    state_of_feed,
    state_of_warehouse,
    wait_for,
)
from stack_addresses import addresses_of

from mdm_stream.archive import open_archive
from mdm_stream.cli.commands.rebuild import rebuild
from mdm_stream.core.reference import Resolution, resolve
from mdm_stream.deployment import ARCHIVE_FOLDER, WAREHOUSE_FILE, write_stack
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.local.pipeline import RESOLVE, start_consumers
from mdm_stream.local.stack import CHANGES_STREAM, LocalStack
from mdm_stream.rules import load_ruleset
from mdm_stream.simulate import DEMO_RULES, generate
from producers.publisher import Publisher

pytestmark = pytest.mark.long

PEOPLE = 400
RATE_S = 0.008
"""Seconds between events, so that the stream is still running when the index is gone and while it is rebuilt."""


@dataclass(slots=True)
class Aftermath:
    """What was there once all was quiet again."""

    report: dict[str, Any]
    delivered: int
    archived: int
    expected: Resolution
    index: Resolution
    epoch: int
    changes: list[dict[str, Any]]
    warehouse: GoldenState
    given_up: list[Path]


def lose_everything(client: redis.Redis, _: dict[bytes, bytes]) -> None:
    """FLUSHALL, as an operator's mistake or an empty replacement node."""
    client.flushall()


def fall_back(client: redis.Redis, snapshot: dict[bytes, bytes]) -> None:
    """Another server process answers, with the keys of some time ago: from a snapshot, or as a replica that lagged."""
    pipe = client.pipeline(transaction=True)
    pipe.flushall()
    for key, value in snapshot.items():
        pipe.restore(key, 0, value)
    pipe.hset("mdm:{main:person}:1:meta", "server", "0" * 40)
    pipe.execute()


@pytest.fixture(scope="module", params=[lose_everything, fall_back], ids=lambda lose: lose.__name__)
def aftermath(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    """A population streams; in the middle the index is lost; it is rebuilt while events keep coming."""
    folder = tmp_path_factory.mktemp("lost")
    state, rules_file = folder / "state", folder / "rules.yaml"
    rules_file.write_text(DEMO_RULES)
    rules = load_ruleset(rules_file)
    deliveries = list(generate(PEOPLE, 23).events())
    with LocalStack(state) as stack:
        start_consumers(stack, [str(rules_file)])
        write_stack(state, addresses_of(stack, rules_file))
        client = stack.redis.client()
        stream = threading.Thread(target=_publish, args=(stack, deliveries))
        stream.start()
        wait_for(lambda: stack.consumer_status(RESOLVE).get("records", 0) > len(deliveries) / 10)
        snapshot = {key: value for key in client.scan_iter() if (value := client.dump(key)) is not None}
        before = stack.consumer_status(RESOLVE)["records"]
        wait_for(lambda: stack.consumer_status(RESOLVE)["records"] > before + len(deliveries) / 10)
        request.param(client, snapshot)
        time.sleep(1.0)  # consumers meet it meanwhile
        assert stream.is_alive(), "the stream ended before the rebuild began"
        done = CliRunner().invoke(rebuild, ["--state", str(state), "--grace", "2", "--json"])
        assert done.exit_code == 0, done.output
        stream.join()
        index = settle(stack, rules)
        kinesis = stack.kinesis.client("kinesis")
        events = change_events(kinesis, rules)
        return Aftermath(
            report=orjson.loads(done.stdout)["rebuilt"][0],
            delivered=len(events),
            archived=open_archive((state / ARCHIVE_FOLDER).as_uri()).verify("person").rows,
            expected=resolve(rules, events),
            index=index,
            epoch=RedisIndex(client, rules, create=False).epoch,
            changes=feed_changes(kinesis),
            warehouse=state_of_warehouse(stack.state_dir / WAREHOUSE_FILE),
            given_up=files_below(state / "on-failure"),
        )


def _publish(stack: LocalStack, deliveries: list[Any]) -> None:
    with Publisher(stack.kinesis.client("kinesis"), CHANGES_STREAM) as publisher:
        for event in deliveries:
            publisher.put(event.raw, event.partition_key)
            time.sleep(RATE_S)


def test_the_index_is_f_of_what_was_delivered(aftermath: Aftermath) -> None:
    """State and ids equal the reference, in a new epoch; nothing was given up on the way."""
    assert aftermath.epoch == aftermath.report["epoch"] == 2
    assert aftermath.index.crosswalk == aftermath.expected.crosswalk
    assert aftermath.index.golden == aftermath.expected.golden
    assert aftermath.index.review == aftermath.expected.review
    assert aftermath.given_up == []


def test_a_subscriber_has_the_same(aftermath: Aftermath) -> None:
    """Whoever applies the feed in the order of epoch and sequence has golden records and crosswalk."""
    assert state_of_feed(aftermath.changes) == GoldenState(aftermath.expected.golden, aftermath.expected.crosswalk)


def test_the_warehouse_has_the_same(aftermath: Aftermath) -> None:
    """Its current views hold the golden records and the crosswalk."""
    assert aftermath.warehouse == GoldenState(aftermath.expected.golden, aftermath.expected.crosswalk)


def test_the_new_epoch_told_only_what_differs(aftermath: Aftermath) -> None:
    """Most golden records had been published before and were not told again; its sequence has no gap."""
    again = [change["sequence"] for change in aftermath.changes if change["epoch"] == 2]
    assert again == list(range(1, len(again) + 1))
    assert aftermath.report["golden"] > 20
    assert aftermath.report["told"] < aftermath.report["golden"] / 2


def test_every_accepted_event_is_in_the_archive(aftermath: Aftermath) -> None:
    """At least once each: a batch that was delivered again was archived again."""
    assert aftermath.archived >= aftermath.delivered
