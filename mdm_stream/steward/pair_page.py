"""Why two records are together or not, as one HTML page. Pure; values are in it if the explanation has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mdm_stream.steward.explain import CONCLUSIONS
from mdm_stream.steward.markup import Markup, element, joined, page, paragraph, table, text, value_of
from mdm_stream.steward.side_by_side import Segment, differences
from mdm_stream.steward.waterfall_svg import waterfall_svg
from mdm_stream.steward.wording import (
    AGREEMENT_LEGEND,
    AGREEMENT_MARKS,
    Document,
    confidence_sentence,
    counted_sentence,
    decided_sentence,
    link_text,
    ref_text,
    refusal_sentence,
    silent_sentence,
    value_text,
)


def pair_page(document: Document) -> str:
    """Return an explanation (``Explanation`` as JSON) as a page that needs nothing else."""
    return page(f"{ref_text(document['a'])} and {ref_text(document['b'])}", _body(document))


def pair_picture(document: Document) -> Markup | None:
    """Return the waterfall of a pair's evidence; ``None`` where there is none to draw."""
    balance = document["balance"]
    if balance is None:
        return None
    return waterfall_svg(balance, f"Evidence on {ref_text(document['a'])} and {ref_text(document['b'])}")


def _body(document: Document) -> Iterator[Markup]:
    yield Markup(f'<p class="lead">{text(CONCLUSIONS[document["conclusion"]])}</p>')
    yield element("ul", *(element("li", fact) for fact in _facts(document)), markup=True)
    picture = pair_picture(document)
    if picture is not None:
        counted = counted_sentence(document)
        yield element("h2", "What speaks for and against")
        yield from [] if counted is None else [paragraph(counted)]
        yield picture
        silent = silent_sentence(document["balance"])
        yield from [] if silent is None else [paragraph(silent)]
    if "values" in document:
        yield element("h2", "Side by side")
        yield _side_by_side(document)
        yield paragraph(AGREEMENT_LEGEND)
    if document["path"]:
        yield element("h2", "Links between them")
        yield links_table(document["path"])
    yield element("h2", "Shared blocking keys")
    yield _keys(document["shared_keys"])


def _facts(document: Document) -> Iterator[str]:
    for side in (document["a"], document["b"]):
        held = f"golden record {side['golden_id']}" if side["golden_id"] else f"no golden record ({side['status']})"
        yield f"{ref_text(side)}: {held}"
    verdict = document["verdict"]
    if verdict is not None:
        yield f"Verdict: {verdict['verdict']}, by {verdict['steward']}, version {verdict['version']}"
    yield decided_sentence(document)
    if document["score"]:
        yield confidence_sentence(document["score"])
    yield f"Domain {document['domain']}, rules version {document['rules_version']}"


def links_table(links: list[Any]) -> Markup:
    """Return links with what they rest on, and what clustering did with each."""
    rows = [
        (
            text(link_text(link)),
            text(link["decided_by"]),
            text(f"{link['confidence']:.6f}"),
            text(f"{link['weight_bits']:+.2f}"),
            text(refusal_sentence(link["refused"])),
        )
        for link in links
    ]
    return table(("link", "by", "confidence", "bits", "clustering"), rows, numbers=(2, 3))


def _side_by_side(document: Document) -> Markup:
    rows = []
    for name, (left, right) in document["values"].items():
        agreement = document["agreement"][name]
        ours, theirs = _marked(left, right, differ=agreement == "differs")
        rows.append((text(name), text(f"{AGREEMENT_MARKS[agreement]} {agreement}"), ours, theirs))
    return table(("attribute", "", ref_text(document["a"]), ref_text(document["b"])), rows)


def _marked(left: Any, right: Any, *, differ: bool) -> tuple[Markup, Markup]:
    if differ and isinstance(left, str) and isinstance(right, str):
        ours, theirs = differences(left, right)
        return _segments(ours), _segments(theirs)
    return value_of(value_text(left)), value_of(value_text(right))


def _segments(segments: list[Segment]) -> Markup:
    marked = (element("mark", each.text) if each.differs else text(each.text) for each in segments)
    return element("bdi", joined(marked), markup=True)


def _keys(keys: list[Any]) -> Markup:
    if not keys:
        return paragraph("None.")
    rows = [
        (
            text(each["expression"]),
            value_of(each.get("key") or ""),
            text(f"{each['size']:,}{', suspended' if each['suspended'] else ''}"),
        )
        for each in keys
    ]
    return table(("blocking key", "value", "records"), rows)
