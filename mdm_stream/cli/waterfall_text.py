"""A pair's evidence as a waterfall in a terminal: lines of text from the prior to the total, thresholds marked.

Signs, words and shapes carry the meaning, and no colour does. Where the output cannot write block characters, plus,
minus and bars of ASCII stand in their place.
"""

from __future__ import annotations

import codecs
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mdm_stream.core.plain_text import plain
from mdm_stream.steward.wording import step_label

WIDTH_MAX = 120
"""Columns that a chart takes at most, however wide the terminal is."""
WIDTH_OFF_TERMINAL = 100
"""Columns of a chart that is written to a file or pipe."""
CHART_WIDTH_MIN = 16
"""Columns below which bars say nothing: then figures stand alone."""
_LABEL_SHARE = 0.4


class _Glyphs(NamedTuple):
    gain: str
    loss: str
    total: str
    review: str
    link: str


_BLOCKS = _Glyphs("█", "▒", "◆", "┊", "│")
_ASCII = _Glyphs("+", "-", "*", ":", "|")


class _Beam(NamedTuple):
    label: str
    figure: str
    begins: float
    ends: float
    is_total: bool = False


def terminal_width() -> int:
    """Return the columns that a chart may take: those of the terminal or of ``COLUMNS``, at most ``WIDTH_MAX``."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit():
        return min(WIDTH_MAX, shutil.get_terminal_size().columns)
    return WIDTH_OFF_TERMINAL


def waterfall_lines(balance: Mapping[str, Any], width: int, encoding: str | None = None) -> list[str]:
    """Return a balance (``EvidenceBalance`` as JSON) as lines of at most ``width`` columns, as far as figures allow.

    First the start and a bar for each comparison, what speaks for a match before what speaks against it, then the
    total, and last what the marks mean. No line is cut: a label that is too long has a line of its own.
    """
    glyphs = _BLOCKS if _can_write(encoding or sys.stdout.encoding, "".join(_BLOCKS)) else _ASCII
    groups = _groups(balance)
    rows = [row for _, group in groups for row in group]
    figure_width = max(len(row.figure) for row in rows)
    label_width = min(max(_cells(row.label) for row in rows), int(width * _LABEL_SHARE))
    chart = _Chart(rows, balance, width - label_width - figure_width - 4, glyphs)
    lines = []
    for heading, group in groups:
        lines += [heading] if heading else []
        for row in group:
            if _cells(row.label) > label_width:
                lines.append(f"  {row.label}")
                row = row._replace(label="")  # noqa: PLW2901 - the rest of it
            label = row.label + " " * (label_width - _cells(row.label))
            lines.append(f"  {label} {row.figure:>{figure_width}} {chart.bar(row)}".rstrip())
    return [*lines, *chart.legend()]


def _groups(balance: Mapping[str, Any]) -> list[tuple[str, list[_Beam]]]:
    in_bits = balance["unit"] == "bits"
    digits = 2 if in_bits else 3
    start = balance["start"]
    first = _Beam("prior", f"{start:+.{digits}f}", 0.0, start) if in_bits else _Beam("link threshold", "", start, start)
    reached = balance["total"]
    total = _Beam("total", f"{reached:{'+' if in_bits else ''}.{digits}f}", reached, reached, is_total=True)
    groups: list[tuple[str, list[_Beam]]] = [("", [first])]
    for heading, name in (("For a match", "speaks_for"), ("Against", "speaks_against")):
        rows = [_Beam(plain(step_label(each)), f"{each['amount']:+.{digits}f}", *_ends(each)) for each in balance[name]]
        groups.append((heading if rows else f"{heading}: nothing", rows))
    return [*groups, ("", [total])]


def _ends(step: Mapping[str, Any]) -> tuple[float, float]:
    return step["begins"], step["ends"]


class _Chart:
    """The bars beside the figures, on one scale; empty where they would be too narrow to say anything."""

    def __init__(self, rows: Sequence[_Beam], balance: Mapping[str, Any], width: int, glyphs: _Glyphs) -> None:
        self._width, self._glyphs, self._balance = width, glyphs, balance
        values = [value for row in rows for value in (row.begins, row.ends)]
        values += [balance["link_from"], balance["review_from"]]
        self._least, self._span = min(values), (max(values) - min(values)) or 1.0

    def _column(self, value: float) -> int:
        return round((value - self._least) / self._span * (self._width - 1))

    def bar(self, row: _Beam) -> str:
        """Return one row's bar, over the marks of the thresholds."""
        if self._width < CHART_WIDTH_MIN:
            return ""
        cells = [" "] * self._width
        cells[self._column(self._balance["review_from"])] = self._glyphs.review
        cells[self._column(self._balance["link_from"])] = self._glyphs.link
        begins, ends = self._column(row.begins), self._column(row.ends)
        if row.is_total:
            cells[ends] = self._glyphs.total
        elif row.begins != row.ends:
            left, right = sorted((begins, ends))
            glyph = self._glyphs.gain if row.ends > row.begins else self._glyphs.loss
            cells[left : max(right, left + 1)] = glyph * max(right - left, 1)
        return "".join(cells)

    def legend(self) -> list[str]:
        """Return what the marks mean, where there are bars."""
        link, review = self._balance["link_from"], self._balance["review_from"]
        shown = "bits" if self._balance["unit"] == "bits" else "similarity"
        if self._width < CHART_WIDTH_MIN:
            return [f"  links from {link:.2f} {shown}, review from {review:.2f}"]
        glyphs = self._glyphs
        marks = f"{glyphs.review} review from {review:.2f}  {glyphs.link} link from {link:.2f} {shown}"
        return [f"  {glyphs.gain} for  {glyphs.loss} against  {glyphs.total} total  {marks}"]


def _cells(text: str) -> int:
    """Return the columns that a text takes: wide letters take two, marks none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - few labels need it

    return cell_len(text)


def _can_write(encoding: str, text: str) -> bool:
    try:
        codecs.encode(text, encoding)
    except (LookupError, UnicodeEncodeError):
        return False
    return True
