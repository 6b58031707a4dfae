"""Random rule sets and histories as plain data, so dense that everything meets everything.

Values stay where the documents leave no doubt how they are read. Shares no code with ``mdm_stream``.
"""

from __future__ import annotations

import random
from itertools import combinations, product

HOUR_US = 3_600_000_000
ARRIVED_US = 10_957 * 24 * HOUR_US
"""The first day of 2000: what happened in 1970 arrives from then on."""
SOURCES = ("crm", "crm-b", "web")
"""Their order as sources is another one than that of their references: a dash sorts before the slash."""
IDS = ("1", "2", "3", "4")

WITH_COMMAS = ["12,500", "12.500", "12,5"]
VALUES = {
    "full": ["Ann Lee", "Bob Kim", "Ann Kim", "N/A"],
    "given": ["Ann", "Ann", "Anne", "Nan", "Bob", "A", "unknown"],
    "family": ["Lee", "Lee", "Leigh", "Kim"],
    "born": ["1980-01-02", "1980-01-02", "1980-02-01", "1980-01-09", "1980-02-30", "1991-05-05", "02/01/1980"],
    "tax": ["ab-12", "AB 12", "AB13", "AB13", "x9", "n/a"],
    "kind": ["M", "male", "f", "Female", "other"],
    "note": ["Blue  Car", "blue-car", "Red car", "red", "", "7"],
    "amount": [
        12,
        "12.50",
        "-3",
        "007",
        "abc",
        "9007199254740993",
        "9007199254740992",
        "1e",
        "12,500",
        "12.500",
        "12,5",
    ],
    "codes": ["a-1", "A1", "B2", "b 2", "C3", "zz", "N/A"],
    "sums": ["12", "12.0", "x", "y", "30", "-1"],
}
TYPES = {
    "full": {"type": "full_name"},
    "given": {"type": "name"},
    "family": {"type": "name"},
    "born": {"type": "date"},
    "tax": {"type": "identifier"},
    "kind": {"type": "category", "synonyms": {"m": "male", "f": "female"}},
    "note": {"type": "text"},
    "amount": {"type": "number"},
    "codes": {"type": "identifier", "multi": True},
    "sums": {"type": "number", "multi": True},
}
MULTI = ("codes", "sums")
PATTERNS = {"tax": "[A-Z0-9 ]+", "codes": "[A-Z0-9 ]+", "note": "[a-z].*"}

LISTED = {"born": ["1991-05-05"], "tax": ["X9"], "note": ["red"], "amount": ["12.50"], "codes": ["ZZ", "A1"]}
"""Placeholders that rules may name: met by the text in any case, and by all that standardises alike."""
WAYS = {"born": {"day_first": True}, "amount": {"decimal_comma": True}, "codes": {"separators": ";"}}
"""Options that sources may have of their own."""
HISTORIES = [("", 2), ("", 24), ("7", 0), ("7", 30), ("8", 6)]
"""Servers, and hours from which a history counts."""

BLOCKING = [
    [("exact", "family", 0)],
    [("first", "given", 1), ("year", "born", 0)],
    [("exact", "codes", 0)],
    [("exact", "tax", 0)],
    [("token", "note", 0)],
    [("last", "family", 2), ("exact", "kind", 0)],
    [("exact", "sums", 0), ("exact", "given", 0)],
]
REFINING = [
    ("first", "given", 1),
    ("year", "born", 0),
    ("exact", "codes", 0),
    ("token", "note", 0),
    ("exact", "kind", 0),
]
"""What keys are refined by."""


def when(kind, name=None, threshold=None):
    """Return a condition on one attribute."""
    return {"kind": kind, "attributes": [] if name is None else [name], "threshold": threshold}


