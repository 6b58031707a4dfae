"""The compiled rule set: plain frozen data, the only form of the rules that the core sees.

Built once from YAML by :mod:`mdm_stream.rules`. ``digest`` identifies its meaning under one F: two files that compile
to the same rules have the same digest in one release (see :mod:`mdm_stream.core.f_version`), and an index refuses to be
opened with another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mdm_stream.core.column_types import DeclaredColumn
from mdm_stream.core.file_rules import FileRules
from mdm_stream.core.model import History
from mdm_stream.core.wire_formats import FormatName

Method = Literal["fellegi_sunter", "weighted_mean"]

ClusteringMethod = Literal["components", "evidence"]
"""What a link needs to join two clusters: nothing but itself, or all that was compared between the two."""

EVIDENCE_MARGIN_BITS = 3.0
"""How much better one cluster has to fit a record than another, unless the rules say it: eight times as likely."""

VersionKind = Literal["integer", "text", "position", "seconds", "milliseconds", "microseconds", "nanoseconds", "time"]
"""What the versions of a source are: integers, texts, positions (of a database log, or of the change stream), or times:
integers that count a unit since 1970, or RFC 3339 texts."""

DAY_US = 86_400_000_000
FLOOR_US = -2_208_988_800_000_000
"""1900-01-01: nothing that a system of records says happened before it."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of the domain. ``type`` names a standardiser; ``options`` are that standardiser's own.

    ``pattern`` is a regular expression that the whole standardised ``value`` must match to be valid.
    ``fills`` maps a part that the type yields (``given``, ``family`` of a ``full_name``) to the attribute that it
    fills where the record itself has none. ``country`` names the attribute that says of which country the record is,
    for the types whose values are read by it. ``also`` names what else of a record is compared as this attribute:
    others (``maiden_name``), or parts of others (``alias.family``).
    """

    name: str
    type: str
    options: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    required: bool = False
    pattern: str | None = None
    sensitive: bool = False
    multi: bool = False
    fills: Mapping[str, str] = field(default_factory=dict)
    country: str | None = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CsvForm:
    """How a source writes its CSV files. What is ``None`` is found in the beginning of each file.

    ``delimiter`` and ``quote`` are one character.
    """

    delimiter: str | None = None
    quote: str | None = None
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class DeletionFlag:
    """The column that says that a file's row is a deletion, and the values (in lower case) by which it does."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """One source system. ``columns`` maps an attribute to the columns that it is built from.

    Several columns are joined by one space (or form the list of a multi-valued attribute), nulls left out.
    ``key``, ``version`` and ``event_time`` name columns of a CDC row or CSV file; ``table`` is ``schema.table`` or
    ``table`` of the one table that feeds the source. ``trust`` is in 0..1. ``options`` are the source's own ways by
    attribute: each goes above the attribute's option of that name.

    ``column_types`` say what a column holds where the format does not. Rows of the tables in ``ignore`` are no changes
    of any source; ``schema.*`` is all of a schema.

    Those whose names end in ``_us`` are limits, in microseconds: how far a version or an event time may lie ahead of
    the arrival, the earliest event time, how far before its arrival an event may be born, and until when arrivals may
    say any time. ``histories`` are those of its positions, in order, after the first one of all that belongs to none
    of them.

    ``version_format`` and ``event_time_format`` are those of the texts in the two columns, see
    :mod:`mdm_stream.core.time_format`. ``csv`` and ``deletion`` are about files of rows; ``files``, by which the
    gatekeeper of files judges them, decides nothing about an event that was let in. ``unavailable_value`` is the
    connector's placeholder for a value that was not logged, if it was given another than its own.
    """

    name: str
    format: FormatName = "canonical"
    table: str | None = None
    key: tuple[str, ...] = ()
    version: str | None = None
    event_time: str | None = None
    version_kind: VersionKind = "integer"
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    column_types: Mapping[str, DeclaredColumn] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    trust: float = 0.5
    clock_ahead_us: int = DAY_US
    event_time_floor_us: int = FLOOR_US
    backdating_us: int = DAY_US
    history_until_us: int | None = None
    histories: tuple[History, ...] = ()
    options: Mapping[str, Mapping[str, str | int | float | bool]] = field(default_factory=dict)
    version_format: str | None = None
    event_time_format: str | None = None
    csv: CsvForm = CsvForm()
    deletion: DeletionFlag | None = None
    unavailable_value: str | None = None
    files: FileRules | None = None


@dataclass(frozen=True, slots=True)
class PlaceholderList:
    """Values that stand for none in the attributes at these positions; ``patterns`` are regular expressions.

    ``label`` is the name of the list, which decides nothing.
    """

    attributes: tuple[int, ...]
    values: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class KeyPart:
    """One call in a blocking-key expression: ``function(attribute, argument)``.

    Parts with the same ``group`` other than 0 come from one ``unordered(...)``: their values are sorted among
    themselves before they are joined, so two records meet even if they hold the values the other way round.
    """

    function: str
    attribute: int
    argument: int = 0
    group: int = 0


@dataclass(frozen=True, slots=True)
class KeyExpression:
    """One blocking-key expression: its parts joined. A record whose part is missing has no such key.

    ``tag`` is short, unique in the rule set, and prefixes every key, so keys of two expressions never meet.

    ``refined_above``: how many live records may share a key of it before their further keys, of the expressions that
    refine this one or of others that the author counts on, take its place; ``None`` if none do. See
    :mod:`mdm_stream.core.blocking.limits`.
    """

    tag: str
    text: str
    parts: tuple[KeyPart, ...]
    refined_above: int | None = None


@dataclass(frozen=True, slots=True)
class WordWeights:
    """What the words of an attribute's texts weigh, in sixteenths of a bit, 1 at the least: a rare one weighs more.

    ``weights`` by word; ``rest`` for words that are not in it.
    """

    weights: Mapping[str, int]
    rest: int


@dataclass(frozen=True, slots=True)
class Predicate:
    """What must hold of two records' match values: ``kind`` with an optional ``threshold``.

    Every kind is symmetric in the two records. ``attributes`` are indexes; most kinds take one. A predicate other
    than ``null`` and ``else`` never holds where an attribute it reads is missing, or cannot be read as the kind
    needs (a text that is no date). For a multi-valued attribute it holds if it holds of any two of the values.
    ``word_weights`` are those of ``shared_words``, and of no other kind.

    ========================= ==================================================================================
    ``null``                  either record lacks any of the attributes
    ``else``                  always
    ``exact``, ``intersect``  the values are equal (the two records share at least one value)
    ``jaro_winkler``          similarity in 0..1, at least the threshold
    ``token_sort``            similarity of the texts with their words sorted, at least the threshold
    ``token_set``             the same after setting shared words aside, at least the threshold
    ``damerau_levenshtein``   edits (insert, delete, replace, exchange of neighbours), at most the threshold
    ``levenshtein``           edits (insert, delete, replace), at most the threshold
    ``prefix``                one starts with the other, the shorter at least threshold characters long
    ``initial``               one is a single letter (no Chinese character) that the other starts with
    ``nickname``              both are forms of one given name (bill, william)
    ``acronym``               one is made of the initials of the other's words, small ones counted or not
    ``respelt``               the same but for umlauts and their like, written out or dropped
    ``romanised``             texts of two scripts, read in Latin letters: similarity, at least the threshold
    ``other_script``          the two have no script in common, for every pair of values
    ``other_name``            given names that people are known to bear and that are no forms of one, for every pair
    ``other_number``          the same but for their digits; both with digits, one slip beside them counts for nothing
    ``soundex``               equal Soundex codes
    ``metaphone``             equal Metaphone codes
    ``shared_words``          the share of the weight of their words that both have, at least the threshold; a learned
                              model says what words weigh, see :mod:`mdm_stream.core.match.words`
    ``shared_code``           a model or article number of one stands in the other
    ``other_code``            both have such numbers, none in common, for every pair of values
    ``other_size``            both have quantities of a unit, none in common, for every pair of values
    ``date_within``           days between two ISO dates, at most the threshold
    ``date_swap``             the same date but for day and month exchanged
    ``numeric_within``        absolute difference of two numbers, at most the threshold
    ``numeric_ratio``         smaller / larger magnitude of two numbers of one sign, at least the threshold
    ``swap``                  two attributes, exchanged between the records: Jaro-Winkler similarity at least the
                              threshold both ways
    ========================= ==================================================================================
    """

    kind: str
    attributes: tuple[int, ...]
    threshold: float = 0.0
    word_weights: WordWeights | None = None


@dataclass(frozen=True, slots=True)
class TermBits:
    """What a level's bits change by with the value that two records have in common: a rare one says more.

    ``bits`` by match value of the attribute at this position; ``rest`` for values that are not in it, ``None`` if
    nothing is known of them. See :func:`mdm_stream.core.match.terms.term_bits`.
    """

    attribute: int
    bits: Mapping[str, float]
    rest: float | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """One grade of a comparison: it applies if all its predicates hold and no level before it did.

    ``bits`` is log2(m/u), the evidence for a match; ``terms``, if a model has learned them, are added by value.
    ``label`` is shown to people.
    """

    label: str
    when: tuple[Predicate, ...]
    bits: float
    terms: TermBits | None = None


@dataclass(frozen=True, slots=True)
class Dependence:
    """Two comparisons that are not independent: the bits to add at each level of the first and of the second.

    ``first`` and ``second`` are places of comparisons; ``bits`` has a row for each level of the first.
    """

    first: int
    second: int
    bits: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One graded comparison. Its last level is ``else``; its first is usually ``null``.

    For ``weighted_mean`` rule sets ``levels`` is empty and ``similarity`` (a predicate kind with a similarity, on
    ``attributes``) and ``weight`` are set; a missing value leaves the comparison out of the mean.

    ``terms_of`` is the attribute of which a model learns term frequencies. It decides nothing; levels' ``terms`` do.
    """

    name: str
    attributes: tuple[int, ...]
    levels: tuple[Level, ...] = ()
    similarity: str | None = None
    weight: float = 0.0
    terms_of: int | None = None


