"""Snapshots of the feed are a place that holds values: they are searched and erased from like the others."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import boto3
import pytest
from erase_world import RULES, World, places_of, upsert
from feed_messages import contents
from feed_snapshots import names_in
from moto import mock_aws

from mdm_stream.aws.read_shards import StreamReader
from mdm_stream.erasure import in_snapshots
from mdm_stream.erasure.in_snapshots import erase_in_snapshots
from mdm_stream.feed.snapshot import SnapshotReport, TakeSnapshot
from mdm_stream.feed.snapshot_store import FeedSnapshots, OvertakenError
from mdm_stream.objects.s3 import S3Objects
from mdm_stream.rebuild.warehouse_fill import WarehouseFill
from mdm_stream.warehouse import DuckDbWarehouse
from mdm_stream.warehouse.feed_redaction import redact_message

REF, OTHER = "crm/p-7", "erp/p-7"
MARKER, KEPT = "quendolberga@marker.example", "kept@example.org"


def take(world: World, kind: Any = "history", snapshots: FeedSnapshots | None = None) -> SnapshotReport:
    """Take a snapshot of the world's feed."""
    reader = StreamReader(world.kinesis, world.golden)
    taking = TakeSnapshot(
        snapshots or world.snapshots, reader, world.golden, follow=world.claims.fetch, redact=redact_message
    )
    return taking.run(kind)


def holds(world: World, text: str) -> bool:
    """Whether any part of any snapshot has a text."""
    return any(text.encode() in content for _, content in world.snapshots.each_content())


@pytest.fixture
def snapped(world: World) -> World:
    """A world of which both kinds of snapshot were taken, with values of two records."""
    world.send(upsert(REF, email=[MARKER]), upsert(OTHER, email=[KEPT]))
    take(world)
    take(world, "newest")
    return world


def test_an_erasure_reaches_every_snapshot(snapped: World) -> None:
    """Found before, named in the receipt, none after; what others said stays, and older objects are gone."""
    assert holds(snapped, MARKER)
    assert places_of(snapped.search(MARKER))["feed_snapshots"] >= 2
    receipt, left = snapped.erase(REF)
    assert receipt.stores["feed_snapshots"].found == receipt.stores["feed_snapshots"].removed >= 2
    assert "feed_snapshots" not in places_of(left)
    assert not holds(snapped, MARKER)
    assert holds(snapped, KEPT)
    named = {part.name for kind in ("history", "newest") for part in snapped.snapshots.latest(kind).parts}
    assert named == {name for name in names_in(snapped.snapshot_objects) if "/parts/" in name}
    assert "feed_snapshots" not in places_of(snapped.search(MARKER))


def test_a_part_that_no_manifest_names_is_found_and_goes(snapped: World) -> None:
    """A run that was killed left it; it holds values all the same."""
    [part, *_] = snapped.snapshots.latest("history").parts
    orphan = part.name.replace("0000000000", "0000000000", 1).replace(part.sha256, "0" * 64)
    snapped.snapshot_objects.put(orphan, snapped.snapshot_objects.get(part.name))
    before = places_of(snapped.search(MARKER))["feed_snapshots"]
    snapped.snapshot_objects.delete([part.name])
    assert 0 < places_of(snapped.search(MARKER))["feed_snapshots"] < before
    snapped.snapshot_objects.put(part.name, snapped.snapshot_objects.get(orphan))
    snapped.erase(REF)
    assert not holds(snapped, MARKER)
    assert orphan not in names_in(snapped.snapshot_objects)


def test_the_next_snapshot_brings_nothing_back(snapped: World) -> None:
    """The stream still has what the record said; the rebuilt warehouse is the one that was erased from."""
    snapped.erase(REF)
    take(snapped)
    assert not holds(snapped, MARKER)
    snapped.snapshot_objects.delete(names_in(snapped.snapshot_objects))
    take(snapped)  # anew, from the oldest message
    assert not holds(snapped, MARKER)
    rebuilt = DuckDbWarehouse(":memory:")
    WarehouseFill(rebuilt, follow=snapped.claims.fetch).apply_snapshot(snapped.snapshots, "history")
    with closing(DuckDbWarehouse(snapped.warehouse_file, read_only=True)) as erased:
        expected = contents(erased)
    assert contents(rebuilt) == expected
    assert rebuilt.mentions("person", "crm", "p-7") == []
    rebuilt.close()


