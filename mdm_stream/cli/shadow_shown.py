"""What people are shown of a shadow: a paragraph a window, and in the end a table and what differs in all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mdm_stream.cli.impact_shown import SAMPLES_SHOWN, sample_line, show_impact
from mdm_stream.cli.output import print_table, say
from mdm_stream.core.times import format_time_us

if TYPE_CHECKING:
    from mdm_stream.reconcile.shadow import RulesShadow, ShadowSide, ShadowWindow

_KINDS = ("merged", "split", "moved")
_SAMPLED = ("merged", "split", "moved", "values", "opened", "closed")


def window_document(window: ShadowWindow) -> dict[str, Any]:
    """Return one window as a JSON object: figures, and ``impact`` as ``rules diff --json`` has it."""
    from mdm_stream.reconcile.impact import as_json  # noqa: PLC0415 - --help does without

    figures = {name: value for name, value in asdict(window).items() if name not in ("from_us", "to_us", "impact")}
    span = {"from": format_time_us(window.from_us), "to": format_time_us(window.to_us)}
    return {**span, **figures, "impact": as_json(window.impact)}


def total_document(followed: RulesShadow) -> dict[str, Any]:
    """Return what differs about all that was touched, as it is in the end."""
    from mdm_stream.reconcile.impact import as_json  # noqa: PLC0415 - --help does without

    return as_json(followed.total())


def rejected_of(side: ShadowSide) -> dict[str, int]:
    """Return, by reason, how many archived deliveries one of the rule sets does not accept."""
    return dict(side.counters.rejected.most_common())


def show_shadow_window(document: Mapping[str, Any]) -> None:
    """Write one window, as soon as it is closed."""
    impact = document["impact"]
    golden, clusters = impact["golden"], impact["clusters"]
    say(
        f"{document['from']} to {document['to']}: {document['deliveries']:,} deliveries of {document['records']:,} "
        f"records; golden records concerned: {golden['before']:,}, with the new rules {golden['after']:,}"
    )
    if not document["deliveries"]:
        return
    kinds = ", ".join(f"{clusters[kind]['before']:,} {kind}" for kind in ("unchanged", *_KINDS))
    say(f"  clusters: {kinds}; {golden['values_changed']:,} golden records with other values")
    say(
        f"  questions for stewards: {document['opened_old']:,} new, with the new rules {document['opened_new']:,}; "
        f"{document['open_old']:,} open, with the new rules {document['open_new']:,}"
    )
    for kind in _SAMPLED:
        for sample in [each for each in impact["samples"] if each["kind"] == kind][:SAMPLES_SHOWN]:
            say(f"  {sample_line(sample)}")


def show_shadow_summary(document: Mapping[str, Any]) -> None:
    """Write a line a window, and what differs about everything that was delivered meanwhile."""
    say()
    rows = []
    for each in document["windows"]:
        impact = each["impact"]
        clusters = [f"{impact['clusters'][kind]['before']:,}" for kind in ("unchanged", *_KINDS)]
        values = f"{impact['golden']['values_changed']:,}"
        questions = f"{each['opened_old']:,} -> {each['opened_new']:,}"
        rows.append((each["from"], f"{each['deliveries']:,}", *clusters, values, questions))
    if not rows:
        say("nothing was compared: no span of arrivals had begun")
        return
    headings = ("from", "deliveries", "unchanged", *_KINDS, "values", "new questions")
    print_table("Clusters concerned, by arrival of what concerned them", headings, rows)
    say("All that was delivered meanwhile, as it is now:")
    show_impact(document["total"])
    for side, counts in document["rejected"].items():
        if counts:
            said = ", ".join(f"{count:,} {code}" for code, count in counts.items())
            say(f"{sum(counts.values()):,} archived deliveries are not accepted by the {side} rules: {said}")
