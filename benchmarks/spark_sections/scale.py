"""F on Spark by size: seconds, memory, and what the driver holds; skewed keys; and Splink on the same records.

Each size is an archive of its own of as many generated records, recomputed by a process of its own
(``recompute_child``) on two cores. Its memory is sampled from /proc over the whole tree (Python driver, Java, Python
workers), which is ended above ``LIMIT_BYTES``. With ``local[2]`` driver and executors are one Java process of a fixed
heap, so that its size says nothing of the driver: the driver is judged by what its Python process holds, by what is
alive on the heap after a collection when all is done, and by the bytes that tasks sent to it, from Spark's event log.

CPU seconds stand beside seconds: those hold on a machine that is busy otherwise, and it is by them that growth is
judged. ``MDM_SPARK_SIZES=100000,300000`` takes other sizes than ``SIZES``.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archived_events import archive_events
from histories import RULES_DEFAULT
from placeholder_storm import storm_events
from process_memory import DRIVER, JAVA, MB, WORKERS, TreeUse, watched
from rebuild import fill_archive
from show import Show
from spark_events import EventLog, read_events, spark_defaults
from splink_rules import splink_settings, write_splink_records

from mdm_stream.core.model import RecordEvent
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.rules import load_ruleset
from mdm_stream.simulate.stream import PEOPLE_MAX

ROOT = Path(__file__).resolve().parents[2]
SPLINK = ROOT / "build" / "splink" / "bin" / "python"
SIZES_VARIABLE = "MDM_SPARK_SIZES"
SIZES = (100_000, 300_000, 1_000_000)
SKEWED_RECORDS = 5_000
SKEWED_BLOCKS = 40
FLOOD_RECORDS = 2_000
MATCHING = ("blocks", "scored", "edges", "links-")
LINKS_OFF_MAX = 0.02
GROWTH_MAX = 1.3
DRIVER_GROWTH_MAX = 1.1
TASK_RESULT_BYTES_MAX = 32 * MB
LIMIT_BYTES = 6 * 1024 * MB
LONGEST_TO_MEDIAN_MAX = 2.0
SPLINK_MEMORY = "3GB"


@dataclass(frozen=True, slots=True)
class Taken:
    """What recomputing an archive took, and what it made (``recompute_child``)."""

    made: dict[str, Any]
    use: TreeUse
    log: EventLog

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all processes."""
        return sum(self.use.cpu_s.values())


def figures(show: Show, scratch: Path) -> None:
    """Measure each size, a skewed population, and Splink on the smallest."""
    sizes = [int(size) for size in os.environ.get(SIZES_VARIABLE, "").split(",") if size] or SIZES
    taken: dict[int, Taken] = {}
    for size in sizes:
        taken[size] = _recomputed(show, scratch / f"{size}", size)
    _growth(show, taken)
    _driver(show, taken)
    _beside_splink(show, scratch / f"{sizes[0]}", taken[sizes[0]])
    _skew(show, scratch / "skewed")


def _recomputed(show: Show, folder: Path, size: int, *, skewed: bool = False) -> Taken:
    rules = load_ruleset(RULES_DEFAULT)
    people = min(size, PEOPLE_MAX)
    archived = fill_archive(folder / "archive", rules, size, people)
    if skewed:
        _add_storm(folder / "archive", rules)
    out = folder / "out.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "recompute_child.py")]
    command += [str(folder / "archive"), str(folder / "work"), str(RULES_DEFAULT), str(out)]
    env = {**os.environ, "SPARK_CONF_DIR": str(spark_defaults(folder / "conf"))}
    code, use = watched(command, env=env, limit_bytes=LIMIT_BYTES)
    if code:
        what = "more memory than it may have" if use.exceeded else f"exit code {code}"
        raise RuntimeError(f"recomputing {size:,} records ended with {what}")
    found = Taken(json.loads(out.read_text()), use, read_events(folder / "conf"))
    made = found.made
    show.fact(
        f"{len(archived.refs):,} records, {made['events']:,} events",
        f"{made['seconds']:.0f} s and {found.cpu_s:.0f} s CPU (Java {use.cpu_s[JAVA]:.0f}, Python "
        f"{use.cpu_s[WORKERS]:.0f}), {made['events'] / made['seconds']:,.0f} events/s; load {os.getloadavg()[0]:.1f}",
    )
    return found


def _growth(show: Show, taken: dict[int, Taken]) -> None:
    for (small, before), (large, after) in zip(list(taken.items()), list(taken.items())[1:], strict=False):
        times = after.made["events"] / before.made["events"]
        cpu, seconds = after.cpu_s / before.cpu_s / times, after.made["seconds"] / before.made["seconds"] / times
        show.figure(f"{small:,} to {large:,} records, {times:.2f} times the events: growth of CPU seconds",
                    f"{cpu:.2f} times linear (of seconds: {seconds:.2f})", floor=f"at most {GROWTH_MAX}",
                    holds=cpu <= GROWTH_MAX)  # fmt: skip


