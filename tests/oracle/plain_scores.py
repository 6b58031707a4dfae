"""What two records say of being one thing, by the most direct way: a part of ``plain_f``."""

from __future__ import annotations

import math
from hashlib import blake2b

from oracle import plain_values


def digest(text):
    """Return what texts are ordered by where no other order may count."""
    return blake2b(text.encode(), digest_size=8).hexdigest()


def evidence(rules, a, b):
    """Return what speaks for a pair, or ``None`` where a rule says that it is no match or nothing can be compared."""
    for rule in rules["rules"]:
        if all(plain_values.holds(condition, a, b) for condition in rule["when"]):
            if not rule["link"]:
                return None
            confidence = rule["confidence"]
            return {
                "tier": 1,
                "weight": bits_of(confidence),
                "confidence": confidence,
                "rule": rule["name"],
                "evidence": {},
            }
    if rules["method"] == "weighted_mean":
        return _mean(rules, a, b)
    weight, reached = math.log2(rules["prior"] / (1.0 - rules["prior"])), {}
    for comparison in rules["comparisons"]:
        level = level_of(comparison, a, b)
        weight += level["bits"]
        weight += of_value(level, a, b)
        reached[comparison["name"]] = level["label"]
    for both in rules["together"]:
        weight += both["bits"].get((reached[both["first"]], reached[both["second"]]), 0.0)
    confidence = round(1.0 / (1.0 + 2.0**-weight), 6)
    return {"tier": 2, "weight": weight, "confidence": confidence, "rule": "score", "evidence": reached}


def level_of(comparison, a, b):
    """Return the first level of a comparison whose conditions all hold."""
    for level in comparison["levels"]:
        if all(plain_values.holds(condition, a, b) for condition in level["when"]):
            return level
    raise AssertionError("the last level holds of any pair")


def of_value(level, a, b):
    """Return what a level's bits change by with the value.

    Of shared values the rarest counts; where none is shared, the commoner of the two records' rarest. What is not known
    of a value is not counted.
    """
    terms = level.get("terms")
    if terms is None:
        return 0.0
    left, right = (
        {text: terms["bits"].get(text, terms["rest"]) for text in side[terms["attribute"]]} for side in (a, b)
    )
    sides = [left.items() & right.items()] if left.keys() & right.keys() else [left.items(), right.items()]
    most = [max(bits for _, bits in side if bits is not None) for side in sides if any(x is not None for _, x in side)]
    return min(most, default=0.0)


def _mean(rules, a, b):
    total = present = 0.0
    reached = {}
    for comparison in rules["comparisons"]:
        alike = plain_values.similarity(comparison["similarity"], comparison["attribute"], a, b)
        reached[comparison["name"]] = "missing" if alike is None else f"similarity {int(alike * 35) / 35:.2f}"
        if alike is not None:
            total += comparison["weight"] * alike
            present += comparison["weight"]
    if not present:
        return None
    confidence = round(total / present, 6)
    return {"tier": 2, "weight": bits_of(confidence), "confidence": confidence, "rule": "score", "evidence": reached}


def bits_of(probability):
    """Return the bits of a probability, cut to 60 either way."""
    if probability in (0.0, 1.0):
        return 60.0 if probability else -60.0
    return min(60.0, max(-60.0, math.log2(probability / (1.0 - probability))))
