"""The event files that a command is given: which source and time of the load each has, and what CSV files hold.

CSV files are read twice: first to see whether they are what the rules are about, then to use them. So nothing of a file
is used that has the wrong header, or of which too many rows fail.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import click

from mdm_stream.cli.output import say
from mdm_stream.core.file_rules import REJECTED_SHARE_MAX
from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.times import format_time_us
from mdm_stream.core.wire_formats import FormatName
from mdm_stream.decode.cdc.table_row import column_time_us
from mdm_stream.decode.files.csv_check import CsvReport, check_csv
from mdm_stream.decode.files.csv_table import LOADED_AT_US_MAX
from mdm_stream.decode.files.event_files import PIECE_BYTES, file_pieces, format_of
from mdm_stream.errors import ConfigurationError, RejectedEventError, TerminalError

STDIN = "-"
STDIN_NAME = "standard input"
SPOOLED_BYTES = 16 * 1024 * 1024
"""Of standard input, what is kept in memory; a longer one is kept in a file without a name until it was read twice."""


@dataclass(frozen=True, slots=True)
class EventInput:
    """A file that was named, or standard input. ``loaded_at_us`` is the time of the load of a CSV file."""

    name: str
    path: Path | None
    format: FormatName | None
    source: str | None
    loaded_at_us: int
    spool: IO[bytes] | None = None
    size_and_time: tuple[int, int] = (0, 0)

    @property
    def is_csv(self) -> bool:
        """Whether it is a file of rows."""
        return self.format == "csv"

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes from the beginning on; ``TerminalError`` if the file has changed since it was named."""
        if self.path is not None:
            if _size_and_time(self.path) != self.size_and_time:
                raise TerminalError(f"{self.path}: the file has changed since it was checked; publish it again")
            yield from file_pieces(self.path)
        elif self.spool is not None:
            self.spool.seek(0)
            while piece := self.spool.read(PIECE_BYTES):
                yield piece


@dataclass(frozen=True, slots=True)
class CheckedInputs:
    """Files with what those of rows hold, by their place."""

    inputs: tuple[EventInput, ...]
    reports: Mapping[int, CsvReport] = field(default_factory=dict)

    def documents(self) -> list[dict[str, Any]]:
        """Return what is known of the files of rows, as JSON values."""
        return [_document(self.inputs[place], report) for place, report in self.reports.items()]


def named_inputs(
    files: Sequence[str], format_: FormatName | None, sources: Sequence[str], as_of: str | None, now_us: int
) -> tuple[EventInput, ...]:
    """Return the files that were named, each with its source: one for all of them, or one for each.

    The time of a load is ``as_of``, or when the file was written last; for standard input it is now.
    """
    if len(sources) > 1 and len(sources) != len(files):
        raise click.UsageError(
            f"{len(files)} files and {len(sources)} times --source: name one for all, or one for each"
        )
    if files.count(STDIN) > 1:
        raise click.UsageError("standard input can be read once")
    as_of_us = None if as_of is None else _as_of_us(as_of)
    found = []
    for place, name in enumerate(files):
        source = sources[place] if len(sources) > 1 else next(iter(sources), None)
        if name == STDIN:
            spool = _spooled() if format_ == "csv" else None
            found.append(EventInput(STDIN_NAME, None, format_, source, as_of_us or now_us, spool))
            continue
        path = Path(name)
        size, written_ns = _size_and_time(path)
        loaded_at_us = written_ns // 1_000 if as_of_us is None else as_of_us
        if not 0 <= loaded_at_us <= LOADED_AT_US_MAX:
            raise ConfigurationError(f"{path}: the time of the file is of no load; name one with --as-of")
        kind = format_of(path, format_)
        found.append(EventInput(path.name, path, kind, source, loaded_at_us, None, (size, written_ns)))
    return tuple(found)


def checked_inputs(
    inputs: tuple[EventInput, ...],
    rulesets: Mapping[str, Ruleset],
    *,
    rejected_share_max: float = REJECTED_SHARE_MAX,
    arriving_at_us: int | None = None,
    collect: bool = False,
) -> tuple[CheckedInputs, list[str]]:
    """Return the files with what those of rows hold, and why they may not be used, a sentence a file; say both."""
    reports: dict[int, CsvReport] = {}
    refused = []
    for place, given in enumerate(inputs):
        if not given.is_csv:
            continue
        try:
            report = check_csv(
                given.pieces(), rulesets, given.source, given.loaded_at_us,
                arriving_at_us=arriving_at_us, collect=collect,
            )  # fmt: skip
        except ConfigurationError as error:
            raise ConfigurationError(str(error) if given.path and str(given.path) in str(error) else
                                     f"{given.name}: {error}") from error  # fmt: skip
        reports[place] = report
        why = _too_late(given, report, arriving_at_us) or report.refusal(rejected_share_max)
        if why is not None:
            refused.append(f"{given.name}: {why}")
        _tell(given, report)
    return CheckedInputs(inputs, reports), refused


