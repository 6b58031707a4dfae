"""What trust must show, a line a figure with its floor: ``make show-trust``.

    python benchmarks/trust.py [--only events,files,...]

Sources, files, rule files and web pages are hostile here. Exits with 1 if a floor is missed.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import freeze_attempts
import text_growth
from commands import Ran, figures_of, run
from hostile.files import HostileFile, hostile_files, hostile_rules, plain_csv
from show import Show
from trees import ROOT

CPU_FACTOR_MAX = 20
MEMORY_FACTOR_MAX = 4
REDIS_FACTOR_MAX = 4
CORPUS_MIN = 200
FREEZE_ATTEMPTS_MIN = 12
HISTORIES = 2_000
TORTURE_MINUTES = 2
BEFORE = "e6f6fa081aba7e4dba1ecdbb18fd7ff7fe41bc44"
"""The last commit before sources, files, rule files and web pages were taken for hostile."""
CLI = ("-m", "mdm_stream.cli.main")
RULES = ROOT / "examples" / "rules" / "demo.yaml"
UNEXPECTED = ("Traceback", "unexpected error", "MemoryError", "RecursionError", "Segmentation")


def events(show: Show) -> None:
    """Hostile events through the consumer: none stops a shard, none is dear, and the good ones are golden."""
    figures = figures_of("hostile/through.py")
    results = figures["results"]
    kinds = Counter(result["kind"] for result in results)
    corpus = len(results) + len(hostile_files()) + len(hostile_rules())
    show.fact("hostile events by kind", f"{len(results)} of {dict(kinds)}")
    show.figure("events, files and rule sets in the corpus", corpus, floor=f"{CORPUS_MIN}", holds=corpus >= CORPUS_MIN)
    stopped = [f"{result['kind']}: {result['name']} {result['fault']}" for result in results if result["stopped"]]
    show.figure("events that stop a shard", stopped or 0, floor="0", holds=not stopped)
    good, golden = (sum(result[name] for result in results) for name in ("good", "golden"))
    show.figure("good events among them that are golden", f"{golden:,} of {good:,}", floor="all", holds=golden == good)
    dearest = max(results, key=lambda result: result["cpu_s"] / result["plain_s"])
    factor = dearest["cpu_s"] / dearest["plain_s"]
    show.figure(
        "CPU of the dearest over an ordinary event of its size",
        f"{factor:.1f} ({dearest['kind']}: {dearest['name']}, {dearest['cpu_s'] * 1e3:.0f} ms)",
        floor=f"{CPU_FACTOR_MAX} at most",
        holds=factor <= CPU_FACTOR_MAX,
    )
    factor = figures["peak_bytes"] / figures["plain_peak_bytes"]
    show.figure(
        "peak memory over that with ordinary events alone",
        f"{factor:.2f} ({figures['peak_bytes'] / 1e6:.0f} MB)",
        floor=f"{MEMORY_FACTOR_MAX} at most",
        holds=factor <= MEMORY_FACTOR_MAX,
    )
    factor = figures["redis_bytes"] / (2 * sum(result["bytes"] for result in results))
    show.figure(
        "Redis bytes a byte of hostile input",
        f"{factor:.2f}",
        floor=f"{REDIS_FACTOR_MAX} at most",
        holds=factor <= REDIS_FACTOR_MAX,
    )
    show.fact(
        "quarantined, accepted",
        f"{sum(r['quarantined'] for r in results)}, {sum(not r['quarantined'] for r in results)}",
    )


def files(show: Show) -> None:
    """Hostile files through a replay: an answer for each, good rows golden, no cost that an ordinary one has not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        unexpected, lost, dear, fat = [], [], [], []
        hostile = hostile_files()
        plain = {size: _replayed(folder, "plain.csv", plain_csv(size)) for size in {_bucket(each) for each in hostile}}
        for each in hostile:
            ran = _replayed(folder, each.file_name, each.data)
            if ran.code not in (0, 1, 2) or any(word in ran.said + ran.out for word in UNEXPECTED):
                unexpected.append(f"{each.name}: {ran.code} {ran.said[-200:]}")
            found = _golden(folder)
            if found < each.good:
                lost.append(f"{each.name}: {found} of {each.good}")
            base = plain[_bucket(each)]
            dear.append((ran.cpu_s / base.cpu_s, each.name, ran.cpu_s))
            fat.append((ran.peak_bytes / base.peak_bytes, each.name, ran.peak_bytes))
    show.figure(
        "hostile files that end in an unexpected error",
        unexpected or f"0 of {len(hostile)}",
        floor="0",
        holds=not unexpected,
    )
    show.figure("files whose good rows are not all golden", lost or 0, floor="0", holds=not lost)
    factor, name, cpu_s = max(dear)
    show.figure(
        "CPU of the dearest over an ordinary file of its size",
        f"{factor:.1f} ({name}, {cpu_s:.1f} s)",
        floor=f"{CPU_FACTOR_MAX} at most",
        holds=factor <= CPU_FACTOR_MAX,
    )
    factor, name, peak = max(fat)
    show.figure(
        "peak memory over that of an ordinary file of its size",
        f"{factor:.1f} ({name}, {peak / 1e6:.0f} MB)",
        floor=f"{MEMORY_FACTOR_MAX} at most",
        holds=factor <= MEMORY_FACTOR_MAX,
    )


