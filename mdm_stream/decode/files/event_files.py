"""Event files: objects of the stream's formats one a line, or a format of whole files; plain or gzip."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, cast

from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.wire_formats import FormatName
from mdm_stream.decode.decoder import Decoder, Ignored
from mdm_stream.decode.delivery import Delivery
from mdm_stream.decode.files.csv_lines import LINE_BYTES_MAX
from mdm_stream.decode.formats import FILE_FORMATS
from mdm_stream.errors import ConfigurationError, RejectedEventError

PIECE_BYTES = 65_536
"""Bytes of a file of rows that are read at a time."""


def file_events(
    path: Path | str,
    format: FormatName | None,  # noqa: A002  (the word that the rules and the command line use)
    source: str | None,
    rulesets: Mapping[str, Ruleset],
    loaded_at_us: int | None = None,
    on_ignored: Callable[[], None] = lambda: None,
) -> Iterator[tuple[bytes, ChangeEvent | RejectedEventError]]:
    """Yield each event of a file with the bytes that it came from, or those bytes with why they hold no event.

    Bytes that say two changes come twice, those that say none (a control record, a blank line) not at all. An event
    without a version takes the number of its line, one without a time that microsecond of 1970: reading a file again
    gives the same. ``format`` None tells CSV by the file's name and the
    others by their shape. ``on_ignored`` is called for each row of a table that the rules ignore. ``source`` is that of
    CSV rows without one, and of Debezium and DMS rows whatever their table. ``loaded_at_us`` is the time of the load of
    a CSV file, see ``iter_csv_events``. ``ConfigurationError`` if the file cannot be read, also from in the middle of
    it (a damaged gzip file).
    """
    path = Path(path)
    format = format_of(path, format)  # noqa: A001
    whole = any(each.name == format for each in FILE_FORMATS)
    return line_events(
        file_pieces(path) if whole else file_lines(path), format, source, rulesets, loaded_at_us, on_ignored
    )


def format_of(path: Path, format: FormatName | None) -> FormatName | None:  # noqa: A002  (as above)
    """Return the format of a file: the one that was named, or that of a whole file by its name."""
    return format or next((each.name for each in FILE_FORMATS if each.suffix in path.suffixes), None)


def line_events(
    lines: Iterable[bytes],
    format: FormatName | None,  # noqa: A002  (as above)
    source: str | None,
    rulesets: Mapping[str, Ruleset],
    loaded_at_us: int | None = None,
    on_ignored: Callable[[], None] = lambda: None,
) -> Iterator[tuple[bytes, ChangeEvent | RejectedEventError]]:
    """Yield the events of physical lines, as ``file_events`` does those of a file; CSV must be named as such."""
    for each in FILE_FORMATS:
        if each.name == format:
            yield from each.read(lines, rulesets, source, loaded_at_us)
            return
    decoder = Decoder(rulesets, expected=format, only_source=source)
    for number, line in enumerate(lines, start=1):
        raw = line.strip(b"\r\n")
        if not raw.strip():
            continue
        try:
            events = decoder.decode(Delivery.from_row(raw, number))
            if isinstance(events, Ignored):
                on_ignored()
            for event in events:
                yield raw, event
        except RejectedEventError as rejected:
            yield raw, rejected.with_traceback(None)


def file_pieces(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file in pieces; gzip is told by its first bytes, not by the name."""
    done_bytes = 0
    try:
        with _opened(path) as handle:
            while piece := handle.read(PIECE_BYTES):
                done_bytes += len(piece)
                yield piece
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ConfigurationError(f"{path}: the gzip data is damaged or cut short after {done_bytes:,} bytes") from error
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror or type(error).__name__}") from error


def file_lines(path: Path) -> Iterator[bytes]:
    """Yield the physical lines of a file, line ends kept; gzip is told by its first bytes, not by the name."""
    number = 0
    try:
        with _opened(path) as handle:
            while line := handle.readline(LINE_BYTES_MAX + 1):
                number += 1
                if len(line) > LINE_BYTES_MAX:
                    raise ConfigurationError(f"{path}:{number}: the line has more than {LINE_BYTES_MAX:,} bytes")
                yield line
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ConfigurationError(f"{path}: the gzip data is damaged or cut short after line {number}") from error
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror or type(error).__name__}") from error


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as probe:
        compressed = probe.read(2) == b"\x1f\x8b"
    return cast("BinaryIO", gzip.open(path, "rb")) if compressed else path.open("rb")
