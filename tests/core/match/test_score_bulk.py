"""The bulk scorer agrees with the scalar one, bit for bit, over random rules and values."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdm_stream.core.cluster.joint_evidence import joint_weight
from mdm_stream.core.match import columns, compare, score_bulk
from mdm_stream.core.match.compare import PREDICATE_KINDS, SIMILARITY_KINDS
from mdm_stream.core.match.pair_evidence import pair_evidence
from mdm_stream.core.match.score import FEW_PAIRS_MAX, explain_pair, score_pair, score_pairs
from mdm_stream.core.match.score_bulk import score_many
from mdm_stream.core.ruleset import (
    Attribute,
    Comparison,
    Dependence,
    DeterministicRule,
    Level,
    Match,
    Predicate,
    Ruleset,
    TermBits,
    WordWeights,
)

WIDTH = 3
TEXTS = st.one_of(
    st.sampled_from(["", "a", "b", "ann", "anna", "anne smith", "smith anne", "bill", "william", "ws", " ", "jones"]),
    st.sampled_from(["1984-06-03", "1984-03-06", "1984-06-13", "1984-02-30", "0001-01-01", "9999-12-31"]),
    st.sampled_from(["12", "-12", "0", "-0", "3.5", "1e300", "-1e300", "1e999", "x|y"]),
    st.sampled_from(["李明", "李", "Ünï", "ß", "a" * 300, "a" * 299 + "b", "\x00", "é"]),
    st.sampled_from(["小明", "xiaoming", "김", "kim", "محمد", "mohammed", "joerg", "jorg", "smith1", "smith2", "dan"]),
    st.sampled_from(["daniela", "daniel", "martina", "marina", "martnia", "anna marina", "王 wang"]),
    st.sampled_from(["sony dcr hc52 2 gb", "dcrhc52 sony 2gb", "4gb dcr hc53", "the ln55a950 of", "ln55a950bk 55 in"]),
    st.text(max_size=8),
    st.text("ab 1-.", max_size=6),
)
VALUES = st.one_of(
    st.none(), TEXTS, TEXTS, st.lists(TEXTS, max_size=4).map(tuple), st.lists(TEXTS, max_size=20).map(tuple)
)
RECORDS = st.lists(st.tuples(*[VALUES] * WIDTH), min_size=1, max_size=7)
ATTRIBUTE = st.integers(0, WIDTH - 1)
WEIGHED = [None, WordWeights({"a": 1, "anna": 40, "dcr": 7, "dcrhc52": 160}, 90), *[WordWeights({}, 3)] * (WIDTH - 2)]
"""What the words of each attribute weigh."""
BITS = st.one_of(st.integers(-12, 12).map(float), st.floats(-20, 20), st.sampled_from([-1e5, 1e5, 1e-9]))


@st.composite
def predicates(draw: st.DrawFn) -> Predicate:
    """A predicate of any kind, with a threshold in its range."""
    kind = draw(st.sampled_from(sorted(PREDICATE_KINDS)))
    count, limits = PREDICATE_KINDS[kind]
    threshold = 0.0
    if limits is not None:
        low, high = limits
        usual = [low, 0.5, 0.8, 0.88, 1.0] if high <= 1 else [low, 1.0, 2.0, 30.0]
        threshold = max(low, draw(st.one_of(st.sampled_from(usual), st.floats(low, min(high, 1e6)))))
    attributes = tuple(draw(ATTRIBUTE) for _ in range(count))
    return Predicate(kind, attributes, threshold, WEIGHED[attributes[0]] if kind == "shared_words" else None)


@st.composite
def terms(draw: st.DrawFn) -> TermBits:
    """Bits by value, for some values or for all."""
    return TermBits(draw(ATTRIBUTE), draw(st.dictionaries(TEXTS, BITS, max_size=5)), draw(st.none() | BITS))


@st.composite
def comparisons(draw: st.DrawFn) -> Comparison:
    """A comparison of up to four levels and else, with any bits, some of them by value."""
    whens = draw(st.lists(st.lists(predicates(), min_size=1, max_size=3).map(tuple), max_size=4))
    levels = tuple(
        Level("level", when, draw(BITS), draw(st.none() | st.none() | terms()))
        for when in [*whens, (Predicate("else", ()),)]
    )
    return Comparison("comparison", (0,), levels)


@st.composite
def dependences(draw: st.DrawFn, compared: list[Comparison]) -> Dependence:
    """A correction of any two comparisons, or of one with itself."""
    first, second = draw(st.integers(0, len(compared) - 1)), draw(st.integers(0, len(compared) - 1))
    rows, width = len(compared[first].levels), len(compared[second].levels)
    table = draw(st.lists(st.tuples(*[BITS] * width), min_size=rows, max_size=rows))
    return Dependence(first, second, tuple(table))


@st.composite
def mean_comparisons(draw: st.DrawFn) -> Comparison:
    """A comparison of a weighted mean."""
    kind = draw(st.sampled_from(sorted(SIMILARITY_KINDS)))
    attributes = tuple(draw(ATTRIBUTE) for _ in range(PREDICATE_KINDS[kind].attributes))
    weight = draw(st.one_of(st.sampled_from([0.0, 0.1, 1.0, 3.0]), st.floats(0, 10)))
    return Comparison("comparison", attributes, similarity=kind, weight=weight)


@st.composite
def matches(draw: st.DrawFn) -> Match:
    """Rules of either method, with up to two deterministic ones."""
    weighed = draw(st.booleans())
    compared = draw(st.lists(comparisons() if weighed else mean_comparisons(), max_size=4))
    review = draw(st.one_of(st.sampled_from([0.0, 1e-6, 0.5, 0.999999, 1.0]), st.floats(0, 1)))
    ruled = draw(st.lists(st.lists(predicates(), min_size=1, max_size=2).map(tuple), max_size=2))
    together = draw(st.lists(dependences(compared), max_size=2)) if weighed and compared else []
    return Match(
        method="fellegi_sunter" if weighed else "weighted_mean",
        prior=draw(st.floats(1e-6, 0.9)),
        link=draw(st.floats(review, 1)),
        review=review,
        deterministic=tuple(
            DeterministicRule(f"rule{index}", when, draw(st.booleans()), draw(st.floats(0, 1)))
            for index, when in enumerate(ruled)
        ),
        comparisons=tuple(compared),
        dependences=tuple(together),
    )


def ruleset(match: Match) -> Ruleset:
    """Return a rule set of text attributes."""
    attributes = tuple(Attribute(f"attribute{index}", "text") for index in range(WIDTH))
    return Ruleset("person", 1, "digest", attributes, {}, (), 100, 100, match, ())


def all_pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return every ordered pair of so many records, each with itself too."""
    return np.repeat(np.arange(count), count), np.tile(np.arange(count), count)


