"""What stewards see: a record or golden record, an explanation of a pair, the review queue.

The commands ``show``, ``explain`` and ``review list`` write these as JSON. Values of sensitive attributes are masked
unless they were asked for. A field that is left out of a document was not asked for: ``null`` means that there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, field_serializer

from mdm_stream.contracts.evidence_balance import EvidenceBalance
from mdm_stream.contracts.feed_model import GoldenValue, RecordKey
from mdm_stream.contracts.golden import Provenance
from mdm_stream.core.cluster.clustering import RefusalReason
from mdm_stream.core.match.decide import Decision
from mdm_stream.core.model import InvalidReason

Number = int | float
"""As the rules have it: a whole number stays one."""

RecordStatus = Literal["live", "deleted", "erased", "unseen"]
"""``unseen``: never delivered; only a steward's decisions name it."""

ReviewReason = Literal["score"] | RefusalReason

DecidedBy = Literal["verdict", "rule", "score", "not_live", "no_shared_key", "suspended_keys"]
"""What made a decision; the last three say why the pair is never scored."""

Conclusion = Literal[
    "linked",
    "linked_through_others",
    "not_live",
    "separated",
    "refused",
    "refused_elsewhere",
    "review",
    "no_link",
    "no_shared_key",
    "suspended_keys",
    "waiting",
]


Agreement = Literal["same", "partly", "differs", "missing"]
"""Whether two records say the same of an attribute, as matching sees it; ``partly``: they share one of several values,
``missing``: only one of the two has any."""


