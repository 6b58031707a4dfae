"""An impact in sentences, and as a page. No value of a record is in either."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any

from mdm_stream.reconcile.impact import CLUSTER_KINDS
from mdm_stream.reconcile.report import STYLE

Document = Mapping[str, Any]
"""What ``impact.as_json`` returns, perhaps with more in it."""


def records_line(document: Document) -> str:
    """Say what becomes of the live records."""
    records = document["records"]
    return (
        f"records: {records['before']:,} live before, {records['after']:,} after; {records['appeared']:,} appear, "
        f"{records['vanished']:,} vanish, {records['other_id']:,} have another golden id"
    )


def golden_line(document: Document) -> str:
    """Say what becomes of the golden records."""
    golden = document["golden"]
    return (
        f"golden records: {golden['before']:,} before, {golden['after']:,} after; {golden['created']:,} ids are new, "
        f"{golden['retired']:,} are retired; {golden['changed']:,} of the others say something else, "
        f"{golden['values_changed']:,} of them other values"
    )


def review_line(document: Document) -> str:
    """Say what becomes of the stewards' work."""
    review = document["review"]
    return (
        f"review queue: {review['before']:,} items before ({review['answered_before']:,} answered), "
        f"{review['after']:,} after ({review['answered_after']:,} answered); {review['opened']:,} opened, "
        f"{review['closed']:,} closed, {review['changed']:,} say something else"
    )


def pairs_line(document: Document) -> str:
    """Say what becomes of the middle band."""
    review = document["review"]
    return f"pairs in the middle band: {review['pairs_before']:,} before, {review['pairs_after']:,} after"


FACTS: Sequence[Callable[[Document], str]] = (records_line, golden_line, review_line, pairs_line)
"""The sentences of a report, in order."""


def as_html(document: Document) -> str:
    """Return an impact as one page that needs nothing else. Everything that it shows is escaped."""
    title = f"{document['domain']}: impact of other rules"
    clusters = _table(
        ("Kind", "Before", "After", "Records", "Which are"),
        (
            (kind, each["before"], each["after"], each["records"], CLUSTER_KINDS[kind])
            for kind, each in document["clusters"].items()
        ),
    )
    values = _table(
        ("Attribute", "Changed", "Gained", "Lost"),
        ((name, each["changed"], each["gained"], each["lost"]) for name, each in document["values"].items()),
    )
    samples = _table(
        ("Kind", "What", "With", "Of", "Records"),
        (
            (each["kind"], each["item"], ", ".join(each["others"]), each["others_count"], ", ".join(each["refs"]))
            for each in document["samples"]
        ),
    )
    facts = "".join(f"<li>{escape(fact(document))}</li>" for fact in FACTS)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1><ul>{facts}</ul>"
        f"<h2>Clusters</h2>{clusters}"
        + (f"<h2>Golden records with another value</h2>{values}" if document["values"] else "")
        + (f"<h2>Samples</h2>{samples}" if document["samples"] else "")
        + "</body></html>\n"
    )


def _table(headings: Sequence[str], rows: Iterable[Sequence[str | int]]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(value: str | int) -> str:
    return f"<td class=n>{value:,}</td>" if isinstance(value, int) else f"<td>{escape(value)}</td>"