def one_by_one(rules: Ruleset, records: list, left: np.ndarray, right: np.ndarray) -> list:
    """Return what the bulk scorer promises, by score_pair."""
    scores = (score_pair(rules, records[a], records[b]) for a, b in zip(left, right, strict=True))
    return [(position, score) for position, score in enumerate(scores) if score is not None]


@settings(max_examples=200, deadline=None)
@given(matches(), RECORDS)
def test_bulk_equals_scalar(match: Match, records: list) -> None:
    """For any rules and values, every float and every character of the scores is the scalar scorer's."""
    left, right = all_pairs(len(records))
    rules = ruleset(match)
    assert score_many(rules, records, left, right) == one_by_one(rules, records, left, right)


@settings(max_examples=50, deadline=None)
@given(matches(), RECORDS)
def test_chunks_do_not_show(match: Match, records: list) -> None:
    """Evaluating a few pairs at a time, with tiny tables, gives the same scores."""
    left, right = all_pairs(len(records))
    rules = ruleset(match)
    expected = score_many(rules, records, left, right)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(score_bulk, "PAIRS_MAX", 3)
        patch.setattr(columns, "EXPANDED_MAX", 5)
        patch.setattr(columns, "DENSE_TABLE_FACTOR", 1)
        assert score_many(rules, records, left, right) == expected


@settings(max_examples=50, deadline=None)
@given(matches(), RECORDS)
def test_scores_are_symmetric(match: Match, records: list) -> None:
    """A pair scores the same either way round."""
    left, right = all_pairs(len(records))
    rules = ruleset(match)
    assert score_many(rules, records, left, right) == score_many(rules, records, right, left)


