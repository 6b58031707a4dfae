"""What can be wrong with a rule-set file, and how it is told: file, line, what is wrong, what to do.

Every stage (reading, extending, validating, compiling) collects findings instead of stopping at the first, so that
an author sees all problems of a stage in one go.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NoReturn

from mdm_stream.errors import RulesError

MESSAGE_CHARS_MAX = 2_000
"""Of a finding: the middle of a longer one, which repeats something long from the file, is left out."""

FINDINGS_MAX = 100
"""Findings of one stage; of the others only how many there are."""

Severity = Literal["error", "warning"]

_LIKENED_MAX = 100
"""Characters of a name that is likened to others, which takes time that grows with its square."""

LISTED_MAX = 100
"""How many expected names one message lists before it says how many more there are: every name of the rule language,
and of the attributes that most domains have."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file, counted from 1. Line 0 means the file as a whole."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Finding:
    """One error or warning about a rule-set file."""

    severity: Severity
    file: str
    line: int
    message: str

    def __str__(self) -> str:
        mark = "" if self.severity == "error" else "warning: "
        return f"{Place(self.file, self.line)}: {mark}{self.message}"


class Findings:
    """A collector of findings, kept in the order they were met."""

    def __init__(self) -> None:
        self._found: dict[Finding, None] = {}
        self._left_out: dict[Severity, int] = {"error": 0, "warning": 0}

    def error(self, place: Place, message: str) -> None:
        """Note an error. The same message at the same place counts once."""
        self._add("error", place, message)

    def warning(self, place: Place, message: str) -> None:
        """Note something that is allowed but probably not meant."""
        self._add("warning", place, message)

    def _add(self, severity: Severity, place: Place, message: str) -> None:
        finding = Finding(severity, place.file, place.line, _shortened(message))
        if finding in self._found or sum(found.severity == severity for found in self._found) < FINDINGS_MAX:
            self._found[finding] = None
        else:
            self._left_out[severity] += 1

    @property
    def errors(self) -> list[Finding]:
        """The errors so far, in order."""
        return [finding for finding in self if finding.severity == "error"]

    def __iter__(self) -> Iterator[Finding]:
        last = None
        for last in self._found:
            yield last
        for severity, count in self._left_out.items():
            if last is not None and count:
                yield Finding(severity, last.file, last.line, f"and {count:,} more; correct these first")

    def raise_errors(self) -> None:
        """Raise ``RulesError`` that lists all errors, one a line, if there is any."""
        if self.errors:
            raise RuleFindingsError(self.errors)


class RuleFindingsError(RulesError):
    """A ``RulesError`` that keeps its findings apart for programs."""

    def __init__(self, findings: list[Finding]) -> None:
        """Take at least one finding; the text has one line for each."""
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in findings))


def fail(place: Place, message: str) -> NoReturn:
    """Raise ``RulesError`` for a problem after which nothing more can be read."""
    raise RuleFindingsError([Finding("error", place.file, place.line, _shortened(message))])


def _shortened(message: str) -> str:
    if len(message) <= MESSAGE_CHARS_MAX:
        return message
    half = MESSAGE_CHARS_MAX // 2
    return f"{message[:half]} ... {message[-half:]}"


def one_of(names: Iterable[str]) -> str:
    """Return ``a, b or c`` for a message, shortened past :data:`LISTED_MAX` names."""
    listed = list(names)
    if len(listed) > LISTED_MAX:
        return f"{', '.join(listed[:LISTED_MAX])} or one of {len(listed) - LISTED_MAX} more"
    if len(listed) < 2:
        return "".join(listed)
    return f"{', '.join(listed[:-1])} or {listed[-1]}"


def nearest(name: str, names: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the closest of ``names``, or nothing if none is close."""
    close = difflib.get_close_matches(name.lower(), list(names), n=1, cutoff=0.6) if len(name) <= _LIKENED_MAX else []
    return f"; did you mean {close[0]!r}?" if close else ""
