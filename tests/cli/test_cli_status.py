"""``mdm-stream status`` and the live line of `up`: what they tell, and which exit code calls for an operator."""

from __future__ import annotations

import time
from pathlib import Path

import orjson
import pytest
from failover_world import NEW_GTIDS, NEW_SERVER, mysql, rules_text

from mdm_stream.archive.position_falls import FALL_DAYS, FALLS_MAX, NOTED_AGAIN_S, FallStore, FallWatch
from mdm_stream.cli.main import run
from mdm_stream.cli.status_of import DeploymentStatus, LiveLine, attention
from mdm_stream.core.position_fall import PositionFall
from mdm_stream.decode import Delivery
from mdm_stream.deployment import Deployment, RunningStack, write_stack
from mdm_stream.errors import TransientError
from mdm_stream.index.redis.epochs import hold, release
from mdm_stream.index.redis.progress import note_progress, read_progress
from mdm_stream.local.pipeline import start_consumers
from mdm_stream.local.stack import CHANGES_STREAM, GOLDEN_STREAM, STEWARD_STREAM, LocalStack
from mdm_stream.objects.folder import FolderObjects
from mdm_stream.rules import load_ruleset

FALL = PositionFall("shop", 0, "7", "", "", 1, 10_000_000, 900_000_000)
QUIET = {"domain": "person", "obstacle": None, "told_ahead_s": 0.0, "sources_held": [], "suspected_histories": []}
SHARD = {"stream": "s", "shard": "0", "problem": "", "age_s": 1.0}


@pytest.mark.parametrize(
    ("domain", "shard", "said"),
    [
        ({}, {}, 0),
        ({"obstacle": "it is held"}, {}, 1),
        ({"told_ahead_s": 60.1}, {}, 1),
        ({"sources_held": ["crm"]}, {}, 1),
        ({"suspected_histories": [{"message": "positions fall"}]}, {}, 1),
        ({}, {"age_s": 301.0}, 1),
        ({}, {"age_s": None, "problem": "ExpiredIteratorException"}, 1),
    ],
)
def test_attention_names_what_keeps_writes_or_meaning_from_going_on(domain, shard, said):
    """Each alone, and nothing where all goes on."""
    found = {"domains": [{**QUIET, **domain}], "shards": [{**SHARD, **shard}], "files": {"held": []}}
    assert len(list(attention(found, 300.0))) == said


def test_progress_has_the_last_record_of_each_shard(redis_client):
    """As the batches have it: whatever has no place on a stream is left out."""
    assert (read_progress(redis_client, "n").events, read_progress(redis_client, "n").shards) == (0, {})
    done = [Delivery(b"", "", 5, "changes/shard-0:11"), Delivery(b"", "", 6, "changes/shard-0:12")]
    note_progress(redis_client, "n", [*done, Delivery(b"", "", 7, "changes/shard-1:3")], 100)
    note_progress(redis_client, "n", [Delivery.from_row(b"", 1)], 200)
    found = read_progress(redis_client, "n")
    assert (found.events, found.shards["changes/shard-0"].sequence_number) == (3, "12")
    assert (found.shards["changes/shard-1"].arrival_time_us, found.shards["changes/shard-1"].done_us) == (7, 100)


def test_a_fall_is_noted_at_once_and_again_after_a_while(tmp_path):
    """With a tick too, so that its count and its times are whole; a store that fails is tried again."""
    clock = [0.0]
    store, failing = FallStore(FolderObjects(tmp_path), "person"), [True]

    def open_store(domain):
        assert domain == "person"
        if failing.pop() if failing else False:
            raise TransientError("the store is away")
        return store

    def noted():
        path = tmp_path / "rules.yaml"
        path.write_text(rules_text())
        return [each.count for each in store.undeclared(load_ruleset(path), 1_000)]

    watch = FallWatch(open_store, lambda: 1_000, lambda: clock[0])
    watch.note("person", [FALL])
    assert noted() == []
    watch.note("person", [FALL])
    assert noted() == [2]
    watch.note("person", [FALL])
    assert noted() == [2]
    clock[0] = NOTED_AGAIN_S
    watch.settle()
    assert noted() == [3]


