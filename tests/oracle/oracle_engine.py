"""Rules and histories of the oracle in ``mdm_stream``'s own terms, and where its two ways to F differ from it."""

from __future__ import annotations

import random
from contextlib import contextmanager
from dataclasses import dataclass

from oracle import plain_f, plain_fold
from oracle.plain_worlds import history_of, rules_of

from mdm_stream.core import fold
from mdm_stream.core.model import EraseEvent, History, LogPlace, OverrideEvent, RecordEvent, VerdictEvent
from mdm_stream.core.reference import Resolution, resolve
from mdm_stream.core.ruleset import (
    Attribute,
    Comparison,
    Dependence,
    DeterministicRule,
    KeyExpression,
    KeyPart,
    Level,
    Match,
    PlaceholderList,
    Predicate,
    Ruleset,
    Source,
    Strategy,
    SurvivorshipRule,
    TermBits,
)
from mdm_stream.decode import Delivery
from mdm_stream.decode.clock import dated
from mdm_stream.engine.batch import Engine
from mdm_stream.index.memory import MemoryIndex


@dataclass(frozen=True)
class Compared:
    """What came of one history: how large its state is, and where an implementation differs.

    ``refused`` are those of the review items that stand for refused links.
    """

    seed: int
    events: int
    golden: int
    review: int
    refused: int
    differences: tuple[str, ...]


def compare(seed):
    """Resolve the history of a seed by the oracle, the reference and the engine, and compare all of the result."""
    with verdicts_held(random.Random(f"verdicts {seed}").choice([1, 2, 3, 500])):
        return _compared(seed)


@contextmanager
def verdicts_held(most):
    """Let a record hold only so many verdicts, in each of the three."""
    held = fold.VERDICTS_MAX
    fold.VERDICTS_MAX = plain_fold.VERDICTS_MAX = most
    try:
        yield
    finally:
        fold.VERDICTS_MAX = plain_fold.VERDICTS_MAX = held


def _compared(seed):
    rules = rules_of(seed)
    history = history_of(seed, rules)
    expected = plain_f.resolve(rules, history)
    compiled = ruleset(rules, seed)
    events = [event_of(event, compiled) for event in history]
    found = differences("reference", expected, resolve(compiled, events))
    found += differences("engine", expected, delivered(compiled, events, seed))
    refused = sum(item["refused_links"] > 0 for item in expected["review"].values())
    return Compared(seed, len(events), len(expected["golden"]), len(expected["review"]), refused, tuple(found))


def differing(seeds):
    """Return the first of the seeds whose history shows a difference, ``None`` if none does. A failure is one too."""
    for seed in seeds:
        try:
            if compare(seed).differences:
                return seed
        except Exception:  # noqa: BLE001 - a broken implementation may fail in any way
            return seed
    return None


def delivered(rules, events, seed):
    """Return the engine's state after the events in another order, some of them twice, in batches of any size."""
    chance = random.Random(f"order {seed}")
    order = [*events, *chance.sample(events, chance.randint(0, len(events)))]
    chance.shuffle(order)
    index = MemoryIndex(rules)
    engine = Engine(rules, index, sleep=lambda _: None)
    while order:
        size = chance.choice([1, 2, 5, 20])
        report = engine.process(order[:size])
        if report.failed:
            raise AssertionError(f"the engine failed: {report.cause}")
        order = order[size:]
    engine.drain()
    return index.snapshot()


def differences(who, expected, found: Resolution):
    """Return where a result is not the oracle's, one line each."""
    parts = {"crosswalk": found.crosswalk, "golden": found.golden, "review": found.review}
    return [line for part, held in parts.items() for line in _differences(f"{who}: {part}", expected[part], held)]


def _differences(where, expected, found):
    if isinstance(expected, dict) and isinstance(found, dict):
        lines = []
        for name in sorted(expected.keys() | found.keys(), key=str):
            if name not in found:
                lines.append(f"{where}: {name} is missing, expected {expected[name]!r}")
            elif name not in expected:
                lines.append(f"{where}: {name} is too many: {found[name]!r}")
            else:
                lines += _differences(f"{where}: {name}", expected[name], found[name])
        return lines
    return [] if expected == found else [f"{where}: expected {expected!r}, found {found!r}"]


