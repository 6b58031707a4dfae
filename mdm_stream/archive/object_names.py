"""The names of the archive's objects, which say all that must be known without reading them.

::

    domain=<d>/segments/newest/segment-<witness>-<day>-<content>-<token>.ndjson.gz  what one batch brought
    domain=<d>/parts/day=<day>/part-<witness>-<content>-<token>.parquet             what compaction made of them
    domain=<d>/witness/witness-<witness>                                            witnesses of removed segments
    domain=<d>/replacements/<token>.json                                            replacements under way

The day is that of *writing* (UTC): a batch is one object whatever its records' ages, and an old day, once compacted, is
not touched again by late arrivals. Nothing rests on it being right: a writer whose clock is wrong files under a wrong
day, and is found there.

A witness is written newest first: each number is taken from the greatest of its width, so that the first name of a
listing, which costs one request in a folder of any size, has the greatest witness. All segments lie in one folder, so
one request tells the greatest of them, however many days there are; a folder a day, as earlier releases wrote them
(``segments/day=<day>/segment-<witness>-<content>-<token>.ndjson.gz``), is one request more until compaction has worked
it off. ``content`` is the uncompressed
size of the rows, or more: compaction plans by it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.name_patterns import DOMAIN_PATTERN
from mdm_stream.core.times import format_time_us
from mdm_stream.errors import TerminalError
from mdm_stream.objects.store import StoredObject

_EPOCH_DIGITS, _NUMBER_DIGITS, _CONTENT_DIGITS = 10, 16, 13
_WITNESS = re.compile(rf"(\d{{{_EPOCH_DIGITS}}})-(\d{{{_NUMBER_DIGITS}}})-(\d{{{_NUMBER_DIGITS}}})", re.ASCII)
_OBJECT = re.compile(
    r"domain=[a-z0-9_]+/(?:(?P<folder>segments|parts)/day=(?P<folder_day>\d{4}-\d\d-\d\d)|segments/newest)/"
    rf"(?P<kind>segment|part)-(?P<witness>{_WITNESS.pattern})-(?:(?P<day>\d{{4}}-\d\d-\d\d)-)?"
    rf"(?P<content>\d{{{_CONTENT_DIGITS}}})-[0-9a-f]{{16}}(?P<suffix>\.ndjson\.gz|\.parquet)",
    re.ASCII,
)
_FOLDER = {"segment": "segments", "part": "parts"}
_SUFFIX = {"segment": ".ndjson.gz", "part": ".parquet"}

ABANDONED = b"abandoned\n"
"""What an object holds whose name was taken so that nobody can create it any more."""

ObjectKind = Literal["segment", "part"]


@dataclass(frozen=True, slots=True, order=True)
class ArchiveObject:
    """One object with rows. ``content_bytes`` is the size of its rows before compression, or more."""

    name: str
    size_bytes: int
    kind: ObjectKind
    day: str
    witness: EpochPosition
    content_bytes: int


IN_BULK = EpochPosition(0, 0, 0)
"""The witness of what is archived for an epoch to come: no index was any way when it had that."""


def domain_folder(domain: str) -> str:
    """Return the prefix of a domain's objects; ``ValueError`` if that is no domain's name."""
    if not re.fullmatch(DOMAIN_PATTERN, domain):
        raise ValueError("a domain's name is made of lower-case letters, digits and underscores, a letter first")
    return f"domain={domain}/"


def domain_of(folder: str) -> str | None:
    """Return the domain whose folder that is, ``None`` if it is no domain's."""
    name = folder.removesuffix("/").removeprefix("domain=")
    return name if folder == f"domain={name}/" and re.fullmatch(DOMAIN_PATTERN, name) else None


def folder_of(domain: str, kind: ObjectKind) -> str:
    """Return the prefix of a domain's segments or parts."""
    return f"{domain_folder(domain)}{_FOLDER[kind]}/"


def witness_folder(domain: str) -> str:
    """Return the prefix of the witnesses whose segments were removed."""
    return f"{domain_folder(domain)}witness/"


def replacement_folder(domain: str) -> str:
    """Return the prefix of the replacements that are under way."""
    return f"{domain_folder(domain)}replacements/"


def new_name(domain: str, kind: ObjectKind, day: str, witness: EpochPosition, content_bytes: int) -> str:
    """Return a name that no other object has ever had."""
    unique = f"{content_bytes:0{_CONTENT_DIGITS}d}-{secrets.token_hex(8)}{_SUFFIX[kind]}"
    if kind == "segment":
        return f"{folder_of(domain, kind)}newest/segment-{encode_witness(witness)}-{day}-{unique}"
    return f"{folder_of(domain, kind)}day={day}/part-{encode_witness(witness)}-{unique}"


def name_of_replacement(domain: str) -> str:
    """Return a new name for the description of a replacement."""
    return f"{replacement_folder(domain)}{secrets.token_hex(8)}.json"


def name_of_witness(domain: str, witness: EpochPosition) -> str:
    """Return the name under which a witness is kept without its segment."""
    return f"{witness_folder(domain)}witness-{encode_witness(witness)}"


def is_mark(stored: StoredObject) -> bool:
    """Tell whether an object only marks its name as given up. No segment or part is as short as that."""
    return stored.size_bytes == len(ABANDONED)


def parse_object(stored: StoredObject) -> ArchiveObject:
    """Return what the name says; ``TerminalError`` if nobody of this project gave it, because it may hide records."""
    parts = _OBJECT.fullmatch(stored.name)
    if (
        parts is None
        or _FOLDER[parts["kind"]] != (parts["folder"] or "segments")
        or _SUFFIX[parts["kind"]] != parts["suffix"]
        or (parts["day"] is None) == (parts["folder_day"] is None)
    ):
        raise TerminalError(f"{stored.name} is no name of an archive's object; move it away or restore its name")
    kind: ObjectKind = "segment" if parts["kind"] == "segment" else "part"
    day, content_bytes = parts["day"] or parts["folder_day"], int(parts["content"])
    return ArchiveObject(stored.name, stored.size_bytes, kind, day, _decode(parts["witness"]), content_bytes)


def witness_in(name: str) -> EpochPosition | None:
    """Return the witness that a segment's, part's or witness's name holds, ``None`` if it holds none."""
    found = _WITNESS.search(name.rpartition("/")[2])
    return None if found is None else _decode(found[0])


def is_written_in_bulk(name: str) -> bool:
    """Tell whether an object was archived without an index's having it, as ``IN_BULK`` says."""
    return witness_in(name) == IN_BULK


def greatest_in(names: Iterable[str]) -> EpochPosition | None:
    """Return the greatest witness in some names."""
    return max((found for name in names if (found := witness_in(name)) is not None), default=None)


def encode_witness(witness: EpochPosition) -> str:
    """Return the witness as text whose order is the reverse of the witnesses'; ``ValueError`` if it is out of range."""
    numbers = ((witness.epoch, _EPOCH_DIGITS), (witness.clock, _NUMBER_DIGITS), (witness.sequence, _NUMBER_DIGITS))
    if any(not 0 <= number < 10**digits for number, digits in numbers):
        raise ValueError("a witness's numbers have no sign, 10 digits (epoch) and 16 (clock, sequence)")
    return "-".join(f"{10**digits - 1 - number:0{digits}d}" for number, digits in numbers)


def day_of(time_us: int) -> str:
    """Return the UTC day of a time."""
    return format_time_us(time_us)[:10]


def _decode(text: str) -> EpochPosition:
    epoch, clock, sequence = (10 ** len(number) - 1 - int(number) for number in text.split("-"))
    return EpochPosition(epoch, clock, sequence)
