"""Survivorship by its documented meaning, strategy by strategy. Shares no code with ``mdm_stream``.

A record is a dict: ``key`` (source, record_id), ``values`` (by attribute a list of ``(value, match, valid)``),
``written`` (by attribute ``(version, time)``), ``overrides`` (by attribute).
"""

from __future__ import annotations

import re
from fractions import Fraction

DAY_US = 24 * 60 * 60 * 1_000_000
TRUST_UNDECLARED = 0.5


def survive(rules, records):
    """Return, by attribute, ``(value, origins)``; an origin is ``(source, record_id, version, time, strategy)``."""
    multi = {attribute["name"] for attribute in rules["attributes"] if attribute.get("multi")}
    found = {}
    for rule in rules["survivorship"]:
        found.update(_survive_rule(rules, rule, records, multi))
    unions = {name for rule in rules["survivorship"] if _named(rule, "union") for name in rule["attributes"]}
    ties = {
        attribute["name"]: list(attribute["fills"].values())
        for rule in rules["survivorship"]
        for attribute in rules["attributes"]
        if attribute["name"] in _wholes(rules, rule["attributes"])
    }
    wholes = {whole: found.get(whole) for whole in ties}
    overridden = _overridden(records, ties)
    for name, held in overridden.items():
        texts = [value for value, _, _ in held["values"]]
        shown = texts if name in multi else texts[0]
        found[name] = (shown, [held["origin"]] * (len(texts) if name in unions else 1))
    for whole, parts in ties.items():
        if any(_contradicts(overridden.get(whole), overridden[part]) for part in parts if part in overridden):
            found.pop(whole, None)
    composed = {name for rule in rules["survivorship"] if _named(rule, "compose") for name in rule["attributes"]}
    for whole, parts in ties.items():
        if whole in composed and not (whole in found and "override" in {origin[-1] for origin in found[whole][1]}):
            _compose(found, whole, parts, wholes[whole])
    return found


def _compose(found, whole, parts, survived):
    """Let the whole be what its surviving parts say: as it survived if it says just that, else given and family name.

    (The full names of these worlds are two words, the given name first.)
    """
    there = [part for part in parts if part in found]
    said = [found[part][0] for part in there]
    if survived is not None and all(
        text == survived[0].split()[parts.index(part)] for part, text in zip(there, said, strict=True)
    ):
        found[whole] = survived
    elif len(there) == len(parts) or (there and survived is not None):
        writes = {}
        for part in there:
            for origin in found[part][1]:
                writes.setdefault(origin[:-1], []).append(part)
        found[whole] = (" ".join(said), [(*write, f"compose({', '.join(names)})") for write, names in writes.items()])


def _contradicts(whole, part):
    """Whether an overridden part takes the whole away: it comes from another override, which is not older."""
    return whole is None or ((part["origin"] != whole["origin"] or not part["given"]) and part["time"] >= whole["time"])


def _named(rule, name):
    return any(strategy["name"] == name for strategy in rule["strategies"])


def _survive_rule(rules, rule, records, multi):
    names = rule["attributes"]
    wholes = _wholes(rules, names)
    candidates = [
        {"record": record, "values": {name: record["values"][name] for name in names}, "wholes": wholes}
        for record in sorted(records, key=lambda record: record["key"])
        if any(record["values"][name] for name in names)
    ]
    if not candidates:
        return {}
    decided = "record_key"
    for strategy in rule["strategies"]:
        if strategy["name"] == "compose":
            continue
        if strategy["name"] == "union":
            return {name: _union(name, candidates) for name in names if any(c["values"][name] for c in candidates)}
        narrowed = _STRATEGIES[strategy["name"]](rules, strategy, candidates)
        if len(narrowed) < len(candidates):
            decided = strategy["name"]
        candidates = narrowed
        if not candidates:
            return {}
    record, values = candidates[0]["record"], candidates[0]["values"]
    return {
        name: (
            [value for value, _, _ in values[name]] if name in multi else values[name][0][0],
            [(*record["key"], *record["written"][name], decided)],
        )
        for name in names
        if values[name]
    }


def _wholes(rules, names):
    """Return the attributes of a rule that fill others of it: a full name beside given and family name."""
    return {
        attribute["name"]
        for attribute in rules["attributes"]
        if attribute["name"] in names and set(attribute.get("fills", {}).values()) & set(names)
    }


def _compared(candidate):
    """Return the values that are compared: a whole says what its parts say, so that it counts only without them."""
    parts = {name: ([] if name in candidate["wholes"] else found) for name, found in candidate["values"].items()}
    return parts if any(parts.values()) else candidate["values"]


