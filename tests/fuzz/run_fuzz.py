"""Fuzz the decoders of all formats and all that wraps an event. ``make fuzz``.

    python tests/fuzz/run_fuzz.py [--inputs 10000000] [--seed 0] [--processes 2] [--guided SECONDS]

Prints what came of the inputs, the peak of memory, and each wrong answer with the seed that shows it. Exit code 0 if
there was none and memory stayed within its bound, else 1. ``--guided`` lets atheris choose the inputs by the branches
that they reach, for as long, if it is installed (``pip install atheris``); it ends the process itself.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS), str(TESTS / "support")]

from fuzz.decoders_under_fuzz import FILE_EVERY, check  # noqa: E402
from fuzz.fuzzed_inputs import FuzzedInputs  # noqa: E402

INPUTS, PIECE = 10_000_000, 20_000
GROWTH_BYTES_MAX = 64 * 1024**2
"""How much a process may grow after its first piece: millions of inputs must leave nothing behind."""
ADDRESS_SPACE_BYTES_MAX = 4 * 1024**3
SHOWN_MAX, TELL_EVERY = 20, 1_000_000
CORPUS, CORPUS_INPUTS = TESTS.parent / "build" / "fuzz", 500
"""Where atheris begins, and keeps what reached something new. ``make clean`` removes it."""
_first_peak: list[int] = []


@dataclass(frozen=True, slots=True)
class Piece:
    """What came of some inputs: counts, wrong answers, and by how much the process has grown since its first piece."""

    counts: Counter[str]
    wrong: tuple[str, ...]
    peak_bytes: int
    growth_bytes: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print what came of it, and return the exit code."""
    options = _options(arguments)
    if options.guided:
        return _guided(options.guided)
    started_s = time.monotonic()
    pieces = [
        (options.seed + number, min(PIECE, options.inputs - number * PIECE))
        for number in range(-(-options.inputs // PIECE))
    ]
    counts: Counter[str] = Counter()
    wrong = peak = growth = tried = told = 0
    with ProcessPoolExecutor(options.processes, initializer=_bound_memory) as pool:
        for (_, inputs), piece in zip(pieces, pool.map(fuzz_piece, *zip(*pieces, strict=True)), strict=True):
            for line in piece.wrong[: max(0, SHOWN_MAX - wrong)]:
                _say(line)
            counts += piece.counts
            wrong, tried = wrong + len(piece.wrong), tried + inputs
            peak, growth = max(peak, piece.peak_bytes), max(growth, piece.growth_bytes)
            if tried - told >= TELL_EVERY:
                told = tried
                _say(f"{tried:,} inputs, {wrong:,} wrong, after {time.monotonic() - started_s:.0f} s")
    took_s = time.monotonic() - started_s
    for what, count in counts.most_common():
        _say(f"  {count:>12,} {what}")
    _say(
        f"{options.inputs:,} inputs in {took_s:.0f} s ({options.inputs / took_s:,.0f}/s): {wrong:,} wrong; "
        f"peak {peak / 1024**2:.0f} MiB a process, grown by "
        f"{growth / 1024**2:.0f} MiB (at most {GROWTH_BYTES_MAX / 1024**2:.0f})",
    )
    return 1 if wrong or growth > GROWTH_BYTES_MAX else 0


def fuzz_piece(seed: int, inputs: int) -> Piece:
    """Check so many inputs of one seed."""
    drawn, counts, wrong = FuzzedInputs(seed), Counter[str](), []
    for number in range(inputs):
        raw = drawn.draw()
        try:
            check(raw, counts, as_file=number % FILE_EVERY == 0)
        except Exception:  # noqa: BLE001 - whatever it is, it is shown with what showed it
            wrong.append(f"WRONG ANSWER, seed {seed}, input {number}: {raw[:2_000].hex()}\n{traceback.format_exc()}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    _first_peak.append(peak)
    return Piece(counts, tuple(wrong[:SHOWN_MAX]), peak, peak - _first_peak[0])


def _guided(seconds: int) -> int:
    try:
        import atheris  # noqa: PLC0415 - only where it is asked for
    except ModuleNotFoundError:
        _say("atheris is not installed; install it with: pip install atheris")
        return 1
    atheris.instrument_all()
    counts: Counter[str] = Counter()
    CORPUS.mkdir(parents=True, exist_ok=True)
    drawn = FuzzedInputs(0)
    for number in range(CORPUS_INPUTS):
        (CORPUS / f"{number:04}").write_bytes(drawn.draw())
    atheris.Setup(
        [sys.argv[0], str(CORPUS), f"-max_total_time={seconds}", "-max_len=4096", "-rss_limit_mb=2048"],
        lambda raw: check(raw, counts, as_file=True),
    )
    atheris.Fuzz()
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _bound_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES_MAX, ADDRESS_SPACE_BYTES_MAX))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=INPUTS, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the first of their seeds (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="how many at a time (default: %(default)s)")
    parser.add_argument("--guided", type=int, default=0, metavar="SECONDS", help="let atheris choose, for so long")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
