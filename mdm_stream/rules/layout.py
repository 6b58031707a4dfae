"""The canonical form of a rule-set file: what ``mdm-stream rules fmt`` writes.

- Two spaces a level, lists indented under their key, one space behind ``:`` and ``,``, none inside brackets, no white
  space at the end of a line, at most one blank line in a row, none where a collection begins, one line end at the end.
- Settings in the order of the reference (``extends``, ``domain``, ``version`` ...; in a level ``when``, ``attributes``,
  ``bits`` ...). What an author names (attributes, sources, keys, comparisons, levels, conditions) stays in its order,
  which may mean something.
- What was written in brackets stays in brackets, broken at 120 characters under its bracket; with a comment inside it
  is written in lines. What was written in lines stays so. Scalars stay as they were written.
- Comments stay with what they are about; those behind the entries of one collection begin in one column.

It is checked before it is returned that the same is said, in the same order where order counts, with every comment. The
form of a form is itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mdm_stream.errors import RulesError
from mdm_stream.rules.commented import WrittenEntry, WrittenValue, comments_in, entries_of, read_commented
from mdm_stream.rules.tree import Node, parse_tree
from mdm_stream.rules.validate import settings_at

WIDTH = 120
"""Characters of a line, its comment not counted."""

INDENT = 2
ROOM_MIN = 40
"""Characters that a broken bracket must have beside it; with fewer, or a longer entry, it is written in lines."""

Path = tuple[str | int, ...]


def formatted(text: str, shown: str) -> str:
    """Return the canonical form of a rule set's text; ``shown`` names the file in messages.

    ``RulesError`` for a text that is no rule set's YAML, or that has a form which cannot be kept.
    """
    before = parse_tree(text, shown)
    root = read_commented(text, shown)
    if not root.entries:
        return text
    heading = _single_blanks(_heading(root))
    _put_in_order(root, ())
    lines = [*heading, *_block(root, 0), *_single_blanks(root.end)]
    made = "\n".join(lines) + "\n"
    after = parse_tree(made, shown)
    if _said(before, ()) != _said(after, ()) or Counter(comments_in(text)) != Counter(comments_in(made)):
        raise RulesError(f"{shown}: this file cannot be formatted without changing what it says; it stays as it is")
    return made


def _heading(root: WrittenValue) -> list[str]:
    """Take the comments above the first entry, which are about the file: they stay at its top."""
    heading, root.entries[0].above = root.entries[0].above, []
    while heading and not heading[0]:
        heading.pop(0)
    return heading


def _said(node: Node, path: Path) -> object:
    """Return what a node says as plain values, with the order of its entries where it counts."""
    if isinstance(node.content, dict):
        names = _in_order(list(node.content), path)
        return ("mapping", [(name, _said(node.content[name], (*path, name))) for name in names])
    if isinstance(node.content, tuple):
        return ("list", [_said(child, (*path, place)) for place, child in enumerate(node.content)])
    return (type(node.content).__name__, node.content)


def _in_order(names: Sequence[str], path: Path) -> list[str]:
    """Return names with settings in the order of the model; names of the author's own stay as they are."""
    known = settings_at(path)
    if not path:
        known = ["extends", *known]
    rank = {name: place for place, name in enumerate(known)}
    return sorted(names, key=lambda name: rank.get(name, len(rank))) if known else list(names)


def _put_in_order(value: WrittenValue, path: Path) -> None:
    if value.kind == "mapping":
        first = value.entries[0] if value.entries else None
        by_name = {entry.name: entry for entry in value.entries}
        value.entries = [by_name[name] for name in _in_order(list(by_name), path)]
        if first is not None and value.entries[0] is not first and not first.above and not value.flow:
            _keep_blanks(value.entries, first)
    for place, entry in enumerate(value.entries):
        _put_in_order(entry.value, (*path, entry.name if value.kind == "mapping" else place))


def _keep_blanks(entries: list[WrittenEntry], first: WrittenEntry) -> None:
    """Let an entry that moved away from the top stand off as the one that took its place did."""
    if entries[0].above[:1] == [""]:
        first.above.insert(0, "")


