"""Which records are one thing, by the links between them, by the most direct way: a part of ``plain_f``."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

from oracle import plain_scores, plain_values

SPEAKERS = 16
"""So many members of a set are compared with those of another."""


def clusters_of(rules, records, links):
    """Follow links between whole sets, strongest first; return the sets and the links refused, strongest first.

    Where all the evidence counts it is done over and over, until nothing more is joined.
    """
    alone = set()
    while True:
        told = {pair: link for pair, link in links.items() if not alone & set(pair)}
        clusters, refusals = _joined(rules, records, told)
        more = {
            ref
            for refusal in refusals
            if refusal["reason"] == "evidence"
            for ref in refusal["pair"]
            if _fits_several(rules, records, links, clusters, refusals, ref)
        }
        if not more:
            break
        alone |= more
    for pair in links:
        if alone & set(pair):
            reason, separated = _objection(rules, records, *_sides(clusters, pair))
            refusals.append({**links[pair], "pair": pair, "reason": reason or "ambiguous", "separated": separated})
    return clusters, sorted(refusals, key=lambda each: (each["tier"], -each["weight"], each["pair"]))


def _joined(rules, records, links):
    clusters = [{ref} for ref in records]
    while True:
        before = len(clusters)
        clusters, refusals = _followed(rules, records, links, clusters)
        if rules["clustering"] == "components" or len(clusters) == before:
            return clusters, refusals


def _sides(clusters, pair):
    return [next(members for members in clusters if ref in members) for ref in pair]


def _fits_several(rules, records, links, clusters, refusals, ref):
    """Return whether a record of scored links alone fits its cluster no better than one that contradicts the rest."""
    rest = next(members for members in clusters if ref in members) - {ref}
    if not rest or any(link["tier"] < 2 for pair, link in links.items() if ref in pair):
        return False
    for pair in (refusal["pair"] for refusal in refusals if refusal["reason"] == "evidence" and ref in refusal["pair"]):
        other = next(members for members in clusters if (set(pair) - {ref}) & members)
        here, there = (_joint_bits(rules, records, {ref}, side) for side in (rest, other))
        fits = _objection(rules, records, {ref}, other)[0] is None and _confidence(there) >= rules["review"]
        better = round(float(here) - float(there), 6) >= rules["margin"]
        if fits and not better and _confidence(_joint_bits(rules, records, rest, other)) < rules["review"]:
            return True
    return False


def _followed(rules, records, links, clusters):
    refusals = []
    for pair in sorted(links, key=lambda pair: (links[pair]["tier"], -links[pair]["weight"], pair)):
        left, right = (next(members for members in clusters if ref in members) for ref in pair)
        if left is right:
            continue
        reason, separated = _objection(rules, records, left, right)
        if reason is None and links[pair]["tier"] == 2 and _contradicted(rules, records, left, right):
            reason = "evidence"
        if reason is None:
            clusters = [members for members in clusters if members is not left and members is not right]
            clusters.append(left | right)
        else:
            if separated and links[pair]["rule"] == "verdict":
                reason = "contradiction"
            refusals.append({**links[pair], "pair": pair, "reason": reason, "separated": separated})
    return clusters, refusals


def _contradicted(rules, records, left, right):
    """Return whether all pairs between two sets, of which one has several records, are together below a review."""
    if rules["clustering"] == "components" or len(left | right) == 2:
        return False
    return _confidence(_joint_bits(rules, records, left, right)) < rules["review"]


def _confidence(bits):
    return round(1.0 / (1.0 + 2.0 ** -float(bits)), 6)


def _joint_bits(rules, records, left, right):
    """Return what all pairs between two sets say together, in bits."""
    speakers = (sorted(side, key=lambda ref: (plain_scores.digest(ref), ref))[:SPEAKERS] for side in (left, right))
    bits, weighed = Fraction(0), []
    for one, other in product(*speakers):
        a, b = records[one]["compared"], records[other]["compared"]
        rule = next(
            (rule for rule in rules["rules"] if all(plain_values.holds(each, a, b) for each in rule["when"])), None
        )
        if rule is None:
            weighed.append((a, b))
        else:
            bits += Fraction(plain_scores.bits_of(rule["confidence"]) if rule["link"] else -60.0)
    if weighed:
        together = _weights_together if rules["method"] == "fellegi_sunter" else _means_together
        bits += together(rules, weighed)
    return bits


def _weights_together(rules, pairs):
    """Return the prior, and for each comparison the mean bits of the pairs with a value on both sides, if there are.

    So it is for what two comparisons say together: the mean of the pairs that have a value on both sides in both.
    """
    bits = Fraction(math.log2(rules["prior"] / (1.0 - rules["prior"])))
    reached = []
    for a, b in pairs:
        found = {}
        for comparison in rules["comparisons"]:
            if any(a[name] and b[name] for name in comparison["attributes"]):
                level = plain_scores.level_of(comparison, a, b)
                found[comparison["name"]] = (
                    level["label"],
                    Fraction(level["bits"]) + Fraction(plain_scores.of_value(level, a, b)),
                )
        reached.append(found)
    for comparison in rules["comparisons"]:
        bits += _average([found[comparison["name"]][1] for found in reached if comparison["name"] in found])
    for both in rules["together"]:
        one, other = both["first"], both["second"]
        known = [(found[one][0], found[other][0]) for found in reached if one in found and other in found]
        bits += _average([Fraction(both["bits"].get(labels, 0.0)) for labels in known])
    return bits


def _average(numbers):
    return sum(numbers) / len(numbers) if numbers else 0


def _means_together(rules, pairs):
    """Return the bits of the weighted mean of what each comparison finds on average."""
    total = present = 0.0
    for comparison in rules["comparisons"]:
        found = [plain_values.similarity(comparison["similarity"], comparison["attribute"], a, b) for a, b in pairs]
        found = [Fraction(alike) for alike in found if alike is not None]
        if found:
            total += comparison["weight"] * float(sum(found) / len(found))
            present += comparison["weight"]
    return Fraction(plain_scores.bits_of(round(total / present, 6) if present else 0.0))


def _objection(rules, records, left, right):
    """Return why two sets of records must not be one, if they must not, and the SEPARATE verdicts between them."""
    across = (tuple(sorted(pair)) for pair in product(left, right))
    separated = sorted((a, b) for a, b in across if records[a]["verdicts"].get(b) == "separate")
    if separated:
        return "separated", separated
    for name in rules["exclusive"]:
        if len({match for ref in left | right for match in records[ref]["matches"][name]}) > 1:
            return "exclusive", []
    if len(left | right) > rules["max_cluster_size"]:
        return "max_cluster_size", []
    return None, []
