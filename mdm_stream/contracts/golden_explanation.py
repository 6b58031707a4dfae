"""How a golden record came together, and why each of its values survived: what ``explain GOLDEN_ID`` writes as JSON."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from mdm_stream.contracts.feed_model import GoldenValue, RecordKey
from mdm_stream.contracts.steward import LinkState, Number


class _GoldenExplanationPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class JoinedLink(_GoldenExplanationPart):
    """A link that joined two groups of members: the ``number`` of the join, strongest first from 1.

    ``weight_bits``, ``confidence``, ``decided_by`` and ``evidence`` (the level of each comparison that says something)
    are the link's own. ``sizes`` are the members of the two groups. ``cuts_off`` are the first of the ``cut_off_count``
    members that would be cut off without it; 0 where other links hold the two sides together.
    """

    number: int
    a: RecordKey
    b: RecordKey
    confidence: Number
    weight_bits: Number
    decided_by: str
    evidence: dict[str, str]
    sizes: tuple[int, int]
    cuts_off: list[RecordKey]
    cut_off_count: int


class KeptApartFrom(_GoldenExplanationPart):
    """Another golden record that links lead to, and that was not joined: the strongest link, and why it was refused.

    ``answered``: a SEPARATE verdict stands between the two.
    """

    golden_id: str
    strongest: LinkState
    answered: bool


class SurvivalCompetitor(_GoldenExplanationPart):
    """A record that a rule could choose. ``lost_by``: the strategy that left it behind, null if it survived.

    ``event_time`` is when the newest of its values was set; ``values``, if asked for, are what it offered.
    """

    source: str
    record_id: str
    event_time: str
    lost_by: str | None
    values: dict[str, GoldenValue] = {}


class BuiltValue(_GoldenExplanationPart):
    """A whole (a full name) that was built from its surviving parts: the record that each of them comes from."""

    attribute: str
    parts: dict[str, RecordKey]


class SurvivalOfAttributes(_GoldenExplanationPart):
    """What one rule of survivorship chose for its attributes, and from what.

    ``strategies`` are the rule's in order, with their options; ``decided_by`` is the one that decided (``record_key``:
    none did, or there was no choice; ``union``: the values of several are kept). ``overridden`` are the attributes in
    which a steward's override stands above it, ``built`` those that say what no record says so.
    """

    attributes: list[str]
    strategies: list[str]
    decided_by: str
    overridden: list[str]
    built: list[BuiltValue]
    competitors: list[SurvivalCompetitor]


class GoldenExplanation(_GoldenExplanationPart):
    """How one golden record came together, what was refused, and why each value survived.

    ``anchor`` is the member that the id is made from. ``joins`` are the links that connect the members, one fewer than
    these; ``links_count`` is how many there are in all. ``weakest`` is the number of the weakest join without which the
    cluster parts, null where no single link parts it. ``kept_apart`` are the golden records to which links were
    refused. ``values`` are the golden values, if they were asked for.
    """

    domain: str
    rules_version: int
    golden_id: str
    redirected_from: str | None
    anchor: RecordKey
    members: list[RecordKey]
    links_count: int
    joins: list[JoinedLink]
    weakest: int | None
    kept_apart: list[KeptApartFrom]
    survival: list[SurvivalOfAttributes]
    values: dict[str, GoldenValue] = {}

    def document(self) -> dict[str, Any]:
        """Return it for JSON, without what was not asked for."""
        return self.model_dump(mode="json", exclude_unset=True)
