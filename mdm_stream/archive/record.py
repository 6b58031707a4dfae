"""What the archive keeps: accepted records of the change stream, and how far the index had come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from mdm_stream.errors import TerminalError

RecordKind = Literal["record", "verdict", "override", "erase"]
"""What the events of an archived record are. Only ``record`` and ``override`` carry values of a person or thing."""

VALUE_KINDS: frozenset[RecordKind] = frozenset({"record", "override"})
_KINDS = frozenset(get_args(RecordKind))


ARCHIVE_FORMAT = 2
"""The newest form in which segments and parts are written. Raise it when an older release could not read a newer form,
and go on reading every form before: the archive outlives each release, and both a release and its rollback rebuild from
it. What is archived does not depend on F, so this number is no part of F's identity.

Form 2 says of a row who signed it and on which stream it was redriven. A row that was neither is written in form 1, so
that a release before can read it."""


class UnknownFormatError(TerminalError):
    """An object of the archive that a newer release has written, in a form that this one does not know."""

    def __init__(self, name: str, found: object) -> None:
        """Take the object's name, and the format that it claims."""
        super().__init__(
            f"archive object {name} has format {found}, and this release reads formats up to {ARCHIVE_FORMAT}; "
            "use the release that wrote it, or a later one"
        )


def require_known_format(name: str, found: int) -> None:
    """Raise ``UnknownFormatError`` unless this release can read objects of a format."""
    if not 1 <= found <= ARCHIVE_FORMAT:
        raise UnknownFormatError(name, found)


class DamagedObjectError(TerminalError):
    """An object of the archive that cannot be read, though it is there. It is left as it is."""

    def __init__(self, name: str, said: str) -> None:
        """Take the object's name, and what is wrong with it in words that repeat nothing of it."""
        super().__init__(f"archive object {name} is damaged: {said}; restore it from a copy before going on")


@dataclass(frozen=True, slots=True)
class ArchivedRecord:
    """One accepted record of the change stream, as it was delivered.

    ``refs`` are the records that its events name (at least one; a verdict names two, a key change the old and the new).
    ``position`` (its place) and ``arrival_time_us`` are what its ``decode.Delivery`` says, so that decoding ``raw``
    again gives the same events. ``origin`` says where it came from, for people; ``redriven_on`` is the stream on which
    it was sent again, and ``key_id`` the key that signed it, nothing if neither was so.
    """

    domain: str
    refs: tuple[str, ...]
    position: str
    arrival_time_us: int
    origin: str
    raw: bytes
    kind: RecordKind
    redriven_on: str = ""
    key_id: str = ""

    def __post_init__(self) -> None:
        """Refuse a record that names nothing, and a kind that erasure would not know how to treat."""
        if not self.refs or self.kind not in _KINDS:
            raise ValueError("an archived record names at least one reference and is of a known kind")

    @property
    def format(self) -> int:
        """The oldest form that can hold it."""
        return 2 if self.redriven_on or self.key_id else 1

    @property
    def content_bytes(self) -> int:
        """How much it holds, uncompressed: the measure by which objects are cut."""
        return len(self.raw) + len(self.position) + len(self.origin) + sum(map(len, self.refs))