def require_files(named: Iterable[tuple[str, Path | None]]) -> None:
    """Raise ``ConfigurationError`` for the first of the files, with their names as given, that is none."""
    for name, path in named:
        if path is not None and path.is_dir():
            raise ConfigurationError(f"{name}: is a folder; name the files in it")
        if path is None or not path.exists():
            raise ConfigurationError(f"{name}: there is no such file")
        if not path.is_file():
            raise ConfigurationError(f"{name}: is no plain file; write what it gives into one")


def accepted_events(
    inputs: tuple[EventInput, ...], rulesets: Mapping[str, Ruleset], rejected: Counter[str], not_done: str
) -> Iterator[ChangeEvent]:
    """Yield the events of files that these rules accept; count the others by reason in ``rejected``.

    ``ConfigurationError`` for a file that is not there; ``TerminalError`` as ``refuse``, with what was ``not_done``.
    """
    from mdm_stream.replay.schedule import Rejected, read_files, read_rows  # noqa: PLC0415 - --help does without

    require_files((given.name, given.path) for given in inputs)
    _, refused = checked_inputs(inputs, rulesets, rejected_share_max=REJECTED_SHARE_MAX)
    refuse(refused, not_done)
    for given in inputs:
        if given.is_csv:
            items = read_rows(given.pieces(), given.name, given.source, rulesets, given.loaded_at_us)
        else:
            items = read_files([Path(str(given.path))], given.format, given.source, rulesets)
        for item in items:
            if isinstance(item, Rejected):
                rejected[item.error.reasons[0].code] += 1
            else:
                yield item


def refuse(refused: Sequence[str], what: str) -> None:
    """Raise ``TerminalError`` with every reason, if there is one; ``what`` says what was not done."""
    if refused:
        raise TerminalError("\n".join([f"{what}: these files are not what the rules are about", *refused]))


def _tell(given: EventInput, report: CsvReport) -> None:
    """Say on stderr how a file was read and what is amiss, without any value of it."""
    if report.fault is None:
        loaded = f"as of {format_time_us(given.loaded_at_us)}"
        counts = f"{report.rows:,} rows, {report.rejected:,} of them rejected"
        say(f"{given.name}: {report.dialect}; {counts}; {loaded}", err=True)
    for note in report.notes():
        say(f"  {note}", err=True)
    for each in report.top_reasons:
        where = f"{each.reason.path}: " if each.reason.path else ""
        said = f"{each.reason.code}, first in {given.name}:{each.line}: {where}{each.reason.message}"
        say(f"  {each.rows:,} rows rejected as {said}", err=True)


def _document(given: EventInput, report: CsvReport) -> dict[str, Any]:
    return {
        "file": given.name,
        "as_of": format_time_us(given.loaded_at_us),
        "dialect": report.dialect,
        "rows": report.rows,
        "rejected": report.rejected,
        "header": [
            {
                "source": each.source,
                "needed": [name for name, _ in each.needed],
                "missing": [name for name, _ in each.missing],
                "unknown": [{"column": name, "near": near or None} for name, near in each.unknown],
            }
            for each in report.headers
        ],
        "reasons": [
            {
                "code": each.reason.code,
                "path": each.reason.path,
                "message": each.reason.message,
                "rows": each.rows,
                "line": each.line,
            }
            for each in report.top_reasons
        ],
    }


def _too_late(given: EventInput, report: CsvReport, arriving_at_us: int | None) -> str | None:
    """Return that a load is said to be of a time that the consumer would refuse."""
    allowed = [route.source.clock_ahead_us for route in report.routes]
    if arriving_at_us is None or not allowed or given.loaded_at_us <= arriving_at_us + min(allowed):
        return None
    return f"its load is as of {format_time_us(given.loaded_at_us)}, which is to come; name the right time with --as-of"


def _as_of_us(text: str) -> int:
    try:
        time_us = column_time_us(text, "--as-of")
    except RejectedEventError:
        time_us = -1
    if not 0 <= time_us <= LOADED_AT_US_MAX:
        raise click.UsageError("--as-of is no time such as 2026-01-31 or 2026-01-31T09:30:00Z")
    return time_us


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path}: there is no such file") from error
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    return status.st_size, status.st_mtime_ns


def _spooled() -> IO[bytes]:
    """Return standard input as something that can be read twice."""
    spool: IO[bytes] = tempfile.SpooledTemporaryFile(SPOOLED_BYTES)  # noqa: SIM115 - as long as the process
    shutil.copyfileobj(sys.stdin.buffer, spool, PIECE_BYTES)
    return spool
