"""A pair's evidence as a waterfall: one SVG image that needs nothing else, in a page or a file of its own. Pure.

From the prior to the total, a bar for each comparison, what speaks for a match before what speaks against it, the
thresholds as lines. Bars for and against differ in hatching and sign, not in colour alone; title and description say
all of it to a screen reader. No value of a record is in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mdm_stream.steward.markup import Markup, text
from mdm_stream.steward.wording import step_label

_LABEL_WIDTH, _FIGURE_WIDTH, _CHART_WIDTH, _MARGIN = 300, 80, 520, 20
_ROW_HEIGHT, _BAR_HEIGHT, _HEAD_HEIGHT = 28, 18, 44
_LABEL_CHARS_MAX = 42
"""Characters of a label that fit beside the chart; the whole one is in the row's title."""
_BAR_WIDTH_MIN = 1.5
_FONT = "font-family:system-ui,sans-serif;font-size:14px"
_COLOURS = {"for": "#2166ac", "against": "url(#against)", "start": "#777", "total": "#1b1b1b"}


class _Bar(NamedTuple):
    label: str
    figure: str
    begins: float
    ends: float
    kind: str


def waterfall_svg(balance: Mapping[str, Any], title: str) -> Markup:
    """Return a balance (``EvidenceBalance`` as JSON) as an SVG element."""
    bars = _bars(balance)
    left = _LABEL_WIDTH + _FIGURE_WIDTH + _MARGIN
    width, height = left + _CHART_WIDTH + 2 * _MARGIN, _HEAD_HEIGHT + _ROW_HEIGHT * len(bars) + _MARGIN
    values = [value for bar in bars for value in (bar.begins, bar.ends)]
    values += [balance["link_from"], balance["review_from"]]
    least, span = min(values), (max(values) - min(values)) or 1.0

    def x(value: float) -> float:
        return left + (value - least) / span * _CHART_WIDTH

    rows = "".join(_row(bar, number, x) for number, bar in enumerate(bars))
    lines = _threshold("review", balance["review_from"], x, height, "6 4", 16)
    lines += _threshold("link", balance["link_from"], x, height, "none", 32)
    return Markup(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" style="{_FONT};background:#fff"><title>{text(title)}</title><desc>{text(_described(bars))}</desc>'
        '<defs><pattern id="against" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect width="6" height="6" fill="#f4d9bd"/>'
        '<rect width="3" height="6" fill="#b35806"/></pattern></defs>'
        f"{rows}{lines}</svg>"
    )


def svg_file(svg: Markup) -> str:
    """Return the image as a file of its own."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{svg}\n'


def _bars(balance: Mapping[str, Any]) -> list[_Bar]:
    in_bits = balance["unit"] == "bits"
    digits = 2 if in_bits else 3
    start, total = balance["start"], balance["total"]
    bars = [
        _Bar("prior", f"{start:+.{digits}f}", 0.0, start, "start")
        if in_bits
        else _Bar("link threshold", f"{start:.{digits}f}", start, start, "start")
    ]
    for name, kind in (("speaks_for", "for"), ("speaks_against", "against")):
        bars += [
            _Bar(step_label(each), f"{each['amount']:+.{digits}f}", each["begins"], each["ends"], kind)
            for each in balance[name]
        ]
    figure = f"{total:{'+' if in_bits else ''}.{digits}f}"
    return [*bars, _Bar("total", figure, 0.0 if in_bits else start, total, "total")]


def _described(bars: Sequence[_Bar]) -> str:
    return "; ".join(f"{bar.label} {bar.figure}" for bar in bars)


def _row(bar: _Bar, number: int, x: Any) -> str:
    top = _HEAD_HEIGHT + number * _ROW_HEIGHT
    base = top + _ROW_HEIGHT * 0.7
    left, right = sorted((x(bar.begins), x(bar.ends)))
    label = bar.label if len(bar.label) <= _LABEL_CHARS_MAX else f"{bar.label[: _LABEL_CHARS_MAX - 1]}…"
    weight = ' font-weight="bold"' if bar.kind == "total" else ""
    return (
        f"<g{weight}><title>{text(f'{bar.label} {bar.figure}')}</title>"
        f'<text x="{_MARGIN}" y="{base:.1f}">{text(label)}</text>'
        f'<text x="{_LABEL_WIDTH + _FIGURE_WIDTH}" y="{base:.1f}" text-anchor="end">{text(bar.figure)}</text>'
        f'<rect x="{left:.1f}" y="{top + (_ROW_HEIGHT - _BAR_HEIGHT) / 2:.1f}" '
        f'width="{max(right - left, _BAR_WIDTH_MIN):.1f}" height="{_BAR_HEIGHT}" fill="{_COLOURS[bar.kind]}" '
        'stroke="#333" stroke-width="0.5"/></g>'
    )


def _threshold(name: str, value: float, x: Any, height: int, dashes: str, label_y: int) -> str:
    at = x(value)
    anchor = "end" if at > _LABEL_WIDTH + _FIGURE_WIDTH + _CHART_WIDTH * 0.75 else "start"
    return (
        f'<line x1="{at:.1f}" y1="{label_y}" x2="{at:.1f}" y2="{height - _MARGIN / 2}" stroke="#1b1b1b" '
        f'stroke-dasharray="{dashes}"/><text x="{at + (4 if anchor == "start" else -4):.1f}" y="{label_y}" '
        f'text-anchor="{anchor}" font-size="12">{text(f"{name} from {value:.2f}")}</text>'
    )
