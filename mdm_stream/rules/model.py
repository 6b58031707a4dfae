"""The authored form of a rule set: its settings, their types and ranges. What names refer to is checked when compiling.

Strict throughout: no text becomes a number and no number a text. Unknown keys are errors. The docstring and the
description of each field appear in the JSON Schema, where an editor shows them to the author.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from mdm_stream.core.column_types import COLUMN_KINDS, SCALE_MAX, ColumnKindName
from mdm_stream.core.csv_form import DELIMITER_PATTERN, CsvEncoding
from mdm_stream.core.file_rules import DELETED_SHARE_MAX, DRIFT_MAX, REJECTED_SHARE_MAX
from mdm_stream.core.histories import HISTORIES_MAX
from mdm_stream.core.name_patterns import DOMAIN_PATTERN, GTID_SOURCE_PATTERN, LOG_NUMBER_MAX
from mdm_stream.core.ruleset import EVIDENCE_MARGIN_BITS, ClusteringMethod, VersionKind
from mdm_stream.core.wire_formats import WIRE_FORMATS, FormatName, enumerated
from mdm_stream.rules.setting_types import (
    Day,
    Duration,
    Names,
    Option,
    Probability,
    Share,
    Size,
    Strategies,
    Texts,
    When,
    as_list,
)

BITS_MAX = 60.0
"""Evidence of more than 60 bits (1 in 10^18) says nothing more, and keeps sums well inside a float's precision."""

BLOCK_SIZE_MAX = 5_000
"""A block of n records may cost n^2 / 2 scored pairs: 12 million at this size, the most that one batch can bear."""

REFINE_ABOVE = 20
"""A key that others refine makes at most so many candidates of a record, if the rules name no other number."""

CLUSTER_SIZE_MAX = 5_000

RECORD_KEYS_MAX = 64
"""The greatest ``max_keys``: a record is indexed under each of its keys, whatever a source put into it."""

RECORD_EDGES_MAX = 1_000
"""The greatest ``max_links`` and ``max_reviews``: a component of *n* records holds at most twice this times *n*."""


def _as_key(value: object) -> object:
    """Let an expression stand for a key that nothing refines."""
    return {"key": value} if isinstance(value, str) else value


def _as_rule(value: object) -> object:
    """Let a bare list of strategies stand for a survivorship rule."""
    return {"strategies": value} if isinstance(value, tuple | str) else value


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


_TABLE_FORMATS = [each.name for each in WIRE_FORMATS.values() if each.needs_table]


class AttributeModel(_Part):
    """One attribute of the domain: how its values are cleaned and checked."""

    type: Annotated[str, Field(description="The standardiser: name, date, phone, email, address ...")]
    options: Annotated[dict[str, Option], Field(description="Options of the type, such as day_first.")] = {}
    required: Annotated[
        bool,
        Field(
            description="Every source should give it: `rules check` warns of one that cannot. A record without a value "
            "is accepted all the same; rows of files are rejected by `files: required`."
        ),
    ] = False
    pattern: Annotated[str | None, Field(description="What the whole cleaned value must match to be valid.")] = None
    sensitive: Annotated[bool, Field(description="Masked wherever people look without need.")] = False
    multi: Annotated[bool, Field(description="A record may have several values.")] = False
    fills: Annotated[dict[str, str], Field(description="Part of the type: attribute that it fills if absent.")] = {}
    country: Annotated[
        str | None,
        Field(
            description="The attribute that says of which country a record is, or none. Of a phone and a postcode it "
            "is 'country' if left out."
        ),
    ] = None
    also: Annotated[
        Texts,
        Field(description="What else is compared as this attribute: another one, or attribute.part. Never golden."),
    ] = ()


class ColumnModel(_Part):
    """What a column holds, where the source's format does not say it."""

    as_: Annotated[
        ColumnKindName,
        Field(
            alias="as",
            description="How its values are read: "
            + "; ".join(f"{each.name} ({each.description})" for each in COLUMN_KINDS.values()),
        ),
    ]
    scale: Annotated[
        int | None, Field(ge=-SCALE_MAX, le=SCALE_MAX, description="Of a decimal: its digits after the point.")
    ] = None


