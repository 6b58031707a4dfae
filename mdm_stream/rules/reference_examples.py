"""What each name of the rule language means, with an example: what the registries cannot say of themselves.

``docs/reference/rules.md`` is made of these and of the registries; the outcome of each example is computed. A name that
stands in a registry and not here, or the other way round, is an error of the page.
"""

from __future__ import annotations

from collections.abc import Mapping

TYPES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "name": ("one name of a person", ("  ANNE-MARIE ", "O'Brien", "Müller")),
    "full_name": ("the whole name of a person", ("Dr. Anne M. Brandt", "Brandt, Anne")),
    "text": ("free text: titles, descriptions", ("Café  au lait",)),
    "verbatim": ("a text that is compared as delivered, such as one that a Splink model cleaned", ("  ANA m. ",)),
    "organisation": ("the name of a company or another organisation", ("Brandt & Söhne GmbH", "ACME, Inc.")),
    "legal_form": ("the legal form of an organisation, compared by its kind", ("GmbH & Co. KG", "Ltd")),
    "address": ("a street with its number, or an address on one line", ("12 High Str.", "Hauptstraße 5")),
    "city": ("a city or another place", ("St. Albans", "MÜNCHEN")),
    "region": ("a state, county or province", ("Calif.", "NY")),
    "postcode": ("a postal code", ("ls1 4ab", "02139-4307")),
    "generation": ("what tells father and son of one name apart", ("Jr.", "III")),
    "full_address": ("an address on one line", ("Flat 4, 12 High Street, Leeds LS1 4AB, UK",)),
    "country": ("a country, by name or code", ("Deutschland", "usa")),
    "phone": ("a phone number", ("(212) 555-2368", "+44 113 496 0101")),
    "email": ("an email address", ("Ann Brandt <Ann@Example.ORG>",)),
    "date": ("a day", ("3/4/1980", "03.04.1980", "April 3, 1980")),
    "number": ("a quantity", ("1,234.50", "€ 12")),
    "identifier": ("a number or code that names something", ("DE 811.907.980",)),
    "category": ("one of a few words", ("Female", "m")),
    "url": ("the address of a website", ("HTTPS://www.Example.org/",)),
}
"""Attribute type: what it holds, and texts as delivered."""

KEY_EXAMPLES: Mapping[str, tuple[str, str, int]] = {
    "exact": ("the whole text; written as the attribute's name alone", "anne marie", 0),
    "first": ("its first characters", "brandt", 3),
    "last": ("its last characters", "brandt", 3),
    "digits": ("its digits in order; with a number, the last so many of them", "+441134960101", 7),
    "soundex": ("its Soundex code", "robert", 0),
    "metaphone": ("its Metaphone code", "catherine", 0),
    "nysiis": ("its NYSIIS code", "macdonald", 0),
    "nickname": ("the given name that it is a form of", "bill", 0),
    "year": ("the year of a date", "1980-04-03", 0),
    "month_day": ("the month and day of a date", "1980-04-03", 0),
    "token": ("each of its words, of at least so many characters: a key each", "bank of america", 4),
    "codes": ("each of its model and article numbers: one key a number", "sony dcr hc52 camcorder", 0),
    "sorted_tokens": ("its words in alphabetic order, joined", "marie anne", 0),
    "initials": ("the first character of each word, joined", "bank of america", 0),
    "local": ("what stands before the @ of an email address", "ann@example.org", 0),
    "domain": ("what stands after it", "ann@example.org", 0),
}
"""Blocking function: what it yields, a text, and an argument (0: none)."""