def _union(name, candidates):
    """Keep one value for each match value, from the first record that has it; one without stands for itself."""
    kept = {}
    for candidate in candidates:
        record = candidate["record"]
        for value, match, _ in candidate["values"][name]:
            form = ("match", match) if match is not None else ("value", value)
            kept.setdefault(form, (value, (*record["key"], *record["written"][name], "union")))
    chosen = [kept[form] for form in sorted(kept)]
    return [value for value, _ in chosen], [origin for _, origin in chosen]


def _overridden(records, ties):
    """Return by attribute values, origin and time of the newest override; of one time that of the least record.

    An override of a whole gives its parts too, but for one that was overridden itself at the same time or later.
    """
    newest = {}
    for record in sorted(records, key=lambda record: record["key"]):
        own = record["overrides"]
        held = {name: (*each, False) for name, each in own.items()}
        for whole in own.keys() & ties.keys():
            values, version, time = own[whole]
            for part, text in zip(ties[whole], values[0][0].split(), strict=True):
                if part not in own or own[part][2] < time:
                    held[part] = ([(text, text.lower(), True)], version, time, True)
        for name, (values, version, time, given) in held.items():
            if name not in newest or time > newest[name]["time"]:
                origin = ("steward", "/".join(record["key"]), version, time, "override")
                newest[name] = {"values": values, "origin": origin, "time": time, "given": given}
    return newest


def _best(candidates, worth):
    best = max((worth(candidate) for candidate in candidates), default=None)
    return [candidate for candidate in candidates if worth(candidate) == best]


def _time(candidate):
    """When the newest of a candidate's values was set."""
    return max(candidate["record"]["written"][name][1] for name, values in candidate["values"].items() if values)


def _present(candidate):
    if len(candidate["values"]) == 1:
        return sum(bool(values) for values in candidate["record"]["values"].values())
    return sum(bool(values) for values in _compared(candidate).values())


def _valid_only(_, __, candidates):
    """Drop invalid single values of multi-valued attributes, and records with an attribute that has none left."""
    kept = []
    for candidate in candidates:
        values = {name: [each for each in found if each[2]] for name, found in candidate["values"].items()}
        if all(bool(values[name]) == bool(found) for name, found in candidate["values"].items()):
            kept.append({**candidate, "values": values})
    return kept


def _source_priority(rules, strategy, candidates):
    declared = rules["sources"]
    order = strategy.get("sources") or sorted(declared, key=lambda name: (-declared[name]["trust"], name))
    return _best(candidates, lambda c: -([*order, c["record"]["key"][0]].index(c["record"]["key"][0])))


def _most_complete(_, strategy, candidates):
    return _best(candidates, lambda c: min(_present(c), strategy.get("at_least", _present(c))))


def _most_frequent(_, __, candidates):
    forms = [
        [[(match, None if match else value) for value, match, _ in found] for found in _compared(c).values()]
        for c in candidates
    ]
    most = max(map(forms.count, forms), default=0)
    return [candidate for candidate, form in zip(candidates, forms, strict=True) if forms.count(form) == most]


def _longest(_, __, candidates):
    return _best(candidates, lambda c: sum(len(value) for found in _compared(c).values() for value, _, _ in found))


def _place(text):
    """Order texts: plain decimal numbers by their exact value, below all else, which goes by text."""
    if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)", text):
        return 0, Fraction(text.rstrip(".")), ""
    return 1, Fraction(0), text


def _extreme(choose):
    def narrow(_, __, candidates):
        for name in candidates[0]["values"]:
            having = [candidate for candidate in candidates if _compared(candidate)[name]]
            if having:
                texts = [[value for value, _, _ in _compared(candidate)[name]] for candidate in having]
                places = [sorted(map(_place, each), reverse=choose is max) for each in texts]
                end = choose(places)
                candidates = [c for c, place in zip(having, places, strict=True) if place == end]
        return candidates

    return narrow


def _trust(rules, strategy, candidates):
    half_life_us = Fraction(strategy["half_life_days"]) * DAY_US
    newest = max(map(_time, candidates), default=0)

    def worth(candidate):
        declared = rules["sources"].get(candidate["record"]["key"][0], {"trust": TRUST_UNDECLARED})
        return Fraction(declared["trust"]) / 2 ** ((newest - _time(candidate)) // half_life_us)

    return _best(candidates, worth)


_STRATEGIES = {
    "valid_only": _valid_only,
    "source_priority": _source_priority,
    "most_recent": lambda _, __, candidates: _best(candidates, _time),
    "most_complete": _most_complete,
    "most_frequent": _most_frequent,
    "longest": _longest,
    "min": _extreme(min),
    "max": _extreme(max),
    "trust": _trust,
}
