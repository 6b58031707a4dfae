"""Texts, tables and whole pages as HTML that nothing from outside can become a part of. Pure.

Every text is escaped, and made one harmless line first (see ``core.plain_text``). A page needs nothing but itself: its
policy (Content-Security-Policy) forbids scripts and whatever would be fetched. Each value is set apart in its direction
of writing (``bdi``), so that one from right to left moves nothing beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import NewType

from mdm_stream.core.plain_text import plain

Markup = NewType("Markup", str)
"""A text that is HTML already: made by the functions here alone."""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1b1b1b;"
    "background:#fff}table{border-collapse:collapse;margin:1rem 0}th,td{border-bottom:1px solid #ccc;"
    "padding:.3rem .6rem;text-align:left;vertical-align:top;max-width:34rem;overflow-wrap:break-word}"
    "td.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}mark{background:#ffe08a;text-decoration:underline}"
    "svg{max-width:100%;height:auto}.lead{font-size:1.15rem}"
)


def text(value: str) -> Markup:
    """Return a text from anywhere as HTML."""
    return Markup(escape(plain(value)))


def value_of(value: str) -> Markup:
    """Return a value from outside, its direction of writing kept to itself."""
    return Markup(f"<bdi>{text(value)}</bdi>")


def joined(parts: Iterable[Markup], between: str = "") -> Markup:
    """Return markup put together, with a text between the parts."""
    return Markup(text(between).join(parts))


def element(name: str, *content: str | Markup, markup: bool = False) -> Markup:
    """Return an element; its content is text, and markup only where that is said."""
    inner = "".join(content) if markup else "".join(map(text, content))
    return Markup(f"<{name}>{inner}</{name}>")


def paragraph(content: str) -> Markup:
    """Return a paragraph of text."""
    return element("p", content)


def table(headings: Sequence[str], rows: Iterable[Sequence[Markup]], numbers: Sequence[int] = ()) -> Markup:
    """Return a table of cells that are markup; the columns ``numbers`` are aligned to the right."""
    head = "".join(f'<th scope="col">{text(heading)}</th>' for heading in headings)
    body = "".join(
        f"<tr>{''.join(f'<td{_right(number, numbers)}>{cell}</td>' for number, cell in enumerate(row))}</tr>"
        for row in rows
    )
    return Markup(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def page(title: str, body: Iterable[Markup]) -> str:
    """Return a whole page."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width"><meta name="referrer" content="no-referrer">'
        f"<title>{text(title)}</title><style>{_STYLE}</style></head><body>"
        f"{element('h1', title)}{''.join(body)}</body></html>\n"
    )


def _right(number: int, numbers: Sequence[int]) -> str:
    return ' class="n"' if number in numbers else ""
