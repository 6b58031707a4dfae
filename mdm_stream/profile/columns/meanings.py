"""What a column means: first by the form of its values, then by what it is called, then by the columns beside it.

Pure: the same counts give the same meanings. A meaning is a subject that rules know what to do with (a family name, a
price); ``other`` is what has none. A column's name never makes it what its values are not: a column that is called a
birth date and holds no dates is none, and that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from mdm_stream.profile.columns.column_facts import ColumnFacts, ColumnMeaning, spoken
from mdm_stream.profile.columns.column_words import meanings_of_name
from mdm_stream.profile.columns.counted import ColumnCounts
from mdm_stream.profile.columns.second_columns import with_a_name, without_rivals
from mdm_stream.profile.columns.value_forms import CODE_CHARS_MAX, form_shares, name_tokens

FIT_MIN = 0.15
"""How well values have to fit a meaning that the column's name gives."""
SURE = 0.75
"""A score from which on a meaning is no guess."""
BIRTH_YEARS_SPREAD_MIN = 15
"""Years between the quartiles of dates of birth; dates of orders or of changes lie nearer together."""
FEW_VALUES_MAX = 40
CATEGORY_DISTINCTNESS_MAX = 0.1
EMPTY_BELOW = 1
_GENERAL_NAMES = frozenset({"full_name", "organisation", "title", "given_name", "family_name"})
"""Meanings between which a column that is just called a name is decided by its values and its neighbours."""


def facts_of(counts: ColumnCounts) -> ColumnFacts:
    """Return what is known of a column by its counts."""
    sample = counts.sample
    words = sum(len(text.split()) for text in sample) / len(sample) if sample else 0.0
    forms = form_shares(sample)
    spread = _years_spread(sample) if forms.get("date", 0.0) > 0.5 else 0
    return ColumnFacts(counts, MappingProxyType(forms), MappingProxyType(meanings_of_name(counts.name)), words, spread)