def _bucket(file: HostileFile) -> int:
    size = max(len(file.data), file.unpacked_bytes)
    return min((10_000, 100_000, 1_000_000, 3_000_000), key=lambda bucket: (bucket < size, abs(bucket - size)))


def _replayed(folder: Path, file_name: str, data: bytes) -> Ran:
    (folder / file_name).write_bytes(data)
    for leftover in (folder / "out").glob("*"):
        leftover.unlink()
    # By default a file of which most rows cannot be read is refused as a whole; here its good rows are asked for.
    options = ["--rules", str(RULES), "--out", str(folder / "out"), "--workers", "1", "--max-rejected", "1"]
    return run([*CLI, "replay", str(folder / file_name), *options])


def _golden(folder: Path) -> int:
    crosswalk = folder / "out" / "crosswalk.csv"
    if not crosswalk.exists():
        return 0
    return sum("good-" in line for line in crosswalk.read_text(encoding="utf-8").splitlines())


def rules(show: Show) -> None:
    """Hostile rule files: each is answered with file and line, and in bounded time and memory."""
    hostile = hostile_rules()
    unexpected, silent, dear, fat = [], [], [], []
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "rules.yaml"
        file.write_bytes(RULES.read_bytes())
        plain = run([*CLI, "rules", "check", str(file)])
        for each in hostile:
            file.write_bytes(each.data)
            ran = run([*CLI, "rules", "check", str(file)])
            said = ran.said + ran.out
            if ran.code not in (0, 1, 2) or any(word in said for word in UNEXPECTED):
                unexpected.append(f"{each.name}: {ran.code} {said[-200:]}")
            elif (ran.code == 0) is not each.accepted or (ran.code and "rules.yaml" not in said):
                silent.append(f"{each.name}: exit {ran.code}, {said[-120:]!r}")
            dear.append((ran.cpu_s / plain.cpu_s, each.name, ran.cpu_s))
            fat.append((ran.peak_bytes / plain.peak_bytes, each.name, ran.peak_bytes))
    show.figure(
        "rule files that end in an unexpected error",
        unexpected or f"0 of {len(hostile)}",
        floor="0",
        holds=not unexpected,
    )
    show.figure("not answered by accepting it, or by an error with its file", silent or 0, floor="0", holds=not silent)
    factor, name, cpu_s = max(dear)
    show.figure(
        "CPU of the dearest over an ordinary rule set",
        f"{factor:.1f} ({name}, {cpu_s:.1f} s)",
        floor=f"{CPU_FACTOR_MAX} at most",
        holds=factor <= CPU_FACTOR_MAX,
    )
    factor, name, peak = max(fat)
    show.figure(
        "peak memory over that of an ordinary rule set",
        f"{factor:.1f} ({name}, {peak / 1e6:.0f} MB)",
        floor=f"{MEMORY_FACTOR_MAX} at most",
        holds=factor <= MEMORY_FACTOR_MAX,
    )


def growth(show: Show) -> None:
    """How time grows with the length of a text, for each attribute type, decoder, key, comparison and pattern."""
    found = [made() for made in text_growth.subjects().values()]
    worst = max(found, key=lambda each: each.growth)
    show.figure(
        f"growth of time over growth of length, 1 to 100 kB, worst of {len(found)} subjects",
        f"{worst.growth:.2f} ({worst.subject}: {worst.shape}, {worst.slowest_s * 1e3:.0f} ms)",
        floor=f"{text_growth.LINEAR_MAX:g} at most (1: linear, 10: quadratic)",
        holds=worst.growth <= text_growth.LINEAR_MAX,
    )


def storms(show: Show) -> None:
    """Every storm, before and now: what it takes, and what one event more then costs.

    That cost is bounded by the limits of the rules, so it must be below what it was before they were there.
    """
    found = figures_of("poison_storm.py", "--json", "--before", BEFORE)
    before = {cost["storm"]: cost for cost in found["before"]}
    for cost in found["now"]:
        old = before[cost["storm"]]
        told = [f"{old[key]} -> {cost[key]}" for key in ("seconds", "peak_mb", "redis_mb", "review_items")]
        show.fact(f"{cost['storm']}: seconds, peak MB, Redis MB, review items", ", ".join(told))
        show.figure(
            f"{cost['storm']}: CPU of one event more over a plain one of its size",
            f"{_ratio(old):.1f} -> {_ratio(cost):.1f}",
            floor="below what it was",
            holds=_ratio(cost) < _ratio(old) and not cost["failed"],
        )


