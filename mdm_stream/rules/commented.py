"""YAML text -> a tree that remembers how each value was written, and the comments and blank lines beside it.

For what writes a file anew without losing a word of its author. :mod:`mdm_stream.rules.tree` says what is YAML here;
the text must be such that it can read it.

A comment on a line of its own belongs to the entry that follows; where it is indented deeper than that, to the end of
the collection before it, if there is one. A comment behind something belongs to the entry that it stands behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from mdm_stream.rules.findings import Place, fail
from mdm_stream.rules.tree import EVENT_LOADER

_COMMENT = re.compile(r"#[^\n]*")
_ONLY_DASHES = re.compile(r"[\s-]*")
_KEPT_FORM = re.compile(r"[|>][-]?\s*(#.*)?")
"""The headers of block scalars that can be written anew at another depth: without ``+`` and without a number."""


@dataclass(slots=True)
class WrittenValue:
    """A value as it was written: the text of a scalar, or the entries of a collection.

    ``end`` are comments behind the last entry. ``start`` and ``stop`` are positions in the text, ``last_line`` is the
    line, from 0, in which it ends.
    """

    kind: str
    start: int
    stop: int
    last_line: int
    text: str = ""
    flow: bool = False
    entries: list[WrittenEntry] = field(default_factory=list)
    end: list[str] = field(default_factory=list)


@dataclass(slots=True)
class WrittenEntry:
    """One entry of a mapping (``key`` as it was written) or a list (``key`` is empty).

    ``above`` are comment lines before it, an empty text for a blank line; ``comment`` stands behind it.
    """

    key: str
    name: str
    value: WrittenValue
    line: int
    column: int
    start: int
    above: list[str] = field(default_factory=list)
    comment: str = ""


def read_commented(text: str, shown: str) -> WrittenValue:
    """Return the root mapping of a text that ``parse_tree`` reads. ``RulesError`` for a form that cannot be kept."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    events: Iterator[Any] = iter(yaml.parse(text, Loader=EVENT_LOADER))
    next(events)
    begin = next(events)
    if begin.version or begin.tags:
        fail(
            Place(shown, begin.start_mark.line + 1), "directives are not formatted; remove the line that begins with %"
        )
    root = _Builder(text, shown, events).value(next(events))
    _attach(text, root)
    return root


def entries_of(value: WrittenValue) -> Iterator[tuple[WrittenEntry, WrittenValue]]:
    """Yield all entries below a value with the collection that each is in, as they were written."""
    for entry in value.entries:
        yield entry, value
        yield from entries_of(entry.value)


def comments_in(text: str) -> list[str]:
    """Return the comments of a text in order, without spaces around them."""
    return [found.group().strip() for found, _ in _comments(text.replace("\r\n", "\n"))]


class _Builder:
    """Builds the tree from the parser's events."""

    def __init__(self, text: str, shown: str, events: Iterator[Any]) -> None:
        self._text = text
        self._shown = shown
        self._events = events

    def value(self, event: Any) -> WrittenValue:
        """Return the value that an event begins, taking its content from the events."""
        start, stop = event.start_mark.index, event.end_mark.index
        line, last_line = event.start_mark.line, event.end_mark.line
        if isinstance(event, yaml.ScalarEvent):
            raw = self._text[start:stop]
            if event.style in ("|", ">") and not _KEPT_FORM.fullmatch(raw.split("\n", 1)[0]):
                place = Place(self._shown, line + 1)
                fail(place, "this block of text has a number or '+' behind its mark; write it in quotes instead")
            return WrittenValue("scalar", start, stop, last_line, raw)
        kind = "list" if isinstance(event, yaml.SequenceStartEvent) else "mapping"
        whole = WrittenValue(kind, start, stop, last_line)
        whole.flow = bool(event.flow_style)
        for child in self._events:
            whole.stop, whole.last_line = child.end_mark.index, child.end_mark.line
            if isinstance(child, yaml.SequenceEndEvent | yaml.MappingEndEvent):
                break
            whole.entries.append(self._entry(whole, child))
        return whole

    def _entry(self, whole: WrittenValue, event: Any) -> WrittenEntry:
        mark = event.start_mark
        if whole.kind == "mapping":
            key = self._text[mark.index : event.end_mark.index]
            return WrittenEntry(key, event.value, self.value(next(self._events)), mark.line, mark.column, mark.index)
        line = self._text.rfind("\n", 0, mark.index) + 1
        dash = self._text.rfind("-", line, mark.index)
        column = mark.column if whole.flow or dash < 0 else dash - line
        return WrittenEntry("", "", self.value(event), mark.line, column, mark.index)