class HistoryModel(_Part):
    """One history of a source's positions: what began it. A change belongs to the last history that holds of it."""

    server_id: Annotated[
        int | None, Field(ge=1, le=LOG_NUMBER_MAX, description="The MySQL or MariaDB server that wrote it.")
    ] = None
    gtid_source: Annotated[
        str | None,
        Field(
            description="What its GTIDs begin with: a UUID, or domain-server.",
            json_schema_extra={"pattern": f"^({GTID_SOURCE_PATTERN})$"},
        ),
    ] = None
    timeline: Annotated[
        int | None, Field(ge=1, le=LOG_NUMBER_MAX, description="The PostgreSQL timeline that it is on.")
    ] = None
    from_: Annotated[
        str | None,
        Field(alias="from", description="The source's time from which on it holds: a day, or an RFC 3339 time."),
    ] = None


class CsvModel(_Part):
    """How a source writes its CSV files; what is left out is found in the beginning of each file."""

    delimiter: Annotated[
        str | None, Field(pattern=DELIMITER_PATTERN, description="One character that is no letter, digit or quote.")
    ] = None
    quote: Annotated[Literal['"', "'"] | None, Field(description="What stands around a quoted field.")] = None
    encoding: Annotated[CsvEncoding | None, Field(description="utf-8, utf-16, cp1252 or another encoding.")] = None


class DeletionModel(_Part):
    """The column by which a row of a file says that its record was deleted."""

    column: str
    values: Annotated[Names, Field(description="What the column holds then; capitals do not matter.")]


UNAVAILABLE_CHARS_MAX = 200
"""Characters of a placeholder for values that a database did not log."""


class FilesModel(_Part):
    """Which objects are files of a source, and what a good one is; the gatekeeper of files judges by it."""

    prefix: Annotated[
        str | None,
        Field(min_length=1, max_length=512, description="What the keys of its objects begin with: domain/source/."),
    ] = None
    name: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=512,
            description="What the rest of the key must match: * and ? as in a shell, and {as_of:%Y%m%d} for the time "
            "of the load.",
        ),
    ] = None
    size_max: Annotated[Size | None, Field(description="The largest file, such as 200MB.")] = None
    encryption: Annotated[
        Literal["any", "kms"] | None, Field(description="How an object must be encrypted: at all, or by a KMS key.")
    ] = None
    tags: Annotated[
        dict[str, Texts], Field(description="Tags that an object must have: the values allowed; [] allows any.")
    ] = {}
    columns: Annotated[Names | None, Field(description="Columns that the header must have.")] = None
    columns_exact: Annotated[bool, Field(description="And it may have no other.")] = False
    required: Annotated[Names | None, Field(description="Columns in which a row must have a value.")] = None
    unique: Annotated[Names | None, Field(description="Columns in which no two rows have one value.")] = None
    rows_min: Annotated[int, Field(ge=0, description="A file with fewer rows is held.")] = 0
    rows_max: Annotated[int | None, Field(ge=0, description="A file with more rows is held.")] = None
    rejected_share_max: Annotated[
        Share, Field(description="A file of which a greater share of the rows is rejected is held.")
    ] = REJECTED_SHARE_MAX
    load: Annotated[
        Literal["incremental", "full"], Field(description="full: records that a file does not name are deleted.")
    ] = "incremental"
    deleted_share_max: Annotated[
        Share, Field(description="A full load that would delete a greater share of the live records is held.")
    ] = DELETED_SHARE_MAX
    drift_max: Annotated[
        float, Field(gt=0.0, description="How far a profile may lie off that of earlier loads without a warning.")
    ] = DRIFT_MAX
    late_after: Annotated[
        Duration | None, Field(description="A file that arrives so long after the time of its load brings a warning.")
    ] = None


