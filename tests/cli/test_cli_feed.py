"""``mdm-stream feed snapshot`` and ``warehouse rebuild``: what they ask for, say and leave, killed too."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from feed_messages import contents, erase, origins, rejected, upsert
from feed_snapshots import raw

from mdm_stream.cli.main import cli, run
from mdm_stream.contracts.golden import FeedEnvelope
from mdm_stream.feed import snapshot_fold
from mdm_stream.feed.claims import ClaimStore
from mdm_stream.feed.publisher import FeedPublisher
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.objects.folder import FolderObjects
from mdm_stream.warehouse import DuckDbWarehouse

FEED = [
    upsert(1, "g1", ["crm/1"], values={"name": "Ada"}, provenance={"name": origins("crm/1")}),
    upsert(2, "g2", ["crm/2"]),
    upsert(3, "g1", ["crm/1", "crm/2"]),
    rejected("q1"),
]
LINE_TIMEOUT_S = 60


class Feed:
    """A golden feed with stores beside it, and the options that name them."""

    def __init__(self, server: KinesisServer, folder: Path, name: str) -> None:
        self.folder, self.stream = folder, name
        server.client().create_stream(StreamName=name, ShardCount=2)
        claims = ClaimStore(FolderObjects(folder / "archive" / "claims"), (folder / "archive" / "claims").as_uri())
        self._publisher = FeedPublisher(server.client(), name, claims=claims, record_bytes_max=65_536)
        self.arguments = [
            "--golden-stream",
            name,
            "--endpoint",
            server.endpoint_url,
            "--archive",
            str(folder / "archive"),
        ]

    def publish(self, *messages: FeedEnvelope) -> None:
        """Put messages on the stream."""
        self._publisher.publish([(message.subject, raw(message)) for message in messages])

    def run(self, *command: str) -> Result:
        """Run a command on these stores."""
        return CliRunner().invoke(cli, [*command, *self.arguments], standalone_mode=False)


@pytest.fixture
def feed(server: KinesisServer, tmp_path: Path, request: pytest.FixtureRequest) -> Feed:
    """An empty feed."""
    return Feed(server, tmp_path, f"golden-{abs(hash(request.node.name))}")


def said(result: Result, code: int | None = 0) -> dict[str, Any]:
    """What a command wrote as JSON."""
    assert (result.exception, result.return_value or 0) == (None, code), result.output
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def made_of(*messages: FeedEnvelope) -> dict[str, list[tuple[Any, ...]]]:
    """The tables that the ordinary consumer makes."""
    warehouse = DuckDbWarehouse(":memory:")
    for start in range(0, len(messages), 5_000):
        warehouse.apply(messages[start : start + 5_000])
    found = contents(warehouse)
    warehouse.close()
    return found


def tables(file: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The tables of a file."""
    warehouse = DuckDbWarehouse(file, read_only=True)
    found = contents(warehouse)
    warehouse.close()
    return found


def test_from_a_snapshot_and_the_tail(feed: Feed) -> None:
    """The tables are those that were dropped; it says where a consumer goes on."""
    feed.publish(*FEED[:2])
    first = said(feed.run("feed", "snapshot", "--json"))
    assert (first["generation"], first["messages"], first["read"], first["missing"]) == (2, 2, 2, {})
    feed.publish(*FEED[2:])
    file = feed.folder / "w.duckdb"
    told = said(feed.run("warehouse", "rebuild", "--from", "snapshot", "--file", str(file), "--json"))
    assert (told["messages"], told["skipped"], told["without_data"]) == (len(FEED), 0, [])
    assert told["marks"].keys() >= first["marks"].keys()
    assert told["tail_from"] == first["tail_from"]
    assert tables(file) == made_of(*FEED)
    shown = feed.run("feed", "snapshot")
    assert "snapshot 3 (history): 4 messages" in shown.output
    assert "2 messages read from" in shown.output


