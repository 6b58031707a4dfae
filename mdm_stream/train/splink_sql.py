"""The SQL conditions of a Splink model as conditions of rules: those that Splink's own libraries write for DuckDB.

A condition is read as a conjunction of terms, and each term is compared with the forms below, column names left open.
Anything else raises :class:`UnreadableConditionError`: a model is served equal or not at all.

===============================================================================  =================================
``"a_l" IS NULL OR "a_r" IS NULL``                                               ``{a: null}``
``"a_l" = "a_r"``                                                                ``{a: exact}``
``jaro_winkler_similarity("a_l", "a_r") >= 0.9``                                 ``{a: {jaro_winkler: 0.9}}``
``levenshtein("a_l", "a_r") <= 2``, ``damerau_levenshtein(...)``                 ``{a: {levenshtein: 2}}``
``abs("a_l" - "a_r") <= 5``                                                      ``{a: {numeric_within: 5}}``
``abs(epoch(try_strptime("a_l", '%Y-%m-%d')) - epoch(...)) <= 86400``            ``{a: {date_within: 1}}``
``array_length(list_intersect("a_l", "a_r")) >= 1``                              ``{a: intersect}``, ``multi: true``
``"a_l" = "b_r" AND "a_r" = "b_l"``                                              ``{swap: 1}`` of a and b
``jaro_winkler_similarity("a_l", "b_r") >= 0.9 AND ...("b_l", "a_r") >= 0.9``    ``{swap: 0.9}`` of a and b
===============================================================================  =================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mdm_stream.errors import TerminalError

DAY_S = 86_400.0
CONDITION_CHARS_MAX = 2_000
DEPTH_MAX = 20

_LEXEME = re.compile(
    r"""\s*(?:(?P<name>"[^"]+"|`[^`]+`|[A-Za-z_][A-Za-z0-9_]*)|(?P<number>[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)"""
    r"""|(?P<text>'[^']*')|(?P<mark><=|>=|<>|!=|::|[-+*/(),.=<>\[\]]))"""
)
_FUNCTIONS = {
    "jaro_winkler_similarity": ("jaro_winkler", ">="),
    "levenshtein": ("levenshtein", "<="),
    "damerau_levenshtein": ("damerau_levenshtein", "<="),
}
_NUMBER = r"([0-9.eE+-]+)"
_L, _R = r"(?:([^ ]+)~l)", r"(?:([^ ]+)~r)"
_ISO_DAY = "'%Y-%m-%d'"


class UnreadableConditionError(TerminalError):
    """A condition that rules cannot express, or whose meaning is not known."""


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that must hold: a kind of the rules, of one or two columns, with its threshold if it has one."""

    kind: str
    columns: tuple[str, ...]
    threshold: float | None = None


def read_condition(sql: str) -> tuple[Term, ...]:
    """Return the terms of a level's condition, all of which must hold; none for ``ELSE``."""
    if len(sql) > CONDITION_CHARS_MAX:
        raise UnreadableConditionError(f"the condition has more than {CONDITION_CHARS_MAX:,} characters")
    if sql.strip().upper() == "ELSE":
        return ()
    lexemes = _without_outer(list(_lexemes(sql)))
    parts = _split(lexemes, "or")
    if len(parts) > 1:
        return _nulls(parts, sql)
    return tuple(_swaps([_term(part, sql) for part in _conjuncts(lexemes, 0)], sql))


def read_blocking_rule(sql: str) -> tuple[list[tuple[str, str, int]], list[str]]:
    """Return the equalities of a blocking rule as ``(function, column, argument)``, and the terms that are none."""
    equal, other = [], []
    for part in _conjuncts(_without_outer(list(_lexemes(sql))), 0):
        found = _equality(part)
        if found is None:
            other.append(" ".join(part))
        else:
            equal.append(found)
    return equal, other


def _lexemes(sql: str) -> Iterator[str]:
    """Yield the parts of a condition: names without quotes, in lower case where they had none."""
    place, end = 0, len(sql.rstrip())
    while place < end:
        found = _LEXEME.match(sql, place)
        if found is None:
            raise UnreadableConditionError(f"the condition cannot be read at character {place + 1}")
        place = found.end()
        name = found["name"]
        if name is None:
            yield found["number"] or found["text"] or found["mark"]
        else:
            yield name.strip('"`').replace(" ", "_") if name[0] in '"`' else name.lower()


def _without_outer(lexemes: list[str]) -> list[str]:
    """Return lexemes without brackets around all of them."""
    for _ in range(DEPTH_MAX):
        if not (lexemes and lexemes[0] == "(" and _closing(lexemes, 0) == len(lexemes) - 1):
            return lexemes
        lexemes = lexemes[1:-1]
    raise UnreadableConditionError(f"the condition has more than {DEPTH_MAX} brackets in one another")


def _closing(lexemes: list[str], opening: int) -> int:
    depth = 0
    for place in range(opening, len(lexemes)):
        depth += (lexemes[place] == "(") - (lexemes[place] == ")")
        if depth == 0:
            return place
    raise UnreadableConditionError("the condition has an open bracket")


