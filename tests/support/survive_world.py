"""What survives of a few records under a few strategies, without anything around it."""

from __future__ import annotations

from collections.abc import Mapping

from mdm_stream.core.cluster.survive import Survivor, survive
from mdm_stream.core.fold import EMPTY, fold
from mdm_stream.core.model import RecordEvent, Value
from mdm_stream.core.record import Record, build_record
from mdm_stream.core.ruleset import Attribute, Match, Ruleset, Source, Strategy, SurvivorshipRule

DAY_US = 86_400_000_000
MATCH = Match("fellegi_sunter", 0.01, 0.9, 0.5, (), ())
SOURCES = {
    "crm": Source("crm", trust=0.8),
    "erp": Source("erp", trust=0.8),
    "web": Source("web", trust=0.4),
    "old": Source("old", trust=0.0),
}

Columns = Mapping[str, Value]


def strategies(*written: str | tuple[str, dict[str, object]]) -> tuple[Strategy, ...]:
    """Return strategies of their names, those with options as a pair."""
    return tuple(Strategy(item) if isinstance(item, str) else Strategy(*item) for item in written)


def rules_of(*attributes: Attribute, by: tuple[Strategy, ...]) -> Ruleset:
    """Return rules under which the attributes survive together by the given strategies."""
    group = SurvivorshipRule(tuple(range(len(attributes))), by)
    return Ruleset("thing", 1, "0", attributes, SOURCES, (), 200, 200, MATCH, (group,))


def record(rules: Ruleset, ref: str, columns: Columns, day: float = 0) -> Record:
    """Return a record that one event has written, some days after the epoch."""
    source, _, record_id = ref.partition("/")
    event = RecordEvent(rules.domain, source, record_id, "upsert", 1, round(day * DAY_US), columns)
    return build_record(rules, ref, fold(EMPTY, event, ref).state)


def survivors(rules: Ruleset, members: Mapping[str, tuple[float, Columns]]) -> dict[str, Survivor]:
    """Return what survives of records by reference, each a day and its columns."""
    return survive(rules, [record(rules, ref, columns, day) for ref, (day, columns) in members.items()])


def golden(rules: Ruleset, members: Mapping[str, tuple[float, Columns]]) -> dict[str, object]:
    """Return the golden values of records by reference, each a day and its columns."""
    return {name: survivor.value for name, survivor in survivors(rules, members).items()}