def _comments(text: str) -> Iterator[tuple[re.Match[str], bool]]:
    """Yield each comment, and whether nothing but white space and dashes stands before it on its line."""
    reached = 0
    for token in yaml.scan(text, Loader=EVENT_LOADER):
        start, stop = token.start_mark.index, token.end_mark.index
        if start > reached:
            for found in _COMMENT.finditer(text, reached, start):
                before = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
                yield found, _ONLY_DASHES.fullmatch(before) is not None
        if isinstance(token, yaml.ScalarToken) and token.style in ("|", ">"):
            stop = start + len(text[start:stop].rstrip()) if text[start:stop].strip() else stop
        reached = max(reached, stop)


def _attach(text: str, root: WrittenValue) -> None:
    """Give every comment and blank line to an entry, or to the end of a collection."""
    found = list(entries_of(root))
    lines = text.split("\n")
    own: dict[int, str] = {}
    for comment, alone in _comments(text):
        if alone:
            own[text.count("\n", 0, comment.start())] = comment.group().rstrip()
        else:
            _put_behind(found, comment.start(), comment.group().rstrip())
    inside = {line for entry, _ in found for line in _lines_inside(text, entry.value)}
    loose = {place for place, line in enumerate(lines) if place in own or (not line.strip() and place not in inside)}
    taken: set[int] = set()
    before: WrittenEntry | None = None
    for entry, _ in found:
        above = _above(entry.line, loose, taken)
        taken.update(above)
        begins = before is None or (bool(before.value.entries) and before.value.entries[0] is entry)
        split = 0 if begins else _deeper(above, own, lines, entry.column)
        if split and before is not None:
            _end_before(found, before, root, _column(lines[above[0]])).end += [
                own.get(line, "") for line in above[:split]
            ]
        entry.above += [own.get(line, "") for line in above[split:]]
        before = entry
    left = loose - taken
    for line in sorted(left & own.keys()):
        last = next((entry for entry, _ in reversed(found) if entry.line < line), None)
        end = root if last is None else _end_before(found, last, root, _column(lines[line]), line)
        end.end += ["", own[line]] if line - 1 in left - own.keys() else [own[line]]


def _lines_inside(text: str, value: WrittenValue) -> Iterator[int]:
    """Yield the lines of a scalar after its first one."""
    if value.kind == "scalar" and "\n" in value.text.rstrip():
        first = text.count("\n", 0, value.start)
        yield from range(first + 1, first + 1 + value.text.rstrip().count("\n"))


def _above(line: int, loose: set[int], taken: set[int]) -> list[int]:
    """Return the lines right above one that hold no value and belong to nothing yet, from the top."""
    found: list[int] = []
    while (line := line - 1) in loose and line not in taken:
        found.append(line)
    return found[::-1]


def _deeper(above: list[int], own: dict[int, str], lines: list[str], column: int) -> int:
    """Return how many of the lines from the top belong to what stands before: up to the last deeper comment."""
    split = 0
    for place, line in enumerate(above, 1):
        if line in own:
            if _column(lines[line]) <= column:
                break
            split = place
    return split


def _column(line: str) -> int:
    return len(line) - len(line.lstrip())


def _put_behind(found: list[tuple[WrittenEntry, WrittenValue]], at: int, comment: str) -> None:
    """Put a comment behind the last entry that begins before it, or that whose flow collection is closed by then."""
    started = [(entry, whole) for entry, whole in found if entry.start < at]
    if not started:
        found[0][0].above.append(comment)
        return
    entry, whole = started[-1]
    while whole.flow and whole.stop <= at:
        entry, whole = next((e, w) for e, w in started if e.value is whole)
    if entry.comment:
        entry.above.append(comment)
    else:
        entry.comment = comment


def _end_before(
    found: list[tuple[WrittenEntry, WrittenValue]],
    last: WrittenEntry,
    root: WrittenValue,
    column: int,
    line: int | None = None,
) -> WrittenValue:
    """Return the innermost collection around the last entry whose entries begin no deeper than a column.

    With a ``line`` it may be one in brackets that are still open there.
    """
    within = {id(entry): whole for entry, whole in found}
    owner = {id(entry.value): entry for entry, _ in found}
    whole = last.value if last.value.entries else within[id(last)]
    while whole is not root:
        is_open = whole.flow and line is not None and whole.last_line >= line
        if is_open or (not whole.flow and whole.entries and whole.entries[0].column <= column):
            return whole
        whole = within[id(owner[id(whole)])]
    return root