def _ratio(cost: dict[str, Any]) -> float:
    return float(cost["more_ms"] / cost["plain_ms"])


def freezing(show: Show) -> None:
    """Attempts to freeze, hijack or spoof a record, each in every order of delivery."""
    outcomes = freeze_attempts.run()
    through = [outcome.name for outcome in outcomes if not outcome.how]
    how = Counter(outcome.how for outcome in outcomes)
    orders = sum(outcome.orders for outcome in outcomes)
    show.figure(
        f"of {len(outcomes)} attempts to freeze, hijack or spoof, in {orders} orders, those that got through",
        through or f"0 {dict(how)}",
        floor=f"0 of {FREEZE_ATTEMPTS_MIN} or more",
        holds=not through and len(outcomes) >= FREEZE_ATTEMPTS_MIN,
    )


def rights(show: Show) -> None:
    """Who may say what: through the Lambda handler, the local stack and the publisher."""
    figures = figures_of("authority.py", "--json")
    outcomes = figures["outcomes"]
    wrong = [f"{each['form']}: {each['name']}" for each in outcomes if each["wanted"] != each["found"]]
    refused = sum(each["found"] == "refused" for each in outcomes)
    show.figure(
        f"of {len(outcomes)} attempts to write, decide or erase ({refused} refused), those with the wrong answer",
        wrong or 0,
        floor="0",
        holds=not wrong,
    )
    same = all(figures["state_is_f"].values())
    show.figure("state is F of what was accepted", figures["state_is_f"], floor="in each form", holds=same)
    ways = figures["states_of_four_ways"]
    show.figure("states that four ways of giving the right make of the same events", ways, floor="1", holds=ways == 1)


def others(show: Show) -> None:
    """From pages of other origins in a real browser, and as another user of the machine."""
    # A browser reserves far more addresses than it uses.
    for who, found in figures_of("other_people.py", "--json", memory_max=resource.RLIM_INFINITY).items():
        done = len(found["reads"]) + len(found["writes"])
        show.figure(
            f"{who}: attempts, reads, writes",
            found["skipped"] or f"{found['attempts']}, {len(found['reads'])}, {len(found['writes'])}",
            floor="tried; no read, no write",
            holds=not found["skipped"] and found["attempts"] > 0 and not done,
        )


def canaries(show: Show) -> None:
    """Values through good, bad, truncated, escaped, crashing and erased paths: found nowhere afterwards."""
    found = figures_of("canaries.py", "--json")
    before, after = len(found["before"]), found["after"]
    show.figure(
        f"paths of {found['paths']} whose value was somewhere before the erasure",
        before,
        floor="all",
        holds=before == found["paths"],
    )
    show.figure(
        f"of their {found['forms']:,} forms, those found afterwards in {found['bytes_searched'] / 1e6:.1f} MB",
        after or 0,
        floor="0, and erase --verify says so",
        holds=not after and not found["verify_left"] and found["verify_exit"] == 0 and found["others_kept"],
    )


def oracle(show: Show) -> None:
    """The second implementation of F, under limits so small that they bite."""
    ran = run([str(ROOT / "tests" / "oracle" / "run_oracle.py"), "--histories", str(HISTORIES)])
    said = (ran.out.strip() or ran.said.strip()).splitlines()[-1]
    show.figure("reference, engine, oracle", said, floor=f"{HISTORIES:,} histories, 0 differ", holds=not ran.code)


def torture(show: Show) -> None:
    """Random schedules with faults and kills; ``make torture MINUTES=10`` is the long form."""
    ran = run([str(ROOT / "tests" / "torture" / "run.py"), "--minutes", str(TORTURE_MINUTES)])
    said = (ran.out.strip() or ran.said.strip()).splitlines()[-1]
    show.figure(f"torture for {TORTURE_MINUTES} minutes", said, floor="0 violations", holds=not ran.code)


def main() -> int:
    """Run the sections; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[])
    options = parser.parse_args()
    sections = {
        "events": events,
        "files": files,
        "rules": rules,
        "growth": growth,
        "storms": storms,
        "freezing": freezing,
        "rights": rights,
        "others": others,
        "canaries": canaries,
        "oracle": oracle,
        "torture": torture,
    }
    return Show().run(sections, options.only)


if __name__ == "__main__":
    sys.exit(main())