def test_tables_with_rows_are_refused_unless_named(feed: Feed) -> None:
    """What is there and the feed never said would stay."""
    feed.publish(*FEED)
    said(feed.run("feed", "snapshot", "--newest", "--json"))
    rebuilding = ("warehouse", "rebuild", "--from", "snapshot", "--newest", "--file", str(feed.folder / "w.duckdb"))
    shown = feed.run(*rebuilding)
    assert "after these records" in shown.output
    assert "or, by time, from 20" in shown.output
    assert "--into-existing" in str(feed.run(*rebuilding).exception)
    again = feed.run(*rebuilding, "--into-existing", "--no-tail", "--json")
    assert said(again)["messages"] == 3
    assert tables(feed.folder / "w.duckdb")["golden_record"] == made_of(*FEED)["golden_record"]


def test_data_that_are_gone_end_with_one(feed: Feed) -> None:
    """The rest is applied, and the change is named."""
    feed.publish(*FEED, upsert(5, "g5", ["crm/5"], values={"name": "x" * 70_000}))
    claims = FolderObjects(feed.folder / "archive" / "claims")
    claims.delete([each.name for each in claims.list("")])
    assert said(feed.run("feed", "snapshot", "--json"))["without_data"] == 1
    file = feed.folder / "w.duckdb"
    told = said(feed.run("warehouse", "rebuild", "--from", "snapshot", "--file", str(file), "--json"), 1)
    assert (told["messages"], told["without_data"]) == (len(FEED), ["person/1/5"])
    assert tables(file) == made_of(*FEED)


def test_from_an_archive_it_needs_rules(feed: Feed) -> None:
    """And options of snapshots are refused."""
    rebuilding = ("warehouse", "rebuild", "--from", "archive", "--file", str(feed.folder / "w.duckdb"))
    assert "--rules" in str(feed.run(*rebuilding).exception)
    assert "are of snapshots" in str(feed.run(*rebuilding, "--newest").exception)
    assert said(feed.run(*rebuilding, "--rules", "person", "--json"))["messages"] == 0


def test_without_a_snapshot_it_says_how_to_take_one(feed: Feed) -> None:
    """Exit code 1, and a sentence."""
    rebuilding = ["warehouse", "rebuild", "--from", "snapshot", "--file", str(feed.folder / "w.duckdb")]
    assert run([*rebuilding, *feed.arguments]) == 1
    assert "mdm-stream feed snapshot" in str(feed.run(*rebuilding).exception)


def test_a_process_that_is_killed_is_run_again(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL in the middle of the snapshot; the second run completes the tables."""
    monkeypatch.setattr(snapshot_fold, "SEQUENCES_PER_GROUP", 1_000)
    messages = [
        upsert(
            n,
            f"g{n % 900}",
            [f"crm/{n % 900}"],
            values={"name": f"n{n}"},
            provenance={"name": origins(f"crm/{n % 900}")},
        )
        for n in range(1, 12_001)
    ]
    feed.publish(*messages, erase(12_001, "crm/7"))
    said(feed.run("feed", "snapshot", "--json"))
    file = feed.folder / "w.duckdb"
    rebuilding = ["warehouse", "rebuild", "--from", "snapshot", "--file", str(file), *feed.arguments]
    program = "import sys; from mdm_stream.cli.main import main; sys.exit(main())"
    process = subprocess.Popen([sys.executable, "-c", program, *rebuilding], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "applying the snapshot" in process.stderr.readline()
    process.send_signal(signal.SIGKILL)
    assert process.wait(LINE_TIMEOUT_S) == -signal.SIGKILL
    process.stderr.close()
    assert 0 < len(tables(file)["golden_history"]) < len(messages)
    told = said(
        feed.run("warehouse", "rebuild", "--from", "snapshot", "--file", str(file), "--into-existing", "--json")
    )
    assert told["messages"] == len(messages) + 1
    assert tables(file) == made_of(*messages, erase(12_001, "crm/7"))