NEAR = {
    "given": [when("initial", "given"), when("levenshtein", "given", 1)],
    "family": [when("levenshtein", "family", 2), when("prefix", "family", 2)],
    "born": [when("date_swap", "born"), when("date_within", "born", 10)],
    "tax": [when("levenshtein", "tax", 1), when("prefix", "tax", 2)],
    "kind": [when("exact", "note")],
    "amount": [when("numeric_within", "amount", 16)],
    "codes": [when("levenshtein", "codes", 1)],
    "sums": [when("numeric_within", "sums", 20)],
}
TERMS = {
    "given": ["ann", "anne", "nan", "bob", "a"],
    "family": ["lee", "leigh", "kim"],
    "born": ["1980-01-02", "1980-02-01", "1991-05-05"],
    "tax": ["AB12", "AB13", "X9"],
    "kind": ["male", "female", "other"],
    "note": ["blue car", "red car", "red", "7"],
    "amount": ["12", "12.5", "-3", "7"],
    "codes": ["A1", "B2", "C3", "ZZ"],
    "sums": ["12", "30", "-1"],
}
"""Values as they are compared, for models to know how common they are."""
RULES = [
    {"name": "same_tax", "when": [when("exact", "tax"), when("exact", "born")], "link": True, "confidence": 0.86},
    {"name": "same_code", "when": [when("intersect", "codes")], "link": True, "confidence": 0.99},
    {"name": "other_kind", "when": [when("exact", "given"), when("exact", "amount")], "link": False, "confidence": 0.0},
    {"name": "same_name", "when": [when("exact", "given"), when("exact", "family")], "link": True, "confidence": 1.0},
]
SIMILARITIES = [
    ("given", "levenshtein"),
    ("family", "levenshtein"),
    ("born", "date_swap"),
    ("tax", "exact"),
    ("codes", "exact"),
    ("given", "initial"),
]
STRATEGIES = ["source_priority", "most_recent", "most_complete", "most_frequent", "longest", "min", "max", "trust"]


def rules_of(seed):
    """Return a random rule set; equal seeds give equal ones."""
    chance = random.Random(f"rules {seed}")
    attributes = [{"name": name, **TYPES[name]} for name in VALUES if name != "full" or chance.random() < 0.4]
    for attribute in attributes:
        if attribute["name"] in PATTERNS and chance.random() < 0.4:
            attribute["pattern"] = PATTERNS[attribute["name"]]
        if attribute["name"] == "full":
            attribute["fills"] = {"given": "given", "family": "family"}
    ways = random.Random(f"ways {seed}")
    for attribute in attributes:
        if attribute["name"] in LISTED and ways.random() < 0.3:
            attribute["placeholders"] = LISTED[attribute["name"]]
    named = {attribute["name"]: attribute for attribute in attributes}
    if ways.random() < 0.3:
        named["given"]["also"] = ["note"]
    if ways.random() < 0.3:
        named["family"]["also"] = ["full.family", "given"] if "full" in named else ["given"]
    method = "weighted_mean" if chance.random() < 0.2 else "fellegi_sunter"
    rules = {
        "domain": "person",
        "attributes": attributes,
        "sources": _with_ways(ways, _sources(chance)),
        "blocking": _blocking(seed, chance.sample(BLOCKING, chance.randint(2, 4))),
        "max_block_size": chance.choice([2, 3, 4, 50, 50]),
        "max_cluster_size": chance.choice([2, 3, 5, 50, 50]),
        "max_links": chance.choice([1, 2, 3, 32]),
        "max_reviews": chance.choice([1, 1, 2, 8]),
        "max_keys": chance.choice([1, 2, 2, 8]),
        "method": method,
        "prior": chance.choice([0.5, 0.1, 0.2]),
        "link": chance.choice([0.7, 0.85]),
        "review": chance.choice([0.1, 0.3, 0.5]),
        "rules": sorted(chance.sample(RULES, chance.randint(0, 2)), key=lambda rule: rule["name"]),
        "comparisons": _means(chance) if method == "weighted_mean" else _comparisons(chance),
        "exclusive": chance.choice([[], [], ["tax"], ["born"], ["tax", "kind"]]),
        "clustering": random.Random(f"clustering {seed}").choice(["components", "evidence"]),
        "survivorship": _survivorship(chance, [attribute["name"] for attribute in attributes]),
        "together": [],
        "margin": random.Random(f"margin {seed}").choice([0.5, 3.0, 60.0, 60.0]),
    }
    if random.Random(f"composed {seed}").random() < 0.5:
        _compose(rules)
    if rules["clustering"] == "evidence":
        rules |= _to_be_weighed(seed, rules)
    learning = random.Random(f"learned {seed}")
    if method == "fellegi_sunter" and learning.random() < 0.6:
        _learn(learning, rules)
    return rules