@settings(max_examples=50, deadline=None)
@given(matches(), RECORDS)
def test_few_pairs_score_as_many_do(match: Match, records: list) -> None:
    """A few pairs, scored one by one, get what the bulk scorer gives them, and so do one more than a few."""
    left, right = all_pairs(len(records))
    rules = ruleset(match)
    for count in (1, FEW_PAIRS_MAX, FEW_PAIRS_MAX + 1):
        few = left[:count], right[:count]
        assert score_pairs(rules, records, *few) == score_many(rules, records, *few)


@settings(max_examples=100, deadline=None)
@given(matches(), RECORDS)
def test_a_pair_has_one_weight(match: Match, records: list) -> None:
    """What decides a pair, what is explained of it, and what two clusters of one record each are weighed by: one."""
    rules = ruleset(match)
    for a, b in zip(*(side.tolist() for side in all_pairs(len(records))), strict=True):
        pair = records[a], records[b]
        explained, score = explain_pair(rules, *pair), score_pair(rules, *pair)
        if explained["weight"] is not None:
            assert joint_weight(match, [pair_evidence(rules, *pair)]) == explained["weight"]
        if score is not None:
            assert (score.weight, score.confidence) == (explained["weight"], explained["confidence"])
        assert explained["decision"] == ("NO_LINK" if score is None else "LINK" if score.link else "REVIEW")
        assert pair_evidence(rules, *pair) == pair_evidence(rules, *pair[::-1])


@pytest.mark.parametrize("measure", sorted(compare.MEASURES))
def test_every_measure_is_one_number(measure: str) -> None:
    """The same double in bulk as alone, also where texts are hardly alike and no usual threshold lies near."""
    chance = random.Random(7)
    values = [" ".join("".join(chance.choices("abcжд1", k=each)) for each in chance.choices(range(1, 9), k=2))
              for _ in range(90)]  # fmt: skip
    column = columns.Column(len(values), np.arange(len(values)), list(values))
    a, b = np.divmod(np.arange(len(values) ** 2), len(values))
    found = columns.measure_columns(measure, column, column.codes[a], column, column.codes[b])
    alone = [compare.measure_of(measure, (0,), (values[x],), (values[y],)) for x, y in zip(a, b, strict=True)]
    np.testing.assert_array_equal(found, np.array(alone), strict=True)


def test_no_pairs() -> None:
    """Nothing to score gives nothing, with or without records."""
    rules = ruleset(Match("fellegi_sunter", 0.1, 0.85, 0.0, (), ()))
    nothing = np.array([], np.int64)
    assert score_many(rules, [], nothing, nothing) == []
    assert score_many(rules, [("a", None, None)], nothing, nothing) == []


def test_many_long_values() -> None:
    """Values of many texts are bounded: a pair costs no more than sixteen texts by sixteen."""
    levels = (
        Level("close", (Predicate("jaro_winkler", (0,), 0.9),), 5.0),
        Level("else", (Predicate("else", ()),), -5.0),
    )
    rules = ruleset(Match("fellegi_sunter", 0.5, 0.85, 0.5, (), (Comparison("comparison", (0,), levels),)))
    crowd = tuple(f"text{number:05}" * 100 for number in range(20_000))
    records = [(crowd, None, None), (crowd[16:], None, None), (crowd[::-1], None, None)]
    left, right = all_pairs(3)
    assert score_many(rules, records, left, right) == one_by_one(rules, records, left, right)


@pytest.mark.parametrize(("left", "right"), [([0], [0, 0]), ([[0]], [[0]])])
def test_unequal_sides(left: list, right: list) -> None:
    """Index arrays that are not pairs are refused."""
    rules = ruleset(Match("fellegi_sunter", 0.1, 0.85, 0.5, (), ()))
    with pytest.raises(ValueError, match="equally long"):
        score_pairs(rules, [("a", "b", "c")], np.array(left), np.array(right))


def test_weighted_mean_of_all_pairs_is_pruned_exactly_at_review() -> None:
    """A pair whose mean is the review threshold itself is kept, one that rounds below it is not."""
    compared = (
        Comparison("a", (0,), similarity="exact", weight=1.0),
        Comparison("b", (1,), similarity="exact", weight=2.0),
    )
    records = [("x", "y", None), ("x", "z", None)]
    for review, count in ((0.333333, 1), (0.333334, 0)):
        rules = ruleset(Match("weighted_mean", 0.1, 0.85, review, (), compared))
        assert len(score_many(rules, records, np.array([0]), np.array([1]))) == count
