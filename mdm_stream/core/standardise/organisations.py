"""Names of organisations."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mdm_stream.core.model import Standardised
from mdm_stream.core.standardise.scripts import in_latin
from mdm_stream.core.standardise.spec import Options
from mdm_stream.core.standardise.text import fold, is_blank, table_rows, words

# "I.B.M." and "S.A." are one word: a dot between single letters joins them.
_INITIALS = re.compile(r"\b(?:[^\W\d_]\.\s?)+[^\W\d_]\b\.?")
_AND = str.maketrans({"&": " and ", "+": " and "})
_AND_WORDS = frozenset({"und", "et", "og", "och", "y", "e", "i", "en"})


# What stands between a legal name and another that the organisation trades under, or had before.
_TRADING = re.compile(
    r"\s*(?:(?<=[\s,(])|(?<=[\s,(]\())(?:t/as?|d/b/a|dba|a/k/a|aka|f/k/a|fka|trading as|trading under|doing business as"
    r"|also known as|formerly(?: known as)?|previously|ehemals|anciennement|handelend onder|handelnd als"
    r"|h\.?o\.?d\.?n\.?|nombre comercial|nome comercial|nome fantasia|nom commercial|enseigne|insegna)[:\s]\s*",
    re.IGNORECASE,
)


def _spelt(spelling: str) -> str:
    return words(fold(spelling))


_SPELLINGS: dict[str, list[str]] = {}
for _kind, _listed in table_rows("legal_forms.csv"):
    _SPELLINGS.setdefault(_kind, []).extend(each.strip() for each in _listed.split(","))
_FORMS = frozenset(tuple(_spelt(each).split()) for kind in ("anywhere", "last", "either") for each in _SPELLINGS[kind])
_FIRST_FORMS = frozenset(tuple(_spelt(each).split()) for kind in ("first", "either") for each in _SPELLINGS[kind])
_CERTAIN_FORMS = frozenset(_spelt(each) for each in _SPELLINGS["anywhere"] if " " not in each)
_FORM_WORDS_MAX = max(map(len, _FORMS | _FIRST_FORMS))
# Chinese, Japanese and Korean write no space between a name and its legal form; the longest is looked for first.
_UNSPACED_FORMS = tuple(sorted(map(fold, _SPELLINGS["unspaced"]), key=lambda form: (-len(form), form)))
_ABBREVIATIONS = {short: long for long, shorts in table_rows("organisation_words.csv") for short in shorts.split()}


def standardise_organisation(text: str, _options: Options) -> Standardised:
    """Standardise an organisation's name.

    ``match`` has no legal form (Ltd, GmbH, S.A., Pty Ltd, 株式会社), no leading *the*, ``and`` for & and +, and
    common abbreviations written out. A name that consists of such words alone keeps them. Of a name and one that it
    trades under the first counts; letters of scripts that spell every sound are romanised.
    """
    return Standardised(text, _match_of(_TRADING.split(text, maxsplit=1)[0]) or _match_of(text) or None)


def split_organisation(text: str, _options: Options) -> Mapping[str, str]:
    """Return the part ``trading``: the name after *t/a*, *doing business as*, *formerly* and their like."""
    name, *others = _TRADING.split(text, maxsplit=1)
    trading = others[0].rstrip(" )") if others else ""
    return {"trading": trading} if not is_blank(name) and not is_blank(trading) else {}


def _and_written(tokens: list[str]) -> list[str]:
    """Write *and* of other languages as English has it, where it stands between words."""
    last = len(tokens) - 1
    return ["and" if word in _AND_WORDS and 0 < at < last else word for at, word in enumerate(tokens)]


def _match_of(text: str) -> str:
    joined = _INITIALS.sub(lambda found: re.sub(r"[.\s]", "", found[0]) + " ", fold(text).translate(_AND))
    spelt = words(joined if joined.isascii() else _without_unspaced_form(joined))
    tokens = _and_written([_ABBREVIATIONS.get(token, token) for token in spelt.split()])
    # Legal forms are recognised in their own script: to a Latin reader a Cyrillic one may be a word.
    return in_latin(" ".join(_without_legal_form(tokens) or tokens))


def _without_unspaced_form(folded: str) -> str:
    for form in _UNSPACED_FORMS:
        rest = folded.strip().removeprefix(form).removesuffix(form)
        if not is_blank(rest):
            folded = rest
    return folded


def _without_legal_form(tokens: list[str]) -> list[str]:
    if len(tokens) > 1 and tokens[0] == "the":
        tokens = tokens[1:]
    # A certain form may be followed by a place ("Acme Ltd (Scotland)"); as the first word it is a name ("Limited Run").
    tokens = [token for position, token in enumerate(tokens) if position == 0 or token not in _CERTAIN_FORMS]
    most = min(_FORM_WORDS_MAX, len(tokens) - 1)
    tokens = tokens[next((n for n in range(most, 0, -1) if tuple(tokens[:n]) in _FIRST_FORMS), 0) :]
    end = len(tokens)
    while end > 0:
        length = next((n for n in range(min(_FORM_WORDS_MAX, end), 0, -1) if tuple(tokens[end - n : end]) in _FORMS), 0)
        if length:
            end -= length
        elif tokens[end - 1] == "and" and end < len(tokens):
            end -= 1  # what is left of "& Co"
        else:
            break
    return tokens[:end]
