"""What ``explain GOLDEN_ID`` says on a terminal: how the cluster came together, and why each value survived."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mdm_stream.cli.commands.show import ref_of
from mdm_stream.cli.output import print_table, say
from mdm_stream.steward.wording import (
    built_text,
    decided_text,
    link_text,
    lost_text,
    refusal_sentence,
    value_text,
    weakest_sentence,
)

JOINS_SHOWN = 20
COMPETITORS_SHOWN = 4
MEMBERS_SHOWN = 20
"""How much a terminal gets without --all."""

Document = Mapping[str, Any]


def print_golden_explanation(document: Document, *, all_of_it: bool) -> None:
    """Write how a golden record came together, its weakest link, what was refused, and why each value survived."""
    if document["redirected_from"]:
        say(f"{document['redirected_from']} is no live golden record; what its record is in now is explained")
    members = document["members"]
    shown = members if all_of_it else members[:MEMBERS_SHOWN]
    more = f" and {len(members) - len(shown):,} more" if len(members) > len(shown) else ""
    say(f"Golden record {document['golden_id']} of {len(members):,}: {', '.join(map(ref_of, shown))}{more}")
    say(f"Its id is made from {ref_of(document['anchor'])}, the member that was born first")
    _print_joins(document, all_of_it=all_of_it)
    say(weakest_sentence(document))
    _print_kept_apart(document["kept_apart"])
    _print_survival(document, all_of_it=all_of_it)


def _print_joins(document: Document, *, all_of_it: bool) -> None:
    joins = document["joins"]
    if not joins:
        return
    say()
    shown = joins if all_of_it else joins[:JOINS_SHOWN]
    rows = [
        (
            f"{join['number']:,}",
            link_text(join),
            join["decided_by"],
            f"{join['confidence']:.6f}",
            f"{join['weight_bits']:+.2f}",
            f"{join['sizes'][0]:,} + {join['sizes'][1]:,}",
            f"parts off {join['cut_off_count']:,}" if join["cut_off_count"] else "held by others",
            ", ".join(f"{name}: {level}" for name, level in join["evidence"].items()),
        )
        for join in shown
    ]
    headings = ("", "link", "by", "confidence", "bits", "joins", "without it", "evidence")
    print_table("How it came together, strongest first", headings, rows, texts=True)
    if len(joins) > len(shown):
        say(f"and {len(joins) - len(shown):,} weaker joins, with --all")


def _print_kept_apart(kept_apart: list[Any]) -> None:
    if not kept_apart:
        say("No link to another golden record was refused.")
        return
    say()
    rows = [
        (
            kept["golden_id"],
            link_text(kept["strongest"]),
            f"{kept['strongest']['weight_bits']:+.2f}",
            f"{kept['strongest']['refused']['refused_links']:,}",
            refusal_sentence(kept["strongest"]["refused"]) + ("; answered" if kept["answered"] else ""),
        )
        for kept in kept_apart
    ]
    headings = ("golden record", "strongest link", "bits", "links", "why")
    print_table("What was refused", headings, rows, texts=True)


def _print_survival(document: Document, *, all_of_it: bool) -> None:
    rows = []
    for survival in document["survival"]:
        name = ", ".join(survival["attributes"])
        rows += [
            (attribute, "", *_golden_value(document, attribute), "a steward's override stands above")
            for attribute in survival["overridden"]
        ]
        rows += [
            (built["attribute"], "", *_golden_value(document, built["attribute"]), built_text(built))
            for built in survival["built"]
        ]
        competitors = survival["competitors"]
        shown = competitors if all_of_it else competitors[:COMPETITORS_SHOWN]
        for number, competitor in enumerate(shown):
            why = lost_text(competitor["lost_by"])
            if competitor["lost_by"] is None:
                why = f"{why}: {decided_text(survival)}"
            values = (_offered(competitor),) if "values" in document else ()
            rows.append(("" if number else name, ref_of(competitor), *values, why))
        if len(competitors) > len(shown):
            values = ("",) if "values" in document else ()
            rows.append(("", "", *values, f"and {len(competitors) - len(shown):,} more, with --all"))
    say()
    headings = ("attributes", "record", *(("value",) if "values" in document else ()), "why")
    print_table("Why each value survived", headings, rows, texts=True)
    if "values" not in document:
        say("Values are shown with --values")


def _golden_value(document: Document, name: str) -> tuple[str, ...]:
    return (value_text(document["values"].get(name)),) if "values" in document else ()


def _offered(competitor: Document) -> str:
    return "; ".join(f"{name}: {value_text(value)}" for name, value in competitor["values"].items())
