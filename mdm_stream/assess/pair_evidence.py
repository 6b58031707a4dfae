"""What speaks for and against a pair, in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mdm_stream.core.blocking.generic_values import pair_values
from mdm_stream.core.match.score import explain_pair
from mdm_stream.core.record import Record
from mdm_stream.core.ruleset import Ruleset

EVIDENCE_MAX = 6
"""Comparisons that are told of a pair, the weightiest first."""


def pair_evidence(rules: Ruleset, a: Record, b: Record, generic: Mapping[str, frozenset[str]]) -> tuple[float, str]:
    """Return a pair's confidence by itself, and whether it was compared, its decision, and the weightiest evidence.

    ``generic`` is what ``generic_by_record`` gives: of the values that two records share, those that too many others
    have say nothing. No value of a record is in the text.
    """
    shared = generic.get(a.ref, frozenset()) & generic.get(b.ref, frozenset())
    explained = explain_pair(rules, *pair_values(rules, a.match, b.match, shared))
    said = ""
    if not set(a.keys) & set(b.keys):
        said = "not compared, as they share no blocking key; they would be "
    confidence = explained["confidence"]
    said += f"{explained['decision']}, confidence {'none' if confidence is None else f'{confidence:.4f}'}"
    if explained["rule"]:
        return confidence, f"{said}, by rule {explained['rule']['name']!r}"
    if explained["method"] == "fellegi_sunter":
        told = [f"{name} {bits:+g}" for name, bits in _weightiest(explained)]
    else:
        known = [each for each in explained["comparisons"] if each["similarity"] is not None]
        told = [f"{each['name']} {each['similarity']:.3f}" for each in known[:EVIDENCE_MAX]]
    return confidence or 0.0, f"{said}; {', '.join(told)}" if told else said


def _weightiest(explained: dict[str, Any]) -> list[tuple[str, float]]:
    """Return what moved a match weight, comparisons and what two of them say together, and by how many bits."""
    found = [
        (f"{each['name']} [{each['level']}]", each["bits"] + each.get("term_bits", 0.0))
        for each in explained["comparisons"]
    ]
    found += [(" + ".join(each["comparisons"]), each["bits"]) for each in explained.get("dependences", ())]
    moved = [each for each in found if each[1]]
    return sorted(moved, key=lambda each: -abs(each[1]))[:EVIDENCE_MAX]
