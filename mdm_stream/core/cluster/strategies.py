"""The strategies of survivorship: each narrows the records that may give a golden value.

What each means, to the last tie, is in docs/reference/survivorship.md, whose examples are executed.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from mdm_stream.core.model import Standardised
from mdm_stream.core.record import Record, written_at
from mdm_stream.core.ruleset import Ruleset

US_PER_DAY = 86_400_000_000
VALID_ONLY = "valid_only"


@dataclass(slots=True)
class Candidate:
    """What one member offers for the attributes of a rule. (Not frozen: those take three times as long to make.)

    ``values`` are what survives if it wins, ``compared`` what the strategies look at.
    """

    record: Record
    source: str
    attributes: tuple[int, ...]
    values: tuple[Standardised, ...]
    compared: tuple[Standardised, ...]

    def event_time_us(self, rules: Ruleset) -> int:
        """Return when the newest of the values was set. Only asked for where a strategy looks at times."""
        state = self.record.state
        if not state.patches and state.base is not None:
            return state.base.event_time_us  # one event has set them all
        return max(
            written_at(rules, self.record, attribute)[1]
            for attribute, value in zip(self.attributes, self.values, strict=True)
            if value.value is not None
        )


Narrow = Callable[[Ruleset, Sequence[Candidate], Mapping[str, object]], list[Candidate]]
"""Takes the candidates that are left and a strategy's options, and returns those that it keeps, in their order."""


def _identity(value: Standardised) -> object:
    """Return what two equal values have in common: the match values, and the values that have none."""
    if isinstance(value.value, tuple):
        return value.match, value.value[len(value.match or ()) :]
    return value.match, None if value.match else value.value


def valid_values(value: Standardised) -> Standardised:
    """Return a value without those single values that are invalid. At least one of them has to be valid."""
    if not value.invalid or not isinstance(value.value, tuple):
        return value
    kept = [place for place in range(len(value.value)) if place not in value.invalid]
    matches = value.match if isinstance(value.match, tuple) else ()
    return Standardised(
        tuple([value.value[place] for place in kept]),
        tuple([matches[place] for place in kept if place < len(matches)]) or None,
    )


def _best(candidates: Sequence[Candidate], score: Callable[[Candidate], object]) -> list[Candidate]:
    scores = [score(candidate) for candidate in candidates]
    best = max(scores)  # type: ignore[type-var]
    return [candidate for candidate, mark in zip(candidates, scores, strict=True) if mark == best]


def _trust(rules: Ruleset, source: str) -> float:
    known = rules.sources.get(source)
    return 0.5 if known is None else known.trust


def _source_priority(rules: Ruleset, candidates: Sequence[Candidate], options: Mapping[str, object]) -> list[Candidate]:
    listed = options.get("sources")
    if listed is None:
        order = sorted(rules.sources, key=lambda name: (-rules.sources[name].trust, name))
    else:
        order = list(cast("tuple[str, ...]", listed))
    rank = {name: position for position, name in reversed(list(enumerate(order)))}
    return _best(candidates, lambda c: -rank.get(c.source, len(rank)))


def _most_recent(rules: Ruleset, candidates: Sequence[Candidate], _: Mapping[str, object]) -> list[Candidate]:
    return _best(candidates, lambda c: c.event_time_us(rules))


def _most_complete(_: Ruleset, candidates: Sequence[Candidate], options: Mapping[str, object]) -> list[Candidate]:
    """Of a group: most of its attributes present. Of a single attribute: most attributes of the whole record.

    From ``at_least`` on, more do not count.
    """
    enough = cast("int | float", options.get("at_least", math.inf))
    return _best(
        candidates,
        lambda c: min(enough, _present(c.compared if len(c.values) > 1 else c.record.values)),
    )


def _present(values: Sequence[Standardised]) -> int:
    return sum([value.value is not None for value in values])


