"""A steward's decision as the event that says it, under a version that counts. Pure.

**Versions.** Of two verdicts on a pair, and of two overrides of an attribute of a record, the greater version counts.
So a decision needs a version above every one that its steward could see. A clock alone does not give that: one that
goes ahead would silence everybody else until the others have caught up. So a version is a hybrid logical clock
(Kulkarni et al., Logical Physical Clocks, 2014): microseconds since 1970, but always above what stands. Clocks decide
only between decisions made at the same time by people who do not see each other's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mdm_stream.core.cluster.edges import ordered
from mdm_stream.core.fold import EMPTY, RecordState, fold
from mdm_stream.core.model import (
    OverrideEvent,
    RecordEvent,
    Value,
    Verdict,
    VerdictEvent,
    Version,
    split_ref,
)
from mdm_stream.core.record import StandingOverride, build_record
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
) -> OverrideEvent:
    """Return an override that counts; ``None`` takes an attribute's override back.

    ``ConfigurationError`` for one that is a slip: of an attribute that the rules lack, with a value that their
    standardiser makes nothing of or holds for invalid, or with an end that has passed.
    """
    known = [attribute.name for attribute in rules.attributes]
    for name in attributes:
        if name not in known:
            raise ConfigurationError(f"the rules have no attribute {name!r}; they have {', '.join(known)}")
    if expires_at_us is not None and expires_at_us <= time_us:
        raise ConfigurationError("the override would end before it begins; name a time that is to come")
    event = OverrideEvent(rules.domain, ref, version, time_us, steward, attributes, expires_at_us)
    valid = {
        rules.attributes[applied.attribute].name: applied.value.valid and not applied.value.invalid
        for applied in _as_applied(rules, event)
        if applied.by == applied.attribute
    }
    for name, value in attributes.items():
        if value is not None and not valid.get(name, False):
            kind = rules.attributes[rules.index_of(name)].type
            raise ConfigurationError(f"the value for {name} is not valid; its type in the rules is {kind}")
    return event


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


def _as_applied(rules: Ruleset, event: OverrideEvent) -> Iterable[StandingOverride]:
    """Return what the rules make of an override, by laying it over a record that has nothing else."""
    nothing = RecordEvent(rules.domain, *split_ref(event.ref), "upsert", 0, 0, {})
    state = fold(EMPTY, nothing, event.ref).state
    return build_record(rules, event.ref, fold(state, event, event.ref).state).overrides
