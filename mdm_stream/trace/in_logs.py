"""Log lines of functions that handled a batch: by the shard and the sequence numbers that they name.

A line of the resolve or warehouse function names its batch by ``correlation_id``, the event id of the batch's first
record (``shardId-...:SEQUENCE``). A record is in the batch with the greatest first number that is not above its own;
lines of the same invocation (``function_request_id``) and lines that name the very number belong to it too. A line of
another program, or of none, is passed over. What is shown of a line are counts, names and places, and its message if it
is one that our functions write; any other text only where values were asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from mdm_stream.errors import ConfigurationError

LINES_MAX = 100
"""Lines that are shown of one place."""
LINE_BYTES_MAX = 1_048_576
FILES_MAX = 10_000

_EVENT_ID = re.compile(r"(shardId-[0-9]{1,20}):([0-9]{1,128})", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,128}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_.:/\[\]<>-]{1,128}", re.ASCII)
_SHOWN_NAMES = (
    "level", "service", "function_name", "function_request_id", "correlation_id", "xray_trace_id", "shard",
    "location", "deployment", "first", "last",
)  # fmt: skip
_SHOWN_COUNTS = (
    "records", "quarantined", "dropped", "archived", "published", "expired", "held", "excluded", "ignored", "absorbed",
    "collisions", "pairs", "conflicts", "reevaluated", "changes", "merges", "first_failed",
)  # fmt: skip
_MESSAGES = frozenset({
    "batch", "batch stopped", "batch_failed", "checkpoint_failed", "domain_held", "golden_large", "index_in_doubt",
    "keys_suspended", "replicas_gone", "retries_outlived",
})  # fmt: skip
"""What our functions call their lines."""
_FIRST, _LAST = ("first", "first_sequence_number"), ("last", "last_sequence_number")
_NUMBERS = ("sequence_number", "sequenceNumber", "itemIdentifier")
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line: which file and number it is of, when it was written, and what of it can be shown to anybody.

    ``text`` is its message, which is shown on purpose alone.
    """

    file: str
    number: int
    time_us: int | None
    facts: Mapping[str, object]
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class LoggedPlace:
    """A place of which lines are wanted: ``service`` is the function that reads its stream, a part of its name."""

    service: str
    shard: str
    sequence: str


def log_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files that are named, and those in the folders; ``ConfigurationError`` for what is neither."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += sorted(found for found in path.rglob("*") if found.is_file())
        elif path.is_file():
            files.append(path)
        else:
            raise ConfigurationError(f"there is no file or folder {path} with log lines; name one with --logs")
    if len(files) > FILES_MAX:
        raise ConfigurationError(f"{len(files):,} files are more than the {FILES_MAX:,} that are read; name fewer")
    return files


def find_lines(files: Iterable[Path], places: Iterable[LoggedPlace]) -> dict[LoggedPlace, list[LogLine]]:
    """Return the lines of each place, in the order of the files, ``LINES_MAX`` of each at most.

    ``ConfigurationError`` for a file that cannot be read.
    """
    files = list(files)
    wanted = list(dict.fromkeys(places))
    batches: dict[LoggedPlace, int] = {}
    requests: dict[LoggedPlace, set[str]] = {place: set() for place in wanted}
    for _, _, line in _lines(files):
        for place in wanted:
            first = _first_of(line, place)
            if first is None or first < batches.get(place, -1):
                continue
            if first > batches.get(place, -1):
                requests[place] = set()
            batches[place] = first
            requests[place] |= {request} if (request := _request_of(line)) else set()
    found: dict[LoggedPlace, list[LogLine]] = {place: [] for place in wanted}
    for path, number, line in _lines(files):
        for place in wanted:
            first = _first_of(line, place)
            is_of_batch = first is not None and first == batches[place]
            if len(found[place]) < LINES_MAX and (
                is_of_batch or _request_of(line) in requests[place] or _names(line, place)
            ):
                found[place].append(_shown(path, number, line))
    return found


def _lines(files: Iterable[Path]) -> Iterator[tuple[Path, int, dict[str, Any]]]:
    for path in files:
        try:
            with path.open("rb") as file:
                for number, raw in enumerate(iter(partial(file.readline, LINE_BYTES_MAX), b""), start=1):
                    line = _parsed(raw)
                    if line is not None:
                        yield path, number, line
        except OSError as error:
            raise ConfigurationError(f"cannot read the log lines in {path}: {error.strerror}") from error


def _parsed(raw: bytes) -> dict[str, Any] | None:
    start = raw.find(b"{")  # a line of an export has the time and the stream before it
    if start < 0:
        return None
    try:
        line = orjson.loads(raw[start:])
    except orjson.JSONDecodeError:
        return None
    return line if isinstance(line, dict) else None


def _first_of(line: Mapping[str, Any], place: LoggedPlace) -> int | None:
    """Return the first sequence number of a line's batch, if the place may be in that batch."""
    if not _is_of(line, place):
        return None
    number = int(place.sequence)
    event_id = line.get("correlation_id")
    parts = _EVENT_ID.fullmatch(event_id) if isinstance(event_id, str) else None
    if parts is not None and parts[1] == place.shard:
        return int(parts[2]) if int(parts[2]) <= number else None
    if str(line.get("shard", "")).rpartition("/")[2] != place.shard:
        return None
    first, last = (_number_in(line, names) for names in (_FIRST, _LAST))
    return first if first is not None and first <= number and (last is None or number <= last) else None


def _names(line: Mapping[str, Any], place: LoggedPlace) -> bool:
    """Tell whether a line names the very sequence number as one of its fields."""
    return _is_of(line, place) and any(str(line.get(name, "")) == place.sequence for name in _NUMBERS)


def _is_of(line: Mapping[str, Any], place: LoggedPlace) -> bool:
    return place.service in str(line.get("service", ""))


def _number_in(line: Mapping[str, Any], names: Iterable[str]) -> int | None:
    for name in names:
        value = str(line.get(name, ""))
        if _NUMBER.fullmatch(value):
            return int(value)
    return None


def _request_of(line: Mapping[str, Any]) -> str | None:
    request = line.get("function_request_id")
    return request if isinstance(request, str) and request else None


def _shown(path: Path, number: int, line: Mapping[str, Any]) -> LogLine:
    facts: dict[str, object] = {}
    for name in _SHOWN_NAMES:
        value = line.get(name)
        if isinstance(value, str) and _NAME.fullmatch(value):
            facts[name] = value
    for name in _SHOWN_COUNTS:
        value = line.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            facts[name] = value
    text = str(line.get("message", ""))
    if text in _MESSAGES:
        facts["message"] = text
    return LogLine(str(path), number, _time_of(line), facts, text)


def _time_of(line: Mapping[str, Any]) -> int | None:
    text = line.get("timestamp")
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else (moment - _UNIX_EPOCH) // timedelta(microseconds=1)
