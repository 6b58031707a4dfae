"""A steward's decision as the event that says it, under a version that counts. Pure.

**Versions.** Of two verdicts on a pair, and of two overrides of an attribute of a record, the greater version counts.
So a decision needs a version above every one that its steward could see. A clock alone does not give that: one that
goes ahead would silence everybody else until the others have caught up. So a version is a hybrid logical clock
(Kulkarni et al., Logical Physical Clocks, 2014): microseconds since 1970, but always above what stands. Clocks decide
only between decisions made at the same time by people who do not see each other's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mdm_stream.core.cluster.edges import ordered
from mdm_stream.core.fold import EMPTY, RecordState, fold
from mdm_stream.core.model import (
    InvalidReason,
    OverrideEvent,
    RecordEvent,
    Scalar,
    Value,
    Verdict,
    VerdictEvent,
    Version,
    split_ref,
)
from mdm_stream.core.record import build_record, overrides_set_aside
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.errors import ConfigurationError


def verdict_event(
    domain: str, refs: tuple[str, str], verdict: Verdict, *, steward: str, version: Version, time_us: int
) -> VerdictEvent:
    """Return a verdict on two records in either order; ``ConfigurationError`` if they are one."""
    a, b = ordered(*refs)
    if a == b:
        raise ConfigurationError("both names are of one record; a verdict is on two different ones")
    return VerdictEvent(domain, a, b, verdict, version, time_us, steward)


def override_event(
    rules: Ruleset,
    ref: str,
    attributes: Mapping[str, Value],
    *,
    steward: str,
    version: Version,
    time_us: int,
    expires_at_us: int | None = None,
    held: RecordState = EMPTY,
) -> OverrideEvent:
    """Return an override that counts; ``None`` takes an attribute's override back.

    ``ConfigurationError`` for one that is a slip: of an attribute that the rules lack, with a value (or one of several)
    that is a placeholder or invalid under the rules, or with an end that has passed. ``held`` is the record's state:
    its country says how a national number is read.
    """
    known = [attribute.name for attribute in rules.attributes]
    for name in attributes:
        if name not in known:
            raise ConfigurationError(f"the rules have no attribute {name!r}; they have {', '.join(known)}")
    if expires_at_us is not None and expires_at_us <= time_us:
        raise ConfigurationError("the override would end before it begins; name a time that is to come")
    for name, value in attributes.items():
        for each in value if isinstance(value, tuple) else (value,):
            why = None if each is None else _why_no_value(rules, ref, held, name, each)
            if why is not None:
                kind = rules.attributes[rules.index_of(name)].type
                raise ConfigurationError(f"the value for {name} is not valid: {why}; its type in the rules is {kind}")
    return OverrideEvent(rules.domain, ref, version, time_us, steward, attributes, expires_at_us)


def next_version(held: Iterable[Version], now_us: int) -> int:
    """Return a version above each of ``held``: the time, or what comes next where that is not above them."""
    newest = max((version for version in held if isinstance(version, int)), default=now_us - 1)
    return max(now_us, newest + 1)


def verdict_versions(state: RecordState, other: str) -> list[Version]:
    """Return the versions that a verdict on a record and ``other`` has to beat."""
    held = state.verdicts.get(other)
    return [] if held is None else [held.version]


def override_versions(state: RecordState, attributes: Iterable[str]) -> list[Version]:
    """Return the versions that an override of some attributes has to beat."""
    return [state.overrides[name].version for name in attributes if name in state.overrides]


_WHY: Mapping[InvalidReason, str] = {
    "too_long": "it is longer than its type standardises",
    "combining_marks": "it has more combining marks in a row than any language",
    "scientific_notation": "it is a number in scientific notation, which has lost its last digits",
    "several_values": "it holds several values; give each by itself",
    "wrong_form": "it has not the form of its type or pattern",
    "placeholder": "it is blank or a placeholder, which would have no effect",
}


def _why_no_value(rules: Ruleset, ref: str, held: RecordState, name: str, value: Scalar) -> str | None:
    """Return why the rules make nothing of an override's value, by laying it alone over the record."""
    live = held
    if not held.live:
        live = fold(EMPTY, RecordEvent(rules.domain, *split_ref(ref), "upsert", 0, 0, {}), ref).state
    alone = replace(live, overrides={})
    state = fold(alone, OverrideEvent(rules.domain, ref, 0, 0, "", {name: value}), ref).state
    record = build_record(rules, ref, state)
    position = rules.index_of(name)
    why = next((why for place, why in overrides_set_aside(rules, record) if place == position), None)
    if why is not None:
        return _WHY[why]
    return None if any(applied.by == position for applied in record.overrides) else _WHY["placeholder"]
