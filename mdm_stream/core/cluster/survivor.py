"""A golden value and where it comes from: what survivorship gives, attribute by attribute."""

from __future__ import annotations

from typing import NamedTuple

from mdm_stream.core.model import Version


class Origin(NamedTuple):
    """Where a golden value comes from: the member, what it wrote and when, and the strategy that decided."""

    ref: str
    version: Version
    event_time_us: int
    strategy: str


class Survivor(NamedTuple):
    """The golden value of one attribute: a text, or a tuple of texts, with one origin a value.

    A text that was built from parts has an origin for each write that they come from.
    """

    value: str | tuple[str, ...]
    origins: tuple[Origin, ...]
