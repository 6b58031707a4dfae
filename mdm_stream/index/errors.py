"""What an index raises besides ``TransientError`` and ``TerminalError`` themselves, whatever it is kept in."""

from __future__ import annotations

from mdm_stream.errors import TerminalError, TransientError


class EpochChangedError(TransientError):
    """The index is not what the caller was bound to: another epoch is live, another server answers, or it is gone."""


class DomainHeldError(TransientError):
    """Writing to the domain is held back until a person releases it."""


class IndexInDoubtError(TransientError):
    """The index is gone, lacks what was already done, or is of another rule set or F: it must be rebuilt from the
    archive, and until then nothing is written to it.
    """


class NoIndexError(TerminalError):
    """There is no index of the domain: nothing was resolved yet, or it is lost."""


class UnfitServerError(TransientError):
    """The server cannot hold an index as it is set up: nothing is written to it until an operator has mended that."""