def test_falls_that_are_over_are_shown_no_more_and_damaged_ones_never(tmp_path):
    """What one process notes is bounded, whatever names its senders make up."""
    store = FallStore(FolderObjects(tmp_path / "a"), "person")
    path = tmp_path / "rules.yaml"
    path.write_text(rules_text())
    rules = load_ruleset(path)
    watch = FallWatch(lambda _: store, lambda: 0)
    watch.note("person", [PositionFall("shop", 0, str(n), "", "", 1, 1, 2) for n in range(FALLS_MAX + 50)])
    assert len(store.undeclared(rules, 1)) <= FALLS_MAX + 50
    for each in range(50):
        watch.note("person", [PositionFall("shop", 0, f"9{each}", "", "1", 1, 1, 2)])
    assert not any(fall.timeline for fall in store.undeclared(rules, 1))
    assert store.undeclared(rules, FALL_DAYS * 86_400_000_000 + 1) == []
    for name in Path(tmp_path / "a").rglob("*.json"):
        name.write_bytes(b'{"noted_us": 1}')
    assert store.undeclared(rules, 1) == []


def test_the_live_line_comes_every_few_seconds_while_something_is_done():
    """Silence where nothing changes, and where Redis does not answer for a moment."""
    domain = {"records": 2, "golden": 1, "review": 0, "sequence": 3}
    answers = [{"events": 0, "domains": {"p": domain}}, {"events": 50, "domains": {"p": domain}}, None]
    answers.append({"events": 50, "domains": {"p": domain}})

    class Counted:
        def counts(self):
            answer = answers.pop(0)
            if answer is None:
                raise TransientError("away")
            return answer

    clock, said = iter([0.0, 1.0, 10.0, 20.0, 30.0]), []
    line = LiveLine(Counted(), said.append, lambda: next(clock))
    for _ in range(5):
        line.look()
    assert said == ["5 events/s; 50 events, 2 records, 1 golden records, 0 to review"]


def test_status_of_a_running_stack(tmp_path, capsys):
    """An undeclared failover is told with its line and exit code 1, a hold likewise, and all figures are right."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(rules_text())
    state = tmp_path / "state"
    with LocalStack(state) as stack:
        start_consumers(stack, [str(rules)])
        write_stack(
            state,
            RunningStack(
                kinesis_endpoint_url=stack.kinesis.endpoint_url, changes_stream=CHANGES_STREAM,
                steward_stream=STEWARD_STREAM, golden_stream=GOLDEN_STREAM, redis_url=stack.redis.url,
                warehouse=str(state / "w.duckdb"), rules=(str(rules),), keys=stack.kinesis.keys,
            ),
        )  # fmt: skip
        deployment = Deployment.from_local(state)
        kinesis = deployment.kinesis()
        events = [
            mysql(1, "2026-01-05T08:00:00Z", 812, 4000, city="Leeds"),
            mysql(1, "2026-01-31T22:53:20Z", 31, 700, server=NEW_SERVER, gtids=NEW_GTIDS, city="Bath"),
            {"domain": "person", "op": "nonsense"},
        ]
        for event in events:
            kinesis.put_record(StreamName=CHANGES_STREAM, Data=orjson.dumps(event), PartitionKey="1")
        status = DeploymentStatus(deployment)
        until = time.monotonic() + 60
        while status.counts()["events"] < len(events) and time.monotonic() < until:
            time.sleep(0.2)
        found = status.document(0.1, 300.0)
        (domain,) = found["domains"]
        assert (domain["records"], domain["golden"], domain["of_these_rules"]) == (1, 1, True)
        assert found["dead_letters"]["quarantine"]["letters"] == 1
        assert {each["backlog"] for each in found["shards"]} == {0}
        assert domain["suspected_histories"][0]["line"] == "- {server_id: 223355, from: 2026-01-05T08:00:01Z}"
        assert run(["status", "--state", str(state), "--seconds", "0.1"]) == 1
        shown = capsys.readouterr().out
        assert "- {server_id: 223355, from: 2026-01-05T08:00:01Z}" in shown
        assert "Leeds" not in shown
        rules.write_text(rules_text(shop=f"[{{server_id: {NEW_SERVER}}}]"))
        assert "another rule set" in DeploymentStatus(deployment).document(0.1, 300.0)["attention"][0]
        rules.write_text(rules_text())
        hold(deployment.redis(), "main", "person", "an operator's reason")
        assert "an operator's reason" in "".join(status.document(0.1, 300.0)["attention"])
        release(deployment.redis(), "main", "person")
