"""Two consumers write one domain while its primary fails over, or is killed with commits that its replica lacks."""

from __future__ import annotations

import time

import pytest
from cluster_load import ClusterLoad
from valkey_cluster import ValkeyCluster

LAG_S = 0.1
BETWEEN = 2
STEADY = {"cluster-node-timeout": 15_000}
"""A busy machine must not look like a node that is gone."""


def test_planned_failovers_under_load_fail_no_batch(tmp_path):
    """The consumers retry inside their calls; the index and what was published are F."""
    with ValkeyCluster(tmp_path, **STEADY) as cluster:
        with ClusterLoad(cluster.url, tmp_path / "load", "planned") as load:
            for _ in range(2):
                load.more(BETWEEN)
                cluster.fail_over(load.root)
            load.more(BETWEEN)
        assert load.failed() == []
        assert load.in_doubt() == []
        assert load.faults() == []


@pytest.mark.parametrize("replicas_min", [0, 1])
def test_commits_that_are_lost_under_load_leave_no_index_in_doubt(tmp_path, replicas_min):
    """They were not witnessed, and so are done again; no number of the feed stands for two changes."""
    with ValkeyCluster(tmp_path, lag_s=LAG_S) as cluster:
        with ClusterLoad(cluster.url, tmp_path / "load", "killed", replicas_min=replicas_min) as load:
            load.more(BETWEEN)
            primary, replica = cluster.pair_of(load.root)
            committed = load.ahead(primary, replica)
            cluster.kill(primary)
            time.sleep(LAG_S)
            assert load.clock(replica) < committed
            cluster.until_taken_over(replica, load.root)
            cluster.bring_back(primary)
            load.more(BETWEEN)
        assert load.in_doubt() == []
        assert load.faults() == []
