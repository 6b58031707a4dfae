"""How a cluster came together as a tree: members on the left, joined from left to right, strongest first. Pure SVG.

Each fork is a join, with its number in the list; a dashed one is a link without which the cluster parts. No value of a
record is in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mdm_stream.steward.markup import Markup, text
from mdm_stream.steward.wording import ref_text

MEMBERS_DRAWN_MAX = 80
"""Members of a cluster that is drawn; a larger one is a list alone."""
_LABEL_WIDTH, _TREE_WIDTH, _ROW_HEIGHT, _MARGIN = 260, 560, 24, 16
_LABEL_CHARS_MAX = 34
_FONT = "font-family:system-ui,sans-serif;font-size:13px"


class _Branch(NamedTuple):
    rows: tuple[str, ...]
    x: float
    y: float


def assembly_svg(document: Mapping[str, Any]) -> Markup | None:
    """Return the tree of a golden explanation as an SVG element; ``None`` if it has too many members to be seen."""
    members = [ref_text(each) for each in document["members"]]
    if len(members) > MEMBERS_DRAWN_MAX:
        return None
    joins = document["joins"]
    rows = {ref: place for place, ref in enumerate(_in_tree_order(members, joins))}
    step = _TREE_WIDTH / max(len(joins), 1)
    group_of = {ref: _Branch((ref,), _LABEL_WIDTH, _MARGIN + (row + 0.5) * _ROW_HEIGHT) for ref, row in rows.items()}
    labels = "".join(_label(ref, group_of[ref].y) for ref in rows)
    forks = []
    for join in joins:
        left, right = group_of[ref_text(join["a"])], group_of[ref_text(join["b"])]
        joined = _Branch(left.rows + right.rows, _LABEL_WIDTH + step * join["number"], (left.y + right.y) / 2)
        forks.append(_fork(join, left, right, joined))
        group_of.update(dict.fromkeys(joined.rows, joined))
    width, height = _LABEL_WIDTH + _TREE_WIDTH + 4 * _MARGIN, 2 * _MARGIN + _ROW_HEIGHT * len(members)
    title = f"How {document['golden_id']} came together"
    return Markup(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" style="{_FONT};background:#fff"><title>{text(title)}</title>'
        f"<desc>Each fork is a join of the list below, dashed where the cluster parts without it.</desc>"
        f"{labels}{''.join(forks)}</svg>"
    )


def _in_tree_order(members: Sequence[str], joins: Sequence[Any]) -> list[str]:
    """Return the members so that those that join lie beside each other, and no two lines of the tree cross."""
    order = {ref: [ref] for ref in members}
    for join in joins:
        left, right = order[ref_text(join["a"])], order[ref_text(join["b"])]
        joined = left + right
        order.update(dict.fromkeys(joined, joined))
    seen: dict[str, None] = {}
    for ref in members:
        seen.update(dict.fromkeys(order[ref]))
    return list(seen)


def _label(ref: str, y: float) -> str:
    shown = ref if len(ref) <= _LABEL_CHARS_MAX else f"{ref[: _LABEL_CHARS_MAX - 1]}…"
    return (
        f"<g><title>{text(ref)}</title>"
        f'<text x="{_LABEL_WIDTH - 8}" y="{y + 4:.1f}" text-anchor="end">{text(shown)}</text></g>'
    )


def _fork(join: Mapping[str, Any], left: _Branch, right: _Branch, joined: _Branch) -> str:
    dashes = ' stroke-dasharray="5 3"' if join["cut_off_count"] else ""
    said = f"{join['number']}: {ref_text(join['a'])} - {ref_text(join['b'])}, {join['weight_bits']:+.2f} bits"
    x = f"{joined.x:.1f}"
    return (
        f"<g><title>{text(said)}</title>"
        f'<path d="M{left.x:.1f} {left.y:.1f}H{x}V{right.y:.1f}H{right.x:.1f}" fill="none" stroke="#333"{dashes}/>'
        f'<text x="{joined.x + 4:.1f}" y="{joined.y + 4:.1f}" font-size="11">{join["number"]}</text></g>'
    )
