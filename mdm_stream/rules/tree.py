"""YAML text -> a tree of plain values that remember their file and line.

The reader is deliberately narrower than YAML, so that a rule set means what it looks like:

- words are text: ``no``, ``on``, ``NO`` and ``2026-01-01`` stay as written; only ``true``, ``false``, ``null``
  (or ``~``) and plain decimal numbers are anything else, and ``012`` is text because it is not a plain number;
- keys are always text, and the same key twice in one mapping is an error;
- a key without a value is an error, for it reads like a forgotten line; ``null`` must be written out;
- anchors, aliases and tags are refused: ``extends`` is how rule sets share, and a few aliases can expand to billions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mdm_stream.rules.findings import Place, fail

FILE_BYTES_MAX = 262_144
"""A rule set is written by people; the packs are some 20 kB. More is a wrong file."""

DEPTH_MAX = 24
"""The deepest legal path of a rule set has about ten steps; the bound keeps recursion small."""

Scalar = str | int | float | bool | None

EVENT_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]{1,3})?")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_WORDS: dict[str, Scalar] = {"true": True, "false": False, "null": None, "~": None}


@dataclass(frozen=True, slots=True)
class TreeFile:
    """What a file is expected to be: its name in messages, its least content, and its greatest size in bytes."""

    what: str
    example: str
    bytes_max: int


RULES_FILE = TreeFile("rule set", "extends: person", FILE_BYTES_MAX)


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it was written. In a mapping, ``place`` is the line of the value's key."""

    content: Scalar | dict[str, Node] | tuple[Node, ...]
    place: Place

    @property
    def items(self) -> dict[str, Node]:
        """The entries of a mapping; of anything else, none."""
        return self.content if isinstance(self.content, dict) else {}

    def at(self, path: tuple[object, ...]) -> Node:
        """Return the node at a path of keys and positions, or the deepest one on the way to it."""
        node = self
        for step in path:
            if isinstance(node.content, dict) and step in node.content:
                node = node.content[str(step)]
            elif isinstance(node.content, tuple) and isinstance(step, int) and step < len(node.content):
                node = node.content[step]
        return node


def plain(node: Node) -> Any:
    """Return the node as plain dicts, tuples and scalars."""
    if isinstance(node.content, dict):
        return {key: plain(child) for key, child in node.content.items()}
    if isinstance(node.content, tuple):
        return tuple(plain(child) for child in node.content)
    return node.content


def read_tree(path: Path, shown: str, named_at: Place | None = None, expected: TreeFile = RULES_FILE) -> Node:
    """Read a file into a tree whose root is a mapping. ``shown`` names the file in messages.

    ``named_at`` is the line of another file that asked for this one, and is told of a file that cannot be read.
    Raises ``RulesError`` for a file that is missing, empty, too large, not text, not YAML, or not a mapping.
    """
    return parse_tree(read_text(path, shown, named_at, expected), shown, expected)


def parse_tree(text: str, shown: str, expected: TreeFile = RULES_FILE) -> Node:
    """Parse the text of a file; see :func:`read_tree`."""
    what, example = expected.what, expected.example
    events = _events(text, shown)
    next(events)  # the start of the stream
    first = next(events)
    if isinstance(first, yaml.StreamEndEvent):
        fail(Place(shown), f"the file holds no {what}; expected a mapping; write at least '{example}'")
    root = _compose(next(events), events, shown, None, 0)
    next(events)  # the end of the document
    after = next(events)
    if not isinstance(after, yaml.StreamEndEvent):
        fail(_place(after, shown), f"a second YAML document begins here; expected one {what} a file; move it out")
    if not isinstance(root.content, dict):
        fail(root.place, f"the file is not a mapping; expected 'key: value' lines such as '{example}'")
    return root