def _blocking(seed, keys):
    """Let some keys be refined: past ``above`` records by one or two further parts, some of which are refined too."""
    chance = random.Random(f"refining {seed}")
    return [_key(chance, parts, 0) for parts in keys]


def _key(chance, parts, depth):
    if depth == 2 or chance.random() > (0.5, 0.4)[depth]:
        return {"parts": parts, "above": None, "refine": []}
    further = chance.sample(REFINING, chance.randint(1, 2))
    refine = [_key(chance, [*parts, part], depth + 1) for part in further if part not in parts]
    return {"parts": parts, "above": chance.choice([2, 2, 3]) if refine else None, "refine": refine}


def _sources(chance):
    """Declare some sources, crm with columns of its own; trusts are such that they tie, at once or when halved."""
    declared = {name: {"trust": chance.choice([0.2, 0.4, 0.5, 0.8, 0.8])} for name in SOURCES[: chance.randint(1, 3)]}
    for place, source in enumerate(declared.values()):
        source["backdating"] = [0, 24 * HOUR_US, 50 * 365 * 24 * HOUR_US][place]
    if chance.random() < 0.5:
        own = {name: [name] for name in VALUES}
        own["note"] = ["note", "remark"]
        own["codes"] = ["codes", "code"]
        own.pop(chance.choice(["amount", "kind"]))
        declared["crm"]["columns"] = own
    return declared


def _with_ways(chance, declared):
    """Give some sources conventions and histories of their own."""
    for source in declared.values():
        source["options"] = {name: own for name, own in WAYS.items() if chance.random() < 0.3}
        source["histories"] = [
            {"server": server, "from": since * HOUR_US}
            for server, since in chance.sample(HISTORIES, chance.choice([0, 0, 1, 2]))
        ]
    return declared


def _comparisons(chance):
    found = []
    for name in chance.sample(sorted(NEAR), chance.randint(2, 4)):
        levels = [{"label": "missing", "when": [when("null", name)], "bits": 0.0}]
        levels.append({"label": "equal", "when": [when("exact", name)], "bits": chance.choice([2.0, 3.0, 4.25])})
        levels += [
            {"label": f"near {place}", "when": [condition], "bits": chance.choice([0.5, 1.0, 1.5])}
            for place, condition in enumerate(NEAR[name])
        ]
        levels.append({"label": "differ", "when": [when("else")], "bits": -chance.choice([0.5, 1.0, 2.5])})
        found.append({"name": f"on {name}", "attributes": [name], "levels": levels})
    return found


def _to_be_weighed(seed, rules):
    """Return what makes clusters of several records that scored links would join, most of which contradict in part."""
    chance = random.Random(f"weighed {seed}")
    if chance.random() < 0.2:
        return {}
    return {
        "blocking": _blocking(seed, chance.sample(BLOCKING, chance.randint(4, len(BLOCKING)))),
        "max_block_size": chance.choice([3, 4, 6, 50]),
        "max_cluster_size": chance.choice([4, 50, 50]),
        "max_links": 32,
        "prior": chance.choice([0.5, 0.3]),
        "link": chance.choice([0.6, 0.7, 0.75]),
        "review": chance.choice([0.3, 0.5, 0.55]),
        "rules": chance.sample(rules["rules"], min(len(rules["rules"]), chance.choice([0, 0, 1]))),
        "exclusive": chance.choice([[], [], rules["exclusive"]]),
    }


