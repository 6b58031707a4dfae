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


_ABBREVIATIONS = {short: long for long, shorts in table_rows("organisation_words.csv") for short in shorts.split()}


def _written_out(spelt: str) -> list[str]:
    """Return words with abbreviations written out, and *and* of other languages between them as English has it."""
    tokens = [_ABBREVIATIONS.get(token, token) for token in spelt.split()]
    last = len(tokens) - 1
    return ["and" if word in _AND_WORDS and 0 < at < last else word for at, word in enumerate(tokens)]


def _form(spelling: str) -> tuple[str, ...]:
    """Return a legal form as the words of a name have it."""
    return tuple(_written_out(words(fold(spelling))))


_SPELLINGS: dict[str, list[str]] = {}
for _kind, _listed in table_rows("legal_forms.csv"):
    _SPELLINGS.setdefault(_kind, []).extend(each.strip() for each in _listed.split(","))
_FORMS = frozenset(_form(each) for kind in ("anywhere", "last", "either") for each in _SPELLINGS[kind])
_FIRST_FORMS = frozenset(_form(each) for kind in ("first", "either") for each in _SPELLINGS[kind])
_CERTAIN_FORMS = frozenset(" ".join(_form(each)) for each in _SPELLINGS["anywhere"] if " " not in each)
_FORM_WORDS_MAX = max(map(len, _FORMS | _FIRST_FORMS))
# Chinese, Japanese and Korean write no space between a name and its legal form; the longest is looked for first.
_UNSPACED_FORMS = tuple(sorted(map(fold, _SPELLINGS["unspaced"]), key=lambda form: (-len(form), form)))
_KINDS = {_form(each): kind for kind, listed in table_rows("legal_form_kinds.csv") for each in listed.split(",")}
_KIND_WORDS_MAX = max(map(len, _KINDS))


def standardise_organisation(text: str, _options: Options) -> Standardised:
    """Standardise an organisation's name.

    ``match`` has no legal form (Ltd, GmbH, S.A., Pty Ltd, 株式会社), no leading *the*, ``and`` for & and +, and
    common abbreviations written out. A name that consists of such words alone keeps them. Of a name and one that it
    trades under the first counts; letters of scripts that spell every sound are romanised.
    """
    return Standardised(text, _match_of(_TRADING.split(text, maxsplit=1)[0]) or _match_of(text) or None)


def split_organisation(text: str, _options: Options) -> Mapping[str, str]:
    """Return the parts of a name.

    ``trading`` is the name after *t/a*, *doing business as*, *formerly* and their like, ``legal_form`` the legal form
    of the name before it, if its kind is known.
    """
    name, *others = _TRADING.split(text, maxsplit=1)
    trading = others[0].rstrip(" )") if others else ""
    parts = {"trading": trading} if not is_blank(name) and not is_blank(trading) else {}
    _, form = _kind_and_form(_tokens(name), at_least=1)
    return {**parts, "legal_form": form} if form else parts


def is_legal_form(text: str) -> bool:
    """Return whether a text is a legal form and nothing else, of any kind."""
    tokens = tuple(_tokens(text))
    return tokens in _FORMS or tokens in _FIRST_FORMS or tokens in _KINDS or fold(text).strip() in _UNSPACED_FORMS


def standardise_legal_form(text: str, _options: Options) -> Standardised:
    """Standardise a legal form; ``match`` is its kind: company, partnership, association, cooperative.

    Forms that people take for one another (Ltd, PLC, Inc) are of one kind. A form of no kind has no ``match``: it says
    nothing of whether two organisations are one.
    """
    return Standardised(text, _kind_and_form(_tokens(text), at_least=0)[0])


def _tokens(text: str) -> list[str]:
    joined = _INITIALS.sub(lambda found: re.sub(r"[.\s]", "", found[0]) + " ", fold(text).translate(_AND))
    spelt = words(joined if joined.isascii() else _without_unspaced_form(joined))
    return _written_out(spelt)


def _kind_and_form(tokens: list[str], at_least: int) -> tuple[str | None, str]:
    """Return the kind of the legal form in a name's words, and the form; of several the longest, then the last one.

    The first ``at_least`` words are no form, unless forms stand before names in its language; elsewhere than at the
    end, only a form that is never a word of a name counts.
    """
    for length in range(min(_KIND_WORDS_MAX, len(tokens)), 0, -1):
        for start in range(len(tokens) - length, -1, -1):
            form = tuple(tokens[start : start + length])
            if form not in _KINDS:
                continue
            is_last, is_first = start + length == len(tokens), start == 0
            certain = not _CERTAIN_FORMS.isdisjoint(form)
            if (start >= at_least and (is_last or certain)) or (is_first and not is_last and form in _FIRST_FORMS):
                return _KINDS[form], " ".join(form)
    return None, ""


def _match_of(text: str) -> str:
    tokens = _tokens(text)
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
