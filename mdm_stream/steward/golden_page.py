"""How a golden record came together, as one HTML page. Pure; values are in it if the explanation has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mdm_stream.steward.assembly_svg import assembly_svg
from mdm_stream.steward.markup import Markup, element, page, paragraph, table, text, value_of
from mdm_stream.steward.wording import (
    Document,
    built_text,
    decided_text,
    link_text,
    lost_text,
    ref_text,
    refusal_sentence,
    value_text,
    weakest_sentence,
)


def golden_page(document: Document) -> str:
    """Return an explanation (``GoldenExplanation`` as JSON) as a page that needs nothing else."""
    return page(f"Golden record {document['golden_id']}", _body(document))


def _body(document: Document) -> Iterator[Markup]:
    members = ", ".join(map(ref_text, document["members"]))
    yield paragraph(f"{len(document['members']):,} source records: {members}")
    yield paragraph(f"The id is made from {ref_text(document['anchor'])}, the member that was born first.")
    if document["redirected_from"]:
        yield paragraph(f"{document['redirected_from']} is no live golden record; its record is in this one now.")
    yield element("h2", "How it came together")
    if document["joins"]:
        picture = assembly_svg(document)
        yield from [] if picture is None else [picture]
        yield _joins(document["joins"])
    yield paragraph(weakest_sentence(document))
    yield element("h2", "What was refused")
    yield _kept_apart(document["kept_apart"])
    yield element("h2", "Why each value survived")
    yield _survival(document)
    yield paragraph(f"Domain {document['domain']}, rules version {document['rules_version']}")


def _joins(joins: Sequence[Any]) -> Markup:
    rows = [
        (
            text(f"{join['number']:,}"),
            text(link_text(join)),
            text(join["decided_by"]),
            text(f"{join['confidence']:.6f}"),
            text(f"{join['weight_bits']:+.2f}"),
            text(f"{join['sizes'][0]:,} + {join['sizes'][1]:,}"),
            text(f"parts off {join['cut_off_count']:,}" if join["cut_off_count"] else "held by others"),
            text(", ".join(f"{name}: {level}" for name, level in join["evidence"].items())),
        )
        for join in joins
    ]
    headings = ("", "link", "by", "confidence", "bits", "joins", "without it", "evidence")
    return table(headings, rows, numbers=(0, 3, 4))


def _kept_apart(kept_apart: Sequence[Any]) -> Markup:
    if not kept_apart:
        return paragraph("No link to another golden record was refused.")
    rows = [
        (
            text(kept["golden_id"]),
            text(link_text(kept["strongest"])),
            text(f"{kept['strongest']['weight_bits']:+.2f}"),
            text(f"{kept['strongest']['refused']['refused_links']:,}"),
            text(refusal_sentence(kept["strongest"]["refused"]) + ("; answered" if kept["answered"] else "")),
        )
        for kept in kept_apart
    ]
    return table(("golden record", "strongest link", "bits", "links", "why"), rows, numbers=(2, 3))


def _survival(document: Document) -> Markup:
    with_values = "values" in document
    rows: list[tuple[Markup, ...]] = []
    for survival in document["survival"]:
        rule = text(f"{', '.join(survival['attributes'])} by {', '.join(survival['strategies'])}")
        for attribute in survival["overridden"]:
            value = (value_of(value_text(document["values"].get(attribute))),) if with_values else ()
            rows.append((text(attribute), text(""), *value, text("a steward's override stands above")))
        for built in survival["built"]:
            value = (value_of(value_text(document["values"].get(built["attribute"]))),) if with_values else ()
            rows.append((text(built["attribute"]), text(""), *value, text(built_text(built))))
        for competitor in survival["competitors"]:
            why = lost_text(competitor["lost_by"])
            if competitor["lost_by"] is None:
                why = f"{why}: {decided_text(survival)}"
            value = (_offered(competitor),) if with_values else ()
            rows.append((rule, value_of(ref_text(competitor)), *value, text(why)))
            rule = text("")
    return table(("attributes", "record", *(("value",) if with_values else ()), "why"), rows)


def _offered(competitor: Document) -> Markup:
    parts = [f"{text(name)}: {value_of(value_text(value))}" for name, value in competitor["values"].items()]
    return Markup("<br>".join(parts))
