"""A sweep as one page with a chart that needs nothing else: no script, no font, no address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from mdm_stream.assess.sweep import SweepStep

WIDTH, HEIGHT = 760, 320
LEFT, RIGHT, TOP, BOTTOM = 52, 60, 16, 36
"""Of the chart in pixels, and of its margins."""
_LINES = (("precision", "#0b5fa5"), ("recall", "#b3541e"), ("f1", "#2e7d32"))
_LOAD = "#777777"
_BOLD = ' font-weight="600"'
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1b1b1b}"
    "table{border-collapse:collapse;margin:1rem 0;width:100%}th,td{border-bottom:1px solid #ccc;padding:.3rem .6rem;"
    "text-align:right}tr.own{font-weight:600;background:#f3f3ee}svg{width:100%;height:auto}text{font-size:12px}"
)
HEADINGS = (
    "link",
    "review",
    "precision",
    "recall",
    "F1",
    "golden records",
    "questions",
    "of them matches",
    "recall after review",
)


def sweep_row(step: SweepStep) -> tuple[str, ...]:
    """Return a step as texts, in the order of ``HEADINGS``."""
    counts = (step.clusters, step.questions, step.matches_asked)
    shares = (step.precision, step.recall, step.f1)
    return (
        f"{step.link:g}", f"{step.review:g}", *(f"{share:.4f}" for share in shares),
        *(f"{count:,}" for count in counts), f"{step.recall_reviewed:.4f}",
    )  # fmt: skip


def sweep_page(title: str, facts: Sequence[str], steps: Sequence[SweepStep]) -> str:
    """Return a sweep as HTML: a chart for each review threshold of the first link threshold, then all steps."""
    rows = "".join(
        f"<tr{' class=own' if step.current else ''}>{''.join(f'<td>{escape(cell)}' for cell in sweep_row(step))}</tr>"
        for step in steps
    )
    said = "".join(f"<li>{escape(fact)}</li>" for fact in facts)
    heads = "".join(f"<th>{escape(heading)}" for heading in HEADINGS)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1><ul>{said}</ul>"
        f"{_chart(_one_a_link(steps))}<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></body></html>\n"
    )


def _one_a_link(steps: Sequence[SweepStep]) -> list[SweepStep]:
    """Return a step for each link threshold: with the rules' own review threshold, or the nearest below the link."""
    own = next((step.review for step in steps if step.current), 0.0)
    chosen: dict[float, SweepStep] = {}
    for step in steps:
        held = chosen.get(step.link)
        if held is None or abs(step.review - own) < abs(held.review - own):
            chosen[step.link] = step
    return list(chosen.values())


def _chart(steps: Sequence[SweepStep]) -> str:
    """Draw precision, recall and F1 over the link thresholds, evenly spaced, and questions as bars behind them."""
    if not steps:
        return ""
    least = min(getattr(step, name) for step in steps for name, _ in _LINES)
    floor = max(0.0, int(least * 20) / 20 - 0.05)
    most = max(step.questions for step in steps) or 1
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(place: int) -> float:
        return LEFT + width * (place + 0.5) / len(steps)

    def y(share: float) -> float:
        return TOP + height * (1 - (share - floor) / (1 - floor))

    bars = "".join(
        f'<rect x="{x(place) - width / len(steps) * 0.3:.1f}" y="{TOP + height * (1 - step.questions / most):.1f}" '
        f'width="{width / len(steps) * 0.6:.1f}" height="{height * step.questions / most:.1f}" fill="{_LOAD}" '
        f'fill-opacity="0.18"><title>{step.questions:,} questions at {step.link:g}</title></rect>'
        for place, step in enumerate(steps)
    )
    lines = "".join(_line(steps, name, colour, x, y) for name, colour in _LINES)
    ticks = "".join(
        f'<text x="{x(place):.1f}" y="{HEIGHT - 18}" text-anchor="middle"{_BOLD * step.current}>{step.link:g}</text>'
        for place, step in enumerate(steps)
    )
    grid = "".join(
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(share):.1f}" y2="{y(share):.1f}" stroke="#ddd"/>'
        f'<text x="{LEFT - 6}" y="{y(share) + 4:.1f}" text-anchor="end">{share:.2f}</text>'
        f'<text x="{WIDTH - RIGHT + 6}" y="{y(share) + 4:.1f}" fill="{_LOAD}">{most * part:,.0f}</text>'
        for part in (0.0, 0.25, 0.5, 0.75, 1.0)
        for share in (floor + (1 - floor) * part,)
    )
    legend = "".join(
        f'<text x="{LEFT + 8 + 110 * place}" y="{HEIGHT - 2}" fill="{colour}">{escape(name)}</text>'
        for place, (name, colour) in enumerate((*_LINES, ("questions (bars, right)", _LOAD)))
    )
    label = "Precision, recall, F1 and questions by link threshold"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{grid}{bars}{lines}{ticks}{legend}</svg>'
    )


def _line(
    steps: Sequence[SweepStep], name: str, colour: str, x: Callable[[int], float], y: Callable[[float], float]
) -> str:
    at = [(x(place), y(getattr(step, name))) for place, step in enumerate(steps)]
    path = " ".join(f"{across:.1f},{down:.1f}" for across, down in at)
    dots = "".join(
        f'<circle cx="{across:.1f}" cy="{down:.1f}" r="3" fill="{colour}">'
        f"<title>{name} {getattr(step, name):.4f} at {step.link:g}</title></circle>"
        for (across, down), step in zip(at, steps, strict=True)
    )
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}'
