"""A batch that is done with no replica of the index's server is counted, and told of when that begins."""

from __future__ import annotations

from resolver_world import World, upsert
from valkey_cluster import Node, replicated_pair, until

from mdm_stream.index.redis.client import open_client, primaries_without_replica, replicas_of

TIMEOUT_S = 3.0


def follow(replica: Node, primary: Node) -> None:
    """Let a replica follow its primary."""
    replica.ask("REPLICAOF", primary.host, primary.port)
    until(lambda: replica.ask("INFO", "replication")["master_link_status"] == "up", "it follows")


def test_batches_are_counted_while_no_replica_follows_and_told_of_once(tmp_path):
    """Once each time that it begins; not while one acknowledges."""
    (tmp_path / "pair").mkdir()
    with replicated_pair(tmp_path / "pair") as (primary, replica):
        client = open_client(f"redis://{primary.host}:{primary.port}", TIMEOUT_S)
        world = World(client, tmp_path)
        report = world.handle(upsert("1"))
        assert (report.first_failed, report.unreplicated, report.replicas_gone) == (None, set(), [])
        assert (replicas_of(client, "any"), primaries_without_replica(client)) == (1, 0)
        for round_ in range(2):
            replica.stop(kill=True)
            until(lambda: replicas_of(client, "any") == 0, "the primary has noticed")
            assert primaries_without_replica(client) == 1
            for number in range(2):
                report = world.handle(upsert("1", 10 * round_ + number + 2))
                assert (report.first_failed, report.unreplicated) == (None, {"person"})
                assert report.replicas_gone == ["person"][number:]
            replica.start()
            until(replica.answers, "it answers")
            follow(replica, primary)
            until(lambda: replicas_of(client, "any") == 1, "the primary has noticed")
            report = world.handle(upsert("1", 10 * round_ + 9))
            assert (report.first_failed, report.summary()["unreplicated"], report.replicas_gone) == (None, [], [])
