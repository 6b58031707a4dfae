r"""What commands show: one JSON document for machines, lines and tables for people, progress on a terminal.

All that a command writes goes through here, and so nothing that came from outside reaches a terminal as anything but
text: a value with escape sequences would clear the screen, type into a shell or show one id as another. Control
characters, line ends in a line, what turns the direction of writing or is not to be seen are written as escapes such as
``\x1b`` and ``\u202e``; in JSON as JSON's own, so that a program reads what was there.
"""

from __future__ import annotations

import itertools
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import click

from mdm_stream.core.plain_text import DIRECTION, UNSEEN, plain

json_option = click.option("--json", "as_json", is_flag=True, help="Write one JSON document to stdout.")

__all__ = [
    "Advance",
    "json_option",
    "phases",
    "plain",
    "plain_lines",
    "print_csv",
    "print_json",
    "print_json_line",
    "print_table",
    "print_yaml",
    "progress",
    "say",
    "say_error",
]

_WHOLE_CHARS_MAX = 32
"""What a first column may need to stay whole in a narrow terminal: the longest is the id of a dead letter."""
_UNBROKEN_WIDTH = 100_000
"""Wider than any table: what reads a pipe or a file looks for whole lines."""

_UNSAFE_IN_JSON = re.compile(f"[\x7f-\x9f{DIRECTION}{UNSEEN}]")
"""What a terminal must not have, without what JSON escapes anyway, and cannot hold."""

PHASE_LINE_S = 5.0
"""Between two lines about the same step of something long."""

Advance = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is to do (0: unknown)."""


def plain_lines(text: str) -> str:
    """Return lines of text as a terminal may have them; line ends stay. For errors, whose lines are their own."""
    return "\n".join(map(plain, text.split("\n")))


def say(line: str = "", *, err: bool = False) -> None:
    """Write one line to stdout, or to stderr."""
    click.echo(plain(line), err=err)


def say_error(text: str) -> None:
    """Write an error to stderr, which may be of several lines."""
    click.echo(plain_lines(text), err=True)


def print_json(document: object) -> None:
    """Write one JSON document, indented, and nothing else to stdout."""
    import orjson  # noqa: PLC0415 - --help does without

    text = orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
    click.echo(_UNSAFE_IN_JSON.sub(_escaped_in_json, text))


def print_yaml(document: object) -> None:
    """Write one document as YAML, members in their order, and nothing else to stdout; escapes stand for non-ASCII."""
    import yaml  # noqa: PLC0415 - few commands need it

    click.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=False, width=120), nl=False)


def print_json_line(document: object) -> None:
    """Write one JSON document on a line of its own; values that JSON has no form for are written as their text."""
    import orjson  # noqa: PLC0415

    text = orjson.dumps(document, default=str, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()
    click.echo(_UNSAFE_IN_JSON.sub(_escaped_in_json, text))


def print_csv(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write CSV with a heading; no cell is a formula to a spreadsheet (see ``files.spreadsheet_cell``).

    On a terminal each cell is one line of plain text; elsewhere it is exact.
    """
    import csv  # noqa: PLC0415

    from mdm_stream.files import spreadsheet_cell  # noqa: PLC0415

    is_terminal = sys.stdout.isatty()
    written = csv.writer(sys.stdout, lineterminator="\n")
    for row in itertools.chain([headings], rows):
        written.writerow([spreadsheet_cell(plain(cell) if is_terminal else cell) for cell in row])


def _escaped_in_json(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def print_table(title: str, headings: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, texts: bool = False) -> None:
    """Write a table to stdout; columns after the first are aligned to the right, as numbers are.

    Those of ``texts`` are aligned to the left and broken over lines where the terminal is narrow, never cut short;
    short names and ids in the first column stay whole, to be copied. Where stdout is no terminal, nothing is broken.
    """
    from rich.console import Console  # noqa: PLC0415 - takes a tenth of a second, and --json does without
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    rows = [tuple(map(plain, row)) for row in rows]
    table = Table(title=Text(plain(title)) if title else None, title_justify="left")
    for number, heading in enumerate(headings):
        right = number and not texts
        whole = not number and all(len(row[0]) <= _WHOLE_CHARS_MAX for row in rows)
        overflow: Literal["fold", "ellipsis"] = "fold" if texts else "ellipsis"
        table.add_column(Text(plain(heading)), justify="right" if right else "left", overflow=overflow, no_wrap=whole)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _UNBROKEN_WIDTH
    console.print(table)


@contextmanager
def progress() -> Iterator[Advance]:
    """Yield a function that shows progress on stderr while stderr is a terminal, and does nothing otherwise."""
    if not sys.stderr.isatty():
        yield lambda _what, _done, _expected: None
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    tasks: dict[str, Any] = {}
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:

        def advance(what: str, done: int, expected: int) -> None:
            if what not in tasks:
                tasks[what] = shown.add_task(escape(plain(what)), total=expected or None)
            shown.update(tasks[what], completed=done, total=max(expected, done) if expected else None)

        yield advance


@contextmanager
def phases(*, quiet: bool = False, clock_s: Callable[[], float] = time.monotonic) -> Iterator[Advance]:
    """Yield a function that writes a line to stderr for each step of something long, on a terminal and off it.

    A new step is shown at once, its progress every ``PHASE_LINE_S``. A quiet one says nothing.
    """
    last, told_s = "", 0.0

    def advance(what: str, done: int, expected: int) -> None:
        nonlocal last, told_s
        now_s = clock_s()
        if what == last and now_s - told_s < PHASE_LINE_S:
            return
        last, told_s = what, now_s
        if not quiet:
            say(what + (f": {done:,}" if done else "") + (f" of {expected:,}" if expected else ""), err=True)

    yield advance