def _block(value: WrittenValue, depth: int) -> list[str]:
    """Return the lines of a collection, an entry after the other."""
    pad = " " * depth
    made: list[tuple[WrittenEntry, list[str], int]] = []
    for place, entry in enumerate(value.entries):
        above = entry.above
        if value.kind == "list" and entry.value.kind == "mapping" and not _in_brackets(entry.value, depth + INDENT):
            inner = entry.value.entries[0]
            above, inner.above = [*above, *filter(None, inner.above)], []
        entry.above = _single_blanks(above) if place else _stripped(above)
        lead = f"{pad}- " if value.kind == "list" else f"{pad}{entry.key}: "
        made.append((entry, *_entry_lines(entry, lead, depth)))
    single = [len(lines[0]) for entry, lines, _ in made if entry.comment and len(lines) == 1]
    column = max((width for width in single if width <= WIDTH), default=0) + INDENT
    lines: list[str] = []
    for entry, own, at in made:
        lines += [f"{pad}{comment}" if comment else "" for comment in entry.above]
        if entry.comment:
            gap = max(INDENT, column - len(own[at])) if len(own) == 1 else INDENT
            own[at] += f"{' ' * gap}{entry.comment}"
        lines += own
        lines += [f"{pad}{' ' * INDENT}{comment}" if comment else "" for comment in _single_blanks(entry.value.end)]
    return lines


def _entry_lines(entry: WrittenEntry, lead: str, depth: int) -> tuple[list[str], int]:
    """Return the lines of an entry without its comments, and the one that its comment stands behind."""
    value = entry.value
    if value.kind == "scalar":
        written = _scalar_lines(lead, value, depth)
        return written, len(written) - 1
    inline = _in_brackets(value, len(lead))
    if inline is not None:
        return [f"{lead}{inline[0]}", *inline[1:]], len(inline) - 1
    below = _block(value, depth + INDENT)
    if entry.key:
        return [lead.rstrip(), *below], 0
    return [f"{lead}{below[0].lstrip()}", *below[1:]], 0


def _scalar_lines(lead: str, value: WrittenValue, depth: int) -> list[str]:
    first, *rest = value.text.rstrip().split("\n") if value.text else [""]
    if not rest:
        return [f"{lead}{first.rstrip()}".rstrip()]
    pad = " " * (depth + INDENT)
    if first[:1] in ("|", ">") and value.text[:1] not in ("'", '"'):
        start = next(len(line) - len(line.lstrip()) for line in rest if line.strip())
        return [f"{lead}{first.rstrip()}", *(f"{pad}{line[start:]}" if line.strip() else "" for line in rest)]
    return [f"{lead}{first.rstrip()}", *(f"{pad}{line.strip()}" if line.strip() else "" for line in rest)]


def _is_commented(value: WrittenValue) -> bool:
    return bool(value.end) or any(
        entry.comment or any(entry.above) or entry.value.end for entry, _ in entries_of(value)
    )


def _in_brackets(value: WrittenValue, column: int) -> list[str] | None:
    """Return a collection in brackets that begin at a column, as lines; ``None`` if it is to be written in lines."""
    if not value.entries:
        return ["[]" if value.kind == "list" else "{}"]
    if not value.flow or _is_commented(value):
        return None
    pieces = [_piece(entry) for entry in value.entries]
    if any("\n" in piece for piece in pieces):
        return None
    start, stop = ("[", "]") if value.kind == "list" else ("{", "}")
    whole = f"{start}{', '.join(pieces)}{stop}"
    if column + len(whole) <= WIDTH:
        return [whole]
    if WIDTH - column < ROOM_MIN or any(column + len(piece) + 2 > WIDTH for piece in pieces):
        return None
    lines = [start]
    for place, piece in enumerate(pieces):
        last = place == len(pieces) - 1
        told = f"{piece}{stop if last else ','}"
        begun = lines[-1] not in (start, " ")
        if begun and column + len(lines[-1]) + 1 + len(told) > WIDTH:
            lines.append(" ")
            begun = False
        lines[-1] += f" {told}" if begun else told
    return [lines[0], *(f"{' ' * column}{line}" for line in lines[1:])]


def _piece(entry: WrittenEntry) -> str:
    """Return an entry of brackets on one line."""
    lead = f"{entry.key}: " if entry.key else ""
    value = entry.value
    if value.kind == "scalar":
        return f"{lead}{value.text.strip()}"
    start, stop = ("[", "]") if value.kind == "list" else ("{", "}")
    return f"{lead}{start}{', '.join(map(_piece, value.entries))}{stop}"


def _single_blanks(lines: Sequence[str]) -> list[str]:
    """Return lines with one blank line for several in a row."""
    return [line for place, line in enumerate(lines) if line or not place or lines[place - 1]]


def _stripped(lines: Sequence[str]) -> list[str]:
    """Return the same without blank lines at the top."""
    found = _single_blanks(lines)
    return found[1:] if found and not found[0] else found