def _years_spread(sample: Sequence[str]) -> int:
    years = sorted(year for text in sample if (year := _year_of(text)))
    return years[3 * len(years) // 4] - years[len(years) // 4] if len(years) > 3 else 0


def _year_of(text: str) -> int:
    digits = "".join(character if character.isdigit() else " " for character in text).split()
    for part in digits:
        year = (part[:4] if "1800" < part[:4] < "2200" else part[4:]) if len(part) == 8 else part
        if len(year) == 4 and "1800" < year < "2200":
            return int(year)
    two = next((part for part in reversed(digits) if len(part) == 2), "")
    return 1900 + int(two) if two else 0


def _letters(facts: ColumnFacts) -> float:
    return facts.share("letters") * (1 - facts.share("organisation") * 0.5)


def _short(facts: ColumnFacts) -> float:
    return 1.0 if facts.words <= 2.2 else max(0.0, 1 - (facts.words - 2.2) / 3)


def _coded(facts: ColumnFacts) -> float:
    return max(
        facts.share("code"), facts.share("integer"), facts.share("uuid"), facts.share("vat"), 0.9 * _spaced_code(facts)
    )


def _spaced_code(facts: ColumnFacts) -> float:
    """Return the share of values that are codes once blanks are taken off: 12 345 678 901."""
    sample = facts.counts.sample
    good = sum(len(text) <= CODE_CHARS_MAX and 2 * sum(map(str.isdigit, text)) >= len(text) for text in sample)
    return good / len(sample) if sample else 0.0


def _wordy(facts: ColumnFacts) -> float:
    """Return how much a column holds words that name something: no numbers, dates, phones or emails."""
    return 1 - max(
        facts.share("number"),
        facts.share("date"),
        facts.share("email"),
        facts.share("uuid"),
        facts.share("marked_phone"),
    )


def _few(facts: ColumnFacts) -> float:
    counts = facts.counts
    if counts.distinct <= FEW_VALUES_MAX and counts.distinctness <= 0.5:
        return 1.0
    return 1.0 if counts.distinctness <= CATEGORY_DISTINCTNESS_MAX else 0.3


def _street(facts: ColumnFacts) -> float:
    return max(facts.share("street"), facts.share("address"), 0.5 * _wordy(facts) * (1 - facts.share("full_name")))


def _id_like(facts: ColumnFacts) -> float:
    return _coded(facts) * (1.0 if facts.counts.distinctness > 0.5 else 0.4)


_FITS: Mapping[str, Callable[[ColumnFacts], float]] = MappingProxyType({
    "key": lambda facts: _coded(facts) if facts.counts.distinctness > 0.2 else 0.0,
    "source": lambda facts: float(facts.counts.distinct <= FEW_VALUES_MAX),
    "given_name": lambda facts: _letters(facts) * _short(facts),
    "middle_name": lambda facts: max(_letters(facts), facts.share("initial")) * _short(facts),
    "family_name": lambda facts: _letters(facts) * _short(facts),
    "second_family_name": lambda facts: _letters(facts) * _short(facts),
    "name_prefix": lambda facts: max(facts.share("title"), 0.6 * facts.share("letters") * _few(facts)),
    "name_suffix": lambda facts: float(facts.counts.distinct <= FEW_VALUES_MAX) * (facts.counts.completeness < 0.5),
    "full_name": lambda facts: _letters(facts) * (1 - facts.share("text")),
    "other_name": lambda facts: _letters(facts) * (1 - facts.share("text")),
    "other_given_name": lambda facts: _letters(facts) * _short(facts),
    "other_family_name": lambda facts: _letters(facts) * _short(facts),
    "birth_date": lambda facts: max(facts.share("date"), 0.7 * _six_digits(facts)) * (1 - facts.share("clock") * 0.3),
    "gender": lambda facts: facts.share("sex") * float(facts.counts.distinct <= FEW_VALUES_MAX),
    "birth_place": lambda facts: facts.share("letters"),
    "nationality": lambda facts: facts.share("letters") * _few(facts),
    "national_id": _id_like,
    "tax_id": _id_like,
    "passport_no": _id_like,
    "passport_country": lambda facts: facts.share("country"),
    "licence_no": _id_like,
    "licence_issuer": lambda facts: max(facts.share("region"), 0.8 * facts.share("letters")),
    "generation": lambda facts: facts.share("generation"),
    "registration_no": _id_like,
    "duns": _id_like,
    "organisation": lambda facts: _wordy(facts) * (1 - facts.share("address")),
    "trading_name": lambda facts: _wordy(facts) * (1 - facts.share("address")),
    "legal_form": lambda facts: max(_few(facts), facts.share("legal_form")),
    "industry": lambda facts: _wordy(facts) * 0.9,
    "email": lambda facts: facts.share("email"),
    "phone": lambda facts: max(facts.share("phone"), facts.share("marked_phone")),
    "fax": lambda facts: facts.share("phone"),
    "url": lambda facts: facts.share("url"),
    "street": _street,
    "street_number": lambda facts: facts.share("house"),
    "unit": lambda facts: 0.8 * (1 - facts.share("email")),
    "care_of": lambda facts: 0.7 * _wordy(facts),
    "city": lambda facts: facts.share("letters"),
    "region": lambda facts: max(facts.share("letters"), facts.share("region")),
    "postcode": lambda facts: max(facts.share("postcode"), 0.7 * facts.share("integer")),
    "country": lambda facts: max(facts.share("country"), 0.6 * facts.share("letters") * _few(facts)),
    "title": _wordy,
    "creator": lambda facts: _wordy(facts) * (1 - facts.share("text") * 0.5),
    "brand": lambda facts: _wordy(facts) * (1 - facts.share("text")),
    "model_no": lambda facts: max(_coded(facts), 0.6 * _wordy(facts)) * (1 - facts.share("text")),
    "gtin": lambda facts: max(facts.share("gtin"), facts.share("isbn"), 0.6 * _coded(facts)),
    "price": lambda facts: max(facts.share("number"), facts.share("money")),
    "description": lambda facts: max(facts.share("text"), 0.6 * _wordy(facts)),
    "year": lambda facts: facts.share("year"),
    "category": lambda facts: _few(facts) * (1 - facts.share("email")),
    "changed_at": lambda facts: max(facts.share("date"), facts.share("epoch")),
    "created_at": lambda facts: max(facts.share("date"), facts.share("epoch")),
    "deleted": lambda facts: float(facts.counts.distinct <= 4),
    "version": lambda facts: facts.share("integer"),
    "iban": lambda facts: max(facts.share("iban"), 0.6 * _coded(facts)),
})  # fmt: skip
"""Meaning -> how well the values of a column fit it, from 0 to 1, whatever the column is called."""


def _six_digits(facts: ColumnFacts) -> float:
    sample = facts.counts.sample
    return sum(text.isdigit() and len(text) in (6, 7, 8) for text in sample) / len(sample) if sample else 0.0


def _alone(facts: ColumnFacts) -> dict[str, float]:
    """Return what the form of the values alone says that a column is: meanings with how sure it is."""
    share, counts = facts.share, facts.counts
    found = {
        "email": share("email") if share("email") >= 0.5 else 0.0,
        "url": share("url") if share("url") >= 0.6 else 0.0,
        "iban": share("iban") if share("iban") >= 0.8 else 0.0,
        "gtin": numbered
        if (numbered := max(share("gtin"), share("isbn"))) >= 0.8 and counts.distinctness > 0.3
        else 0.0,
        "tax_id": share("vat") if share("vat") >= 0.8 else 0.0,
        "phone": 0.9 * share("marked_phone") if share("marked_phone") >= 0.6 and share("date") < 0.3 else 0.0,
        "postcode": share("own_postcode") if share("own_postcode") >= 0.7 else 0.0,
        "country": 0.85 if share("country") >= 0.9 and counts.distinct <= 250 and share("region") < 0.8 else 0.0,
        "region": 0.7 if share("region") >= 0.9 and counts.distinct <= 70 and counts.distinct > 2 else 0.0,
        "gender": 0.75 if share("sex") >= 0.95 and 2 <= counts.distinct <= 6 and share("yes_no") < 0.9 else 0.0,
        "price": 0.7 if share("money") >= 0.6 else 0.0,
        "organisation": min(0.9, 0.5 + share("organisation"))
        if share("organisation") >= 0.25 and share("text") < 0.4
        else 0.0,
        "legal_form": 0.85 if share("legal_form") >= 0.7 else 0.0,
        "street": min(0.9, max(share("street"), share("address")))
        if max(share("street"), share("address")) >= 0.5
        else 0.0,
        "name_prefix": 0.8 if share("title") >= 0.9 and counts.distinct <= FEW_VALUES_MAX else 0.0,
        "full_name": min(0.9, 0.4 + share("full_name"))
        if share("full_name") >= 0.3 and share("organisation") < 0.15
        else 0.0,
        "description": 0.6 if share("text") >= 0.6 else 0.0,
    }
    if facts.words <= 1.7 and share("letters") >= 0.9 and share("organisation") < 0.05:
        given, family = share("given_name"), share("family_name")
        if given >= 0.3 and given > 1.5 * family:
            found["given_name"] = min(0.85, 0.45 + given)
        elif family >= 0.12 and family > given * 0.7:
            found["family_name"] = min(0.8, 0.45 + family)
    if share("date") >= 0.8 and share("clock") < 0.1 and facts.years_spread >= BIRTH_YEARS_SPREAD_MIN:
        found["birth_date"] = 0.7
    return {meaning: round(score, 3) for meaning, score in found.items() if score > 0}


def meanings_of(columns: Sequence[ColumnCounts]) -> list[ColumnMeaning]:
    """Return the meaning of each column of a file, in their order."""
    facts = [facts_of(each) for each in columns]
    found = [_by_itself(each) for each in facts]
    return with_a_name(without_rivals(_by_neighbours(found)))


def _by_itself(facts: ColumnFacts) -> ColumnMeaning:
    if facts.counts.present < EMPTY_BELOW:
        return ColumnMeaning(facts, "empty", 1.0, "form")
    if facts.share("json") >= 0.8:
        said = "holds nested values (JSON), which no attribute can be made of; flatten it to use it"
        return ColumnMeaning(facts, "other", 0.5, "form", doubts=(said,))
    alone = _alone(facts)
    scores: dict[str, float] = {}
    misfits: list[str] = []
    for meaning, named in facts.named.items():
        fit = _FITS[meaning](facts)
        if fit >= FIT_MIN:
            scores[meaning] = round(named * (0.35 + 0.65 * fit) + 0.1 * alone.get(meaning, 0.0), 4)
        elif named >= 0.8:
            misfits.append(meaning)
    strong = {meaning: score for meaning, score in alone.items() if score >= 0.8 and meaning in _FORMS_THAT_DECIDE}
    for meaning, score in alone.items():
        scores[meaning] = max(scores.get(meaning, 0.0), score if meaning in strong else score * 0.8)
    for meaning, score in strong.items():
        if meaning not in facts.named:
            scores = {other: value for other, value in scores.items() if other == meaning or value > score}
    doubts = tuple(f"is called {spoken(each)}, and its values are none" for each in misfits)
    if not scores:
        return replace(_by_form_only(facts), doubts=doubts)
    best, second, *_ = (*sorted(scores, key=lambda each: (-scores[each], each)), "")
    by = "form and name" if best in facts.named and best in alone else "name" if best in facts.named else "form"
    doubts = doubts if best not in facts.named else ()
    return ColumnMeaning(facts, best, min(1.0, scores[best]), by, second, doubts)


_FORMS_THAT_DECIDE = frozenset({"email", "url", "iban", "tax_id", "gtin", "phone", "postcode", "name_prefix"})


def _by_form_only(facts: ColumnFacts) -> ColumnMeaning:
    """Return a column's meaning that has no more than a form: a key, a date, a number, a category, a text."""
    share, counts = facts.share, facts.counts
    is_amount = share("number") - share("integer") >= 0.5
    of_its_own = counts.is_key and _coded(facts) >= 0.9 and not is_amount
    tried = (
        ("key", 0.6, share("uuid") >= 0.9 or (of_its_own and share("number") >= 0.9 and share("date") < 0.5)),
        ("date", 0.7, share("date") >= 0.8 or share("epoch") >= 0.9),
        ("key", 0.6, of_its_own),
        ("category", 0.6, counts.distinct <= FEW_VALUES_MAX and counts.distinctness <= 0.5),
        ("number", 0.6, share("number") >= 0.9 and (is_amount or counts.distinctness < 0.9)),
        ("code", 0.5, _coded(facts) >= 0.8),
        ("other", 0.3, True),
    )
    meaning, score = next((meaning, score) for meaning, score, holds in tried if holds)
    return ColumnMeaning(facts, meaning, score, "form")


def _by_neighbours(found: list[ColumnMeaning]) -> list[ColumnMeaning]:
    """Decide what a column that is just called a name is, by its values and by the columns beside it."""
    named = [each.meaning for each in found]
    result: list[ColumnMeaning] = []
    for each in found:
        wanted = _GENERAL_NAMES & each.facts.named.keys()
        if each.meaning in (*_GENERAL_NAMES, "other") and wanted and "company" not in each.name.lower():
            others = [meaning for other, meaning in zip(found, named, strict=True) if other is not each]
            result.append(_named_thing(each, others))
        else:
            result.append(each)
    return _with_names_by_form(result)


_OF_PERSONS = frozenset({
    "birth_date", "gender", "given_name", "family_name", "middle_name", "national_id", "birth_place", "name_prefix",
    "nationality",
})  # fmt: skip
_OF_ORGANISATIONS = frozenset({"registration_no", "duns", "legal_form", "industry", "url", "tax_id", "fax"})
_OF_WORKS = frozenset({"price", "gtin", "brand", "creator", "model_no", "year"})
_ONLY_A_NAME = frozenset({"full_name", "given_name", "family_name"})


def _named_thing(column: ColumnMeaning, others: Sequence[str]) -> ColumnMeaning:  # noqa: PLR0911 - a table of cases
    facts, share = column.facts, column.facts.share
    is_plain = bool(facts.named.keys() & _ONLY_A_NAME) and column.score > 0
    if "organisation" in facts.named and "full_name" not in facts.named and facts.named["organisation"] >= 0.8:
        return column
    if (
        is_plain
        and share("organisation") >= 0.15
        and share("organisation") > share("full_name")
        and "organisation" not in others
    ):
        return replace(column, meaning="organisation", score=min(1.0, 0.5 + share("organisation")), by="form and name")
    if "given_name" in others and "family_name" in facts.named and facts.words < 2.2:
        return replace(column, meaning="family_name", score=max(column.score, 0.75))
    if "family_name" in others and "given_name" in facts.named and facts.words < 2.6:
        return replace(column, meaning="given_name", score=max(column.score, 0.75))
    if not is_plain:
        return column
    whole = facts.words >= 1.6 or share("full_name") >= 0.3
    if "full_name" in facts.named or whole:
        if share("full_name") >= 0.3 or (_OF_PERSONS & set(others) and whole):
            return replace(column, meaning="full_name", score=max(0.7, column.score))
        if column.meaning == "full_name" or whole:
            return _by_company(column, others)
    return column


def _by_company(column: ColumnMeaning, others: Sequence[str]) -> ColumnMeaning:
    """Return what has a name in a file whose other columns are these, where its values do not say it."""
    about = {
        "title": len(_OF_WORKS & set(others)) + (column.facts.share("text") > 0.2),
        "organisation": len(_OF_ORGANISATIONS & set(others)) + 0.5 * len({"street", "phone"} & set(others)),
        "full_name": len(_OF_PERSONS & set(others)) + 0.5 * ("email" in others) + 2 * column.facts.share("full_name")
        + (0.5 if _plain_names(column.facts) else 0.0),
    }  # fmt: skip
    best = max(about, key=lambda each: (about[each], each == "full_name"))
    second = max((value for meaning, value in about.items() if meaning != best), default=0.0)
    doubt = "may be the name of a person, of an organisation or of a product; "
    doubt += f"taken for {spoken(best)} by the columns beside it"
    sure = about[best] - second >= 1
    return replace(
        column,
        meaning=best,
        score=0.7 if sure else 0.5,
        by="neighbours",
        doubts=() if sure else (doubt,),
    )


def _plain_names(facts: ColumnFacts) -> bool:
    return facts.share("letters") > 0.95 and 1.6 <= facts.words <= 3.2 and facts.share("street") < 0.05


def _with_names_by_form(found: list[ColumnMeaning]) -> list[ColumnMeaning]:
    """Find a town among columns without a known name, where the file has addresses and none yet."""
    meanings = {each.meaning for each in found}
    if "city" in meanings or not meanings & {"postcode", "street"}:
        return found
    likely = [
        each for each in found
        if each.meaning in ("other", "category") and not each.facts.named and each.facts.share("letters") >= 0.9
        and each.facts.words < 2.5 and each.facts.counts.distinct > 5 and each.facts.share("given_name") < 0.3
    ]  # fmt: skip
    if len(likely) != 1:
        return found
    said = "has the words of towns, and no name that is known; taken for the town by the address beside it"
    town = replace(likely[0], meaning="city", score=0.5, by="neighbours", doubts=(*likely[0].doubts, said))
    return [town if each is likely[0] else each for each in found]


def family_first_share(values: Sequence[str]) -> tuple[int, int]:
    """Return how many whole names have a known given name last and not first, and how many have it first and not last.

    Names with a comma say their order themselves.
    """
    from mdm_stream.profile.columns.word_tables import family_names, given_names  # noqa: PLC0415 - tables are read once

    last = first = 0
    for text in values:
        tokens = name_tokens(text)
        if "," in text or len(tokens) < 2:
            continue
        head = tokens[0] in given_names() and tokens[0] not in family_names()
        tail = tokens[-1] in given_names() and tokens[-1] not in family_names()
        last += tail and not head
        first += head and not tail
    return last, first