class SourceModel(_Part):
    """One source system: the shape of its events and how its columns become attributes."""

    format: Annotated[FormatName, Field(description="Its wire format.")] = "canonical"
    table: Annotated[
        str | None, Field(description=f"schema.table or table, for {enumerated(_TABLE_FORMATS, 'and')}.")
    ] = None
    key: Annotated[Names | None, Field(description="The key column or columns of a row.")] = None
    version: Annotated[str | None, Field(description="The column that orders a row's versions.")] = None
    version_kind: Annotated[
        VersionKind | None,
        Field(description="What versions are: integer, text, position (of the log or the stream), or a unit of time."),
    ] = None
    version_format: Annotated[
        str | None, Field(description="The form of the texts in the version column of a file, such as %d.%m.%Y %H:%M.")
    ] = None
    event_time: Annotated[str | None, Field(description="The column with the time of a change.")] = None
    event_time_format: Annotated[
        str | None, Field(description="The form of the texts in that column of a file, such as %d.%m.%Y.")
    ] = None
    trust: Annotated[Share, Field(description="How far to believe it, 0 to 1, for survivorship.")] = 0.5
    clock_ahead: Annotated[
        Duration, Field(description="How far a version or a time may lie ahead of the arrival, such as 1d.")
    ] = "1d"
    event_time_floor: Annotated[Day, Field(description="An event time before this day is refused.")] = "1900-01-01"
    backdating: Annotated[
        Duration, Field(description="How long before its arrival an event may say that its record was born.")
    ] = "1d"
    history_until: Annotated[
        Day | None, Field(description="What arrived before this day was born when it says, however long ago.")
    ] = None
    histories: Annotated[
        tuple[HistoryModel, ...],
        Field(
            max_length=HISTORIES_MAX - 1,
            description="What began positions anew (failover, restore, reload), in order; each supersedes the last.",
        ),
    ] = ()
    options: Annotated[
        dict[str, dict[str, Option]],
        Field(description="Attribute: options of its type that this source has instead of the attribute's own."),
    ] = {}
    csv: Annotated[CsvModel, Field(description="How its CSV files are written.")] = CsvModel()
    deletion: Annotated[DeletionModel | None, Field(description="How a row of its files says that it is one.")] = None
    files: Annotated[FilesModel | None, Field(description="The files that it delivers in object storage.")] = None
    attributes: Annotated[
        dict[str, Names],
        Field(description="Attribute: its column, or the columns that it is joined from. None: names are the same."),
    ] = {}
    columns: Annotated[
        dict[str, ColumnModel], Field(description="Column: what it holds, where no schema comes with it.")
    ] = {}
    unavailable_value: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=UNAVAILABLE_CHARS_MAX,
            description="debezium: the connector's unavailable.value.placeholder, if it was given another.",
        ),
    ] = None
    ignore: Annotated[
        Names | None,
        Field(description="Tables that come with this one and are no source: schema.table, table, or schema.*."),
    ] = None


class PlaceholdersModel(_Part):
    """Values that say nothing, though many records have them."""

    attributes: Annotated[Names | None, Field(description="The attributes in which they stand for nothing.")] = None
    type: Annotated[Names | None, Field(description="Or the types: in all attributes of them.")] = None
    values: Annotated[Texts, Field(description="Whole values.")] = ()
    patterns: Annotated[Texts, Field(description="Expressions that match a whole value.")] = ()


class BlockingKeyModel(_Part):
    """A blocking key, and what splits its blocks where they grow too large."""

    key: Annotated[str, Field(description="An expression, such as soundex(family_name) + year(born).")]
    refine_above: Annotated[
        int | None,
        Field(ge=2, le=BLOCK_SIZE_MAX, description="Where more live records share a value, 'refine' splits them."),
    ] = None
    refine: Annotated[
        tuple[Annotated[BlockingKeyModel, BeforeValidator(_as_key)], ...],
        BeforeValidator(as_list),
        Field(description="Further expressions, each of which splits such a block, and may be refined itself."),
    ] = ()
    suspend_above: Annotated[
        int | None,
        Field(ge=2, le=BLOCK_SIZE_MAX, description="Where more live records share a value, other keys find pairs."),
    ] = None

    @property
    def limit(self) -> int | None:
        """More live records than this take to what refines the key, or to other keys; ``None`` if none is named."""
        if not self.refine:
            return self.suspend_above
        return REFINE_ABOVE if self.refine_above is None else self.refine_above


class BlockingModel(_Part):
    """Which records are compared at all: those that share the value of a key."""

    max_block_size: Annotated[
        int, Field(ge=2, le=BLOCK_SIZE_MAX, description="A key value shared by more live records is suspended.")
    ] = 200
    max_keys: Annotated[
        int, Field(ge=1, le=RECORD_KEYS_MAX, description="The most key values that one expression gives a record.")
    ] = 8
    keys: Annotated[
        dict[str, Annotated[BlockingKeyModel, BeforeValidator(_as_key)]],
        Field(description="Name: expression, such as soundex(family_name) + year(born); or one with what refines it."),
    ]


class LevelModel(_Part):
    """One grade of agreement; the first whose condition holds applies."""

    when: When
    attributes: Annotated[Names | None, Field(description="What the condition reads, if not the comparison's.")] = None
    bits: Annotated[
        float | None, Field(ge=-BITS_MAX, le=BITS_MAX, description="Evidence for a match: log2(m / u).")
    ] = None
    m: Annotated[Probability | None, Field(description="How often matches are at this level.")] = None
    u: Annotated[Probability | None, Field(description="How often non-matches are at this level.")] = None
    label: Annotated[str | None, Field(min_length=1, max_length=80, description="Shown to people.")] = None


