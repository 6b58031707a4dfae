"""A vendor's CSV file of any size, the same for the same seed, with bad rows of twelve kinds of which each is known."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

SEED = 11
BAD_SHARE = 0.01
TWIN_SHARE = 0.05
"""Of the rows, those of a person who is in the file under another key too."""
SECOND_2026 = 1_767_225_600

HEADER = "id,first,last,mail,town,updated,changed,state"
RULES = """\
extends: person
version: 1
sources:
  vendor:
    format: csv
    key: id
    version: updated
    version_kind: seconds
    event_time: changed
    history_until: 2100-01-01
    attributes: {given_name: first, family_name: last, email: mail, city: town}
    files: {required: [last], tags: {owner: [sales]}, encryption: any}
  roster:
    format: csv
    key: id
    history_until: 2100-01-01
    attributes: {given_name: first, family_name: last, email: mail, city: town}
    files: {load: full}
"""
"""``vendor``: rows with versions of their own. ``roster``: exports of the whole source, versioned by their time."""

_TOWNS = ("Bern", "Basel", "Köln", "Graz", "Lyon", "Gent", "Porto", "Turin")
_GROUP_ROWS = 100_000
_LETTERS = "abcdefghijklmnoprstuvz"

Cells = list[str]


def _set(place: int, value: str) -> Callable[[Cells], bytes]:
    def write(cells: Cells) -> bytes:
        return _line([*cells[:place], value, *cells[place + 1 :]])

    return write


BAD: dict[str, tuple[str, str, Callable[[Cells], bytes]]] = {
    "no key": ("missing", "row.id", _set(0, "")),
    "too few cells": ("ragged_row", "", lambda cells: _line(cells[:3])),
    "too many cells": ("ragged_row", "", lambda cells: _line([*cells, "x", "y"])),
    "a quote inside a cell": ("invalid_csv", "", _set(1, '"An"n')),
    "a control character": ("control_character", "row.first", _set(1, "A\x00n")),
    "a key that is too long": ("too_long", "row.id", _set(0, "k" * 300)),
    "a version that is a text": ("version_kind", "version", _set(5, "soon")),
    "a version of the future": ("version_ahead", "version", _set(5, "99999999999")),
    "a day that does not exist": ("wrong_format", "event_time", _set(6, "2026-02-30T00:00:00Z")),
    "a time of the future": ("event_time_ahead", "event_time", _set(6, "2999-01-01T00:00:00Z")),
    "a time before the floor": ("event_time_before_floor", "event_time", _set(6, "1800-01-01T00:00:00Z")),
    "a required cell that is empty": ("missing", "row.last", _set(2, "")),
}
"""Kind: the code and the path of the reason for which such a row is rejected, and how it is written."""


@dataclass(slots=True)
class VendorFile:
    """A file that was written. ``bad`` is the kind of each bad row by its number, from 1."""

    path: Path
    rows: int
    bad: dict[int, str] = field(default_factory=dict)
    size_bytes: int = 0


def write_vendor_file(
    path: Path, rows: int, *, first: int = 0, age: int = 0, bad_share: float = BAD_SHARE, seed: int = SEED
) -> VendorFile:
    """Write rows with the keys from ``first`` on; those of a greater ``age`` are newer versions, of another town.

    ``first`` rows that two files share differ in version and town alone. Bad rows of each kind are as many as of any
    other, give or take one.
    """
    drawn = random.Random(seed + first + 1_000_003 * age)
    bad_count = round(rows * bad_share)
    places = sorted(drawn.sample(range(1, rows + 1), bad_count))
    kinds = list(BAD) * (bad_count // len(BAD) + 1)
    drawn.shuffle(kinds)
    written = VendorFile(path, rows, dict(zip(places, kinds, strict=False)))
    with path.open("wb") as file:
        file.write(f"{HEADER}\n".encode())
        for number, cells in enumerate(_rows(rows, first, age), 1):
            kind = written.bad.get(number)
            file.write(_line(cells) if kind is None else BAD[kind][2](cells))
    written.size_bytes = path.stat().st_size
    return written


def write_vendor_parquet(path: Path, rows: int) -> VendorFile:
    """Write the good rows of a vendor's file as Parquet."""
    import pyarrow as pa  # noqa: PLC0415 - for this form alone
    from pyarrow import parquet  # noqa: PLC0415

    names = HEADER.split(",")
    schema = pa.schema([(name, pa.string()) for name in names])
    with parquet.ParquetWriter(path, schema) as writer:
        source = _rows(rows, 0, 0)
        while part := list(islice(source, _GROUP_ROWS)):
            columns = [list(cells) for cells in zip(*part, strict=True)]
            writer.write_table(pa.table(columns, schema=schema))
    return VendorFile(path, rows, size_bytes=path.stat().st_size)


def write_roster(path: Path, rows: int, *, first: int = 0) -> VendorFile:
    """Write an export of people who have nothing in common, with the keys from ``first`` on."""
    with path.open("wb") as file:
        file.write(b"id,first,last,mail,town\n")
        for cells in _rows(rows, first, 0, twins=False):
            file.write(_line(cells[:5]))
    return VendorFile(path, rows, size_bytes=path.stat().st_size)


def _rows(rows: int, first: int, age: int, *, twins: bool = True) -> Iterator[Cells]:
    for number in range(first, first + rows):
        own = random.Random(number)
        person = own.randrange(number) if twins and number and own.random() < TWIN_SHARE else number
        names = random.Random(-person - 1)
        given, family = (_word(names, length).title() for length in (7, 9))
        second = SECOND_2026 + number % 86_400 + age * 86_400
        yield [
            str(number), given, family, f"{given}.{family}.{person}@mail.example".lower(),
            _TOWNS[(person + age) % len(_TOWNS)], str(second), f"2026-01-{1 + age:02d}T12:00:00Z", "live",
        ]  # fmt: skip


def _word(drawn: random.Random, length: int) -> str:
    return "".join(drawn.choices(_LETTERS, k=length))


def _line(cells: Cells) -> bytes:
    return (",".join(cells) + "\n").encode()
