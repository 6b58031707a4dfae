"""Blocking keys: which expressions could serve, and which do, by the pairs that they make of the data. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

PAIRS_A_RECORD_MAX = 30.0
"""Candidate pairs that all chosen keys may make, for each record: what the engine scores in a millisecond or so."""
KEY_PAIRS_A_RECORD_MAX = 12.0
"""Those of a single key: one that makes more is not selective."""
SUSPENDED_SHARE_MAX = 0.4
"""Of the records with a key of an expression, those that may be in blocks too large to be compared."""
KEYS_MAX = 16
RECORDS_MIN = 1_000
"""A smaller file may have the pairs of so many records: they cost nothing, and its words repeat more."""
_LEFT = "left out: "
_SAME = "same_"
_BIRTHDAY, _CITY = ("month_day(birth_date)", "birth_date"), ("city", "city")
_REFINED_BY = {
    "names_start": (_BIRTHDAY, ("postcode", "postcode")),
    "family_city": (("year(birth_date)", "birth_date"), ("street", "street")),
    "family_year": (_CITY,),
    "given_year": (_CITY,),
}
"""What refines keys whose blocks grow with the number of people, each with the attribute that it reads."""
WORD_ABOVE = 20
"""Records that may share a word of a title: common words make no candidates.

Words of titles follow Zipf's law, so such a bound holds pairs where they are while records grow: a block of 200 is paid
for by each of its records, and hundreds of words have such blocks. A common word together with a brand or a price would
find few pairs more and many strangers of one brand, whom training takes for what matches look like.
"""


@dataclass(frozen=True, slots=True)
class KeyCandidate:
    """An expression that may be a blocking key; ``is_packs`` if the pack that is extended has it under that name.

    ``refine``: further expressions for blocks that have grown, of a key that is not the pack's. ``above``: records that
    may share a value of it; ``None`` for what a rule set has where it names no number.
    """

    name: str
    expression: str
    is_packs: bool
    why: str = ""
    refine: tuple[str, ...] = ()
    above: int | None = None


@dataclass(frozen=True, slots=True)
class KeyMeasure:
    """What an expression makes of the data.

    ``records`` have a key of it, in ``blocks`` different ones; ``pairs`` are those of blocks that are small enough,
    ``largest`` the records of the largest of these; ``suspended`` records lie in larger blocks.
    """

    records: int
    blocks: int
    pairs: int
    largest: int
    suspended: int


@dataclass(frozen=True, slots=True)
class KeyChoice:
    """An expression with its measure, whether it was chosen, and the figures that say why, as a comment."""

    candidate: KeyCandidate
    measure: KeyMeasure
    is_chosen: bool
    said: str


def candidates(types: Mapping[str, str], pack_keys: Iterable[tuple[str, str]]) -> list[KeyCandidate]:
    """Return the expressions that the attributes of a rule set (name -> type) allow.

    ``pack_keys`` are those of its pack, whose attributes are all there.
    """
    found = [KeyCandidate(name, expression, is_packs=True) for name, expression in pack_keys]
    known = {each.expression.replace(" ", "") for each in found}
    # A pack has its own keys of names; elsewhere words that few share find what has slips in the others.
    words = {} if found else {each.name: each for each in _words(types)}
    instead = {each.replace("_word", "_long_word") for each in words}
    for name, expression, why in _expressions(types):
        if name in words:
            found.append(words[name])
        if name in words or name in instead:
            continue
        if expression.replace(" ", "") not in known:
            known.add(expression.replace(" ", ""))
            refine = tuple(each for each, attribute in _REFINED_BY.get(name, ()) if attribute in types)
            found.append(KeyCandidate(name, expression, is_packs=False, why=why, refine=refine))
    return found


def _expressions(types: Mapping[str, str]) -> Iterable[tuple[str, str, str]]:
    has = types.keys()
    for name, kind in types.items():
        if kind == "identifier":
            yield f"{_SAME}{name}", name, "an identifier of its own"
    if {"given_name", "family_name"} <= has:
        yield "names_start", "first(given_name, 3) + first(family_name, 4)", "both names, ends bad"
        if "city" in has:
            yield "family_city", "metaphone(family_name) + city", "given name bad or missing"
        if "birth_date" in has:
            yield "family_year", "soundex(family_name) + year(birth_date)", "a slip in the names, day or month bad"
            yield "given_year", "soundex(given_name) + year(birth_date)", "family name changed, day or month bad"
    yield from _of_named_things(types)
    if "postcode" in has and "street" in has:
        yield "street_postcode", "digits(street) + postcode", "names bad: house number and postcode"
    for name, kind in types.items():
        if kind in ("email", "phone", "url"):
            yield f"{_SAME}{name}", name, "the same for one thing alone, mostly"
        if kind == "phone":
            yield f"end_of_{name}", f"digits({name}, 7)", "numbers written with and without their prefix"


def _words(types: Mapping[str, str]) -> Iterable[KeyCandidate]:
    """Yield the single words of titles and names that few records share."""
    for name in _subjects(types):
        yield KeyCandidate(f"{name}_word", f"token({name}, 3)", False, "any word that few have", (), WORD_ABOVE)


def _subjects(types: Mapping[str, str]) -> list[str]:
    """Return the attributes that are titles or names of several words."""
    subjects = [name for name in ("title", "name", "organisation_name") if name in types]
    if not subjects and not {"given_name", "family_name", "full_name"} & types.keys():
        subjects = [name for name, kind in types.items() if kind == "text"][:2]
    return subjects


def _beside(types: Mapping[str, str]) -> list[str]:
    """Return the attributes that say which of several things of one name a record is of."""
    known = ("creator", "brand", "year", "city", "postcode", "price", "industry", "model_no")
    kinds = ("text", "identifier", "number", "city", "postcode", "category")
    return [name for name in known if types.get(name) in kinds]


def _of_other(types: Mapping[str, str], name: str) -> str:
    return f"token({name}, 4)" if types[name] in ("text", "identifier") else name


def _of_named_things(types: Mapping[str, str]) -> Iterable[tuple[str, str, str]]:
    """Yield the keys of titles and names that are several words: sorted words, single words with what stands beside."""
    for name in _subjects(types):
        yield f"{name}_words", f"sorted_tokens({name})", "all words, in any order"
        yield f"{name}_codes", f"codes({name})", "model and article numbers, however they are written"
        yield f"{name}_start", f"first({name}, 8)", "the beginning"
        yield f"{name}_word", f"token({name}, 4)", "any long word"
        yield f"{name}_long_word", f"token({name}, 6)", "any longer word"
        yield f"{name}_sound", f"metaphone({name})", "slips that do not change the sound"
        for other in _beside(types):
            if other != name:
                is_text = types[other] in ("text", "identifier")
                why = "a word of each" if is_text else f"a word, and the same {other}"
                yield f"{name}_{other}", f"token({name}, 4) + {_of_other(types, other)}", why


def measured_key(sizes: Iterable[int], max_block_size: int) -> KeyMeasure:
    """Return what blocks of such sizes make: a record is in as many blocks as it has keys."""
    records = blocks = pairs = largest = suspended = 0
    for size in sizes:
        records += size
        blocks += 1
        if size > max_block_size:
            suspended += size
        else:
            pairs += size * (size - 1) // 2
            largest = max(largest, size)
    return KeyMeasure(records, blocks, pairs, largest, suspended)


def chosen_keys(measured: Sequence[tuple[KeyCandidate, KeyMeasure]], records: int) -> list[KeyChoice]:
    """Return every candidate with whether it is chosen: the most selective first, as long as pairs are affordable.

    At least one is chosen, the most selective that makes any pair, or else any. Keys of the pack, and those of what one
    thing alone has, cost nothing while no two records share them, and stay for the records to come. The order is that
    of the candidates.
    """
    budget = PAIRS_A_RECORD_MAX * max(records, RECORDS_MIN)
    said: dict[str, tuple[bool, str]] = {}
    order = sorted(measured, key=lambda each: (not each[0].is_packs, _cost(each[1], records), each[0].name))
    spent = kept = 0
    for candidate, measure in order:
        figures = f"{measure.pairs:,} pairs, largest block {measure.largest:,}"
        if measure.suspended:
            figures += f", {measure.suspended:,} records in blocks too large"
        refusal = _refusal(measure, records)
        if not refusal and not measure.pairs:
            if candidate.is_packs or candidate.name.startswith(_SAME):
                said[candidate.name] = True, f"no two records share it yet ({figures})"
                continue
            refusal = "no two records share it"
        if not refusal and spent + measure.pairs > budget:
            refusal = "with the others it makes too many pairs"
        if not refusal and kept >= KEYS_MAX and not candidate.is_packs:
            refusal = "there are enough others that are more selective"
        if refusal:
            said[candidate.name] = False, f"{_LEFT}{refusal} ({figures})"
        else:
            spent += measure.pairs
            kept += 1
            said[candidate.name] = True, figures
    if not kept:
        best = min(measured, key=lambda each: (each[1].pairs == 0, _cost(each[1], records), each[0].name))
        said[best[0].name] = True, f"{best[1].pairs:,} pairs; nothing better was found"
    return [KeyChoice(candidate, measure, *said[candidate.name]) for candidate, measure in measured]


def _cost(measure: KeyMeasure, records: int) -> float:
    return (measure.pairs + measure.suspended) / max(1, records)


def _refusal(measure: KeyMeasure, records: int) -> str:
    if not measure.records:
        return "no record has it"
    if measure.suspended > SUSPENDED_SHARE_MAX * measure.records:
        return "most of its blocks are too large"
    if measure.pairs > KEY_PAIRS_A_RECORD_MAX * max(records, RECORDS_MIN):
        return "it is not selective"
    return ""
