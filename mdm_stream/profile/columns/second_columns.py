"""Columns that mean what another one of the file means better: names in another script, and what is kept alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from mdm_stream.core.standardise.scripts import scripts_of
from mdm_stream.profile.columns.column_facts import ColumnMeaning, spoken

OTHER_NAME_OF: Mapping[str, str] = MappingProxyType({
    "full_name": "other_name", "given_name": "other_given_name", "family_name": "other_family_name",
    "organisation": "trading_name",
})  # fmt: skip
"""Meaning of a name -> that of another one of the same person or organisation."""
SINGLE = frozenset({
    "given_name", "middle_name", "family_name", "second_family_name", "full_name", "birth_date", "gender",
    "organisation", "title",
    "street", "street_number", "unit", "city", "region", "postcode", "country", "source", "changed_at", "created_at",
    "version",
    "passport_no", "passport_country", "licence_no", "licence_issuer", "generation",
    "national_id", "tax_id", "registration_no", "duns", "gtin", "model_no", "price", "year", "creator", "brand",
    "description", "url",
    "name_prefix", "name_suffix", "legal_form", "industry", "deleted", "iban", "care_of", "birth_place",
    "nationality", "fax",
})  # fmt: skip
"""Meanings that one column of a file has; those of others that have the same one are second to it."""


def without_rivals(found: list[ColumnMeaning]) -> list[ColumnMeaning]:
    """Leave each single meaning to the column that has it best; the others keep it as a second one, which is said."""
    best: dict[str, int] = {}
    for place, each in enumerate(found):
        if each.meaning in SINGLE:
            held = best.get(each.meaning)
            if held is None or _rank(each) > _rank(found[held]):
                best[each.meaning] = place
    result = []
    for place, each in enumerate(found):
        if each.meaning not in SINGLE or best[each.meaning] == place:
            result.append(each)
            continue
        winner = found[best[each.meaning]]
        other = OTHER_NAME_OF.get(each.meaning, "")
        if other in each.facts.named:
            result.append(replace(each, meaning=other))
            continue
        if other and _script(each) != _script(winner):
            result.append(_in_another_script(each, winner))
            continue
        said = f"looks like a second {spoken(each.meaning)} beside {winner.name!r}; it is kept, and not compared"
        result.append(replace(each, meaning="other", score=0.4, runner_up=each.meaning, doubts=(*each.doubts, said)))
    return result


def _rank(column: ColumnMeaning) -> tuple[bool, float, float]:
    is_own = OTHER_NAME_OF.get(column.meaning) not in column.facts.named
    return is_own, round(column.score, 2), column.facts.counts.completeness


def _in_another_script(column: ColumnMeaning, winner: ColumnMeaning) -> ColumnMeaning:
    """Return a second column of names as other names of the same people: they are written in another script."""
    said = f"holds the names of {winner.name!r} in another script, as it seems: compared as other names of one person"
    return replace(column, meaning=OTHER_NAME_OF[column.meaning], doubts=(*column.doubts, said))


def _script(column: ColumnMeaning) -> str:
    """Return the script of most of a column's values; of those with several, all of them."""
    counted = Counter("+".join(sorted(scripts_of(text))) for text in column.facts.counts.sample)
    return max(counted, key=lambda each: (counted[each], each), default="")


def with_a_name(found: list[ColumnMeaning]) -> list[ColumnMeaning]:
    """Return the meanings; where there is no name that a column holds other ones of, it holds the name itself."""
    meanings = {each.meaning for each in found}
    result = list(found)
    for name, other in OTHER_NAME_OF.items():
        others = [each for each in result if each.meaning == other]
        if others and not meanings & {name, "full_name"}:
            first = max(others, key=_rank)
            result[result.index(first)] = replace(first, meaning=name)
    return result
