"""``mdm-stream demo``: an invented population through the whole local stack, measured."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from mdm_stream.cli.output import json_option, print_json, print_table, progress
from mdm_stream.rules import load_ruleset
from mdm_stream.simulate import DEMO_RULES, RULES_FILE
from mdm_stream.simulate.demo import DemoResult, run_demo

EVENTS_DEFAULT = 15_000
EVENTS_MAX = 1_000_000


@click.command()
@click.option("--events", type=click.IntRange(100, EVENTS_MAX), default=EVENTS_DEFAULT, show_default=True,
              help="About how many change events.")  # fmt: skip
@json_option
def demo(*, events: int, as_json: bool) -> None:
    """Stream change events of three source systems through Kinesis API, resolve consumer, Redis, feed and warehouse.

    A CRM (Debezium), an ERP (DMS) and a web API (canonical JSON) know the same people, each in its own way, with
    typos, moves, marriages, duplicates and late deliveries. Ends with what came of it, measured against the truth.
    """
    with tempfile.TemporaryDirectory(prefix="mdm-stream-demo-") as folder, progress() as advance:
        state = Path(folder) / "state"
        rules_file = Path(folder) / RULES_FILE
        rules_file.write_text(DEMO_RULES, encoding="utf-8")
        result = run_demo(state, rules_file, load_ruleset(rules_file), events, advance)
    if as_json:
        print_json(asdict(result))
        return
    _print_summary(result)
    _print_golden(result.golden)


def _print_summary(result: DemoResult) -> None:
    pairwise, b_cubed = result.scores["pairwise"], result.scores["b_cubed"]
    rows = [
        ("people", f"{result.people:,}"),
        ("change events", f"{result.events:,}"),
        ("seconds", f"{result.seconds:,.1f}"),
        ("events/s, as fast as they go", f"{result.events_per_s:,.0f}"),
        ("latency, event to golden record, p50", f"{result.latency_ms_p50:,.0f} ms"),
        ("latency, event to golden record, p99", f"{result.latency_ms_p99:,.0f} ms"),
        ("  measured over", f"{result.live_events:,} events at {result.live_events_per_s:,.0f}/s"),
        ("live source records", f"{result.source_records:,}"),
        ("golden records", f"{result.golden_records:,}"),
        ("merges of golden records", f"{result.merges:,}"),
        ("review queue", f"{result.review_queue:,}"),
        ("quarantined events", f"{result.quarantined:,}"),
        ("pairwise precision / recall / F1", _score(pairwise)),
        ("B-cubed precision / recall / F1", _score(b_cubed)),
    ]
    print_table("What came of it", ("", "value"), rows)


def _score(score: dict[str, float]) -> str:
    return f"{score['precision']:.4f} / {score['recall']:.4f} / {score['f1']:.4f}"


def _print_golden(golden: Mapping[str, Any]) -> None:
    members = ", ".join(f"{member['source']}/{member['record_id']}" for member in golden["members"])
    rows = []
    for name, value in golden["values"].items():
        values = value if isinstance(value, list) else [value]
        for text, origin in zip(values, golden["provenance"][name], strict=True):
            came_from = f"{origin['source']}/{origin['record_id']}"
            rows.append((name, text, came_from, origin["strategy"], origin["event_time"][:10]))
            name = ""  # noqa: PLW2901 - further values of an attribute stand under the first
    title = f"One golden record: {golden['golden_id']}, from {members}"
    print_table(title, ("attribute", "value", "from", "because of", "written"), rows)
