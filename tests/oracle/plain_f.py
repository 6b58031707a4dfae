"""F once more, from the documents: plain dicts in, plain dicts out, by the most direct way that came to mind.

Written from DESIGN section 2, docs/guide/rules.md and the glossary. It shares no code with ``mdm_stream``, and where
there is a choice it goes another way about it than ``core`` does. It is slow, and only as rich as its histories need.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import combinations

from oracle import plain_clusters, plain_fold, plain_scores, plain_survivorship, plain_values

SEPARATED_LISTED = 20
"""So many SEPARATE verdicts a review item names; it says how many there are."""


def resolve(rules, events):
    """Return F: ``crosswalk`` by reference, ``golden`` by golden id, ``review`` by pair."""
    states = plain_fold.live_states(events, rules["sources"])
    records = {ref: _record(rules, ref, state) for ref, state in states.items()}
    links, doubts = _decided(rules, records)
    clusters, refusals = plain_clusters.clusters_of(rules, records, links)
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
            evidence = plain_scores.evidence(rules, *_telling(common, records, a, b))
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
    return sorted(found, key=lambda each: plain_scores.digest(text_of(each)))[: rules["max_keys"]]


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
