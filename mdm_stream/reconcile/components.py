"""Connected components of a graph that no one machine holds: alternating large and small stars.

Kiveris and others, *Connected Components in MapReduce and Beyond* (SoCC 2014): each node links all its greater
neighbours to the least node that it knows (large star), then all its smaller ones and itself to the least of them
(small star). Both keep what is connected connected, and after a number of rounds that grows with the logarithm of the
longest path every node points to the least node of its component, which is when a round changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mdm_stream.errors import TerminalError
from mdm_stream.reconcile.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ROUNDS_MAX = 60
"""Rounds before it is given up on. A path of a billion records takes some 30."""


def component_roots(workspace: Workspace, links: DataFrame, rounds_max: int = ROUNDS_MAX) -> tuple[DataFrame, int]:
    """Return ``rid, root`` of each record that has a link, and the rounds it took.

    ``links`` has ``a_rid`` and ``b_rid``; ``root`` is the least number in the component. ``TerminalError`` if a round
    still changed something after ``rounds_max``.
    """
    edges = workspace.keep(
        "links-0", lambda: links.selectExpr("greatest(a_rid, b_rid) AS u", "least(a_rid, b_rid) AS v").distinct()
    )
    before = _mark(edges)
    for number in range(1, rounds_max + 1):
        edges = workspace.keep(f"links-{number}", lambda edges=edges: _small_star(_large_star(edges)))  # type: ignore[misc]
        after = _mark(edges)
        workspace.drop(f"links-{number - 1}")
        if after == before:
            roots = edges.selectExpr("u AS rid", "v AS root")
            return roots.unionByName(edges.selectExpr("v AS rid", "v AS root").distinct()), number
        before = after
    raise TerminalError(
        f"connected components still changed after {rounds_max} rounds; raise the limit of rounds (--rounds-max)"
    )


def _large_star(edges: DataFrame) -> DataFrame:
    """Link each node's greater neighbours to the least node that it knows, itself included."""
    both = edges.select("u", "v").unionByName(edges.selectExpr("v AS u", "u AS v"))
    least = both.groupBy("u").agg(_least("v")).selectExpr("u", "least(u, m) AS m")
    return both.join(least, "u").where("v > u").selectExpr("v AS u", "m AS v").distinct()


def _small_star(edges: DataFrame) -> DataFrame:
    """Link each node's smaller neighbours, and the node itself, to the least of them."""
    least = edges.groupBy("u").agg(_least("v"))
    others = edges.join(least, "u").where("v <> m").selectExpr("v AS u", "m AS v")
    return others.unionByName(least.selectExpr("u", "m AS v")).distinct()


def _least(column: str) -> Any:
    from pyspark.sql import functions as F  # noqa: PLC0415, N812 - Spark's own name

    return F.min(column).alias("m")


def _mark(edges: DataFrame) -> tuple[int, int]:
    """Return what two equal sets of edges have in common, and two that differ (but for one case in 2^64) have not."""
    row = edges.selectExpr("count(*) AS edges", "coalesce(bit_xor(xxhash64(u, v)), 0) AS digest").first()
    assert row is not None  # an aggregate without groups has one row
    return int(row["edges"]), int(row["digest"])