def _most_frequent(_: Ruleset, candidates: Sequence[Candidate], __: Mapping[str, object]) -> list[Candidate]:
    matches = [tuple(map(_identity, candidate.compared)) for candidate in candidates]
    counts = Counter(matches)
    most = max(counts.values())
    return [candidate for candidate, match in zip(candidates, matches, strict=True) if counts[match] == most]


def _texts(value: Standardised) -> tuple[str, ...]:
    return value.value if isinstance(value.value, tuple) else () if value.value is None else (value.value,)


def _longest(_: Ruleset, candidates: Sequence[Candidate], __: Mapping[str, object]) -> list[Candidate]:
    return _best(candidates, lambda c: sum([len(text) for value in c.compared for text in _texts(value)]))


_PLAIN_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")
_NO_NUMBER = Decimal(0)

_Rank = tuple[int, Decimal, str]


def _rank(text: str) -> _Rank:
    """Order plain decimal numbers by what they are worth, to the last digit, and below all other texts."""
    return (0, Decimal(text), "") if _PLAIN_NUMBER.fullmatch(text) else (1, _NO_NUMBER, text)


def _ranks(candidate: Candidate, *, greatest_first: bool) -> tuple[tuple[bool, list[_Rank]], ...]:
    """Return for each attribute whether it is there, and its values in order: the first two that differ decide."""
    return tuple(
        [
            ((value.value is not None) is greatest_first, sorted(map(_rank, _texts(value)), reverse=greatest_first))
            for value in candidate.compared
        ]
    )


def _max(_: Ruleset, candidates: Sequence[Candidate], __: Mapping[str, object]) -> list[Candidate]:
    return _best(candidates, lambda c: _ranks(c, greatest_first=True))


def _min(_: Ruleset, candidates: Sequence[Candidate], __: Mapping[str, object]) -> list[Candidate]:
    ranks = [_ranks(candidate, greatest_first=False) for candidate in candidates]
    least = min(ranks)
    return [candidate for candidate, rank in zip(candidates, ranks, strict=True) if rank == least]


def _decayed_trust(rules: Ruleset, candidates: Sequence[Candidate], options: Mapping[str, object]) -> list[Candidate]:
    """Trust halves once for each whole ``half_life_days`` that a value is older than the newest candidate's."""
    half_life_us = max(1, round(cast("float", options["half_life_days"]) * US_PER_DAY))
    times_us = [candidate.event_time_us(rules) for candidate in candidates]
    newest_us = max(times_us)
    if newest_us - min(times_us) < half_life_us:
        return _best(candidates, lambda c: _trust(rules, c.source))
    trusts = [
        _halved(_trust(rules, candidate.source), (newest_us - time_us) // half_life_us)
        for candidate, time_us in zip(candidates, times_us, strict=True)
    ]
    most = max(trusts)
    return [candidate for candidate, trust in zip(candidates, trusts, strict=True) if trust == most]


def _halved(trust: float, times: int) -> tuple[float, float]:
    """Return a trust that was halved, as something that compares exactly however often that was."""
    mantissa, exponent = math.frexp(trust)
    return (exponent - times, mantissa) if mantissa else (-math.inf, 0.0)


def _valid_only(_: Ruleset, candidates: Sequence[Candidate], __: Mapping[str, object]) -> list[Candidate]:
    """Drop invalid single values, and records in which an attribute has no valid one left."""
    kept = []
    for candidate in candidates:
        if all(value.valid for value in candidate.values):
            if any(value.invalid for value in candidate.values):
                candidate.values = tuple(map(valid_values, candidate.values))
                candidate.compared = tuple(map(valid_values, candidate.compared))
            kept.append(candidate)
    return kept


STRATEGIES: Mapping[str, Narrow] = {
    "source_priority": _source_priority,
    "most_recent": _most_recent,
    "most_complete": _most_complete,
    "most_frequent": _most_frequent,
    "longest": _longest,
    "min": _min,
    "max": _max,
    "trust": _decayed_trust,
    VALID_ONLY: _valid_only,
}
"""By the names that rule sets use. A union is none of them: it keeps values, not records."""
