"""The values that suspiciously many records share: ``mdm-stream profile --shared``.

Records are folded first, so that each counts once, as it is now, however often and in whatever order it was delivered.
Then every value and every blocking key is counted. Both are exact and take bounded memory (see
:mod:`mdm_stream.profile.spilled`).
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from mdm_stream.core.blocking.keys import blocking_keys, key_digest
from mdm_stream.core.fold import EMPTY, Foldable, RecordState, fold, join_states
from mdm_stream.core.model import OverrideEvent, Standardised, VerdictEvent, split_ref
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.standardise import delivered, match_values, set_aside, standardise_record, step_of_record
from mdm_stream.core.standardise.listed import plain_text
from mdm_stream.profile.advice import Listable, PlaceholderNames, listed_mailbox, listed_value, placeholder_lines
from mdm_stream.profile.spilled import SpilledMap
from mdm_stream.profile.suspicion import SHARED_BY_MIN, suspicious_from

STATES_BYTES_MAX = 48 * 1024**2
"""Bytes of folded records in memory; what is more is on disk meanwhile."""
COUNTS_BYTES_MAX = 32 * 1024**2
"""Bytes of counted values in memory; likewise."""
VALUES_MAX = 100
"""Values of one attribute, and keys of one expression, that are listed: those of the most records."""

PROGRESS_EVERY = 1_000
"""Records between two calls about the progress."""

_JOINT = "\x00"
_STATE_BYTES = 1_200
_COLUMN_BYTES = 160
_COUNT_BYTES = 420


class _Sharers(NamedTuple):
    """A value as people read it, and how many records of each source have it."""

    value: str
    sources: dict[str, int]


@dataclass(frozen=True, slots=True)
class SharedValue:
    """One value of an attribute, or one blocking key: how many records share it, of which sources.

    ``listable`` is what names it in a list of placeholders, if anything does. ``set_aside_by`` says what takes it for a
    placeholder already: a list of the rules, or the attribute's type. ``digest`` is that of a blocking key in logs.
    """

    value: str
    records: int
    sources: Mapping[str, int]
    share: float
    listable: Listable | None = None
    set_aside_by: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class SharedOf:
    """The shared values of one attribute or blocking key, most records first; ``found`` counts those not listed too.

    ``suspicious_from`` is how many records make one suspicious.
    """

    name: str
    kind: str
    suspicious_from: int | None
    found: int
    values: tuple[SharedValue, ...]


@dataclass(frozen=True, slots=True)
class SharedReport:
    """All that is shared in one domain. ``set_aside`` are placeholders already, ``reasons`` counts why values are none.

    ``suspended`` are the blocking keys that more than ``max_block_size`` live records share. ``lines`` name what is
    shared under ``placeholders:`` of the rules, one list an attribute.
    """

    domain: str
    records: int
    attributes: tuple[SharedOf, ...] = ()
    suspended: tuple[SharedOf, ...] = ()
    set_aside: tuple[SharedOf, ...] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)
    lines: tuple[str, ...] = ()


class SharedValues:
    """Takes the events of one domain in any order, and reports what their records share. One use; close it after."""

    def __init__(
        self, rules: Ruleset, *, states_bytes_max: int = STATES_BYTES_MAX, counts_bytes_max: int = COUNTS_BYTES_MAX
    ) -> None:
        self._rules = rules
        self._states = SpilledMap(join_states, _state_bytes, states_bytes_max)
        self._counts = SpilledMap(_joined, _count_bytes, counts_bytes_max)
        self._names = PlaceholderNames()
        self._reasons: Counter[str] = Counter()
        self._records = 0

    def close(self) -> None:
        """Give memory and disk back."""
        self._states.close()
        self._counts.close()

    def add(self, event: Foldable) -> None:
        """Take an event; what stewards say of records is no value of theirs."""
        if isinstance(event, VerdictEvent | OverrideEvent):
            return
        for ref in event.refs:
            state = fold(EMPTY, event, ref).state
            if state.verdicts or state.overrides:
                state = replace(state, verdicts={}, overrides={})
            self._states.add(ref, state)

    def report(self, on_progress: Callable[[int], None] = lambda _: None) -> SharedReport:
        """Return what the records share that were added; ``on_progress`` is called with how many were counted."""
        for ref, state in self._states.items():
            if state.live:
                self._count(split_ref(ref)[0], state)
                if not self._records % PROGRESS_EVERY:
                    on_progress(self._records)
        return _SharedGroups(self._rules, self._records).report(self._counts, dict(sorted(self._reasons.items())))

    def _count(self, source: str, state: RecordState) -> None:
        rules, columns = self._rules, state.columns()
        values = standardise_record(rules, source, columns)
        self._records += 1
        for position, found in enumerate(values):
            if found.match is not None and rules.attributes[position].type in SHARED_BY_MIN:
                for match, value in _each(found):
                    self._counts.add(f"v{position}:{match}", _Sharers(value, {source: 1}))
        for key in blocking_keys(rules, match_values(rules, source, values)):
            self._counts.add(f"k{key}", _Sharers("", {source: 1}))
        aside = set(set_aside(rules, source, columns, values))
        for position, reason in sorted(aside):
            self._reasons[f"{rules.attributes[position].name}: {reason}"] += 1
            if reason == "placeholder":
                step = step_of_record(rules, source, values, position)
                texts = {plain_text(text): text for text in delivered(rules, source, columns, position)}
                for plain, text in texts.items():
                    by = self._names.set_aside_by(step, text)
                    self._counts.add(f"p{position}:{by}{_JOINT}{plain}", _Sharers(text, {source: 1}))


@dataclass(slots=True)
class _Most:
    """The values of the most records of one attribute or expression, and how many values have how many records."""

    values_by_records: Counter[int] = field(default_factory=Counter)
    most: list[tuple[int, str, str, dict[str, int]]] = field(default_factory=list)

    def note(self, records: int, key: str, count: _Sharers) -> None:
        entry = (records, key, count.value, count.sources)
        (heapq.heappush if len(self.most) < VALUES_MAX else heapq.heappushpop)(self.most, entry)


class _SharedGroups:
    """What is made of the counts."""

    def __init__(self, rules: Ruleset, records: int) -> None:
        self._rules = rules
        self._records = records
        self._values: dict[str, _Most] = {}

    def report(self, counts: SpilledMap[_Sharers], reasons: Mapping[str, int]) -> SharedReport:
        """Take every count once, and return the report."""
        rules = self._rules
        for key, count in counts.items():
            group, _, text = key.partition(":")
            most = self._values.setdefault(group, _Most())
            records = sum(count.sources.values())
            most.values_by_records[records] += 1
            if records >= self._least(group):
                most.note(records, text, count)
        attributes, suspended = tuple(self._attributes()), tuple(self._suspended())
        shared = (value for group in (*attributes, *suspended) for value in group.values)
        return SharedReport(
            domain=rules.domain,
            records=self._records,
            attributes=attributes,
            suspended=suspended,
            set_aside=tuple(self._set_aside()),
            reasons=reasons,
            lines=placeholder_lines(rules, (value.listable for value in shared if value.listable)),
        )

    def _least(self, group: str) -> int:
        """Return how many records a value must have that may be listed."""
        if group[0] == "k":
            return self._rules.max_block_size + 1
        return SHARED_BY_MIN[self._rules.attributes[int(group[1:])].type] if group[0] == "v" else 1

    def _attributes(self) -> Iterator[SharedOf]:
        for position, attribute in enumerate(self._rules.attributes):
            most = self._values.get(f"v{position}")
            if most is None:
                continue
            limit = suspicious_from(attribute.type, most.values_by_records)
            values = tuple(
                self._shared(records, value, sources, listable=listed_value(self._rules, position, value, match))
                for records, match, value, sources in sorted(most.most, key=_order)
                if records >= limit
            )
            if values:
                yield SharedOf(attribute.name, attribute.type, limit, _from(most, limit), values)

    def _suspended(self) -> Iterator[SharedOf]:
        limit = self._rules.max_block_size + 1
        # What is refined is expected to be shared by many, unless it is one value.
        for expression in (each for each in self._rules.blocking if each.refined_above is None or len(each.parts) == 1):
            most = self._values.get(f"k{expression.tag}")
            if most is None or not most.most:
                continue
            values = tuple(
                self._shared(
                    records, text, sources,
                    listable=listed_mailbox(self._rules, expression, text),
                    digest=key_digest(f"{expression.tag}:{text}"),
                )
                for records, text, _, sources in sorted(most.most, key=_order)
            )  # fmt: skip
            yield SharedOf(expression.text, "blocking key", limit, _from(most, limit), values)

    def _set_aside(self) -> Iterator[SharedOf]:
        for position, attribute in enumerate(self._rules.attributes):
            most = self._values.get(f"p{position}")
            if most is None:
                continue
            values = tuple(
                self._shared(
                    records, value, sources,
                    by=text.partition(_JOINT)[0],
                )
                for records, text, value, sources in sorted(most.most, key=_order)
            )  # fmt: skip
            yield SharedOf(attribute.name, attribute.type, None, most.values_by_records.total(), values)

    def _shared(
        self,
        records: int,
        value: str,
        sources: Mapping[str, int],
        *,
        listable: Listable | None = None,
        by: str = "",
        digest: str = "",
    ) -> SharedValue:
        share = round(records / max(1, self._records), 4)
        return SharedValue(value, records, dict(sorted(sources.items())), share, listable, by, digest)


def _order(entry: tuple[int, str, str, dict[str, int]]) -> tuple[int, str]:
    return -entry[0], entry[1]


def _from(most: _Most, limit: int) -> int:
    return sum(values for records, values in most.values_by_records.items() if records >= limit)


def _each(found: Standardised) -> Iterator[tuple[str, str]]:
    """Yield each match of an attribute with its value; what has no match comes last among several values."""
    if isinstance(found.match, tuple):
        yield from zip(found.match, found.value or (), strict=False)
    elif found.match is not None:
        yield found.match, str(found.value)


def _joined(left: _Sharers, right: _Sharers) -> _Sharers:
    for source, records in right.sources.items():
        left.sources[source] = left.sources.get(source, 0) + records
    return left if left.value <= right.value else _Sharers(right.value, left.sources)


def _count_bytes(key: str, count: _Sharers) -> int:
    return _COUNT_BYTES + len(key) + len(count.value)


def _state_bytes(_ref: str, state: RecordState) -> int:
    columns = 0 if state.base is None else len(state.base.columns)
    texts = 0 if state.base is None else sum(map(_length, state.base.columns.values()))
    texts += sum(_length(patch.value) for patch in state.patches.values())
    return _STATE_BYTES + _COLUMN_BYTES * (columns + 3 * len(state.patches)) + texts


def _length(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    return sum(map(_length, value)) if isinstance(value, tuple | list) else 8
