"""What sources must show, a line a figure with its floor: ``make show-sources``.

    python benchmarks/sources.py [--only meaning,histories,...] [--inputs 10000000]

Every change of a source arrives, in its order, meaning what its sender meant. What a promise says is run as the tests
that hold it, each group in a process of its own; what has a size or a rate is measured. Exits with 1 if a floor is
missed.
"""

from __future__ import annotations

import argparse
import re
import sys

import decoders
import publisher
import samples
from commands import MEMORY_MAX, run
from show import Show
from trees import ROOT

INPUTS = 10_000_000
FUZZ_TIMEOUT_S = 3_600
TESTS_TIMEOUT_S = 1_200
UNBOUNDED = -1
"""Browsers, Redis and PostgreSQL ask for addresses that they never use."""


def _tests(show: Show, what: str, *paths: str) -> None:
    """Run the tests that hold a promise: all of them pass, and none is skipped."""
    names = [str(ROOT / "tests" / path) for path in paths]
    ran = run(["-m", "pytest", "-n", "0", *names], timeout_s=TESTS_TIMEOUT_S, memory_max=UNBOUNDED)
    said = re.findall(r"\d+ (?:passed|failed|skipped|error)[^,\n]*", ran.out)
    passed = bool(said) and not ran.code and all("passed" in each for each in said)
    show.figure(what, ", ".join(said) or ran.said[-500:], floor="all pass, none is skipped", holds=passed)


def meaning(show: Show) -> None:
    """Values mean what their sender meant, with a schema and without one."""
    _tests(show, "Debezium's semantic types by connector, with and without schema", "decode/cdc/test_semantic_types.py")
    _tests(show, "what connectors send beside rows", "decode/cdc/test_connectors.py")
    _tests(
        show,
        "numbers keep their digits or are refused; columns by rules; Oracle's dates, zero dates, rounded numbers",
        "decode/test_numbers_keep_their_digits.py",
        "rules/test_rules_columns.py",
        "replay/test_meaning_of_sources.py",
    )


def conventions(show: Show) -> None:
    """Phones of two countries, two values in a cell, and what says nothing."""
    _tests(
        show,
        "conventions of a source, placeholders, values set aside",
        "core/standardise/test_conventions.py",
        "rules/test_rules_placeholders.py",
        "engine/test_values_set_aside.py",
    )


def shared(show: Show) -> None:
    """Placeholders are found: in what was delivered, and by a metric where a key is suspended."""
    _tests(
        show,
        "values that suspiciously many records share, exact in bounded memory, no value shown unasked",
        "profile/test_spilled_map.py",
        "profile/test_shared_values.py",
        "cli/test_cli_profile.py",
        "docs/test_metrics_page.py",
    )


def histories(show: Show) -> None:
    """Failover, reload, restore: F of the truth where declared, told within one batch where not."""
    _tests(
        show,
        "histories declared ahead and afterwards, undeclared ones told, Oracle's rs_id",
        "decode/test_histories.py",
        "rebuild/test_histories_declared.py",
    )
    _tests(show, "status tells what needs attention", "cli/test_cli_status.py")


def formats(show: Show) -> None:
    """Every format keeps to one contract, aggregates around any of them; the public samples decode as they say."""
    _tests(show, "one contract for all formats", "decode/test_formats_contract.py")
    samples.figures(show)


def files(show: Show) -> None:
    """CSV as companies have it; exports, full loads and what cannot be read."""
    _tests(
        show,
        "every dialect is found, and any bytes are read in one way",
        "decode/files/test_csv_dialect.py",
        "decode/files/test_csv_records.py",
    )
    _tests(show, "files are judged by the rules before anything is sent", "cli/test_publish_csv.py")
    _tests(show, "exports and full loads change exactly the rows that differ", "end_to_end/test_csv_loads.py")


def postgres(show: Show) -> None:
    """From PostgreSQL to golden records, with kills of the reader and of the server; then its rates."""
    _tests(show, "PostgreSQL to golden records, killed and started again", "end_to_end/test_postgres_to_golden.py")
    ran = run([str(ROOT / "benchmarks" / "postgres_reader.py"), "--json"], memory_max=UNBOUNDED)
    show.figure("rates of the reader", ran.out.strip() or ran.said[-300:], floor="it runs", holds=not ran.code)


def rates(show: Show) -> None:
    """Events a second of decoders and publisher; decoding stays a small part of an event's whole time."""
    decoders.figures(show)
    publisher.figures(show)


def fuzz(show: Show, inputs: int) -> None:
    """Damaged and hostile inputs over all decoders: events or reasons, and bounded memory."""
    command = [str(ROOT / "tests" / "fuzz" / "run_fuzz.py"), "--inputs", str(inputs)]
    ran = run(command, timeout_s=FUZZ_TIMEOUT_S, memory_max=MEMORY_MAX)
    show.figure(
        f"{inputs:,} fuzzed inputs",
        " ".join(ran.out.split())[-400:],
        floor="0 wrong, memory bounded",
        holds=not ran.code,
    )


def main() -> int:
    """Run the sections; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[])
    parser.add_argument("--inputs", type=int, default=INPUTS, help="of the fuzz (default: %(default)s)")
    options = parser.parse_args()
    sections = {
        "meaning": meaning,
        "conventions": conventions,
        "shared": shared,
        "histories": histories,
        "formats": formats,
        "files": files,
        "postgres": postgres,
        "rates": rates,
        "fuzz": lambda show: fuzz(show, options.inputs),
    }
    return Show().run(sections, options.only)


if __name__ == "__main__":
    sys.exit(main())
