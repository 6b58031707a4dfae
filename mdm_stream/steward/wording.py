"""What explanations say in sentences, in the terminal and on a page alike. Pure: documents as JSON in, text out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]

AGREEMENT_MARKS = {"same": "=", "partly": "~", "differs": "x", "missing": "-"}
"""The sign beside a row of two values; ``AGREEMENT_LEGEND`` says what each means."""
AGREEMENT_LEGEND = "= the same   ~ one of several in common   x differs   - only one has it"


def ref_text(key: Document) -> str:
    """Return the reference of a record's key."""
    return f"{key['source']}/{key['record_id']}"


def value_text(value: Any) -> str:
    """Return a value as one text; nothing for none."""
    return "" if value is None else ", ".join(value) if isinstance(value, list) else str(value)


def alike_sentence(alike: Document) -> str:
    """Say how many questions are like one, and how many were decided."""
    decided = alike["links"] + alike["separates"]
    split = f" ({alike['links']:,} LINK, {alike['separates']:,} SEPARATE)" if decided else ""
    looks = "1 open question looks" if alike["open"] == 1 else f"{alike['open']:,} open questions look"
    return f"{looks} like this one, {decided:,} decided{split}"


def decided_sentence(document: Document) -> str:
    """Say what decided on a pair, and what the evidence alone says where it did not."""
    decided_by = document["decided_by"].replace("_", " ")
    said = f"Decision on the pair: {document['decision']}, by {decided_by}"
    score = document["score"]
    if score and score["rule"] is not None:
        rule = score["rule"]
        means = "links" if rule["link"] else "keeps apart"
        said += f"; deterministic rule {rule['name']!r} {means}"
    return said


def confidence_sentence(score: Document) -> str:
    """Say how sure a score is, and from where it links."""
    thresholds = score["thresholds"]
    confidence = "none, as nothing could be compared" if score["confidence"] is None else f"{score['confidence']:.6f}"
    return f"Confidence: {confidence} (links from {thresholds['link']}, review from {thresholds['review']})"


def counted_sentence(document: Document) -> str | None:
    """Say that the evidence did not count, if it did not."""
    if document["decided_by"] == "verdict":
        return "The verdict decided; the evidence below did not count"
    if document["score"] and document["score"]["rule"] is not None:
        return "The comparisons below did not count"
    return None


def refusal_sentence(refused: Document | None) -> str:
    """Say what clustering did with a link, and why."""
    if refused is None:
        return "followed"
    if refused["reason"] in {"separated", "contradiction"}:
        pairs = ", ".join(f"{ref_text(a)} and {ref_text(b)}" for a, b in refused["separated"])
        more = refused["separated_count"] - len(refused["separated"])
        pairs += f" and {more:,} more pairs" if more else ""
        against = "a verdict separates" if refused["reason"] == "separated" else "it contradicts one that separates"
        return f"refused: {against} {pairs}"
    if refused["reason"] == "evidence":
        return "refused: all that was compared between the two sides speaks against it"
    if refused["reason"] == "ambiguous":
        return "refused: one of the two fits several clusters that contradict each other, none better by the margin"
    if refused["reason"] == "exclusive":
        return f"refused: the two sides differ in {', '.join(refused['exclusive'])}, which is exclusive"
    left, right = refused["sizes"]
    return f"refused: {left:,} and {right:,} members are more than the {refused['max_cluster_size']:,} that may be"


def link_text(link: Document) -> str:
    """Return the two ends of a link."""
    return f"{ref_text(link['a'])} - {ref_text(link['b'])}"


def step_label(step: Document) -> str:
    """Return what a comparison found, for people: ``else``, the level for whatever fits no other, says ``differs``."""
    label = "differs (else)" if step["label"] == "else" else step["label"]
    return f"{step['name']}: {label}"


def silent_sentence(balance: Document) -> str | None:
    """Name the comparisons that say nothing, those with a missing value first; ``None`` if there is none."""
    missing = [each["name"] for each in balance["silent"] if each["missing"]]
    others = [f"{each['name']} ({each['label']})" for each in balance["silent"] if not each["missing"]]
    parts = [f"a value is missing: {', '.join(missing)}"] if missing else []
    parts += [f"0 bits: {', '.join(others)}"] if others else []
    return f"Says nothing ({'; '.join(parts)})" if parts else None


_LOSES = {
    "source_priority": "a better source has one",
    "most_recent": "older",
    "most_complete": "less complete",
    "most_frequent": "fewer records say so",
    "longest": "shorter",
    "min": "greater",
    "max": "less",
    "trust": "less trusted",
    "valid_only": "invalid",
    "record_key": "a tie, decided by the record's name",
}


def lost_text(lost_by: str | None) -> str:
    """Say why a record's value did not survive, with the strategy that says so; that it did for ``None``."""
    if lost_by is None:
        return "survives"
    return f"{_LOSES[lost_by]} ({lost_by})" if lost_by in _LOSES else lost_by


def decided_text(survival: Document) -> str:
    """Say what decided between the values of one rule of survivorship."""
    if survival["decided_by"] == "record_key":
        several = len(survival["competitors"]) > 1
        return "a tie of all strategies, decided by the record's name" if several else "no other record has one"
    if survival["decided_by"] == "union":
        return "union: the values of all that are left"
    return str(survival["decided_by"])


def built_text(built: Document) -> str:
    """Say from which parts, of which records, a whole was built."""
    by_record: dict[str, list[str]] = {}
    for part, key in built["parts"].items():
        by_record.setdefault(ref_text(key), []).append(part)
    said = [f"{', '.join(parts)} of {ref}" for ref, parts in by_record.items()]
    return f"built from {'; '.join(said)} (compose)"


def weakest_sentence(document: Document) -> str:
    """Say which link of a cluster is the weakest, and what would part without it."""
    joins = document["joins"]
    if not joins:
        return "One record alone: no link holds it together."
    if document["weakest"] is not None:
        join = joins[document["weakest"] - 1]
        cut, rest = join["cut_off_count"], len(document["members"]) - join["cut_off_count"]
        listed = ", ".join(map(ref_text, join["cuts_off"])) + (", ..." if cut > len(join["cuts_off"]) else "")
        return (
            f"Weakest link: number {join['number']}, {link_text(join)}, by {join['decided_by']}, "
            f"{join['weight_bits']:+.2f} bits. No other link holds its two sides together: without it the cluster "
            f"parts into {rest:,} and {cut:,} ({listed})."
        )
    last, more = joins[-1], document["links_count"] - len(joins)
    return (
        f"No single link parts the cluster: {more:,} more than the {len(joins):,} that join it hold it together. "
        f"The weakest that joins is number {last['number']}, {link_text(last)}, {last['weight_bits']:+.2f} bits."
    )
