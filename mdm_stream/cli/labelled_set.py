"""A labelled set as commands take it: rules, event files, and the truth; its candidate pairs scored once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.output import Advance, say
from mdm_stream.core.wire_formats import WIRE_FORMATS, FormatName
from mdm_stream.errors import ConfigurationError

if TYPE_CHECKING:
    from mdm_stream.assess.labelled import ScoredSet

REASONS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class NamedFiles:
    """Event files and how they are read, as ``mdm-stream publish`` takes them."""

    on: tuple[str, ...]
    format_: FormatName | None
    sources: tuple[str, ...]
    as_of: str | None


def file_options(*, required: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command ``on``, ``format_``, ``sources`` and ``as_of``."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(
            (
                click.option("--on", "on", multiple=True, required=required, metavar="FILE",
                             help="The records: event files (.gz too)."),
                click.option("--format", "format_", type=click.Choice(list(WIRE_FORMATS)), default=None,
                             help="Of files; CSV by the file's name, the others by the shape of each line."),
                click.option("--source", "sources", multiple=True,
                             help="The source of CSV rows without one: one, or one a file."),
                click.option("--as-of", metavar="TIME", help="The time of a CSV load; that of the file if left out."),
            )
        ):  # fmt: skip
            command = option(command)
        return command

    return decorate


def scored_files(rules: str, files: NamedFiles, floor: float | None, advance: Advance) -> ScoredSet:
    """Return the records of files under a rule set, with their candidate pairs scored down to ``floor``.

    Events that the rules do not accept are counted on stderr. ``ConfigurationError`` for a file that is not there, or
    if nothing is accepted.
    """
    from mdm_stream.assess.labelled import scored_set  # noqa: PLC0415 - --help does without
    from mdm_stream.cli.event_inputs import accepted_events, named_inputs  # noqa: PLC0415
    from mdm_stream.rules import load_ruleset  # noqa: PLC0415

    ruleset = load_ruleset(rules)
    inputs = named_inputs(files.on, files.format_, files.sources, files.as_of, time.time_ns() // 1_000)
    rejected: Counter[str] = Counter()
    advance("reading and scoring", 0, 0)
    found = scored_set(
        ruleset, accepted_events(inputs, {ruleset.domain: ruleset}, rejected, "nothing was measured"), floor
    )
    if rejected and not found.records:
        told = rejected_line(rejected.most_common(REASONS_SHOWN), rejected.total())
        raise ConfigurationError(f"{told}; nothing is left to measure; do --format and --source fit the files?")
    if rejected:
        say(rejected_line(rejected.most_common(REASONS_SHOWN), rejected.total()), err=True)
    return found


def rejected_line(reasons: Sequence[tuple[str, int]], total: int) -> str:
    """Say how many events were not accepted, and why."""
    told = ", ".join(f"{count:,} {code}" for code, count in reasons)
    return f"{total:,} events or rows are not accepted by the rules: {told}"
