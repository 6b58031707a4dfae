"""The profile of files as one HTML page: self-contained, no scripts, texts escaped, charts as inline SVG. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

BAR_WIDTH = 220
BAR_HEIGHT = 12
ROW_HEIGHT = 18
LABEL_CHARS_MAX = 40

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2.5rem;border-bottom:1px solid #d0d7de}
h3{font-size:1rem;margin:0 0 .3rem}table{border-collapse:collapse;width:100%}
table+table{margin-top:1.5rem}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #eaeef2;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.card{border:1px solid #d0d7de;border-radius:6px;padding:1rem;margin:1rem 0}
.cols{display:flex;flex-wrap:wrap;gap:2rem}.muted{color:#57606a}.doubt{color:#9a6700}
svg text{font:12px system-ui,sans-serif;fill:currentColor}
.fill{fill:#0969da}.rest{fill:#eaeef2}.mark{stroke:#1b1f24;stroke-width:1.5}
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}.card,h2{border-color:#30363d}
td,th{border-color:#21262d}.rest{fill:#30363d}.fill{fill:#4493f8}.muted{color:#8b949e}.doubt{color:#d29922}
.mark{stroke:#e6edf3}}
"""


def profile_page(title: str, files: Sequence[Mapping[str, Any]], before: str = "") -> str:
    """Return the page for the documents of files; ``before`` is HTML that stands above them."""
    body = "".join(_file(each) for each in files)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{before}{body}</body></html>\n"
    )


def section(heading: str, content: str) -> str:
    """Return a section of the page; ``content`` is HTML."""
    return f"<h2>{escape(heading)}</h2>{content}"


