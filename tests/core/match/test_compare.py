"""What each kind of predicate means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.core.match.compare import (
    AT_MOST_MEASURES,
    MEASURES,
    PREDICATE_KINDS,
    SIMILARITY_KINDS,
    VALUES_MAX,
    holds,
    level_of,
    read_number,
    similarity_of,
)
from mdm_stream.core.ruleset import Comparison, Level, Predicate

TEXTS = st.one_of(
    st.text(max_size=12),
    st.text("ab ", max_size=6),
    st.dates().map(str),
    st.integers(-5, 5).map(str),
    st.sampled_from(["bill", "william", "li", "l"]),
    st.sampled_from(["dcr hc52 2 gb", "dcrhc52 4gb", "dcrhc52b", "ab12cd"]),
)
VALUES = st.one_of(st.none(), TEXTS, st.lists(TEXTS, max_size=3).map(tuple))
RECORDS = st.tuples(VALUES, VALUES)


def both(kind: str, a: object, b: object, threshold: float = 0.0) -> bool:
    """Return whether a predicate on one attribute holds."""
    return holds(Predicate(kind, (0,), threshold), (a,), (b,))


@given(st.sampled_from(sorted(PREDICATE_KINDS)), RECORDS, RECORDS, st.floats(0, 40))
def test_every_kind_is_symmetric(kind: str, a: tuple, b: tuple, threshold: float) -> None:
    """No predicate and no similarity depends on which record comes first."""
    attributes = (0, 1)[: PREDICATE_KINDS[kind].attributes]
    predicate = Predicate(kind, attributes, threshold)
    assert holds(predicate, a, b) == holds(predicate, b, a)
    if kind in SIMILARITY_KINDS:
        assert similarity_of(kind, attributes, a, b) == similarity_of(kind, attributes, b, a)


@given(st.sampled_from(sorted(SIMILARITY_KINDS)), RECORDS, RECORDS)
def test_similarities_are_shares(kind: str, a: tuple, b: tuple) -> None:
    """A similarity is in 0..1, or None."""
    similarity = similarity_of(kind, (0, 1)[: PREDICATE_KINDS[kind].attributes], a, b)
    assert similarity is None or 0.0 <= similarity <= 1.0


@given(st.sampled_from(sorted(set(PREDICATE_KINDS) - {"null", "else"})), RECORDS)
def test_nothing_agrees_with_a_missing_value(kind: str, a: tuple) -> None:
    """A predicate never holds where a value is missing, however that is written."""
    for missing in (None, "", (), ("",)):
        predicate = Predicate(kind, (0, 1)[: PREDICATE_KINDS[kind].attributes], 0.0)
        assert not holds(predicate, a, (missing, missing))
        assert holds(Predicate("null", (0,)), a, (missing, missing))


@pytest.mark.parametrize(
    ("kind", "threshold", "alike", "unlike"),
    [
        ("exact", 0.0, ("ann", "ann"), ("ann", "anna")),
        ("exact", 0.0, (("ann", "bo"), ("bo", "cy")), (("ann",), ("bo",))),
        ("intersect", 0.0, (("ann", "bo"), "bo"), (("ann",), "bo")),
        ("jaro_winkler", 0.9, ("martha", "marhta"), ("martha", "arthur")),
        ("token_sort", 1.0, ("12 main st", "st main 12"), ("12 main st", "13 main st")),
        ("token_set", 1.0, ("acme", "acme trading"), ("acme", "acne trading")),
        ("damerau_levenshtein", 1.0, ("jonh", "john"), ("jnoh", "jane")),
        ("levenshtein", 1.0, ("john", "jon"), ("jonh", "john")),
        ("prefix", 3.0, ("rob", "robert"), ("ro", "robert")),
        ("initial", 0.0, ("j", "john"), ("jo", "john")),
        ("acronym", 0.0, ("boa", "bank of america"), ("bank of america", "bank of america")),
        ("acronym", 0.0, ("jj", "johnson and johnson"), ("j", "johnson")),
        ("nickname", 0.0, ("bill", "william"), ("bill", "robert")),
        ("respelt", 0.0, ("joerg", "jorg"), ("joerg", "jurg")),
        ("other_name", 0.0, ("martina", "marina"), ("martina", "martnia")),
        ("other_name", 0.0, (("darren", "otto"), "warren"), (("darren", "warren"), "warren")),
        ("other_number", 0.0, ("smith1@x.example", "smith2@x.example"), ("smith1@x.example", "smith1@x.example")),
        ("other_number", 0.0, ("smith", "smith7"), ("12", "13")),
        ("other_number", 0.0, ("smith1@x.example", "smyth27@x.example"), ("smith1@x.example", "smyth1@x.example")),
        ("other_number", 0.0, ("5 mill house", "7 mil house"), ("saint mary", "saint mary 7")),
        ("romanised", 0.9, ("小明", "xiaoming"), ("小明", "晓铭")),
        ("romanised", 0.9, (("jackie", "محمد"), "mohammed"), ("jackie", "mohammed")),
        ("other_script", 0.0, ("田中", "tanaka"), ("田中", "太郎")),
        ("other_script", 0.0, ("김", "王"), (("田中", "tanaka"), "tanaka")),
        ("soundex", 0.0, ("robert", "rupert"), ("robert", "rubin")),
        ("soundex", 0.0, ("李明", "李明"), ("李明", "李华")),
        ("metaphone", 0.0, ("philip", "filip"), ("philip", "robert")),
        ("date_within", 2.0, ("2024-02-28", "2024-03-01"), ("2024-02-28", "2024-03-02")),
        ("date_within", 0.0, ("2024-02-28", "2024-02-28"), ("2024-02-30", "2024-02-30")),
        ("date_swap", 0.0, ("1984-06-03", "1984-03-06"), ("1984-06-06", "1984-06-06")),
        ("numeric_within", 1.5, ("10", "11.5"), ("10", "11.6")),
        ("numeric_within", 1.0, ("1e3", "1000"), ("nan", "nan")),
        ("numeric_ratio", 0.9, ("90", "100"), ("89", "100")),
        ("numeric_ratio", 1.0, ("0", "-0"), ("-5", "5")),
    ],
)
def test_meaning(kind: str, threshold: float, alike: tuple, unlike: tuple) -> None:
    """Each kind holds of a pair that it is meant for, and not of one just beyond it."""
    assert both(kind, *alike, threshold)
    assert not both(kind, *unlike, threshold)


def test_swap_needs_both_ways() -> None:
    """Exchanged values agree only if each is found on the other side, by the same values of the record."""
    swap = Predicate("swap", (0, 1), 0.9)
    assert holds(swap, ("ann", "smith"), ("smith", "ann"))
    assert not holds(swap, ("ann", "smith"), ("smith", "eve"))
    assert not holds(swap, ("ann", "smith"), ("smith", None))
    assert similarity_of("swap", (0, 1), ("ann", "smith"), ("smith", None)) is None


def test_level_is_the_first_that_applies() -> None:
    """Levels are tried in order, all predicates of one must hold, and a comparison without else is a fault."""
    close = Level("close", (Predicate("soundex", (0,)), Predicate("prefix", (0,), 2.0)), 3.0)
    comparison = Comparison("name", (0,), (Level("missing", (Predicate("null", (0,)),), 0.0), close))
    assert level_of(comparison, (None,), ("ann",)) == 0
    assert level_of(comparison, ("ann",), ("anna",)) == 1
    with pytest.raises(ValueError, match="'else'"):
        level_of(comparison, ("ann",), ("bo",))


def test_unknown_kinds_are_refused() -> None:
    """A kind that does not exist, or that has no similarity, is a programmer fault."""
    with pytest.raises(ValueError, match="unknown kind"):
        both("exakt", "a", "a")
    with pytest.raises(ValueError, match="no similarity"):
        similarity_of("date_within", (0,), ("a",), ("a",))


def test_only_the_first_values_are_compared() -> None:
    """A value beyond the limit is not compared, on either side; whether it is the same is asked of all."""
    crowd = tuple(f"{number:03}" * 5 for number in range(VALUES_MAX + 1))
    assert both("levenshtein", crowd, crowd[VALUES_MAX - 1], 1.0)
    assert not both("levenshtein", crowd, crowd[VALUES_MAX], 1.0)
    assert both("exact", crowd, crowd[VALUES_MAX])


def test_tables_agree() -> None:
    """Every kind has a measure, and those where less is better are measures."""
    assert set(PREDICATE_KINDS) - {"null", "else", "swap"} <= set(MEASURES)
    assert set(MEASURES) >= AT_MOST_MEASURES
    assert set(PREDICATE_KINDS) >= SIMILARITY_KINDS


@pytest.mark.parametrize("text", ["nan", "inf", "1_000", "٣", "0x10", "1e999", "", " 1", "1,5"])
def test_what_is_no_number(text: str) -> None:
    """Only plain decimal numbers that fit a double are read."""
    assert read_number(text) != read_number(text)
