"""One run of Splink on DuckDB, by its own environment's Python (``make splink``): nothing of this project is imported.

    build/splink/bin/python benchmarks/splink_child.py RECORDS SETTINGS OUT THRESHOLD CORES MEMORY

RECORDS is a Parquet file, SETTINGS and OUT are JSON. Seconds are of blocking and scoring, and of clustering.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import duckdb
import splink
from splink import DuckDBAPI, Linker


def main(records: str, settings: str, out: str, threshold: str, cores: str, memory: str) -> None:
    """Block, score and cluster."""
    connection = duckdb.connect(config={"threads": int(cores), "memory_limit": memory})
    connection.sql(f"CREATE TABLE records AS SELECT * FROM '{records}'")
    began_s = time.monotonic()
    linker = Linker(DuckDBAPI(connection).register(connection.table("records")), json.loads(Path(settings).read_text()))
    blocked = linker.inference.compute_blocked_pairs_for_predict()
    pairs = _count(connection, blocked.physical_name)
    blocked_s = time.monotonic() - began_s
    links = linker.inference.predict(threshold_match_probability=float(threshold), warning_mode="never")
    scored_s = time.monotonic() - began_s
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(links, float(threshold))
    seconds = time.monotonic() - began_s
    found = {
        "version": splink.__version__,
        "duckdb": duckdb.__version__,
        "seconds": seconds,
        "blocked_s": blocked_s,
        "scored_s": scored_s - blocked_s,
        "clustered_s": seconds - scored_s,
        "pairs": pairs,
        "links": _count(connection, links.physical_name),
        "clusters": _count(connection, f"(SELECT DISTINCT cluster_id FROM {clusters.physical_name})"),
    }
    Path(out).write_text(json.dumps(found))


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(connection.sql(f"SELECT count(*) FROM {table}").fetchall()[0][0])


if __name__ == "__main__":
    main(*sys.argv[1:])