def listing(items: Iterable[str], kind: str = "doubt") -> str:
    """Return a list of texts."""
    return "<ul>" + "".join(f'<li class="{escape(kind)}">{escape(each)}</li>' for each in items) + "</ul>"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Return a table of texts; the columns at the places ``numbers`` are aligned as numbers are."""

    def row(cells: Sequence[str], tag: str) -> str:
        written = (
            f"<{tag}{' class=n' if place in numbers else ''}>{escape(cell)}</{tag}>" for place, cell in enumerate(cells)
        )
        return f"<tr>{''.join(written)}</tr>"

    return f"<table>{row(headings, 'th')}{''.join(row(each, 'td') for each in rows)}</table>"


def bars(rows: Sequence[tuple[str, float, str]], label_chars: int = LABEL_CHARS_MAX) -> str:
    """Return a bar chart: label, share from 0 to 1, and what is written beside the bar. Longer labels are cut."""
    height = ROW_HEIGHT * len(rows)
    labels = [label if len(label) <= label_chars else f"{label[: label_chars - 1]}…" for label, _, _ in rows]
    left = _bars_begin(labels)
    drawn = []
    for place, (label, (_, share, said)) in enumerate(zip(labels, rows, strict=True)):
        top = place * ROW_HEIGHT
        width = round(BAR_WIDTH * min(1.0, max(0.0, share)), 1)
        drawn.append(
            f'<text x="0" y="{top + 12}">{escape(label)}</text>'
            f'<rect class="rest" x="{left}" y="{top + 2}" width="{BAR_WIDTH}" height="{BAR_HEIGHT}"/>'
            f'<rect class="fill" x="{left}" y="{top + 2}" width="{width}" height="{BAR_HEIGHT}"/>'
            f'<text x="{left + BAR_WIDTH + 8}" y="{top + 12}">{escape(said)}</text>'
        )
    total = left + BAR_WIDTH + 130
    return f'<svg role="img" viewBox="0 0 {total} {height}" width="{total}" height="{height}">{"".join(drawn)}</svg>'


def box(lengths: Sequence[int]) -> str:
    """Return a box plot of lengths: least, quartiles, greatest."""
    least, low, middle, high, greatest = lengths
    span = max(1, greatest - least)

    def at(value: int) -> float:
        return round(10 + (BAR_WIDTH - 20) * (value - least) / span, 1)

    width = max(1.0, at(high) - at(low))
    return (
        f'<svg role="img" viewBox="0 0 {BAR_WIDTH} 40" width="{BAR_WIDTH}" height="40">'
        f'<line class="mark" x1="{at(least)}" y1="12" x2="{at(greatest)}" y2="12"/>'
        f'<rect class="fill" x="{at(low)}" y="4" width="{width}" height="16"/>'
        f'<line class="mark" x1="{at(middle)}" y1="2" x2="{at(middle)}" y2="22"/>'
        f'<text x="0" y="36">{least:,}</text><text x="{BAR_WIDTH}" y="36" text-anchor="end">{greatest:,}</text>'
        f'<text x="{BAR_WIDTH // 2}" y="36" text-anchor="middle">median {middle:,}</text></svg>'
    )


def _bars_begin(labels: Iterable[str]) -> int:
    """Return where bars begin, in pixels: beyond the widest label, by the mean widths of characters of 12 pixels."""
    return 10 + round(max((sum(map(_width, label)) for label in labels), default=0))


def _width(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return 12.0
    return 9.0 if character.isupper() else 7.0


def _file(document: Mapping[str, Any]) -> str:
    columns = document["columns"]
    facts = (
        f'<p class="muted">{escape(document["form"])}, {escape(document["dialect"])}; {document["rows"]:,} rows'
        + (f", {document['unreadable_rows']:,} more that cannot be read" if document["unreadable_rows"] else "")
        + f"; key: {escape(', '.join(document['key']))}</p>"
    )
    if document["left_out"]:
        facts += listing(f"{name}: objects or lists, which are left out" for name in document["left_out"])
    overview = table(
        ("column", "means", "sure", "complete", "different values", "of its form", "written"),
        [
            (
                each["column"], each["meaning"].replace("_", " "), f"{each['sure']:.0%}", f"{each['completeness']:.1%}",
                f"{each['distinct_values']:,}", "" if each["conformity"] is None else f"{each['conformity']:.1%}",
                each["conventions"],
            )
            for each in columns
        ],
        (2, 3, 4, 5),
    )  # fmt: skip
    return section(document["file"], facts + overview + "".join(map(_column, columns)))


def _column(document: Mapping[str, Any]) -> str:
    rows = [("complete", document["completeness"], f"{document['completeness']:.1%}")]
    rows.append(("different", document["distinctness"], f"{document['distinct_values']:,}"))
    if document["conformity"] is not None:
        rows.append(("of its form", document["conformity"], f"{document['conformity']:.1%}"))
    parts = [f"<div><h3>How much</h3>{bars(rows)}</div>"]
    if document["lengths"][4]:
        parts.append(f"<div><h3>Characters</h3>{box(document['lengths'])}</div>")
    most = document["most_frequent"]
    if most and most[0][1] > 1:
        top = most[0][1]
        parts.append(
            f"<div><h3>Most frequent</h3>{bars([(value, count / top, f'{count:,}') for value, count in most])}</div>"
        )
    if document["shapes"]:
        shown = [(shape, share, f"{share:.0%}") for shape, share in document["shapes"]]
        parts.append(f"<div><h3>Written as</h3>{bars(shown)}</div>")
    if document["shared_by_many"]:
        shared = [f"{value}: {count:,} rows" for value, count in document["shared_by_many"]]
        parts.append(f"<div><h3>Shared by suspiciously many</h3>{listing(shared)}</div>")
    said = f"{document['meaning'].replace('_', ' ')}, by {document['by']}"
    doubts = listing(document["doubts"]) if document["doubts"] else ""
    return (
        f'<div class="card"><h3>{escape(document["column"])} <span class="muted">{escape(said)}</span></h3>{doubts}'
        f'<div class="cols">{"".join(parts)}</div></div>'
    )
