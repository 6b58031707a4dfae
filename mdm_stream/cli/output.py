"""What commands show: one JSON document for machines, tables for people, progress on a terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import click
import orjson

json_option = click.option("--json", "as_json", is_flag=True, help="Write one JSON document to stdout.")

_WHOLE_CHARS_MAX = 32
"""What a first column may need to stay whole in a narrow terminal: the longest is the id of a dead letter."""
_UNBROKEN_WIDTH = 100_000
"""Wider than any table: what reads a pipe or a file looks for whole lines."""

PHASE_LINE_S = 5.0
"""Between two lines about the same step of something long."""

Advance = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is to do (0: unknown)."""


def print_json(document: object) -> None:
    """Write one JSON document, indented, and nothing else to stdout."""
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())


def print_table(title: str, headings: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, texts: bool = False) -> None:
    """Write a table to stdout; columns after the first are aligned to the right, as numbers are.

    Those of ``texts`` are aligned to the left and broken over lines where the terminal is narrow, never cut short;
    short names and ids in the first column stay whole, to be copied. Where stdout is no terminal, nothing is broken.
    """
    from rich.console import Console  # noqa: PLC0415 - takes a tenth of a second, and --json does without
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(title=title or None, title_justify="left")
    for number, heading in enumerate(headings):
        right = number and not texts
        whole = not number and all(len(row[0]) <= _WHOLE_CHARS_MAX for row in rows)
        overflow: Literal["fold", "ellipsis"] = "fold" if texts else "ellipsis"
        table.add_column(heading, justify="right" if right else "left", overflow=overflow, no_wrap=whole)
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
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    tasks: dict[str, Any] = {}
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:

        def advance(what: str, done: int, expected: int) -> None:
            if what not in tasks:
                tasks[what] = shown.add_task(what, total=expected or None)
            shown.update(tasks[what], completed=done, total=max(expected, done) if expected else None)

        yield advance


@contextmanager
def phases(*, quiet: bool = False, clock_s: Callable[[], float] = time.monotonic) -> Iterator[Advance]:
    """Yield a function that writes a line to stderr for each step of something long, on a terminal and off it.

    A new step is told at once, how far it has come every ``PHASE_LINE_S``. A quiet one says nothing.
    """
    last, told_s = "", 0.0

    def advance(what: str, done: int, expected: int) -> None:
        nonlocal last, told_s
        now_s = clock_s()
        if what == last and now_s - told_s < PHASE_LINE_S:
            return
        last, told_s = what, now_s
        if not quiet:
            click.echo(what + (f": {done:,}" if done else "") + (f" of {expected:,}" if expected else ""), err=True)

    yield advance
