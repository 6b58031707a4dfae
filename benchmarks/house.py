"""What the house in order must show, a line a figure with its floor: ``make show-house``.

    python benchmarks/house.py [--only outcomes,rate,...] [--data FOLDER]

Figures "before" come from the tree of an earlier commit, in the same run. Exits with 1 if a floor is missed.
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import giants
import orjson
import rules_change
from engine import DATA_DEFAULT, DATA_VARIABLE
from show import Show
from trees import ROOT, RUN_TIMEOUT_S, run_in, tree_of

sys.path.insert(0, str(ROOT / "tests" / "support"))

import release_under_load
from layers import layers, packages

BEFORE = "6879fa139a229efce9cc335925328df08fce4290"
"""The last commit before the house was put in order."""
MOVED = "448a870cd21c4562ab98e16a36035adeed895077"
"""The last commit that is nothing but a move: nothing in it may have changed an outcome."""

FEBRL = ("febrl1", "febrl2", "febrl3", "febrl4")
POPULATION = "population"
PEOPLE = 3_000
RATE_RUNS = 5
HISTORIES = 5_000
MUTANTS_MIN = 5
STALL_PEOPLE = 500
HELD_S_MAX = 5.0
RATE_FLOOR = 0.97
CLI = ("-m", "mdm_stream.cli.main")


class House:
    """The sections that share data, trees and a temporary folder."""

    def __init__(self, data: Path, scratch: Path, before: Path, moved: Path) -> None:
        self.scratch = scratch
        self.trees = {"before": before, "moved": moved, "now": ROOT}
        self.inputs: dict[str, tuple[list[str], str]] = {}
        for name in FEBRL:
            source = data / f"{name}.records.csv.gz"
            if source.exists():
                self.inputs[name] = ([str(source)], f"examples/rules/{name}.yaml")
        files = scratch / "population"
        run_in(before, [*CLI, "generate", "--people", str(PEOPLE), "--out", str(files)])
        self.inputs[POPULATION] = (sorted(str(path) for path in files.glob("*.jsonl")), "examples/rules/demo.yaml")

    def outcomes(self, show: Show) -> None:
        """Crosswalk, golden values and review before the moves, after them, and now."""
        missing = [name for name in FEBRL if name not in self.inputs]
        if missing:
            show.figure("public sets", f"{', '.join(missing)} not found", floor="all there (--data)", holds=False)
        for name in self.inputs:
            results = {tree: self._replayed(name, tree)[0] for tree in self.trees}
            same = all(
                (results["before"] / file).read_bytes() == (results["moved"] / file).read_bytes()
                for file in ("crosswalk.csv", "golden.jsonl", "review.jsonl")
            )
            show.figure(
                f"{name}: crosswalk, golden, review after the moves",
                "equal" if same else "different",
                floor="byte for byte equal",
                holds=same,
            )
            same = (results["before"] / "crosswalk.csv").read_bytes() == (results["now"] / "crosswalk.csv").read_bytes()
            show.figure(f"{name}: crosswalk now", "equal" if same else "different", floor="equal", holds=same)
            show.fact(f"{name}: golden values that differ now, by attribute", _golden_differences(results))
            show.fact(f"{name}: review items before and now", _review_differences(results))

    def rate(self, show: Show) -> None:
        """CPU seconds that the engine takes for all events, the two trees in turn.

        What a command costs before its first event (interpreter, imports, servers) is measured by a replay of one
        event and taken off: it is paid once a process, not once an event. One worker, so that no conflict
        of two counts.
        """
        for name in ("febrl4", POPULATION):
            if name not in self.inputs:
                continue
            one, alone = self._one_event_of(name), ("--workers", "1")
            ratios, whole = [], []
            for _ in range(RATE_RUNS):
                before, now = (self._replayed(name, tree, *alone)[1].cpu_s for tree in ("before", "now"))
                idle_before, idle_now = (self._replayed(one, tree, *alone)[1].cpu_s for tree in ("before", "now"))
                ratios.append((before - idle_before) / (now - idle_now))
                whole.append(before / now)
            ratio = median(ratios)
            show.figure(
                f"{name}: engine rate after over before, by CPU time",
                f"{ratio:.3f}",
                floor=f"{RATE_FLOOR}",
                holds=ratio >= RATE_FLOOR,
            )
            show.fact(
                f"{name}: every pair, and with the start of the process",
                f"{[round(r, 3) for r in ratios]}, {[round(r, 3) for r in whole]}",
            )

    def review(self, show: Show) -> None:
        """What piles of equal records do to the review queue, and to what one more event writes."""
        script = str(ROOT / "benchmarks" / "review_growth.py")
        before, now = (
            {case["case"]: case for case in orjson.loads(run_in(self.trees[tree], [script, "--json"]).stdout)}
            for tree in ("before", "now")
        )
        for case, figures in now.items():
            items, written = "review_items", "bytes_for_one_more_event"
            pairs = figures["golden_records"] * (figures["golden_records"] - 1) // 2
            show.figure(
                f"{case}: review items, before and now",
                f"{before[case][items]:,}, {figures[items]:,}",
                floor=f"one a pair of golden records at most: {pairs}",
                holds=figures[items] <= pairs,
            )
            show.figure(
                f"{case}: bytes written for one more event",
                f"{before[case][written]:,}, {figures[written]:,}",
                floor="an eighth of before",
                holds=figures[written] * 8 <= before[case][written],
            )

    def stall(self, show: Show) -> None:
        """How long a change of rules holds writers on the local stack, before and now."""
        before, now = (rules_change.measure(STALL_PEOPLE, tree=self.trees[tree]) for tree in ("before", "now"))
        show.figure(
            f"seconds for which new rules held writers, {now.records:,} records, before and now",
            f"{before.held_s:.1f}, {now.held_s:.1f}",
            floor=f"{HELD_S_MAX:.0f} at most",
            holds=now.held_s <= HELD_S_MAX,
        )

    def giants(self, show: Show) -> None:
        """Golden changes larger than a stream record: in feed and warehouse, behind them no delay, erased wholly."""
        figures = giants.three_giants(self.scratch / "giants")
        for giant in figures.giants:
            show.figure(
                f"{giant.name}: {giant.bytes:,} bytes, {giant.members} members",
                f"feed {giant.on_feed} (claim check {giant.by_claim_check}), warehouse {giant.in_warehouse}",
                floor="on both",
                holds=giant.on_feed and giant.in_warehouse,
            )
        show.figure(
            "events behind the giants that became golden, batches that failed",
            f"{figures.behind_on_feed} of {figures.behind}, {figures.failed_batches}",
            floor="all, at most one batch",
            holds=figures.behind_on_feed == figures.behind and figures.failed_batches <= 1,
        )
        show.fact("archived rows for events", f"{figures.archived_rows:,} for {figures.events:,}")
        show.figure(
            "after erase --verify, files that still hold a value",
            figures.left,
            floor="none, exit code 0",
            holds=not figures.left and figures.verify_exit_code == 0,
        )

    def release(self, show: Show) -> None:
        """A release with a changed standardiser, under load, and the way back."""
        folder = self.scratch / "release"
        folder.mkdir()
        for step, way in zip(release_under_load.run(folder), ("forth", "back"), strict=True):
            refused = bool(step.refused) and not step.commits_while_refused
            show.figure(
                f"{way}: the release of another F without a rebuild",
                "refused" if refused else f"{step.commits_while_refused} commits",
                floor="refused, 0 commits",
                holds=refused,
            )
            show.figure(
                f"{way}: index, feed and warehouse after the rebuild, of {step.delivered:,} events",
                f"{'exact' if step.is_exact else 'different'}, {step.lost} lost",
                floor="exactly that release's F, 0 lost",
                holds=step.is_exact and not step.lost and not step.on_failure,
            )
            show.fact(f"{way}: golden records that the two releases give differently", f"{step.differing:,}")

    def _one_event_of(self, name: str) -> str:
        """An input of one event, of the same form and under the same rules."""
        files, rules = self.inputs[name]
        first = Path(files[0])
        lines = (gzip.decompress(first.read_bytes()) if first.suffix == ".gz" else first.read_bytes()).splitlines(True)
        folder = self.scratch / f"{name}-one"
        folder.mkdir(exist_ok=True)
        plain = folder / first.name.removesuffix(".gz")
        plain.write_bytes(b"".join(lines[: 2 if plain.suffix == ".csv" else 1]))
        self.inputs[folder.name] = ([str(plain)], rules)
        return folder.name

    def _replayed(self, name: str, tree: str, *options: str) -> tuple[Path, Any]:
        files, rules = self.inputs[name]
        out = self.scratch / f"{name}-{tree}"
        source = self.trees[tree]
        ran = run_in(
            source, [*CLI, "replay", *files, "--rules", str(source / rules), "--out", str(out), *options, "--json"]
        )
        return out, ran


def oracle(show: Show) -> None:
    """The second implementation of F, which shares no code with the first, over random histories."""
    done = _run([str(ROOT / "tests" / "oracle" / "run_oracle.py"), "--histories", str(HISTORIES)])
    said = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr[-500:]
    show.figure(
        "reference, engine and independent oracle",
        said,
        floor=f"{HISTORIES:,} histories, 0 with a difference",
        holds=done.returncode == 0,
    )


def mutants(show: Show) -> None:
    """Faults in the code that reference and engine share, which their equality hides."""
    done = _run(
        ["-m", "pytest", "-q", "-n", "0", str(ROOT / "tests" / "oracle" / "test_f_mutants.py"), "-rA", "-k", "mutant"]
    )
    caught = len(re.findall(r"PASSED .*test_a_mutant_is_caught", done.stdout))
    unnoticed = len(re.findall(r"PASSED .*test_reference_and_engine_do_not_notice", done.stdout))
    show.figure(
        "mutants that the oracle catches",
        caught,
        floor=f"{MUTANTS_MIN}, and every one there is",
        holds=done.returncode == 0 and caught >= MUTANTS_MIN,
    )
    show.fact("of these, mutants that reference against engine does not notice", unnoticed)


def facts(show: Show) -> None:
    """What the reader may want to know of the house."""
    done = _run(["-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache"])
    named = {name for layer in layers() for name in layer}
    show.figure(
        "packages under the import contract",
        f"{len(named)} of {len(set(packages()))}, and producers, consumers",
        floor="all, and kept",
        holds=done.returncode == 0 and named == set(packages()),
    )
    done = _run(["-m", "mypy"])
    sources = sum(1 for folder in ("mdm_stream", "producers", "consumers") for _ in (ROOT / folder).rglob("*.py"))
    checked = int((re.search(r"in (\d+) source files", done.stdout) or ["", "0"])[1])
    show.figure(
        "modules under strict mypy",
        f"{checked} of {sources}",
        floor="all, no error",
        holds=done.returncode == 0 and checked == sources,
    )
    for extra in ("", "resolve"):
        show.fact(f"size of an install of {'the base' if not extra else f'the extra {extra}'}", _install_size(extra))


def _install_size(extra: str) -> str:
    """Install into an environment of its own, and say how much that is beside pip itself."""
    with tempfile.TemporaryDirectory() as name:
        target = Path(name) / "packages"
        wanted = f"{ROOT}[{extra}]" if extra else str(ROOT)
        done = _run(
            [
                "-m",
                "pip",
                "install",
                "-q",
                "--no-compile",
                "--disable-pip-version-check",
                "--target",
                str(target),
                "-c",
                str(ROOT / "constraints.txt"),
                wanted,
            ]
        )
        if done.returncode:
            return f"not measured: {done.stderr.strip().splitlines()[-1]}"
        size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
        shutil.rmtree(ROOT / "build", ignore_errors=True)  # what the build of the project's own wheel left
        distributions = len(list(target.glob("*.dist-info")))
        return f"{size / 1e6:.0f} MB in {distributions} distributions"


def _run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def _golden_differences(results: dict[str, Path]) -> str:
    before, now = ({g["golden_id"]: g for g in _lines(results[tree] / "golden.jsonl")} for tree in ("before", "now"))
    counts: Counter[str] = Counter()
    values = 0
    for golden_id, golden in before.items():
        values += len(golden["values"])
        later = now.get(golden_id, {"values": {}})["values"]
        counts.update(name for name in {*golden["values"], *later} if golden["values"].get(name) != later.get(name))
    return f"{sum(counts.values()):,} of {values:,} {dict(sorted(counts.items()))}"


def _review_differences(results: dict[str, Path]) -> str:
    reasons = (Counter(item["reason"] for item in _lines(results[tree] / "review.jsonl")) for tree in ("before", "now"))
    return ", now ".join(f"{counts.total():,} {dict(sorted(counts.items()))}" for counts in reasons)


def main() -> int:
    """Run the sections; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get(DATA_VARIABLE, DATA_DEFAULT)))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, tree_of(BEFORE) as before, tree_of(MOVED) as moved:
        house = House(options.data.resolve(), Path(name), before, moved)
        sections = {
            "outcomes": house.outcomes,
            "rate": house.rate,
            "review": house.review,
            "stall": house.stall,
            "giants": house.giants,
            "release": house.release,
            "oracle": oracle,
            "mutants": mutants,
            "facts": facts,
        }
        return Show().run(sections, options.only)


if __name__ == "__main__":
    sys.exit(main())