def test_a_run_that_an_erasure_overtakes_writes_no_more(snapped: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it leave what it has written: it need not come to its end for that."""
    base = snapped.snapshots.latest("history")
    lines = [line for _, several in snapped.snapshots.lines(base.parts) for line in several]
    messages = [("mdm.golden.upserted", line) for line in lines]
    snapped.snapshots.put_part(base, "late", messages, ())
    snapped.erase(REF)
    assert not holds(snapped, MARKER)
    with pytest.raises(OvertakenError):
        snapped.snapshots.put_part(base, "later", messages, ())
    assert not holds(snapped, MARKER)
    # One that looked just before the erasure was published, and wrote just after: its next part takes both away.
    with monkeypatch.context() as late:
        late.setattr(FeedSnapshots, "_require_latest", lambda *_: None)
        snapped.snapshots.put_part(base, "later", messages, ())
    assert holds(snapped, MARKER)
    with pytest.raises(OvertakenError):
        snapped.snapshots.put_part(base, "latest", messages[:1], ())
    assert not holds(snapped, MARKER)


def test_a_run_that_read_before_the_erasure_is_overtaken(snapped: World) -> None:
    """It has the values in what it read, and publishes none of it."""
    snapped.send(upsert(REF, version=2, email=["second." + MARKER]))

    class Late(FeedSnapshots):
        def publish(self, manifest: Any) -> None:
            """Publish, after an erasure that was done meanwhile."""
            assert holds(snapped, "second." + MARKER)
            snapped.erase(REF)
            super().publish(manifest)

    with pytest.raises(OvertakenError):
        take(snapped, snapshots=Late(snapped.snapshot_objects))
    assert not holds(snapped, MARKER)


def test_an_erasure_goes_on_from_a_snapshot_that_overtook_it(snapped: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The snapshot that was published first is erased from."""
    real, turns = in_snapshots._left, []

    def meanwhile(*arguments: Any) -> Any:
        yield from real(*arguments)
        if not turns:
            turns.append(snapped.send(upsert(REF, version=2, email=["second." + MARKER])))
            take(snapped)

    monkeypatch.setattr(in_snapshots, "_left", meanwhile)
    erase_in_snapshots(snapped.snapshots, RULES.domain, [REF])
    assert turns
    assert not holds(snapped, MARKER)


def test_where_none_was_ever_taken_none_is_made(world: World) -> None:
    """An erasure leaves no empty snapshots about."""
    world.send(upsert(REF, email=[MARKER]))
    receipt, _ = world.erase(REF)
    assert receipt.stores["feed_snapshots"].found == 0
    assert names_in(world.snapshot_objects) == []


def test_in_a_bucket_with_versions_no_older_version_stays(world: World) -> None:
    """What is removed is removed with all its versions."""
    world.send(upsert(REF, email=[MARKER]))
    keys = {"region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}
    reader = list(StreamReader(world.kinesis, world.golden).records())

    class Listed:
        def records(self, marks: Any = None) -> Any:
            """What was read before AWS was mocked."""
            return iter(reader)

    with mock_aws():
        client = boto3.client("s3", **keys)
        client.create_bucket(Bucket="snapshots")
        client.put_bucket_versioning(Bucket="snapshots", VersioningConfiguration={"Status": "Enabled"})
        snapshots = FeedSnapshots(S3Objects(client, "snapshots", "feed"))
        TakeSnapshot(snapshots, Listed(), world.golden, follow=world.claims.fetch, redact=redact_message).run()
        assert erase_in_snapshots(snapshots, RULES.domain, [REF]) == 1
        manifest = snapshots.latest("history")
        assert manifest is not None
        kept = {f"feed/{part.name}" for part in manifest.parts}
        versions = client.list_object_versions(Bucket="snapshots")
        assert {each["Key"] for each in versions["Versions"] if "/parts/" in each["Key"]} == kept
        assert "DeleteMarkers" not in versions