def _learn(chance, rules):
    """Give levels bits by value, and comparisons bits for what they say together, as a learned model does."""
    for comparison in rules["comparisons"]:
        if chance.random() < 0.6:
            of = comparison["attributes"][0] if chance.random() < 0.85 else chance.choice(sorted(TERMS))
            for level in comparison["levels"][1:]:
                if level["label"] == "equal" or chance.random() < 0.25:
                    level["terms"] = _terms(chance, of)
    for first, second in combinations(rules["comparisons"], 2):
        if chance.random() < 0.5:
            one, other = (first, second) if chance.random() < 0.7 else (second, first)
            said = product(one["levels"][1:], other["levels"][1:])
            bits = {(a["label"], b["label"]): chance.choice([-2.0, -1.0, -0.5, 0.0, 0.75]) for a, b in said}
            rules["together"].append({"first": one["name"], "second": other["name"], "bits": bits})


def _terms(chance, name):
    known = chance.sample(TERMS[name], chance.randint(1, len(TERMS[name])))
    bits = {value: chance.choice([-1.5, -0.5, 0.25, 1.0, 2.0]) for value in known}
    return {"attribute": name, "bits": bits, "rest": chance.choice([None, 0.5, 1.5])}


def _means(chance):
    return [
        {"name": f"{kind} of {name}", "attribute": name, "similarity": kind, "weight": chance.choice([1.0, 2.0, 0.5])}
        for name, kind in chance.sample(SIMILARITIES, chance.randint(2, 4))
    ]


def _survivorship(chance, names):
    groups = [["full", "given", "family"]] if "full" in names else chance.choice([[["given", "family"]], []])
    groups += chance.choice([[["kind", "note", "amount"]], [["born", "tax"]], [["note", "codes"]], []])
    taken = {name for group in groups for name in group}
    groups += [[name] for name in names if name not in taken]
    return [{"attributes": group, "strategies": _strategies(chance, group)} for group in groups]


def _compose(rules):
    """Let the full name, if there is one, be built from its parts."""
    for rule in rules["survivorship"]:
        if "full" in rule["attributes"]:
            rule["strategies"].append({"name": "compose"})


def _strategies(chance, group):
    strategies = [_strategy(chance, name) for name in chance.sample(STRATEGIES, chance.randint(0, 3))]
    if chance.random() < 0.3:
        strategies.insert(0, {"name": "valid_only"})
    if all(name in MULTI for name in group) and chance.random() < 0.6:
        strategies.append({"name": "union"})
    return strategies


def _strategy(chance, name):
    strategy = {"name": name}
    if name == "trust":
        strategy["half_life_days"] = chance.choice([0.5, 1.0, 3.0])
    if name == "most_complete" and chance.random() < 0.3:
        strategy["at_least"] = chance.randint(1, 3)
    if name == "source_priority" and chance.random() < 0.5:
        strategy["sources"] = chance.sample(SOURCES, chance.randint(1, 2))
    return strategy


