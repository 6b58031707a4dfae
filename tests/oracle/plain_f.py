"""F once more, from the documents: plain dicts in, plain dicts out, by the most direct way that came to mind.

Written from DESIGN section 2, docs/guide/rules.md and the glossary. It shares no code with ``mdm_stream``, and where
there is a choice it goes another way about it than ``core`` does. It is slow, and only as rich as its histories need.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from hashlib import blake2b
from itertools import combinations, product

from oracle import plain_fold, plain_survivorship, plain_values

SEPARATED_LISTED = 20
"""So many SEPARATE verdicts a review item names; it says how many there are."""

SPEAKERS = 16
"""So many members of a set are compared with those of another."""


def resolve(rules, events):
    """Return F: ``crosswalk`` by reference, ``golden`` by golden id, ``review`` by pair."""
    states = plain_fold.live_states(events, rules["sources"])
    records = {ref: _record(rules, ref, state) for ref, state in states.items()}
    links, doubts = _decided(rules, records)
    clusters, refusals = _clusters(rules, records, links)
    crosswalk, golden = {}, {}
    for members in clusters:
        golden_id, content = _golden(rules, [records[ref] for ref in sorted(members)])
        golden[golden_id] = content
        crosswalk.update(dict.fromkeys(members, golden_id))
    review = _review(rules, records, crosswalk, refusals, doubts)
    return {"crosswalk": crosswalk, "golden": golden, "review": review}


def _record(rules, ref, state):
    key = tuple(ref.split("/", 1))
    mapping = rules["sources"].get(key[0], {}).get("columns")
    own = rules["sources"].get(key[0], {}).get("options", {})
    columns = {
        each["name"]: ([each["name"]] if not mapping else mapping.get(each["name"], [])) for each in rules["attributes"]
    }
    values, written = {}, {}
    for attribute in rules["attributes"]:
        name = attribute["name"]
        cells = [state["columns"][column] for column in columns[name] if column in state["columns"]]
        values[name] = plain_values.attribute_values(
            {**attribute, **own.get(name, {})}, [cell["value"] for cell in cells]
        )
        written[name] = max(
            ((cell["version"], cell["time"]) for cell in cells),
            key=lambda write: (plain_fold.version_key(write[0]), write[1]),
            default=state["newest"],
        )
    _fill(rules, values, written)
    named = {attribute["name"]: attribute for attribute in rules["attributes"]}
    overrides = {
        name: (usable, held["version"], held["time"])
        for name, held in state["overrides"].items()
        if name in named and (usable := plain_values.attribute_values(named[name], [held["value"]]))
    }
    return {
        "ref": ref,
        "key": key,
        "born": state["born"],
        "values": values,
        "matches": {name: plain_values.matches(found) for name, found in values.items()},
        "compared": _compared(rules, values),
        "written": written,
        "verdicts": state["verdicts"],
        "overrides": overrides,
    }


def _fill(rules, values, written):
    """Give the parts of a full name of two words to attributes that have nothing."""
    for attribute in rules["attributes"]:
        name = attribute["name"]
        if values[name] and attribute.get("fills"):
            parts = dict(zip(("given", "family"), values[name][0][0].split(), strict=True))
            for part, target in attribute["fills"].items():
                if not values[target]:
                    values[target] = [(parts[part], parts[part].lower(), True)]
                    written[target] = written[name]


def _compared(rules, values):
    """Return the texts that blocking and comparisons see, by attribute: its own, and those of what it names."""
    compared = {}
    for attribute in rules["attributes"]:
        texts = set(plain_values.matches(values[attribute["name"]]))
        for entry in attribute.get("also", []):
            other, _, part = entry.partition(".")
            if part:
                place = ("given", "family").index(part)
                texts |= {value.split()[place].lower() for value, _, _ in values[other]}
            else:
                texts |= set(plain_values.matches(values[other]))
        compared[attribute["name"]] = sorted(texts)
    return compared


def _decided(rules, records):
    """Return the links and the pairs in the middle band, by pair; a verdict overrides what the evidence says."""
    candidates, common = set(), []
    for key in rules["blocking"]:
        paired, crowded = _blocked(rules, records, key)
        candidates |= paired
        if crowded and not key["refine"] and len(key["parts"]) == 1 and key["parts"][0][0] == "exact":
            common.append((key["parts"][0][1], crowded))
    links, doubts = {}, {}
    for a, b in combinations(sorted(records), 2):
        word = records[a]["verdicts"].get(b, "none")
        if word == "link":
            links[a, b] = {"tier": 0, "weight": 60.0, "confidence": 1.0, "rule": "verdict", "evidence": {}}
        elif word == "none" and (a, b) in candidates:
            evidence = _evidence(rules, *_telling(common, records, a, b))
            if evidence is not None and evidence["confidence"] >= rules["link"]:
                links[a, b] = evidence
            elif evidence is not None and evidence["confidence"] >= rules["review"]:
                doubts[a, b] = evidence
    return _strongest(links, rules["max_links"]), _strongest(doubts, rules["max_reviews"])


def _blocked(rules, records, key):
    """Return the pairs that a key and those that refine it make, and the members of its own values that make none."""
    limit = min(key["above"] or rules["max_block_size"], rules["max_block_size"])
    blocks = {}
    for ref, record in records.items():
        texts = [plain_values.key_texts(function, n, record["compared"][name]) for function, name, n in key["parts"]]
        found = [(text,) for text in _fewest(rules, texts[0], str)]
        for more in texts[1:]:
            longer = {(*some, text) for some in found for text in _fewest(rules, more, str)}
            found = _fewest(rules, longer, lambda values: "|".join(sorted(values)))
        for values in found:
            blocks.setdefault(values, []).append(ref)
    pairs = {pair for members in blocks.values() if len(members) <= limit for pair in combinations(sorted(members), 2)}
    for further in key["refine"]:
        pairs |= _blocked(rules, records, further)[0]
    return pairs, {values: members for values, members in blocks.items() if len(members) > limit}


def _telling(common, records, a, b):
    """Return what two records say when they are compared: not the values that both share with too many others."""
    sides = [dict(records[ref]["compared"]) for ref in (a, b)]
    for name, crowded in common:
        shared = {values[0] for values, members in crowded.items() if a in members and b in members}
        for side in sides:
            side[name] = [text for text in side[name] if text not in shared]
    return sides


def _strongest(edges, most):
    """Return the edges that one of their two records keeps, and all verdicts, which do not count.

    It keeps the strongest to those before it, and to those after it; of equal ones those to the nearest.
    """
    kept = {pair for pair, edge in edges.items() if edge["rule"] == "verdict"}
    for ref in {ref for pair in edges for ref in pair}:
        for place, other, far_last in ((0, 1, False), (1, 0, True)):
            own = [pair for pair in edges if ref == pair[place] and edges[pair]["rule"] != "verdict"]
            own.sort(key=lambda pair, other=other: pair[other], reverse=far_last)
            own.sort(key=lambda pair: (edges[pair]["tier"], -edges[pair]["weight"]))
            kept.update(own[:most])
    return {pair: edge for pair, edge in edges.items() if pair in kept}


def _fewest(rules, found, text_of):
    """Return those few of the texts, or combinations, that a record may have whose digests come first."""
    return sorted(found, key=lambda each: _digest(text_of(each)))[: rules["max_keys"]]


def _digest(text):
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _evidence(rules, a, b):
    """Return what speaks for a pair, or ``None`` where a rule says that it is no match or nothing can be compared."""
    for rule in rules["rules"]:
        if all(plain_values.holds(condition, a, b) for condition in rule["when"]):
            if not rule["link"]:
                return None
            confidence = rule["confidence"]
            return {
                "tier": 1,
                "weight": _bits(confidence),
                "confidence": confidence,
                "rule": rule["name"],
                "evidence": {},
            }
    if rules["method"] == "weighted_mean":
        return _mean(rules, a, b)
    weight, reached = math.log2(rules["prior"] / (1.0 - rules["prior"])), {}
    for comparison in rules["comparisons"]:
        level = _level(comparison, a, b)
        weight += level["bits"]
        weight += _of_value(level, a, b)
        reached[comparison["name"]] = level["label"]
    for both in rules["together"]:
        weight += both["bits"].get((reached[both["first"]], reached[both["second"]]), 0.0)
    confidence = round(1.0 / (1.0 + 2.0**-weight), 6)
    return {"tier": 2, "weight": weight, "confidence": confidence, "rule": "score", "evidence": reached}


def _level(comparison, a, b):
    """Return the first level of a comparison whose conditions all hold."""
    for level in comparison["levels"]:
        if all(plain_values.holds(condition, a, b) for condition in level["when"]):
            return level
    raise AssertionError("the last level holds of any pair")


def _of_value(level, a, b):
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
    return {"tier": 2, "weight": _bits(confidence), "confidence": confidence, "rule": "score", "evidence": reached}


def _bits(probability):
    """Return the bits of a probability, cut to 60 either way."""
    if probability in (0.0, 1.0):
        return 60.0 if probability else -60.0
    return min(60.0, max(-60.0, math.log2(probability / (1.0 - probability))))


def _clusters(rules, records, links):
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
    speakers = (sorted(side, key=lambda ref: (_digest(ref), ref))[:SPEAKERS] for side in (left, right))
    bits, weighed = Fraction(0), []
    for one, other in product(*speakers):
        a, b = records[one]["compared"], records[other]["compared"]
        rule = next(
            (rule for rule in rules["rules"] if all(plain_values.holds(each, a, b) for each in rule["when"])), None
        )
        if rule is None:
            weighed.append((a, b))
        else:
            bits += Fraction(_bits(rule["confidence"]) if rule["link"] else -60.0)
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
                level = _level(comparison, a, b)
                found[comparison["name"]] = level["label"], Fraction(level["bits"]) + Fraction(_of_value(level, a, b))
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
    return Fraction(_bits(round(total / present, 6) if present else 0.0))


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


def _golden(rules, records):
    records = sorted(records, key=lambda record: record["key"])
    anchor = min(records, key=lambda record: (record["born"], record["key"]))
    marked = blake2b(plain_fold.canonical([rules["domain"], *anchor["key"]]), digest_size=12)
    golden_id = "g" + marked.hexdigest()
    survived = plain_survivorship.survive(rules, records)
    return golden_id, {
        "domain": rules["domain"],
        "golden_id": golden_id,
        "members": [_named(record["ref"]) for record in records],
        "values": {name: value for name, (value, _) in survived.items()},
        "provenance": {name: [_origin(origin) for origin in origins] for name, (_, origins) in survived.items()},
    }


def _origin(origin):
    source, record_id, version, time, strategy = origin
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)
    return {
        "source": source,
        "record_id": record_id,
        "version": version,
        "event_time": moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z",
        "strategy": strategy,
    }


def _named(ref):
    source, record_id = ref.split("/", 1)
    return {"source": source, "record_id": record_id}


def _review(rules, records, crosswalk, refusals, doubts):
    """Return one item for each two clusters that a refused link lies between, and one for each doubtful pair beside."""
    between = {}
    for refusal in refusals:
        between.setdefault(frozenset(crosswalk[ref] for ref in refusal["pair"]), []).append(refusal)
    review = {}
    for ends, refused in between.items():
        strongest = refused[0]
        answered = any(
            word == "separate" and frozenset((golden_id, crosswalk.get(other))) == ends
            for ref, golden_id in crosswalk.items()
            for other, word in records[ref]["verdicts"].items()
        )
        review[strongest["pair"]] = _item(rules, strongest, len(refused), answered=answered)
    for pair, evidence in doubts.items():
        ends = frozenset(crosswalk[ref] for ref in pair)
        if len(ends) == 2 and ends not in between:
            doubt = {**evidence, "pair": pair, "reason": "score", "separated": []}
            review[pair] = _item(rules, doubt, 0, answered=False)
    return review


def _item(rules, found, refused_links, *, answered):
    a, b = found["pair"]
    return {
        "domain": rules["domain"],
        "a": _named(a),
        "b": _named(b),
        "reason": found["reason"],
        "separated": [[_named(one), _named(other)] for one, other in found["separated"][:SEPARATED_LISTED]],
        "separated_count": len(found["separated"]),
        "confidence": found["confidence"],
        "weight_bits": found["weight"],
        "rule": found["rule"],
        "evidence": found["evidence"],
        "refused_links": refused_links,
        "answered": answered,
    }