def _driver(show: Show, taken: dict[int, Taken]) -> None:
    for size, found in taken.items():
        use, made = found.use, found.made
        show.figure(
            f"{size:,} records: peak memory of all processes",
            f"{use.total // MB:,} MB (Python driver {use.parts[DRIVER] // MB}, Java {use.parts[JAVA] // MB:,}, Python "
            f"workers {use.parts[WORKERS] // MB:,})",
            floor=f"at most {LIMIT_BYTES // MB:,} MB", holds=not use.exceeded,
        )  # fmt: skip
        most = found.log.result_bytes_of_a_stage_max
        show.figure(
            f"{size:,} records: what one stage's tasks sent to the driver, at most", f"{most / MB:.1f} MB; all "
            f"{found.log.tasks:,} tasks {found.log.result_bytes / MB:.1f} MB; alive on Java's heap at the end "
            f"{made['java_live_bytes'] / MB:.0f} MB", floor=f"{TASK_RESULT_BYTES_MAX // MB} MB",
            holds=most <= TASK_RESULT_BYTES_MAX,
        )  # fmt: skip
    if len(taken) < 2:
        show.fact("growth of the Python driver", "not measured with one size")
        return
    first, *_, last = taken.values()
    times = last.use.parts[DRIVER] / first.use.parts[DRIVER]
    show.figure("peak memory of the Python driver, of the largest size to the smallest", f"{times:.2f} times",
                floor=f"at most {DRIVER_GROWTH_MAX}", holds=times <= DRIVER_GROWTH_MAX)  # fmt: skip


def _beside_splink(show: Show, folder: Path, own: Taken) -> None:
    if not SPLINK.exists():
        said = "skipped: Splink is not installed; `make splink` does it"
        if "scale" in show.only:
            show.figure("Splink on the same records", said, floor="Splink is installed", holds=False)
        else:
            show.fact("Splink on the same records", said)
        return
    rules = load_ruleset(RULES_DEFAULT)
    records, left_out = write_splink_records(Path(own.made["tables"]), rules, folder / "splink.parquet")
    (folder / "splink.json").write_text(json.dumps(splink_settings(rules)))
    out = folder / "splink-out.json"
    command = [str(SPLINK), str(ROOT / "benchmarks" / "splink_child.py"), str(folder / "splink.parquet")]
    command += [str(folder / "splink.json"), str(out), str(rules.match.link), "2", SPLINK_MEMORY]
    code, use = watched(command, limit_bytes=LIMIT_BYTES)
    if code:
        raise RuntimeError(f"Splink ended with exit code {code}")
    found, stages = json.loads(out.read_text()), own.made["stages"]
    matching_s = sum(seconds for name, seconds in stages.items() if name.startswith(MATCHING))
    cpu_s = sum(use.cpu_s.values())
    show.fact(
        f"Splink {found['version']} on DuckDB {found['duckdb']}, {records:,} standardised records, keys given",
        f"{found['seconds']:.0f} s and {cpu_s:.0f} s CPU (blocking {found['blocked_s']:.1f} s, scoring "
        f"{found['scored_s']:.1f}, clusters {found['clustered_s']:.1f}), peak {use.total // MB:,} MB; "
        f"{found['pairs']:,} distinct pairs, {found['links']:,} links, {found['clusters']:,} clusters; {left_out:,} "
        "values and keys after the first of a record were left out",
    )
    show.fact(
        "F on the same, from blocking to components", f"{matching_s:.0f} s; {own.made['pairs']:,} pairs, counted in "
        f"each block; {own.made['links']:,} links, {own.made['golden']:,} golden records; all of F "
        f"{own.made['seconds']:.0f} s and {own.cpu_s:.0f} s CPU, peak {own.use.total // MB:,} MB",
    )  # fmt: skip
    show.fact(
        "what F does and Splink does not",
        "decodes and folds events, standardises, derives keys, applies deterministic rules, verdicts, overrides and "
        "erasures, keeps a review queue, holds clusters to their limits, refuses links between what is kept apart, ids "
        "that last, survivorship and provenance, tables on disk that a killed job goes on with",
    )
    show.fact("what Splink does and F does not", "estimates m and u by expectation maximisation (not run here), charts")
    off = abs(found["links"] - own.made["links"]) / own.made["links"]
    show.figure("links of Splink that F has fewer or more of: that the rules are equivalent", f"{off:.2%}",
                floor=f"at most {LINKS_OFF_MAX:.0%}", holds=off <= LINKS_OFF_MAX)  # fmt: skip


def _skew(show: Show, folder: Path) -> None:
    found = _recomputed(show, folder, SKEWED_RECORDS, skewed=True)
    made, scoring = found.made, found.log.heaviest("scored")
    show.fact("skewed keys", f"{made['suspended']:,} suspended, the largest {made['largest']:,} records; "
              f"{made['pairs']:,} pairs in the others")  # fmt: skip
    longest, median = max(scoring.seconds), statistics.median(scoring.seconds)
    show.figure(
        f"{SKEWED_BLOCKS} keys of the most records that may share one: the longest of {len(scoring.seconds)} scoring "
        "tasks to the one in the middle", f"{longest:.1f} s, {longest / median:.2f} times",
        floor=f"at most {LONGEST_TO_MEDIAN_MAX:g} times",
        holds=longest <= LONGEST_TO_MEDIAN_MAX * median and made["suspended"] > 0,
    )  # fmt: skip


def _add_storm(archive: Path, rules: Ruleset) -> None:
    """Add blocks of exactly as many records as may share a key, and one that many more share."""
    full = storm_events(rules, "open", SKEWED_BLOCKS * rules.max_block_size)
    flood = storm_events(rules, "phone", FLOOD_RECORDS)
    moved = (replace(event, record_id=f"flood-{event.record_id}") for event in flood if isinstance(event, RecordEvent))
    archive_events(archive, rules, [*full, *moved])
