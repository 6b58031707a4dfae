"""What ``explain A B`` says on a terminal: the conclusion, what speaks for and against, and the rest on request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mdm_stream.cli.commands.show import print_overrides_set_aside, ref_of, size_of
from mdm_stream.cli.output import print_table, say
from mdm_stream.cli.waterfall_text import terminal_width, waterfall_lines
from mdm_stream.steward.explain import CONCLUSIONS
from mdm_stream.steward.side_by_side import Segment, differences
from mdm_stream.steward.wording import (
    AGREEMENT_LEGEND,
    AGREEMENT_MARKS,
    confidence_sentence,
    counted_sentence,
    decided_sentence,
    link_text,
    refusal_sentence,
    silent_sentence,
    value_text,
)

Document = Mapping[str, Any]

_ABOUT_LINKS = frozenset({"linked_through_others", "refused", "refused_elsewhere"})
_ABOUT_KEYS = frozenset({"no_shared_key", "suspended_keys"})
"""Conclusions that rest on links, and on keys, which are shown with them then."""


def print_explanation(document: Document, *, all_of_it: bool) -> None:
    """Write an explanation for people: the conclusion first, then what it rests on."""
    a, b = document["a"], document["b"]
    say(f"{ref_of(a)} and {ref_of(b)}: {CONCLUSIONS[document['conclusion']]}")
    for side in (a, b):
        held = f"golden record {side['golden_id']}" if side["golden_id"] else f"no golden record ({side['status']})"
        say(f"  {ref_of(side)}: {held}")
        print_overrides_set_aside(side)
    verdict = document["verdict"]
    if verdict is not None:
        say(f"Verdict: {verdict['verdict']}, by {verdict['steward']}, version {verdict['version']}")
    say(decided_sentence(document))
    if document["score"]:
        say(confidence_sentence(document["score"]))
    print_balance(document)
    if "values" in document:
        print_side_by_side(document)
    _print_rest(document, all_of_it=all_of_it)


def print_balance(document: Document) -> None:
    """Write what speaks for and against, as a waterfall."""
    balance = document["balance"]
    if balance is None:
        return
    say()
    say(f"What speaks for and against ({balance['unit']})")
    counted = counted_sentence(document)
    if counted is not None:
        say(counted)
    for line in waterfall_lines(balance, terminal_width()):
        say(line)


def print_side_by_side(document: Document) -> None:
    """Write the values of both records, with a sign for each attribute and brackets around what differs in a text."""
    say()
    rows = []
    for name, (left, right) in document["values"].items():
        agreement = document["agreement"][name]
        rows.append((name, AGREEMENT_MARKS[agreement], *_marked(left, right, differ=agreement == "differs")))
    headings = ("attribute", "", ref_of(document["a"]), ref_of(document["b"]))
    print_table("Side by side", headings, rows, texts=True)
    say(f"{AGREEMENT_LEGEND}   [ ] around what the other has not")


def _marked(left: Any, right: Any, *, differ: bool) -> tuple[str, str]:
    if not differ or not isinstance(left, str) or not isinstance(right, str):
        return value_text(left), value_text(right)
    ours, theirs = differences(left, right)
    return _bracketed(ours), _bracketed(theirs)


def _bracketed(segments: list[Segment]) -> str:
    return "".join(f"[{each.text}]" if each.differs else each.text for each in segments)


def _print_rest(document: Document, *, all_of_it: bool) -> None:
    links = _links(document)
    if links and (all_of_it or document["conclusion"] in _ABOUT_LINKS):
        _print_links(links)
        links = []
    keys, shown_keys = document["shared_keys"], all_of_it or document["conclusion"] in _ABOUT_KEYS
    if shown_keys:
        _print_keys(keys)
    balance = document["balance"]
    if all_of_it:
        silent = None if balance is None else silent_sentence(balance)
        if silent is not None:
            say(silent)
        say(f"Domain {document['domain']}, rules version {document['rules_version']}")
        return
    left = [_counted(len(balance["silent"]), "comparison that says nothing", "comparisons that say nothing")] * bool(
        balance and balance["silent"]
    )
    left += [_counted(len(keys), "shared blocking key", "shared blocking keys")] * bool(keys and not shown_keys)
    left += [_counted(len(links), "link", "links")] * bool(links)
    if left:
        say()
        say(f"With --all also: {', '.join(left)}")


def _counted(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"


def _print_keys(keys: list[Any]) -> None:
    if not keys:
        say("Shared blocking keys: none")
        return
    say()
    rows = [(each["expression"], each.get("key") or "", size_of(each)) for each in keys]
    if "key" in keys[0]:
        print_table("Shared blocking keys", ("blocking key", "value", "records"), rows, texts=True)
    else:
        print_table("Shared blocking keys", ("blocking key", "records"), [(row[0], row[2]) for row in rows], texts=True)


def _links(document: Document) -> list[Any]:
    links: list[Any] = document["path"]
    own = document["link"]
    return [own, *links] if own and own not in links else links


def _print_links(links: list[Any]) -> None:
    say()
    rows = [
        (
            link_text(link),
            link["decided_by"],
            f"{link['confidence']:.6f}",
            f"{link['weight_bits']:+.2f}",
            refusal_sentence(link["refused"]),
        )
        for link in links
    ]
    print_table("Links between them", ("link", "by", "confidence", "bits", "clustering"), rows, texts=True)