def read_text(path: Path, shown: str, named_at: Place | None = None, expected: TreeFile = RULES_FILE) -> str:
    """Return the text of a file, without a byte order mark; raises what :func:`read_tree` does of a file."""
    where, it = (Place(shown), "") if named_at is None else (named_at, f"{shown}: ")
    what = expected.what
    or_pack = ", or the name of a pack" if expected is RULES_FILE else ""
    try:
        if not path.exists():
            said = f"there is no such file; expected a {what} in YAML{or_pack}; check the path"
            fail(where, it + said)
        if not path.is_file():
            said = f"this is not a regular file; expected a {what} in YAML; give the path of the file itself"
            fail(where, it + said)
        with path.open("rb") as stream:
            raw = stream.read(expected.bytes_max + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the path is not valid"
        fail(where, f"{it}the file cannot be read ({reason}); check the path and its permissions")
    if len(raw) > expected.bytes_max:
        size = f"{it}the file has more than {expected.bytes_max:,} bytes"
        fail(where, f"{size}; expected a {what}; is it the right file?")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        fail(Place(shown, line), "the file is not UTF-8 text; expected YAML; save it as UTF-8")
    if control := _CONTROL.search(text):
        line = text.count("\n", 0, control.start()) + 1
        fail(Place(shown, line), "the file holds a control character; expected text in YAML; is it a binary file?")
    return text


def _events(text: str, shown: str) -> Iterator[Any]:
    try:
        yield from yaml.parse(text, Loader=EVENT_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        tab = (
            "; indent with spaces, not tabs" if "\t" in _line(text, line) else "; check indentation, colons and quotes"
        )
        fail(Place(shown, line), f"this is not valid YAML: {error.problem or error.context}{tab}")
    except yaml.YAMLError as error:
        fail(Place(shown), f"this is not valid YAML: {str(error).splitlines()[0]}; save it as UTF-8 text")


def _line(text: str, line: int) -> str:
    lines = text.split("\n")
    return lines[line - 1] if 0 < line <= len(lines) else ""


def _place(event: Any, shown: str) -> Place:
    return Place(shown, event.start_mark.line + 1)


def _compose(event: Any, events: Iterator[Any], shown: str, key_place: Place | None, depth: int) -> Node:
    """Build the node that ``event`` starts, taking its content from ``events``."""
    place = key_place or _place(event, shown)
    if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
        name = f"{'*' if isinstance(event, yaml.AliasEvent) else '&'}{event.anchor}"
        fail(
            place, f"anchors and aliases are not allowed ({name}); expected plain values; write it out or use 'extends'"
        )
    if event.tag is not None:
        fail(place, f"tags are not allowed ({event.tag}); expected a plain value; remove the tag")
    if depth > DEPTH_MAX:
        fail(place, f"nested more than {DEPTH_MAX} levels deep; expected less; check brackets and indentation")
    if isinstance(event, yaml.ScalarEvent):
        return Node(_scalar(event), place)
    if isinstance(event, yaml.SequenceStartEvent):
        children: list[Node] = []
        while not isinstance(child := next(events), yaml.SequenceEndEvent):
            children.append(_compose(child, events, shown, None, depth + 1))
        return Node(tuple(children), place)
    return Node(_mapping(events, shown, depth), place)


def _mapping(events: Iterator[Any], shown: str, depth: int) -> dict[str, Node]:
    entries: dict[str, Node] = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        place = _place(event, shown)
        if not isinstance(event, yaml.ScalarEvent) or event.tag is not None or event.anchor is not None:
            fail(place, "a key is not plain text; expected 'name: value'; check brackets and indentation")
        key: str = event.value
        if key in entries:
            fail(place, f"{key!r} is given twice, first in line {entries[key].place.line}; remove one of the two")
        value = next(events)
        if isinstance(value, yaml.ScalarEvent) and value.value == "" and value.implicit[0]:
            fail(place, f"{key!r} has no value; write one (null, {{}} or [] if you mean that), or remove the line")
        entries[key] = _compose(value, events, shown, place, depth + 1)
    return entries


def _scalar(event: Any) -> Scalar:
    text: str = event.value
    if not event.implicit[0]:  # quoted: text whatever it looks like
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    return text
