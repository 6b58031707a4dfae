"""Random small histories for F on Spark: many under one rule set, kept apart, so that one job resolves them all."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from oracle.oracle_engine import event_of, ruleset
from oracle.plain_worlds import history_of, rules_of

from mdm_stream.core.canonical import canonical_json
from mdm_stream.core.fold import state_to_wire
from mdm_stream.core.model import ChangeEvent, RecordEvent, VerdictEvent
from mdm_stream.core.reference import Resolution, fold_events
from mdm_stream.core.ruleset import Attribute, KeyPart, Ruleset
from mdm_stream.reconcile.recompute import Resolved

WORLD = "world"
"""An attribute that each record of a world has, and that is a part of every blocking key: no block has two worlds."""


@dataclass(frozen=True)
class Worlds:
    """A rule set, and the events of several histories under it."""

    rules: Ruleset
    events: list[ChangeEvent]


def worlds(rules_seed: int, histories: Iterable[int]) -> Worlds:
    """Return the histories of some seeds under the rule set of another."""
    plain = rules_of(rules_seed)
    rules = _with_world(ruleset(plain, rules_seed))
    events = []
    for seed in histories:
        events += [_moved(event_of(event, rules), f"w{seed}-") for event in history_of(seed, plain)]
    return Worlds(rules, events)


def folded_rows(events: Sequence[ChangeEvent], tasks: int, seed: int = 0) -> list[tuple[str, bytes]]:
    """Return partial states as ``tasks`` tasks leave them, of events dealt to them by chance."""
    chance = random.Random(seed)
    dealt: list[list[ChangeEvent]] = [[] for _ in range(tasks)]
    for event in events:
        dealt[chance.randrange(tasks)].append(event)
    return [(ref, canonical_json(state_to_wire(state))) for each in dealt for ref, state in fold_events(each).items()]


def resolution_of(state: Resolved) -> Resolution:
    """Return a small state as the reference has it."""
    return Resolution(
        dict(sorted((row.ref, row.golden_id) for row in state.crosswalk.collect())),
        dict(sorted((row.golden_id, orjson.loads(row.content)) for row in state.golden.collect())),
        dict(sorted(((row.a, row.b), orjson.loads(row.item)) for row in state.review.collect())),
    )


def differences(expected: Resolution, found: Resolution) -> list[str]:
    """Return where two states differ, byte for byte: the part and the key of each place."""
    return [
        f"{part} {key}"
        for part in ("crosswalk", "golden", "review")
        for key in sorted({*getattr(expected, part), *getattr(found, part)})
        if _bytes(getattr(expected, part).get(key)) != _bytes(getattr(found, part).get(key))
    ]


def _bytes(value: Any) -> bytes:
    return canonical_json(value)


def _with_world(rules: Ruleset) -> Ruleset:
    place = len(rules.attributes)
    sources = {
        name: replace(source, columns={**source.columns, WORLD: (WORLD,)}) if source.columns else source
        for name, source in rules.sources.items()
    }
    return replace(
        rules,
        digest=f"{rules.digest}-{WORLD}",
        attributes=(*rules.attributes, Attribute(WORLD, "identifier")),
        sources=sources,
        blocking=tuple(replace(each, parts=(*each.parts, KeyPart("exact", place, 0))) for each in rules.blocking),
    )


def _moved(event: ChangeEvent, prefix: str) -> ChangeEvent:
    """Return an event as one of a world: its records have other ids, and say which world they are of."""
    if isinstance(event, RecordEvent):
        attributes = {**event.attributes, WORLD: prefix} if event.op != "delete" else event.attributes
        return replace(event, record_id=prefix + event.record_id, attributes=attributes)
    if isinstance(event, VerdictEvent):
        a, b = sorted((_ref(event.a, prefix), _ref(event.b, prefix)))
        return replace(event, a=a, b=b)
    return replace(event, ref=_ref(event.ref, prefix))


def _ref(ref: str, prefix: str) -> str:
    source, record_id = ref.split("/")
    return f"{source}/{prefix}{record_id}"