KIND_EXAMPLES: Mapping[str, tuple[str, float, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "null": ("either record lacks the attribute", 0.0, (("anna",), ("",))),
    "else": ("always; the last level of each comparison", 0.0, (("anna",), ("omar",))),
    "exact": ("the values are equal", 0.0, (("anna",), ("anna",))),
    "intersect": ("the two share a value, of several", 0.0, (("anna",), ("anna",))),
    "jaro_winkler": ("Jaro-Winkler similarity is at least the threshold", 0.92, (("martha",), ("marhta",))),
    "token_sort": (
        "similarity of the texts with their words sorted is at least the threshold",
        0.9,
        (("12 high street",), ("high street 12",)),
    ),
    "token_set": (
        "the same after shared words were set aside is at least the threshold",
        0.95,
        (("anna maria",), ("maria",)),
    ),
    "damerau_levenshtein": (
        "edits (insert, delete, replace, exchange of neighbours) are at most the threshold",
        1,
        (("pia",), ("pai",)),
    ),
    "levenshtein": ("edits (insert, delete, replace) are at most the threshold", 2, (("pia",), ("pai",))),
    "prefix": (
        "one starts with the other, the shorter at least so many characters long",
        3,
        (("alex",), ("alexander",)),
    ),
    "initial": ("one is a single letter, no Chinese character, that the other starts with", 0.0, (("a",), ("anna",))),
    "nickname": ("both are forms of one given name", 0.0, (("bill",), ("william",))),
    "acronym": (
        "one is made of the initials of the other's words, small words counted or not",
        0.0,
        (("boa",), ("bank of america",)),
    ),
    "respelt": ("the same but for umlauts and their like, written out or dropped", 0.0, (("joerg",), ("jorg",))),
    "romanised": (
        "texts of two scripts, read in Latin letters: Jaro-Winkler similarity is at least the threshold",
        0.9,
        (("小明",), ("xiaoming",)),
    ),
    "other_script": ("the two have no script in common, in none of their values", 0.0, (("田中",), ("tanaka",))),
    "other_name": ("given names that people are known to bear, forms of one in none", 0.0, (("darren",), ("warren",))),
    "other_number": (
        "the same but for its digits; if both have some, a slip beside them does not matter",
        0.0,
        (("smith1@example.org",), ("smith2@example.org",)),
    ),
    "soundex": ("equal Soundex codes", 0.0, (("robert",), ("rupert",))),
    "metaphone": ("equal Metaphone codes", 0.0, (("catherine",), ("katherine",))),
    "shared_words": (
        "the share of the weight of their words that both have is at least the threshold; a model knows the rare ones",
        0.6,
        (("sony dcr hc52 camcorder",), ("camcorder sony dcrhc52",)),
    ),
    "shared_code": (
        "a model or article number of one stands in the other",
        0.0,
        (("sony dcr hc52 camcorder",), ("dcrhc52 digital camcorder",)),
    ),
    "other_code": (
        "both have such numbers, none in common and none the beginning of another, in none of their values",
        0.0,
        (("sony ln55a950",), ("sony ln46a950",)),
    ),
    "other_size": (
        "both have quantities of a unit, none in common, in none of their values",
        0.0,
        (("memory stick 16gb",), ("memory stick 8 gb",)),
    ),
    "date_within": ("days between two dates are at most the threshold", 31, (("1980-04-03",), ("1980-04-30",))),
    "date_swap": ("the same date but for day and month exchanged", 0.0, (("1980-04-03",), ("1980-03-04",))),
    "numeric_within": ("the numbers differ by at most the threshold", 5, (("100",), ("104",))),
    "numeric_ratio": ("the smaller of two numbers of one sign, by the greater, is at least the threshold", 0.9,
                      (("95",), ("100",))),
    "swap": (
        "two attributes are exchanged: Jaro-Winkler similarity is at least the threshold both ways",
        0.88,
        (("anna", "brandt"), ("brandt", "anna")),
    ),
}  # fmt: skip
"""Kind of comparison: what holds, a threshold (0: none), and the values of two records of which it does."""

STRATEGIES: Mapping[str, tuple[str, str]] = {
    "valid_only": ("leaves invalid values out; comes first", "[valid_only, most_recent]"),
    "source_priority": (
        "the best source: as listed, else by trust, then by name",
        "[{source_priority: {sources: [erp, crm]}}, most_recent]",
    ),
    "trust": (
        "the highest trust, halved with every whole half-life behind the newest",
        "[{trust: {half_life_days: 365}}, most_recent]",
    ),
    "most_recent": ("the newest", "[most_recent]"),
    "most_complete": (
        "most attributes of the group, or of the record; from `at_least` on, more do not count",
        "[{most_complete: {at_least: 3}}, most_recent]",
    ),
    "most_frequent": ("what most records say", "[most_frequent, most_recent]"),
    "longest": ("the most characters", "[longest]"),
    "min": ("the least", "[min]"),
    "max": ("the greatest", "[max]"),
    "compose": (
        "builds a full name or an address on one line from the parts that survived; comes last",
        "{attributes: [given_name, middle_name, family_name, full_name, generation], strategies: [longest, compose]}",
    ),
    "union": ("every distinct value of a multi-valued attribute; comes last", "[valid_only, union]"),
}
"""Strategy: what it keeps, and a rule that has it."""

STRATEGY_OPTION_FORMS: Mapping[str, str] = {
    "at_least": "a number of attributes",
    "sources": "names of sources, the best first",
    "half_life_days": "a number of days",
}