def history_of(seed, rules):
    """Return a random history under a rule set, as a list of events."""
    chance = random.Random(f"history {seed}")
    mapped = rules["sources"].get("crm", {}).get("columns")
    refs = [f"{source}/{record_id}" for source in SOURCES for record_id in IDS]
    dense = rules["clustering"] == "evidence"
    refs = chance.sample(refs, chance.randint(6 if dense else 3, len(refs)))
    pools = {
        name: chance.sample(values, chance.choice([2, 3, 3 if dense else len(values), len(values)]))
        for name, values in VALUES.items()
    }
    events = []
    written = 0.82 if dense else 0.74
    for _ in range(chance.randint(25 if dense else 3, 60)):
        dice = chance.random()
        ref = chance.choice(refs)
        if dice < written:
            events.append(_record_event(chance, ref, mapped, pools))
        elif dice < 0.88:
            events.append(_verdict(chance, refs))
        elif dice < 0.97:
            override = _override(chance, ref, pools)
            events.append(override)
            if override["expires"] is not None and chance.random() < 0.7:
                events.append(_expiry(override))
        elif dice < 0.98:
            events.append({"kind": "erase", "ref": ref, "time": 0})
        else:
            events.append(_expiry(_override(chance, ref, pools)))
    arriving, served = random.Random(f"arrivals {seed}"), random.Random(f"servers {seed}")
    return [
        {**event, "arrival": _arrival(arriving), "server": served.choice(["", "7", "7", "8"])}
        | {"attributes": _in_one_cell(served, event, rules["sources"].get(event["source"], {}))}
        if event["kind"] == "record"
        else event
        for event in events
    ]


def _in_one_cell(chance, event, source):
    """Return what a write says, the lists of a source that has a separator in one cell now and then."""
    mark = source.get("options", {}).get("codes", {}).get("separators")
    return {
        name: f" {mark} ".join(value)
        if mark and name in ("codes", "code") and isinstance(value, list) and chance.random() < 0.6
        else value
        for name, value in event["attributes"].items()
    }


def _version(chance):
    return chance.choice([1, 2, 2, 3, 4, 5, 10, "a", "b"]) if chance.random() < 0.5 else chance.randint(1, 6)


def _time(chance):
    return chance.choice([0, 1, 3, 6, 12, 24, 24, 36, 72, 240]) * HOUR_US + chance.choice([0, 0, 0, 1, 500_000])


def _value(chance, pools, name):
    if chance.random() < 0.15:
        return None
    if name in MULTI or chance.random() < 0.04:
        return chance.sample(pools[name], chance.randint(0, min(3, len(pools[name]))))
    return chance.choice(pools[name])


def _arrival(chance):
    """Return when the event came in: long after its time, or that is not known, as of a file's row."""
    return None if chance.random() < 0.7 else ARRIVED_US + chance.randint(0, 30) * 24 * HOUR_US


def _record_event(chance, ref, mapped, pools):
    source, record_id = ref.split("/")
    op = chance.choice(["upsert", "upsert", "upsert", "upsert", "patch", "patch", "delete"])
    columns = {name: name for name in VALUES}
    if mapped and source == "crm":
        columns |= {"remark": "note", "code": "codes"}
    names = list(columns) if op == "upsert" else chance.sample(list(columns), chance.randint(1, 3))
    attributes = {
        column: _value(chance, pools, columns[column]) for column in names if op == "patch" or chance.random() < 0.85
    }
    return {
        "kind": "record",
        "source": source,
        "record_id": record_id,
        "op": op,
        "version": _version(chance),
        "time": _time(chance),
        "arrival": None,
        "attributes": {} if op == "delete" else attributes,
    }


def _verdict(chance, refs):
    a, b = sorted(chance.sample(refs, 2))
    word = chance.choice(["link", "separate", "separate", "none"])
    return {
        "kind": "verdict",
        "a": a,
        "b": b,
        "verdict": word,
        "version": _version(chance),
        "time": _time(chance),
        "steward": "s-1",
    }


def _override(chance, ref, pools):
    names = chance.sample(list(VALUES), chance.randint(1, 2))
    return {
        "kind": "override",
        "ref": ref,
        "version": chance.randint(1, 4),
        "time": _time(chance),
        "steward": "s-1",
        "attributes": {name: _value(chance, pools, name) for name in names},
        "expires": chance.choice([None, 500 * HOUR_US]),
    }


def _expiry(override):
    return {
        "kind": "expiry",
        "ref": override["ref"],
        "version": override["version"],
        "time": override["expires"] or 900 * HOUR_US,
        "attributes": sorted(override["attributes"]),
    }
