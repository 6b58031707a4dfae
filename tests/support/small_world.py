"""A small rule set and a strategy for histories, so dense that everything meets everything."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from mdm_stream.core.blocking.syntax import parse_key
from mdm_stream.core.model import RecordEvent, VerdictEvent
from mdm_stream.core.ruleset import (
    Attribute,
    ClusteringMethod,
    Comparison,
    Dependence,
    DeterministicRule,
    KeyExpression,
    Level,
    Match,
    Predicate,
    Ruleset,
    Source,
    Strategy,
    SurvivorshipRule,
    TermBits,
)

ATTRIBUTES = ("given_name", "family_name", "birth_date", "email")


def _levels(position: int, exact: float, near: float, differ: float) -> tuple[Level, ...]:
    return (
        Level("missing", (Predicate("null", (position,)),), 0.0),
        Level("exact", (Predicate("exact", (position,)),), exact),
        Level("near", (Predicate("jaro_winkler", (position,), 0.8),), near),
        Level("differ", (Predicate("else", ()),), differ),
    )


def small_rules(
    max_block_size: int = 4,
    max_cluster_size: int = 5,
    exclusive: tuple[int, ...] = (),
    kept: int = 32,
    refined_above: int | None = None,
    clustering: ClusteringMethod = "components",
    also: bool = False,
) -> Ruleset:
    """Rules under which a few values make links, reviews, conflicts, and blocks that cross their limit.

    ``kept`` is how many links, and how many pairs in the middle band, are kept for the sake of each record. With
    ``refined_above`` the family name is refined past so many records, by the given name's initial and by the birth
    year, and the former again by the email address. With ``also`` family names are compared with given names, too.
    """

    def key(tag: str, text: str, refined_above: int | None = None) -> KeyExpression:
        return KeyExpression(tag, text, parse_key(text, ATTRIBUTES.index), refined_above)

    family = "soundex(family_name)"
    refining = (
        key("ng", f"{family} + first(given_name, 1)", refined_above),
        key("nge", f"{family} + first(given_name, 1) + email"),
        key("nb", f"{family} + year(birth_date)"),
    )

    return Ruleset(
        domain="person",
        version=1,
        digest=f"small-{max_block_size}-{max_cluster_size}-{exclusive}-{kept}-{refined_above}-{clustering}-{also}",
        attributes=(
            Attribute("given_name", "name"),
            Attribute("family_name", "name", also=("given_name",) if also else ()),
            Attribute("birth_date", "date"),
            Attribute("email", "email", multi=True),
        ),
        sources={
            "crm": Source("crm", trust=0.9),
            "erp": Source("erp", trust=0.6),
            "web": Source("web", trust=0.3),
            "log": Source("log", version_kind="position"),
            "tail": Source("tail", version_kind="position"),
        },
        blocking=(
            key("n", family, refined_above),
            key("g", "first(given_name, 1) + year(birth_date)"),
            key("e", "email"),
            *(refining if refined_above else ()),
        ),
        max_block_size=max_block_size,
        max_cluster_size=max_cluster_size,
        match=Match(
            method="fellegi_sunter",
            prior=0.1,
            link=0.85,
            review=0.3,
            deterministic=(DeterministicRule("same_email", (Predicate("exact", (3,)),), link=True, confidence=0.97),),
            comparisons=(
                Comparison("given_name", (0,), _levels(0, 3.0, 1.5, -2.0)),
                Comparison("family_name", (1,), _levels(1, 3.0, 1.0, -2.5)),
                Comparison("birth_date", (2,), _levels(2, 4.0, 1.0, -3.0)),
            ),
            exclusive=exclusive,
            clustering=clustering,
        ),
        survivorship=(
            SurvivorshipRule((0, 1), (Strategy("most_complete"), Strategy("most_recent"))),
            SurvivorshipRule((2,), (Strategy("trust", {"half_life_days": 1.0}),)),
            SurvivorshipRule((3,), (Strategy("union"),)),
        ),
        max_links=kept,
        max_reviews=kept,
    )


RARE, REST, FAMILY_TERMS, BOTH_SAME, GIVEN_DIFFERS = 2.5, -0.25, 0.75, -1.5, 0.625
"""Bits of what a model learned: names of three kinds, and given name and family name at two pairs of levels."""


def learned(rules: Ruleset) -> Ruleset:
    """Return small rules with what a model learns: how rare names are, and what two comparisons say together."""
    given_name, family_name, birth_date = rules.match.comparisons
    terms = {"exact": TermBits(0, {"ann": RARE, "bob": 0.5}, REST), "differ": TermBits(0, {"ann": REST}, None)}
    given_name = replace(
        given_name, levels=tuple(replace(level, terms=terms.get(level.label)) for level in given_name.levels)
    )
    same = replace(family_name.levels[1], terms=TermBits(1, {"stone": 1.125}, FAMILY_TERMS))
    family_name = replace(family_name, levels=(family_name.levels[0], same, *family_name.levels[2:]))
    nothing = (0.0,) * 4
    both_names = (nothing, (0.0, BOTH_SAME, 0.1, 0.3), (0.0, -0.7, 0.2, 0.4), (0.0, GIVEN_DIFFERS, 0.0, 1.0))
    name_and_birth = (nothing, (0.0, -2.0, 0.0, 0.7), nothing, (0.0, 0.1, 0.2, 1.5))
    match = replace(
        rules.match,
        comparisons=(given_name, family_name, birth_date),
        dependences=(Dependence(0, 1, both_names), Dependence(1, 2, name_and_birth)),
    )
    return replace(rules, digest=f"{rules.digest}-learned", match=match)


SOURCES = st.sampled_from(["crm", "erp", "web"])
IDS = st.sampled_from(["1", "2", "3", "4"])
VERSIONS = st.integers(1, 6)
TIMES = st.integers(0, 50).map(lambda day: day * 40_000_000_000)
VALUES = {
    "given_name": st.sampled_from(["Ann", "Anne", "Bob", "Bob", None]),
    "family_name": st.sampled_from(["Lee", "Lee", "Lee", "Leigh", "Kim", None]),
    "birth_date": st.sampled_from(["1980-01-01", "1980-01-01", "1980-01-02", "1991-05-05", None]),
    "email": st.lists(st.sampled_from(["a@x.org", "b@x.org"]), max_size=2).map(tuple),
}


@st.composite
def record_events(draw: st.DrawFn) -> RecordEvent:
    """One upsert, patch or delete of one of twelve records."""
    op = draw(st.sampled_from(["upsert", "upsert", "upsert", "upsert", "patch", "delete"]))
    attributes = {}
    if op == "upsert":
        attributes = {name: draw(values) for name, values in VALUES.items()}
    elif op == "patch":
        name = draw(st.sampled_from(ATTRIBUTES))
        attributes = {name: draw(VALUES[name])}
    return RecordEvent("person", draw(SOURCES), draw(IDS), op, draw(VERSIONS), draw(TIMES), attributes)


@st.composite
def verdict_events(draw: st.DrawFn) -> VerdictEvent:
    """A verdict on two different ones of the twelve records."""
    refs = st.tuples(SOURCES, IDS).map("/".join)
    a, b = sorted(draw(st.lists(refs, min_size=2, max_size=2, unique=True)))
    verdict = draw(st.sampled_from(["link", "separate", "separate", "none"]))
    return VerdictEvent("person", a, b, verdict, draw(VERSIONS), draw(TIMES), "steward-1")


HISTORIES = st.lists(
    st.one_of(record_events(), record_events(), record_events(), verdict_events()), min_size=3, max_size=40
)