class ComparisonModel(_Part):
    """The graded agreement of one attribute, or of several that are not independent."""

    attributes: Annotated[Names | None, Field(description="What is compared; the comparison's name if left out.")] = (
        None
    )
    levels: Annotated[
        tuple[LevelModel, ...], Field(max_length=36, description="From the best agreement to 'else'.")
    ] = ()
    terms: Annotated[
        str | None,
        Field(description="The attribute whose rare values say more than common ones; a model learns how much."),
    ] = None
    similarity: Annotated[str | None, Field(description="weighted_mean: a kind that has a similarity.")] = None
    weight: Annotated[float | None, Field(gt=0.0, le=1000.0, description="weighted_mean: its weight.")] = None


class DeterministicModel(_Part):
    """A rule that decides a pair outright, before any weighing."""

    when: When
    decision: Annotated[Literal["link", "no_link"], Field(description="What it decides.")] = "link"
    confidence: Annotated[Share | None, Field(description="1 for link, 0 for no_link, if left out.")] = None


class ThresholdsModel(_Part):
    """The confidence from which a pair is linked, and from which a person is asked."""

    link: Annotated[float, Field(gt=0.0, le=1.0)] = 0.85
    review: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5


class MatchModel(_Part):
    """How candidate pairs are scored and decided."""

    method: Annotated[Literal["fellegi_sunter", "weighted_mean"], Field(description="How evidence adds up.")] = (
        "fellegi_sunter"
    )
    prior: Annotated[Probability, Field(description="How likely two records drawn at random are of one thing.")] = 0.01
    model: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=512,
            description="A file beside this one with learned weights: see mdm-stream rules train.",
        ),
    ] = None
    thresholds: ThresholdsModel = ThresholdsModel()
    deterministic: dict[str, DeterministicModel] = {}
    comparisons: dict[str, ComparisonModel]
    exclusive: Annotated[Texts, Field(description="Attributes of which a cluster has at most one value.")] = ()
    clustering: Annotated[
        ClusteringMethod,
        Field(
            description="What joins clusters: a link alone (components), or a link that all pairs between the two "
            "support (evidence)."
        ),
    ] = "components"
    evidence_margin: Annotated[
        float,
        Field(
            ge=0.0,
            le=BITS_MAX,
            description="evidence: a record that fits clusters which contradict each other stands alone, unless one "
            "is better by so many bits.",
        ),
    ] = EVIDENCE_MARGIN_BITS


class SurvivorshipRuleModel(_Part):
    """How the value of an attribute is chosen, or the values of a group that survive together from one record."""

    attributes: Annotated[Names | None, Field(description="The group; the rule's name if left out.")] = None
    strategies: Annotated[Strategies, Field(description="Each narrows what is left; one may stand by itself.")]


class SurvivorshipModel(_Part):
    """How golden values are chosen from the members of a cluster."""

    default: Annotated[Strategies, Field(description="For attributes without a rule.")] = ("most_recent",)
    rules: dict[str, Annotated[SurvivorshipRuleModel, BeforeValidator(_as_rule)]] = {}


class LimitsModel(_Part):
    """Limits on sizes, which are part of the rules because they are part of the outcome."""

    max_cluster_size: Annotated[
        int, Field(ge=2, le=CLUSTER_SIZE_MAX, description="A join past it is refused and sent to review.")
    ] = 200
    max_links: Annotated[
        int, Field(ge=1, le=RECORD_EDGES_MAX, description="The links that a record keeps, before and after it.")
    ] = 32
    max_reviews: Annotated[
        int,
        Field(ge=1, le=RECORD_EDGES_MAX, description="The pairs in the middle band that a record keeps likewise."),
    ] = 8


class RulesetModel(_Part):
    """A rule set after ``extends`` has been resolved."""

    domain: Annotated[str, Field(pattern=f"^{DOMAIN_PATTERN}$", description="What the records are, such as person.")]
    version: Annotated[int, Field(ge=1, description="Counted up with every change that is put to use.")]
    description: Annotated[str | None, Field(description="For people.")] = None
    attributes: dict[str, AttributeModel]
    sources: dict[str, SourceModel] = {}
    placeholders: Annotated[
        dict[str, PlaceholdersModel], Field(description="Name: values that say nothing of the records that have them.")
    ] = {}
    blocking: BlockingModel
    match: MatchModel
    survivorship: SurvivorshipModel = SurvivorshipModel()
    limits: LimitsModel = LimitsModel()
    publish: Annotated[
        tuple[Literal["records", "matches", "reviews"], ...],
        Field(description="What the golden feed carries beside golden records; nothing if left out."),
    ] = ()
