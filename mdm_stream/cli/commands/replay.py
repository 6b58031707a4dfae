"""``mdm-stream replay``: event files through the real engine, results as files."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

import click

from mdm_stream.cli.event_inputs import EventInput, checked_inputs, named_inputs, refuse, require_files
from mdm_stream.cli.output import json_option, print_json, print_table, progress
from mdm_stream.core.file_rules import REJECTED_SHARE_MAX
from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.wire_formats import WIRE_FORMATS, FormatName
from mdm_stream.local.servers.redis import RedisServer
from mdm_stream.replay.run import replay as run_replay
from mdm_stream.replay.schedule import Rejected, disturbed, read_files, read_rows
from mdm_stream.rules import load_rulesets

BATCH_SIZE_MAX = 10_000
WORKERS_MAX = 64
WORKER_BYTES_MIN = 4 * 1024**2
"""Bytes of files for each process, unless their number is given: to start one takes as long as some thousand rows."""
UNASKED_WORKERS_MAX = 4
"""Processes, unless their number is given: each has some 300 MB."""


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option("--rules", "rule_files", required=True, multiple=True, help="A rule set (file or pack); one a domain.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="The folder for results.")
@click.option("--format", "format_", type=click.Choice(list(WIRE_FORMATS)), default=None,
              help="Default: CSV by the file's name, the others by the shape of each line.")  # fmt: skip
@click.option(
    "--source",
    "sources",
    multiple=True,
    help="The source of CSV rows without one, and of CDC rows of any table: one, or one a file.",
)
@click.option("--as-of", metavar="TIME", help="The time of a CSV load; that of the file if left out.")
@click.option(
    "--max-rejected",
    type=click.FloatRange(0, 1),
    default=REJECTED_SHARE_MAX,
    show_default=True,
    help="Stop if more of a CSV file's rows cannot be read.",
)
@click.option("--dry-run", is_flag=True, help="Check the CSV files alone.")
@click.option("--batch-size", type=click.IntRange(1, BATCH_SIZE_MAX), default=200, show_default=True)
@click.option(
    "--workers",
    type=click.IntRange(1, WORKERS_MAX),
    default=None,
    help="Processes.  [default: 1 each 4 MB, at most one a core, and 4]",
)
@click.option("--shuffle", type=int, default=None, metavar="SEED", help="Deliver in a random order.")
@click.option("--duplicate", type=click.FloatRange(0, 1), default=0.0, metavar="FRACTION", help="Deliver some twice.")
@click.option("--redis", "redis_url", default=None, metavar="URL", help="Default: one that lives as long as the run.")
@json_option
def replay(
    *,
    files: tuple[str, ...],
    rule_files: tuple[str, ...],
    out: Path,
    format_: FormatName | None,
    sources: tuple[str, ...],
    as_of: str | None,
    max_rejected: float,
    dry_run: bool,
    batch_size: int,
    workers: int | None,
    shuffle: int | None,
    duplicate: float,
    redis_url: str | None,
    as_json: bool,
) -> None:
    """Run event FILES (.gz too) through the engine, and write crosswalk, golden records, review queue and feed.

    The order of delivery, duplicates, batches and workers change nothing but the feed's order.
    """
    rulesets = load_rulesets(rule_files)
    inputs = named_inputs(files, format_, sources, as_of, time.time_ns() // 1_000)
    require_files((given.name, given.path) for given in inputs)
    checked, refused = checked_inputs(inputs, rulesets, rejected_share_max=max_rejected)
    if as_json and (refused or dry_run):
        print_json({"files": checked.documents(), "refused": refused})
    refuse(refused, "nothing was replayed")
    if dry_run:
        return
    ignored: Counter[str] = Counter()
    found = chain(*(_items_of(given, rulesets, lambda: ignored.update(("rows",))) for given in inputs))
    items = disturbed(found, shuffle, duplicate)
    with ExitStack() as stack:
        if redis_url is None:
            redis_url = stack.enter_context(RedisServer()).url
        advance = stack.enter_context(progress())
        stats = run_replay(
            items,
            rulesets,
            out,
            batch_size=batch_size,
            workers=workers or _workers_for(inputs),
            redis_url=redis_url,
            on_progress=lambda done: advance("events", done, 0),
            ignored=ignored.total,
        )
    if as_json:
        print_json(stats)
    else:
        by_source, set_aside = stats.pop("absorbed_later_by_source"), stats.pop("values_set_aside")
        rows = [(name.replace("_", " "), f"{value:,}") for name, value in stats.items()]
        rows += [(f"absorbed later, of {source}", f"{count:,}") for source, count in by_source.items()]
        rows += [(f"set aside, {why}", f"{count:,}") for why, count in set_aside.items()]
        print_table(str(out), ("", "value"), rows)


def _workers_for(inputs: Sequence[EventInput]) -> int:
    """Return how many processes files are worth: of what is small, starting one takes longer than the work."""
    size_bytes = sum(given.size_and_time[0] for given in inputs)
    return max(1, min(size_bytes // WORKER_BYTES_MIN, _cores(), UNASKED_WORKERS_MAX))


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _items_of(
    given: EventInput, rulesets: Mapping[str, Ruleset], on_ignored: Callable[[], None]
) -> Iterator[ChangeEvent | Rejected]:
    if given.is_csv:
        return read_rows(given.pieces(), given.name, given.source, rulesets, given.loaded_at_us)
    return read_files([Path(str(given.path))], given.format, given.source, rulesets, on_ignored)
