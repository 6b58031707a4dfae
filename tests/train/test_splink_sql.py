"""Conditions of Splink models: each form that its libraries write is read as what it means, and nothing else is."""

from __future__ import annotations

import pytest

from mdm_stream.train.splink_sql import Term, UnreadableConditionError, read_blocking_rule, read_condition

READ = {
    "ELSE": (),
    '"first_name_l" IS NULL OR "first_name_r" IS NULL': (Term("null", ("first_name",)),),
    '"a_l" = "a_r"': (Term("exact", ("a",)),),
    "a_l = a_r": (Term("exact", ("a",)),),
    'jaro_winkler_similarity("a_l", "a_r") >= 0.92': (Term("jaro_winkler", ("a",), 0.92),),
    '(levenshtein("a_l", "a_r") <= 2)': (Term("levenshtein", ("a",), 2.0),),
    'damerau_levenshtein("a_l", "a_r") <= 1': (Term("damerau_levenshtein", ("a",), 1.0),),
    'ABS("n_l" - "n_r") <= 5': (Term("numeric_within", ("n",), 5.0),),
    "ABS(EPOCH(try_strptime(\"d_l\", '%Y-%m-%d')) - EPOCH(try_strptime(\"d_r\", '%Y-%m-%d'))) <= 2629800.0": (
        Term("date_within", ("d",), 30.0),
    ),
    'array_length(list_intersect("p_l", "p_r")) >= 1': (Term("intersect", ("p",)),),
    '"a_l" = "b_r" AND "a_r" = "b_l"': (Term("swap", ("a", "b"), 1.0),),
    '("a_l" = "a_r") AND ("b_l" = "b_r")': (Term("exact", ("a",)), Term("exact", ("b",))),
    'jaro_winkler_similarity("a_l", "b_r") >= 0.9 AND jaro_winkler_similarity("b_l", "a_r") >= 0.9': (
        Term("swap", ("a", "b"), 0.9),
    ),
}

REFUSED = (
    'jaccard("a_l", "a_r") >= 0.9',
    'jaro_similarity("a_l", "a_r") >= 0.9',
    'jaro_winkler_similarity("a_l", "a_r") > 0.9',
    'jaro_winkler_similarity("a_l", "a_r") <= 0.9',
    '"a_l" = "b_r"',
    '"a_l" = "a_l"',
    "NULLIF(regexp_extract(\"a_l\", '^[^@]+', 0), '') = NULLIF(regexp_extract(\"a_r\", '^[^@]+', 0), '')",
    '"a_l" = "a_r" OR "b_l" = "b_r"',
    '"a_l" IS NULL',
    '"a_l" IS NULL OR "a_r" IS NULL OR "b_l" IS NULL OR "b_r" IS NULL',
    'array_length(list_intersect("p_l", "p_r")) >= 2',
    "ABS(EPOCH(try_strptime(\"d_l\", '%d.%m.%Y')) - EPOCH(try_strptime(\"d_r\", '%d.%m.%Y'))) <= 86400",
    '("a_l" = "a_r"',
    "",
    "1; DROP TABLE x",
    "(" * 100 + "a_l = a_r" + ")" * 100,
    "a" * 5_000,
)


@pytest.mark.parametrize("sql", READ, ids=range(len(READ)))
def test_what_splink_writes_is_read(sql):
    """Each form has one meaning."""
    assert read_condition(sql) == READ[sql]


@pytest.mark.parametrize("sql", REFUSED, ids=range(len(REFUSED)))
def test_what_rules_cannot_say_is_refused(sql):
    """Nothing is carried over as something near it."""
    with pytest.raises(UnreadableConditionError):
        read_condition(sql)


def test_blocking_rules_are_equalities():
    """Equal columns and equal beginnings make keys; what else a rule asks is named."""
    equal, other = read_blocking_rule('(l."city" = r."city") AND SUBSTR(l."name", 1, 3) = SUBSTR(r."name", 1, 3)')
    assert (equal, other) == ([("exact", "city", 0), ("first", "name", 3)], [])
    equal, other = read_blocking_rule("l.a = r.a AND levenshtein(l.b, r.b) < 2")
    assert equal == [("exact", "a", 0)]
    assert len(other) == 1
