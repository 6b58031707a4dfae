"""Recompute one archive on two local cores: ``spark_sections/scale.py`` starts it, a process for each size.

    python benchmarks/recompute_child.py ARCHIVE WORK RULES OUT [--block-size N]

Writes seconds, stages and counts to OUT as JSON. The tables stay in WORK for who wants to read them.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from mdm_stream.rebuild.kept import digest_of_exclusions
from mdm_stream.reconcile.folded_states import ArchiveAt
from mdm_stream.reconcile.recompute import Recomputed, recompute
from mdm_stream.reconcile.session import local_session
from mdm_stream.reconcile.workspace import Workspace
from mdm_stream.rules import load_ruleset

CORES = 2


def main() -> None:
    """Recompute, and write what it took."""
    options = _options()
    rules = load_ruleset(options.rules)
    if options.block_size:
        rules = replace(rules, digest=f"limited-{rules.digest}", max_block_size=options.block_size)
    stages: dict[str, float] = {}
    began_s = time.monotonic()
    session = local_session(CORES, options.work / "spark")
    started_s = time.monotonic() - began_s
    workspace = Workspace(session, str(options.work / "tables"), stages.__setitem__)
    began_s = time.monotonic()
    found = recompute(session, workspace, rules, ArchiveAt(options.archive.as_uri()))
    seconds = time.monotonic() - began_s
    options.out.write_text(json.dumps({
        "seconds": seconds,
        "started_s": started_s,
        "stages": stages,
        "tables": str(options.work / "tables" / digest_of_exclusions(())),
        "java_live_bytes": _live_bytes(session),
        **_counts(found),
    }))  # fmt: skip
    session.stop()


def _counts(found: Recomputed) -> dict[str, Any]:
    state = found.state
    return {
        "events": found.counters.events,
        "objects": len(found.objects),
        "records": state.records.where("live").count(),
        "keys": state.blocks.keys,
        "suspended": state.blocks.suspended,
        "largest": state.blocks.largest,
        "pairs": state.blocks.pairs,
        "links": state.links.where("link").count(),
        "golden": state.golden.count(),
        "review": state.review.count(),
        "rounds": state.rounds,
    }


def _live_bytes(session: Any) -> int:
    """Return what is alive on Java's heap when the work is done: what the driver would keep while a session goes on."""
    java = session.sparkContext._jvm.java.lang  # noqa: SLF001 - Spark's Python has no other way
    java.System.gc()
    runtime = java.Runtime.getRuntime()
    return int(runtime.totalMemory() - runtime.freeMemory())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("archive", "work", "rules", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--block-size", type=int, default=0, help="records that may share a key; 0: as the rules say")
    return parser.parse_args()


if __name__ == "__main__":
    main()
