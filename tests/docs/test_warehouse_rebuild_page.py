"""What docs/operate/warehouse-rebuild.md shows works: its commands run in their order, its names are the code's."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from feed_messages import contents, erase, origins, upsert
from feed_snapshots import raw
from source_tree import ROOT

from mdm_stream.aws.loopback import loopback_environment
from mdm_stream.cli.main import run
from mdm_stream.feed.publisher import FeedPublisher
from mdm_stream.feed.snapshot_store import FOLDER, KINDS
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.warehouse import DuckDbWarehouse

PAGE = (ROOT / "docs" / "operate" / "warehouse-rebuild.md").read_text("utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
FEED = [
    upsert(1, "g1", ["crm/1"], values={"name": "Ada"}, provenance={"name": origins("crm/1")}),
    upsert(2, "g2", ["crm/2"]),
    erase(3, "crm/1"),
]


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Path]:
    """The consumers' settings in the environment, and a feed; returns the warehouse's file."""
    with KinesisServer() as server, pytest.MonkeyPatch.context() as patch:
        server.client().create_stream(StreamName="golden", ShardCount=1)
        FeedPublisher(server.client(), "golden").publish([(each.subject, raw(each)) for each in FEED])
        found = {
            **loopback_environment(server.endpoint_url, server.keys, {}),
            "MDM_RULES": "person",
            "MDM_REDIS_URL": "redis://127.0.0.1:1/0",
            "MDM_CHANGES_STREAM": "changes",
            "MDM_GOLDEN_STREAM": "golden",
            "MDM_KINESIS_ENDPOINT_URL": server.endpoint_url,
            "MDM_QUARANTINE_URL": (tmp_path / "quarantine").as_uri(),
            "MDM_ARCHIVE_URL": (tmp_path / "archive").as_uri(),
            "MDM_SNAPSHOTS_URL": (tmp_path / "elsewhere").as_uri(),
            "MDM_WAREHOUSE_DUCKDB_PATH": str(tmp_path / "w.duckdb"),
        }
        for name, value in found.items():
            patch.setenv(name, value)
        yield tmp_path / "w.duckdb"


def test_the_commands_run_in_their_order(settings: Path) -> None:
    """Snapshots are taken, and the warehouse is filled from them; it has then what the feed said."""
    assert len(COMMANDS) >= 5
    for command in COMMANDS:
        program, *arguments = shlex.split(command)
        assert program == "mdm-stream"
        assert run(arguments) == 0, command
    expected = DuckDbWarehouse(":memory:")
    expected.apply(FEED)
    found = DuckDbWarehouse(settings, read_only=True)
    assert contents(found)["golden_history"] == contents(expected)["golden_history"]
    found.close()
    assert {folder.name for folder in (settings.parent / "elsewhere").iterdir()} >= set(KINDS)


def test_the_kinds_and_the_folder_are_those_of_the_code() -> None:
    """A name that changes has to change on the page."""
    assert re.findall(r"^\| `([a-z]+)` \(", PAGE, re.MULTILINE) == list(KINDS)
    assert f"`…/{FOLDER}`" in PAGE