def ruleset(rules, number=0) -> Ruleset:
    """Return a plain rule set compiled."""
    names = [attribute["name"] for attribute in rules["attributes"]]
    place = names.index
    return Ruleset(
        domain=rules["domain"],
        version=1,
        digest=f"oracle-{number}",
        attributes=tuple(_attribute(attribute) for attribute in rules["attributes"]),
        placeholders=tuple(
            PlaceholderList((place(each["name"]),), tuple(each["placeholders"]))
            for each in rules["attributes"]
            if "placeholders" in each
        ),
        sources={name: _source(name, source, names) for name, source in rules["sources"].items()},
        blocking=tuple(
            each for i, key in enumerate(rules["blocking"]) for each in _key_expressions(f"k{i}", key, place)
        ),
        max_block_size=rules["max_block_size"],
        max_cluster_size=rules["max_cluster_size"],
        max_keys=rules["max_keys"],
        max_links=rules["max_links"],
        max_reviews=rules["max_reviews"],
        match=Match(
            method=rules["method"],
            prior=rules["prior"],
            link=rules["link"],
            review=rules["review"],
            deterministic=tuple(
                DeterministicRule(rule["name"], _predicates(rule["when"], place), rule["link"], rule["confidence"])
                for rule in rules["rules"]
            ),
            comparisons=tuple(_comparison(comparison, place) for comparison in rules["comparisons"]),
            exclusive=tuple(place(name) for name in rules["exclusive"]),
            dependences=tuple(_dependence(both, rules["comparisons"]) for both in rules["together"]),
            clustering=rules["clustering"],
            evidence_margin=rules["margin"],
        ),
        survivorship=tuple(
            SurvivorshipRule(
                tuple(place(name) for name in rule["attributes"]),
                tuple(_strategy(strategy) for strategy in rule["strategies"]),
            )
            for rule in rules["survivorship"]
        ),
    )


def _key_expressions(tag, key, place):
    """Return the expression of a key, and after it those that refine it."""
    parts = tuple(KeyPart(function, place(name), n) for function, name, n in key["parts"])
    yield KeyExpression(tag, tag, parts, key["above"])
    for i, further in enumerate(key["refine"]):
        yield from _key_expressions(f"{tag}-{i}", further, place)


def _attribute(attribute):
    synonyms = attribute.get("synonyms")
    options = {"synonyms": "; ".join(f"{k}={v}" for k, v in synonyms.items())} if synonyms else {}
    return Attribute(
        attribute["name"],
        attribute["type"],
        options,
        pattern=attribute.get("pattern"),
        multi=attribute.get("multi", False),
        fills=attribute.get("fills", {}),
        also=tuple(attribute.get("also", ())),
    )


def _source(name, source, names):
    columns = {each: tuple(found) for each, found in source.get("columns", {}).items() if each in names}
    options = {each: own for each, own in source["options"].items() if each in names}
    histories = tuple(History(each["server"], from_us=each["from"]) for each in source["histories"])
    return Source(
        name,
        columns=columns,
        trust=source["trust"],
        backdating_us=source["backdating"],
        options=options,
        histories=histories,
    )


def _comparison(comparison, place):
    if "similarity" in comparison:
        attributes = (place(comparison["attribute"]),)
        return Comparison(
            comparison["name"], attributes, similarity=comparison["similarity"], weight=comparison["weight"]
        )
    levels = tuple(
        Level(x["label"], _predicates(x["when"], place), x["bits"], _term_bits(x.get("terms"), place))
        for x in comparison["levels"]
    )
    return Comparison(comparison["name"], tuple(map(place, comparison["attributes"])), levels)


def _term_bits(terms, place):
    return None if terms is None else TermBits(place(terms["attribute"]), terms["bits"], terms["rest"])


def _dependence(both, comparisons):
    first, second = (
        next(i for i, each in enumerate(comparisons) if each["name"] == both[end]) for end in ("first", "second")
    )
    labels = [[level["label"] for level in comparisons[i]["levels"]] for i in (first, second)]
    return Dependence(first, second, tuple(tuple(both["bits"].get((a, b), 0.0) for b in labels[1]) for a in labels[0]))


def _predicates(conditions, place):
    return tuple(
        Predicate(each["kind"], tuple(map(place, each["attributes"])), each["threshold"] or 0.0) for each in conditions
    )


def _strategy(strategy):
    options = {name: value for name, value in strategy.items() if name != "name"}
    return Strategy(strategy["name"], {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()})


def event_of(event, rules):
    """Return a plain event as the core has it."""
    kind, time = event["kind"], event["time"]
    if kind == "record":
        attributes = {name: _frozen(value) for name, value in event["attributes"].items()}
        key = (event["source"], event["record_id"], event["op"], event["version"], time)
        delivery = Delivery(b"", "1", event["arrival"] or 0)
        written = RecordEvent("person", *key, attributes, place=LogPlace(event["server"]))
        return dated(written, rules.sources.get(key[0], Source(key[0])), delivery)
    if kind == "verdict":
        return VerdictEvent(
            "person", event["a"], event["b"], event["verdict"], event["version"], time, event["steward"]
        )
    if kind == "override":
        values = {name: _frozen(value) for name, value in event["attributes"].items()}
        return OverrideEvent("person", event["ref"], event["version"], time, event["steward"], values, event["expires"])
    if kind == "expiry":
        nothing = dict.fromkeys(event["attributes"])
        return OverrideEvent("person", event["ref"], event["version"], time, "", nothing, expired=True)
    return EraseEvent("person", event["ref"], time)


def _frozen(value):
    return tuple(value) if isinstance(value, list) else value