@dataclass(frozen=True, slots=True)
class DeterministicRule:
    """A rule that decides a pair outright if all predicates hold; the first that applies wins."""

    name: str
    when: tuple[Predicate, ...]
    link: bool
    confidence: float


@dataclass(frozen=True, slots=True)
class Strategy:
    """One survivorship strategy with its options (half_life_days, sources, ...)."""

    name: str
    options: Mapping[str, str | int | float | bool | tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SurvivorshipRule:
    """How the values of ``attributes`` are chosen. More than one attribute: they survive together, from one record."""

    attributes: tuple[int, ...]
    strategies: tuple[Strategy, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """How pairs are scored and decided.

    ``prior`` is the probability that two records drawn at random are of one thing: every pair's match weight starts
    there. It is not that of a candidate pair, for what made the pair a candidate is counted by the comparisons.
    ``dependences`` come from a learned model, and are added after all comparisons.
    ``clustering`` and ``evidence_margin`` (in bits): see :mod:`mdm_stream.core.cluster.joint_evidence`.
    """

    method: Method
    prior: float
    link: float
    review: float
    deterministic: tuple[DeterministicRule, ...]
    comparisons: tuple[Comparison, ...]
    exclusive: tuple[int, ...] = ()
    dependences: tuple[Dependence, ...] = ()
    clustering: ClusteringMethod = "components"
    evidence_margin: float = EVIDENCE_MARGIN_BITS


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Everything that decides what the golden records of one domain are.

    ``max_keys``: the most values that one key expression, or a part of it, gives a record. ``max_links`` and
    ``max_reviews``: how many links, and pairs in the middle band, each record keeps to records before it, and to those
    after it (see :mod:`mdm_stream.core.cluster.strongest`). ``publish``: what the feed
    carries beside golden records, of ``records``, ``matches`` and ``reviews``.
    """

    domain: str
    version: int
    digest: str
    attributes: tuple[Attribute, ...]
    sources: Mapping[str, Source]
    blocking: tuple[KeyExpression, ...]
    max_block_size: int
    max_cluster_size: int
    match: Match
    survivorship: tuple[SurvivorshipRule, ...]
    max_keys: int = 8
    max_links: int = 32
    max_reviews: int = 8
    placeholders: tuple[PlaceholderList, ...] = ()
    publish: tuple[str, ...] = ()

    def index_of(self, attribute: str) -> int:
        """Return the position of an attribute by name; ``ValueError`` if there is none."""
        for position, candidate in enumerate(self.attributes):
            if candidate.name == attribute:
                return position
        raise ValueError(f"no attribute {attribute!r} in domain {self.domain!r}")