def _split(lexemes: list[str], word: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    depth = 0
    for lexeme in lexemes:
        depth += (lexeme == "(") - (lexeme == ")")
        if depth == 0 and lexeme == word:
            parts.append([])
        else:
            parts[-1].append(lexeme)
    return parts


def _conjuncts(lexemes: list[str], depth: int) -> list[list[str]]:
    if depth > DEPTH_MAX:
        raise UnreadableConditionError(f"the condition has more than {DEPTH_MAX} brackets in one another")
    parts = _split(_without_outer(lexemes), "and")
    if len(parts) == 1:
        return [_without_outer(lexemes)]
    return [each for part in parts for each in _conjuncts(part, depth + 1)]


def _sided(lexemes: list[str]) -> str:
    """Return lexemes as one text in which a column of the left record is ``name~l``."""
    return " ".join(
        f"{each[:-2]}~{each[-1]}" if each.endswith(("_l", "_r")) and len(each) > 2 and each[0] != "'" else each
        for each in lexemes
    )


def _nulls(parts: list[list[str]], sql: str) -> tuple[Term, ...]:
    columns: dict[str, set[str]] = {}
    for part in parts:
        found = re.fullmatch(r"([^ ]+)~([lr]) is null", _sided(_without_outer(part)))
        if found is None:
            raise UnreadableConditionError(f"OR is known between IS NULL alone: {sql}")
        columns.setdefault(found[1], set()).add(found[2])
    if len(columns) != 1 or next(iter(columns.values())) != {"l", "r"}:
        # Rules say that each of several attributes is missing, or that one is: not that any of several is.
        raise UnreadableConditionError(f"a null level of several columns, or of one side, cannot be expressed: {sql}")
    return (Term("null", tuple(columns)),)


def _term(lexemes: list[str], sql: str) -> Term:
    text = _sided(lexemes)
    for read in _FORMS:
        found = read(text)
        if found is not None:
            return found
    raise UnreadableConditionError(f"no kind of agreement means {text.replace('~', '_')!r}, in: {sql}")


def _equal(text: str) -> Term | None:
    found = re.fullmatch(r"([^ ]+)~([lr]) = ([^ ]+)~([lr])", text)
    if found is None or found[2] == found[4]:
        return None
    return Term("exact", _columns(*(found.group(1, 3) if found[2] == "l" else found.group(3, 1))))


def _similar(text: str) -> Term | None:
    found = re.fullmatch(rf"([a-z_]+) \( ([^ ]+)~([lr]) , ([^ ]+)~([lr]) \) (>=|<=) {_NUMBER}", text)
    if found is None or found[1] not in _FUNCTIONS or found[3] == found[5]:
        return None
    kind, sign = _FUNCTIONS[found[1]]
    left, right = found.group(2, 4) if found[3] == "l" else found.group(4, 2)
    return Term(kind, _columns(left, right), float(found[7])) if found[6] == sign else None


def _near(text: str) -> Term | None:
    found = re.fullmatch(rf"abs \( {_L} - {_R} \) <= {_NUMBER}", text)
    return None if found is None or found[1] != found[2] else Term("numeric_within", (found[1],), float(found[3]))


def _days(text: str) -> Term | None:
    plain = text
    for wrapped in (rf"try_strptime \( ([^ ]+~[lr]) , {_ISO_DAY} \)", r"cast \( ([^ ]+~[lr]) as (?:date|timestamp) \)"):
        plain = re.sub(wrapped, r"\1", plain)
    found = re.fullmatch(rf"abs \( epoch \( {_L} \) - epoch \( {_R} \) \) <= {_NUMBER}", plain)
    if found is None or found[1] != found[2]:
        return None
    return Term("date_within", (found[1],), float(int(float(found[3]) / DAY_S)))


def _shared(text: str) -> Term | None:
    found = re.fullmatch(rf"(?:array_length|len) \( list_intersect \( {_L} , {_R} \) \) >= 1", text)
    return None if found is None or found[1] != found[2] else Term("intersect", (found[1],))


_FORMS: tuple[Callable[[str], Term | None], ...] = (_equal, _similar, _near, _days, _shared)


def _columns(left: str, right: str) -> tuple[str, ...]:
    return (left,) if left == right else (left, right)


def _swaps(terms: list[Term], sql: str) -> Iterator[Term]:
    """Yield the terms with each two that are the same crosswise made one ``swap``."""
    crossed = [term for term in terms if len(term.columns) == 2]
    yield from (term for term in terms if len(term.columns) == 1)
    while crossed:
        first = crossed.pop(0)
        other = next((each for each in crossed if each.columns == first.columns[::-1] and
                      (each.kind, each.threshold) == (first.kind, first.threshold)), None)  # fmt: skip
        if other is None or first.kind not in ("exact", "jaro_winkler"):
            raise UnreadableConditionError(f"two columns are compared with one another, but not crosswise: {sql}")
        crossed.remove(other)
        yield Term("swap", first.columns, 1.0 if first.threshold is None else first.threshold)


def _equality(lexemes: list[str]) -> tuple[str, str, int] | None:
    """Return what both sides of an equality of a blocking rule are: the same of ``l.`` and of ``r.``."""
    text = " ".join(lexemes)
    plain = re.fullmatch(r"([lr]) \. ([^ ]+) = ([lr]) \. ([^ ]+)", text)
    if plain and plain[1] != plain[3] and plain[2] == plain[4]:
        return ("exact", plain[2], 0)
    cut = r"(?:substr|substring) \( ([lr]) \. ([^ ]+) , 1 , ([0-9]+) \)"
    found = re.fullmatch(f"{cut} = {cut}", text)
    if found and found[1] != found[4] and found.group(2, 3) == found.group(5, 6):
        return ("first", found[2], int(found[3]))
    return None
