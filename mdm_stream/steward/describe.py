"""Records and golden records as stewards see them: sensitive values masked unless they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mdm_stream.contracts.feed_model import GoldenValue, RecordKey
from mdm_stream.contracts.steward import (
    AttributeState,
    BlockingKey,
    DecisionOnRecord,
    GoldenContent,
    HeldDecision,
    RecordStatus,
    SourceRecordState,
    WholeWrite,
)
from mdm_stream.core.blocking.limits import expression_limit
from mdm_stream.core.fold import HeldVerdict
from mdm_stream.core.model import InvalidReason, split_ref
from mdm_stream.core.plan.commit import HeldComponent
from mdm_stream.core.record import Record, described_values, overrides_set_aside
from mdm_stream.core.ruleset import Attribute, KeyExpression, Ruleset
from mdm_stream.core.times import format_time_us

MASK = "***"
"""What stands for a value that is not shown. It has one length, whatever the value's."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a person is to see: values of attributes that are not sensitive, and the sensitive ones (``None``: all)."""

    values: bool
    sensitive: frozenset[str] | None

    def covers(self, attribute: Attribute) -> bool:
        """Whether an attribute's values are seen."""
        if attribute.sensitive:
            return self.sensitive is None or attribute.name in self.sensitive
        return self.values


Reveal = bool | Sight
"""Which values are shown: all, all that are not sensitive, or what a right says."""


def is_shown(attribute: Attribute, reveal: Reveal) -> bool:
    """Whether an attribute's values are shown."""
    return reveal.covers(attribute) if isinstance(reveal, Sight) else reveal or not attribute.sensitive


def shown_value(attribute: Attribute, value: str | Sequence[str] | None, *, reveal: Reveal) -> GoldenValue:
    """Return an attribute's value as it may be shown: of one that may not, only how many values there are."""
    if value is None or is_shown(attribute, reveal):
        return value if value is None or isinstance(value, str) else list(value)
    return MASK if isinstance(value, str) else [MASK] * len(value)


def record_key(ref: str) -> RecordKey:
    """Return a reference as the object that the contracts use."""
    source, record_id = split_ref(ref)
    return RecordKey(source=source, record_id=record_id)


def describe_golden(rules: Ruleset, content: Mapping[str, Any], *, reveal: Reveal) -> GoldenContent:
    """Return a golden record's content as the feed carries it, sensitive values masked."""
    values = {
        attribute.name: shown_value(attribute, content["values"][attribute.name], reveal=reveal)
        for attribute in rules.attributes
        if attribute.name in content["values"]
    }
    provenance = {name: content["provenance"][name] for name in values}
    return GoldenContent.model_validate({**content, "values": values, "provenance": provenance})


def describe_record(
    rules: Ruleset, record: Record, block_sizes: Mapping[str, int], *, reveal: Reveal
) -> SourceRecordState:
    """Return a source record's own state: attributes as standardised, each with the write that set it; keys; verdicts.

    A placeholder is shown as it was delivered, as invalid for that reason: it counts as absent.

    ``status`` is as ``status_of`` says. ``block_sizes`` has the size of each of its blocking keys.
    """
    state = record.state
    source, record_id = split_ref(record.ref)
    attributes = {}
    for value in described_values(rules, record):
        attribute = rules.attributes[value.attribute]
        described = AttributeState(
            value=shown_value(attribute, value.shown, reveal=reveal),
            valid=value.invalid_because is None,
            version=value.version,
            event_time=format_time_us(value.event_time_us),
        )
        if value.invalid_because is not None:
            described = described.model_copy(update={"invalid_because": value.invalid_because})
        attributes[attribute.name] = described
    return SourceRecordState(
        source=source,
        record_id=record_id,
        status=status_of(record),
        born_at=None if state.born_at_us is None else format_time_us(state.born_at_us),
        last_whole_write=_whole_write(record),
        attributes=attributes,
        blocking_keys=describe_keys(rules, record.keys, block_sizes, reveal=reveal),
        verdicts=[
            DecisionOnRecord(other=record_key(other), **describe_verdict(held).model_dump())
            for other, held in sorted(state.verdicts.items())
        ],
        **describe_overrides_set_aside(rules, record),
    )


def describe_overrides_set_aside(rules: Ruleset, record: Record) -> dict[str, dict[str, InvalidReason]]:
    """Return the field ``overrides_set_aside``, left out where there is none: attribute by attribute, why."""
    aside = {rules.attributes[position].name: why for position, why in overrides_set_aside(rules, record)}
    return {"overrides_set_aside": aside} if aside else {}


def _whole_write(record: Record) -> WholeWrite | None:
    base = record.state.base
    if base is None:
        return None
    op: Literal["upsert", "delete"] = "delete" if base.deleted else "upsert"
    return WholeWrite(op=op, version=base.version, event_time=format_time_us(base.event_time_us))


def describe_verdict(held: HeldVerdict) -> HeldDecision:
    """Return a verdict that is held; ``none`` is one that was withdrawn."""
    return HeldDecision(
        verdict=held.verdict,
        version=held.version,
        event_time=format_time_us(held.event_time_us),
        steward=held.steward,
    )


def describe_keys(
    rules: Ruleset, keys: Iterable[str], block_sizes: Mapping[str, int], *, reveal: Reveal, values: bool = True
) -> list[BlockingKey]:
    """Return blocking keys with their expression, size, and whether they are suspended, in the order of the rules.

    A key is made of values: it is masked if an attribute of it may not be shown, and left out without ``values``.
    """
    expressions = {expression.tag: position for position, expression in enumerate(rules.blocking)}
    placed = sorted((expressions[key.partition(":")[0]], key) for key in keys)
    found = []
    for position, key in placed:
        expression, size = rules.blocking[position], block_sizes[key]
        described = BlockingKey(
            expression=expression.text, size=size, suspended=size > expression_limit(rules, expression)
        )
        if values:
            text = key.partition(":")[2] if _may_be_shown(rules, expression, reveal) else MASK
            described = described.model_copy(update={"key": text})
        found.append(described)
    return found


def status_of(record: Record) -> RecordStatus:
    """Return ``live``, ``deleted``, ``erased``, or ``unseen`` for a record that only a steward's decisions name."""
    if record.state.erased:
        return "erased"
    if record.live:
        return "live"
    return "deleted" if record.state.base is not None else "unseen"


def golden_id_in(component: HeldComponent | None, ref: str) -> str | None:
    """Return the golden id of a member of a component."""
    if component is None:
        return None
    return next((golden.golden_id for golden in component.golden if ref in golden.members), None)


def _may_be_shown(rules: Ruleset, expression: KeyExpression, reveal: Reveal) -> bool:
    return all(is_shown(rules.attributes[part.attribute], reveal) for part in expression.parts)
