"""What files and applications as sources must show, a line a figure with its floor: ``make show-files``.

    python benchmarks/files.py [--only million,killed,...] [--rows 1000000] [--golden-rows 100000] [--kills 20]

A vendor's file goes through S3, the gatekeeper, the queue of chunks and workers to the change stream, on the local
stack: the handlers are those of Lambda, each in processes of its own. ``million`` and ``killed`` take ``--rows`` rows
as far as the change stream, and compare what is on it: the state is a function of that set. ``golden`` takes
``--golden-rows`` rows on to golden records, with and without kills, and compares those; give it as many as the time
allows (the engine takes some 1,000 to 2,000 events/s). The scenarios are smaller. Exits with 1 if a floor is missed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands import run
from file_stack import FileStack, Killer, counts_of, is_consistent
from show import Show
from trees import ROOT
from vendor_file import BAD, RULES, VendorFile, write_roster, write_vendor_file, write_vendor_parquet

from mdm_stream.contracts.file_manifest import FileManifest
from producers.files.build import surroundings_of
from producers.files.operations import release
from producers.files.settings import FileLimits
from producers.files.steps import LoadSteps

ROWS = 1_000_000
GOLDEN_ROWS = 100_000
KILLS = 20
MEMORY_MAX_MB = 256
SCENARIO_ROWS = 2_000
CHUNKS = 50
LOAD_TIMEOUT_S = 7_200.0
OTHERS = {"events_api": "events_api", "contracts": "contract_changes"}
"""Sections of other modules here, left out where the module is not there."""
MODULE_TIMEOUT_S = 1_800
UNBOUNDED = -1


@dataclass(frozen=True, slots=True)
class Run:
    """What one load of a file came to."""

    manifest: FileManifest
    seconds: float
    peaks_mb: dict[str, int]
    rejected: dict[int, set[tuple[str, str]]]
    quarantined: frozenset[str]
    records: int
    distinct: int
    digest: str
    golden: tuple[int, str] = (0, "")
    killed: int = 0
    dead: int = 0


def load(scratch: Path, file: VendorFile, *, kills: int = 0, golden: bool = False, name: str = "vendor.csv") -> Run:
    """Load a file on a stack of its own, and look at all that came of it."""
    chunk_rows = max(200, file.rows // CHUNKS)
    with FileStack(scratch / f"stack-{time.monotonic_ns()}", RULES, chunk_rows=chunk_rows, golden=golden) as stack:
        began_s = time.monotonic()
        key = stack.drop(file.path, "vendor", name)
        if kills:
            with Killer(stack, key, kills, -(-file.rows // chunk_rows), seed=kills) as killer:
                manifest = stack.ended(key, LOAD_TIMEOUT_S)
        else:
            manifest = stack.ended(key, LOAD_TIMEOUT_S)
        seconds = time.monotonic() - began_s
        came_to = stack.golden(LOAD_TIMEOUT_S) if golden else (0, "")
        return Run(
            manifest,
            seconds,
            {name: round(peak / 1024**2) for name, peak in stack.peaks.bytes_of.items()},
            stack.rejected_rows(manifest.load_id),
            stack.quarantined(),
            *stack.events(),
            golden=came_to,
            killed=killer.killed.total() if kills else 0,
            dead=stack.dead_messages(),
        )


class Files:
    """The sections, and the file that some of them share."""

    def __init__(self, scratch: Path, rows: int, golden_rows: int, kills: int) -> None:
        self._scratch, self._rows, self._golden_rows, self._kills = scratch, rows, golden_rows, kills
        self._file: VendorFile | None = None
        self._plain: Run | None = None

    def million(self, show: Show) -> None:
        """A large file to the change stream: rows that add up, the right bad rows, memory, rate."""
        file, run = self._large(), self._undisturbed()
        show.fact("file", f"{file.rows:,} rows, {file.size_bytes / 1e6:,.0f} MB, {len(file.bad):,} bad ones of "
                          f"{len(BAD)} kinds")  # fmt: skip
        manifest = run.manifest
        counts = f"{manifest.accepted:,} + {manifest.rejected:,} + {manifest.skipped:,} = {manifest.rows:,}"
        adds_up = is_consistent(manifest) and (manifest.rows, manifest.state) == (file.rows, "done")
        show.figure(
            "manifest: accepted + rejected + skipped = rows", counts, floor=f"{file.rows:,}, done", holds=adds_up
        )
        _right_rows(show, file, run)
        show.figure("sent, as the manifest and as the stream has it", f"{manifest.sent:,}, {run.distinct:,} distinct",
                    floor="both are the accepted rows",
                    holds=manifest.sent == run.distinct == manifest.accepted)  # fmt: skip
        _memory(show, run)
        show.fact(
            "rows/s from the folder to the end of the load", f"{file.rows / run.seconds:,.0f} ({run.seconds:.0f} s)"
        )

    def parquet(self, show: Show) -> None:
        """A large file in Parquet, which a process beside the gatekeeper reads; memory of both is counted."""
        file = write_vendor_parquet(self._scratch / "large.parquet", self._rows)
        run = load(self._scratch, file, name="vendor.parquet")
        manifest = run.manifest
        is_whole = (manifest.accepted, manifest.rows, manifest.state) == (file.rows, file.rows, "done")
        counts = f"{manifest.accepted:,} of {manifest.rows:,}, {manifest.state}"
        show.figure("manifest: accepted = rows", counts, floor=f"{file.rows:,}, done", holds=is_whole)
        _memory(show, run)
        show.fact("rows/s from the folder to the end of the load", f"{file.rows / run.seconds:,.0f}")

    def killed(self, show: Show) -> None:
        """The same with processes killed at random: the same end state."""
        file, plain = self._large(), self._undisturbed()
        run = load(self._scratch, file, kills=self._kills)
        _same(show, plain, run, self._kills)
        _memory(show, run)
        show.fact("records that were sent twice", f"{run.records - run.distinct:,} of {run.records:,}")
        show.fact("time", f"{run.seconds:.0f} s, undisturbed {plain.seconds:.0f} s")

    def golden(self, show: Show) -> None:
        """As far as golden records, with and without kills."""
        file = write_vendor_file(self._scratch / "golden.csv", self._golden_rows)
        show.fact("rows as far as golden records", f"{file.rows:,} (--golden-rows)")
        plain = load(self._scratch, file, golden=True)
        run = load(self._scratch, file, kills=self._kills, golden=True)
        _same(show, plain, run, self._kills)
        show.figure("golden records, undisturbed and with kills", f"{plain.golden[0]:,} and {run.golden[0]:,}",
                    floor="the same, byte for byte", holds=plain.golden == run.golden)  # fmt: skip
        show.figure("golden records of accepted rows", f"{plain.golden[0]:,} of {plain.manifest.accepted:,}",
                    floor="fewer: twins are one", holds=0 < plain.golden[0] < plain.manifest.accepted)  # fmt: skip

    def twice(self, show: Show) -> None:
        """The same file twice, under two names: one load."""
        file = write_vendor_file(self._scratch / "twice.csv", SCENARIO_ROWS)
        with FileStack(self._scratch / "twice", RULES, chunk_rows=200, golden=True) as stack:
            first = stack.ended(stack.drop(file.path, "vendor", "a.csv"), 300, "done")
            before = stack.golden(300), stack.events(), stack.quarantined()
            second = stack.ended(stack.drop(file.path, "vendor", "b.csv", "2026-02-02"), 300, "done")
            after = stack.golden(300), stack.events(), stack.quarantined()
        show.figure("deliveries of one load", f"{len(second.deliveries)} of load {second.load_id[:8]}",
                    floor="2 of the first one's",
                    holds=len(second.deliveries) == 2 and first.load_id == second.load_id)  # fmt: skip
        show.figure("stream, quarantine and golden records", "unchanged" if before == after else "changed",
                    floor="unchanged", holds=before == after)  # fmt: skip

    def orders(self, show: Show) -> None:
        """Two files that share half of their rows, in both orders: the same state."""
        old = write_vendor_file(self._scratch / "old.csv", SCENARIO_ROWS)
        new = write_vendor_file(self._scratch / "new.csv", SCENARIO_ROWS, first=SCENARIO_ROWS // 2, age=1)
        found = []
        for order in ((old, new), (new, old)):
            with FileStack(self._scratch / f"order-{len(found)}", RULES, chunk_rows=200, golden=True) as stack:
                for file in order:
                    as_of = "2026-02-01" if file is old else "2026-02-02"
                    stack.ended(stack.drop(file.path, "vendor", file.path.name, as_of), 300, "done")
                found.append((stack.golden(300), stack.events()[1:]))
        show.figure("golden records in the two orders", f"{found[0][0][0]:,} and {found[1][0][0]:,}",
                    floor="the same, byte for byte", holds=found[0] == found[1])  # fmt: skip

    def full(self, show: Show) -> None:
        """Full loads: one that removes 10 %, and one that would remove 60 %, which is held and then released."""
        rows = SCENARIO_ROWS
        with FileStack(self._scratch / "full", RULES, chunk_rows=200, golden=True) as stack:
            loads = {}
            for name, first, count, as_of in (
                ("all", 0, rows, "2026-02-01"),
                ("tenth", 0, rows * 9 // 10, "2026-02-02"),
                ("most", 0, rows * 36 // 100, "2026-02-03"),
            ):
                file = write_roster(self._scratch / f"{name}.csv", count, first=first)
                loads[name] = stack.ended(stack.drop(file.path, "roster", f"{name}.csv", as_of), 300)
                loads[name] = (loads[name], stack.golden(300)[0])
            held, before = loads["most"]
            limits = FileLimits.from_environment({})
            steps = LoadSteps(surroundings_of(stack.functions.settings, limits, keys=stack.stack.kinesis.keys))
            release(steps, held.load_id, "benchmark")
            released = stack.ended("person/roster/most.csv", 300, "done")
            after = stack.golden(300)[0]
        _state(show, "a full load", loads["all"], "done", 0, rows)
        _state(show, "one that removes 10 %", loads["tenth"], "done", rows // 10, rows * 9 // 10)
        _state(show, "one that would remove 60 %", loads["most"], "held", 0, rows * 9 // 10)
        codes = ", ".join(each.code for each in held.reasons)
        show.figure("why it is held", codes, floor="deleted_share", holds=codes == "deleted_share")
        _state(show, "released", (released, after), "done", rows * 54 // 100, rows * 36 // 100)
        show.fact("golden records while it was held", f"{before:,}")

    def _large(self) -> VendorFile:
        if self._file is None:
            self._file = write_vendor_file(self._scratch / "large.csv", self._rows)
        return self._file

    def _undisturbed(self) -> Run:
        if self._plain is None:
            self._plain = load(self._scratch, self._large())
        return self._plain


def _right_rows(show: Show, file: VendorFile, run: Run) -> None:
    expected = {number: {BAD[kind][:2]} for number, kind in file.bad.items()}
    wrong = Counter(file.bad.get(number, "a good row") for number in expected.keys() ^ run.rejected.keys())
    wrong += Counter(file.bad[number] for number in expected.keys() & run.rejected.keys()
                     if expected[number] != run.rejected[number])  # fmt: skip
    said = ", ".join(f"{count:,} of {kind}" for kind, count in wrong.most_common()) or "all of them"
    show.figure("rejected rows are the bad ones, for their reasons", f"{len(run.rejected):,} rejected; wrong: {said}"
                if wrong else f"{len(run.rejected):,} rejected, {said} right",
                floor=f"the {len(file.bad):,} bad rows, of {len(BAD)} kinds", holds=not wrong)  # fmt: skip
    show.figure("rejected rows in the quarantine", f"{len(run.quarantined):,}", floor=f"{len(file.bad):,}",
                holds=len(run.quarantined) == len(file.bad))  # fmt: skip


def _memory(show: Show, run: Run) -> None:
    for name, peak_mb in sorted(run.peaks_mb.items()):
        show.figure(f"peak memory of the function {name}", f"{peak_mb:,} MB", floor=f"at most {MEMORY_MAX_MB} MB",
                    holds=0 < peak_mb <= MEMORY_MAX_MB)  # fmt: skip


def _same(show: Show, plain: Run, run: Run, kills: int) -> None:
    show.figure("processes killed (SIGKILL)", run.killed, floor=str(kills), holds=run.killed == kills)
    differ = [name for name, value in counts_of(plain.manifest).items() if counts_of(run.manifest)[name] != value]
    show.figure("manifest", ", ".join(differ) or "equal", floor="equal to that without kills", holds=not differ)
    show.figure("quarantined rows", f"{len(run.quarantined):,}", floor="the same ids",
                holds=run.quarantined == plain.quarantined)  # fmt: skip
    show.figure("events on the change stream, each once", f"{run.distinct:,}", floor="the same, byte for byte",
                holds=run.digest == plain.digest)  # fmt: skip
    show.figure("messages set aside", run.dead, floor="0", holds=run.dead == 0)


def _state(show: Show, what: str, found: tuple[FileManifest, int], state: str, deleted: int, golden: int) -> None:
    manifest, count = found
    show.figure(what, f"{manifest.state}, {manifest.deleted:,} deleted, {count:,} golden records",
                floor=f"{state}, {deleted:,} deleted, {golden:,}",
                holds=(manifest.state, manifest.deleted, count) == (state, deleted, golden))  # fmt: skip


def _others() -> dict[str, Callable[[Show], None]]:
    there = {name: module for name, module in OTHERS.items() if importlib.util.find_spec(module)}
    return {name: _section_of(module) for name, module in there.items()}


def _section_of(module: str) -> Callable[[Show], None]:
    """Return what shows a module's figures: its own ``figures(show)``, or else the whole of it in another process."""

    def section(show: Show) -> None:
        figures: Any = getattr(importlib.import_module(module), "figures", None)
        if figures is not None:
            figures(show)
            return
        script = f"{module}.py"
        ran = run([str(ROOT / "benchmarks" / script)], timeout_s=MODULE_TIMEOUT_S, memory_max=UNBOUNDED)
        print(ran.out, end="", flush=True)
        show.figure(script, f"exit code {ran.code}{ran.said[-300:] if ran.code else ''}", floor="0", holds=not ran.code)

    return section


def main() -> int:
    """Run the sections; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[])
    parser.add_argument("--rows", type=int, default=ROWS, help="of the large file (default: %(default)s)")
    parser.add_argument("--golden-rows", type=int, default=GOLDEN_ROWS, help="to golden records (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=KILLS, help="of processes, in a load (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mdm-files-") as scratch:
        files = Files(Path(scratch), options.rows, options.golden_rows, options.kills)
        sections = {
            "million": files.million,
            "parquet": files.parquet,
            "killed": files.killed,
            "golden": files.golden,
            "twice": files.twice,
            "orders": files.orders,
            "full": files.full,
            **_others(),
        }
        return Show().run(sections, options.only)


if __name__ == "__main__":
    sys.exit(main())