class _View(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Document(_View):
    """What is published as one JSON document."""

    def document(self) -> dict[str, Any]:
        """Return it for JSON, without what was not asked for."""
        return self.model_dump(mode="json", exclude_unset=True)


class HeldDecision(_View):
    """A verdict that stands; ``none`` is one that was withdrawn."""

    verdict: Literal["link", "separate", "none"]
    version: int | str
    event_time: str
    steward: str


class GoldenContent(_View):
    """A golden record as the feed carries it."""

    domain: str
    golden_id: str
    members: list[RecordKey]
    provenance: dict[str, list[Provenance]]
    values: dict[str, GoldenValue]

    @field_serializer("members", "provenance", when_used="always")
    def _in_canonical_order(self, value: Any) -> Any:
        """Write the keys of nested objects in the order of the stored content, which is canonical JSON."""
        if isinstance(value, Mapping):
            return {name: [_sorted(each) for each in origins] for name, origins in value.items()}
        return [_sorted(each) for each in value]


class WholeWrite(_View):
    """The last write that said everything about a record."""

    op: Literal["upsert", "delete"]
    version: int | str
    event_time: str


class AttributeState(_View):
    """An attribute of a source record as standardised, with the write that set it; if invalid, with the reason."""

    value: GoldenValue
    valid: bool
    invalid_because: InvalidReason | None = None
    version: int | str
    event_time: str


class BlockingKey(_View):
    """One blocking key of a record, or of both records of a pair. ``key``, its text, is made of values."""

    expression: str
    key: str | None = None
    size: int
    suspended: bool


class DecisionOnRecord(_View):
    """A verdict as one of its two records has it: ``other`` is the second one."""

    other: RecordKey
    verdict: Literal["link", "separate", "none"]
    version: int | str
    event_time: str
    steward: str


class SourceRecordState(_View):
    """A source record's own state. ``overrides_set_aside`` is as in ``PairSide``."""

    source: str
    record_id: str
    status: RecordStatus
    born_at: str | None
    last_whole_write: WholeWrite | None
    attributes: dict[str, AttributeState]
    blocking_keys: list[BlockingKey]
    verdicts: list[DecisionOnRecord]
    overrides_set_aside: dict[str, InvalidReason] = {}


class Lookup(_Document):
    """What a record's name or a golden id leads to.

    ``golden`` is null where there is none: the record is deleted, or the id's anchor is. ``redirected_from`` is the
    golden id that was asked for, where it is not live: it leads to wherever its anchor is now.
    """

    domain: str
    redirected_from: str | None
    golden: GoldenContent | None
    record: SourceRecordState | None


class Thresholds(_View):
    """The confidence from which a pair is linked, and from which it is reviewed."""

    link: Number
    review: Number


class RuleEvidence(_View):
    """The deterministic rule that decided: it links, or keeps apart."""

    name: str
    link: bool
    predicates: list[str]


class LevelEvidence(_View):
    """One comparison's level, and the bits that it weighs.

    ``term_bits``: what a learned model adds to them for how common the value is; left out where it adds nothing by
    value at this level.
    """

    name: str
    level: str
    bits: Number
    predicates: list[str]
    term_bits: Number = 0


class DependenceEvidence(_View):
    """What a learned model adds for two comparisons that are not independent, at the levels that apply."""

    comparisons: tuple[str, str]
    bits: Number


class SimilarityEvidence(_View):
    """One comparison's similarity from 0 to 1 (null: a value is missing), and its weight in the mean."""

    name: str
    similarity: Number | None
    weight: Number
    predicates: list[str | None]


class WeightScore(_View):
    """A pair's evidence added up in bits (Fellegi and Sunter). Where a rule decided, the comparisons did not count.

    ``dependences`` are left out where no model has any.
    """

    domain: str
    rules_version: int
    method: Literal["fellegi_sunter"]
    thresholds: Thresholds
    prior_bits: Number
    comparisons: list[LevelEvidence]
    weight: Number
    confidence: Number
    decision: Decision
    rule: RuleEvidence | None
    dependences: list[DependenceEvidence] = []


class MeanScore(_View):
    """A pair's evidence as a weighted mean; null where nothing could be compared."""

    domain: str
    rules_version: int
    method: Literal["weighted_mean"]
    thresholds: Thresholds
    comparisons: list[SimilarityEvidence]
    weight: Number | None
    confidence: Number | None
    decision: Decision
    rule: RuleEvidence | None


ScoreEvidence = Annotated[WeightScore | MeanScore, Discriminator("method")]


class PairSide(_View):
    """One of the two records of a pair, and the golden record that it is in.

    ``overrides_set_aside``: the attributes whose override has a value that the rules make nothing of, each with why.
    """

    source: str
    record_id: str
    status: RecordStatus
    golden_id: str | None
    overrides_set_aside: dict[str, InvalidReason] = {}


class LinkRefusal(_View):
    """Why a link was refused, and all that stands between the two golden records that it would have joined.

    ``refused_links``: how many links between the two were refused, this one included. ``separated`` are the first of
    the ``separated_count`` pairs under a SEPARATE verdict, ``exclusive`` attributes in which the two sides differ.
    ``joint_confidence``: what all pairs between the two say together, under ``clustering: evidence``; a link needs
    ``joint_confidence_needed`` of it.
    """

    reason: RefusalReason
    refused_links: int
    separated: list[tuple[RecordKey, RecordKey]]
    separated_count: int
    exclusive: list[str]
    sizes: tuple[int, int]
    max_cluster_size: int
    joint_confidence: Number | None = None
    joint_confidence_needed: Number | None = None


class LinkState(_View):
    """A link between two records, what it rests on, and whether clustering refused it."""

    a: RecordKey
    b: RecordKey
    confidence: Number
    weight_bits: Number
    decided_by: str
    refused: LinkRefusal | None


class Explanation(_Document):
    """Why two records are together, or are not; ``steward.explain.explain`` says what each field means.

    ``balance`` is the score in the order in which it speaks. ``values`` and ``agreement`` are there if asked for.
    """

    domain: str
    rules_version: int
    a: PairSide
    b: PairSide
    together: bool
    decision: Decision
    decided_by: DecidedBy
    verdict: HeldDecision | None
    shared_keys: list[BlockingKey]
    score: ScoreEvidence | None
    link: LinkState | None
    path: list[LinkState]
    conclusion: Conclusion
    balance: EvidenceBalance | None = None
    values: dict[str, tuple[GoldenValue, GoldenValue]] = {}
    agreement: dict[str, Agreement] = {}


class ReviewSide(_View):
    """One of the two records of a review item, its golden record and how many members that has."""

    source: str
    record_id: str
    golden_id: str
    members: int


class DecidedPair(_View):
    """Two records and the verdict on them, if it still stands."""

    a: RecordKey
    b: RecordKey
    verdict: HeldDecision | None


class SeparatedPair(DecidedPair):
    """A SEPARATE verdict in the way of an item; ``chain``: the LINK verdicts that connect the two all the same."""

    chain: list[DecidedPair]


class AlikeQuestions(_View):
    """How many questions have the same evidence as an item, level by level: ``open`` ones, and ``links`` and
    ``separates`` that stewards have decided. ``teaches`` orders the queue by what an answer says about the others.
    """

    open: int
    links: int
    separates: int
    teaches: Number


class ReviewItem(_View):
    """One item of the review queue, and ``expected_pairs``: how many record pairs an answer puts right on average.

    ``refused_links``: how many refused links between the two golden records the item stands for. ``answered``: a
    SEPARATE verdict stands between the two. ``separated`` are the first of the ``separated_count`` verdicts in its way.
    ``alike`` is there if the queue was asked for by what an answer teaches.
    """

    domain: str
    a: ReviewSide
    b: ReviewSide
    reason: ReviewReason
    refused_links: int
    answered: bool
    separated: list[SeparatedPair]
    separated_count: int
    confidence: Number
    weight_bits: Number
    rule: str
    evidence: dict[str, str]
    expected_pairs: Number
    alike: AlikeQuestions | None = None


class ReviewQueue(_Document):
    """The first items of a domain's review queue, and how many there are. ``held``: why writing is held back."""

    domain: str
    rules_version: int
    held: str | None
    total: int
    by_reason: dict[str, int]
    items: list[ReviewItem]


def _sorted(value: BaseModel) -> dict[str, Any]:
    return dict(sorted(value.model_dump().items()))
