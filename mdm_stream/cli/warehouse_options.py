"""The options of commands that read the local warehouse: which file, and whether it is the copy or the file itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.options import state_option
from mdm_stream.cli.output import say

if TYPE_CHECKING:
    from mdm_stream.warehouse.duckdb.tables import AsOf

Command = Callable[..., Any]


def warehouse_options(command: Command) -> Command:
    """Give a command ``--state``, ``--file`` and ``--live``."""
    command = click.option(
        "--live", is_flag=True, help="Read the file itself, which must not be open elsewhere, and not its read copy."
    )(command)
    command = click.option(
        "--file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="The warehouse's DuckDB file; that of the local stack if left out.",
    )(command)
    return state_option(command)


def warehouse_file(file: Path | None, state: Path) -> Path:
    """Return the warehouse file that the options name."""
    from mdm_stream.deployment import WAREHOUSE_FILE  # noqa: PLC0415 - --help does without

    return file or state / WAREHOUSE_FILE


def say_age(as_of: AsOf) -> None:
    """Write to stderr which state was read, and how old it is."""
    age_s = max(0.0, (datetime.now(UTC) - as_of.taken_at).total_seconds())
    kind = f"read copy, {age_s:.1f} s old" if as_of.is_copy else "the file itself, not a copy"
    reached = ", ".join(f"{domain} {at.epoch}/{at.sequence}" for domain, at in as_of.positions.items())
    say(f"{as_of.file.name}: {kind}; {reached or 'nothing is in it yet'}", err=True)
