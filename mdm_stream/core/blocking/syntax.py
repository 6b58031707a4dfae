"""The grammar of blocking-key expressions.

    expression = term { "+" term }
    term       = attribute | function "(" attribute [ "," integer ] ")" | "unordered" "(" term { "," term } ")"

``unordered`` takes two or more terms of one function with different attributes, and sorts their values.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches

from mdm_stream.core.blocking.functions import ARGUMENT_MAX, KEY_FUNCTIONS
from mdm_stream.core.ruleset import KeyPart

PARTS_MAX = 12
"""The most parts of one expression."""
EXPRESSION_CHARS_MAX = 1_000
"""The longest expression: room for twelve parts with the longest names."""
UNORDERED = "unordered"

_LEXEMES = re.compile(r"\s*(?:(?P<name>[^\W\d]\w*)|(?P<integer>[0-9]+)|(?P<mark>[+(),]))")


def parse_key(text: str, index_of: Callable[[str], int]) -> tuple[KeyPart, ...]:
    """Return the parts of a key expression. ``index_of`` gives an attribute's position and raises ``ValueError``.

    ``ValueError`` says what is wrong, at which character (from 1), and what was expected.
    """
    if len(text) > EXPRESSION_CHARS_MAX:
        raise ValueError(f"the key expression has {len(text):,} characters; expected {EXPRESSION_CHARS_MAX:,} at most")
    parser = _Parser(text, index_of)
    parts = parser.expression()
    if len(parts) > PARTS_MAX:
        raise ValueError(f"{len(parts)} parts in key expression {text!r}; expected {PARTS_MAX} at most")
    return parts


class _Parser:
    """One pass over the lexemes of one expression, by recursive descent."""

    def __init__(self, text: str, index_of: Callable[[str], int]) -> None:
        self.text = text
        self.index_of = index_of
        self.lexemes = list(self._lex())
        self.position = 0
        self.groups = 0
        self.in_group = False

    def expression(self) -> tuple[KeyPart, ...]:
        parts = self._term()
        while not self._at(""):
            self._take("+", "'+' or the end")
            parts += self._term()
        return parts

    def _term(self) -> tuple[KeyPart, ...]:
        name, place = self._name("an attribute or a function")
        if not self._at("("):
            return (KeyPart("exact", self._attribute(name, place)),)
        if name == UNORDERED:
            return self._unordered(place)
        return (self._call(name, place),)

    def _call(self, name: str, place: int) -> KeyPart:
        function = KEY_FUNCTIONS.get(name)
        if function is None:
            names = [*KEY_FUNCTIONS, UNORDERED]
            close = get_close_matches(name, names, n=1)
            meant = f"did you mean {close[0]!r}? " if close else ""
            hint = f"{meant}expected one of {', '.join(sorted(names))}"
            raise self._error(f"unknown function {name!r}", place, hint)
        self._take("(", "'('")
        attribute = self._attribute(*self._name("an attribute"))
        argument = 0
        if self._at(","):
            if function.needs_argument is None:
                raise self._error(
                    f"{name!r} takes no number", self.lexemes[self.position][1], f"write {name}(attribute)"
                )
            self._take(",", "','")
            argument = self._argument()
        elif function.needs_argument:
            raise self._error(f"{name!r} needs a number", place, f"write {name}(attribute, 3)")
        self._take(")", "')'")
        return KeyPart(name, attribute, argument)

    def _unordered(self, place: int) -> tuple[KeyPart, ...]:
        if self.in_group:
            raise self._error(f"{UNORDERED!r} inside {UNORDERED!r}", place, "use one for all the terms")
        self.groups += 1
        self.in_group = True
        self._take("(", "'('")
        parts = self._term()
        while self._at(","):
            self._take(",", "','")
            parts += self._term()
        self._take(")", "',' or ')'")
        self.in_group = False
        alike = len({(part.function, part.argument) for part in parts}) == 1
        if len(parts) < 2 or not alike or len({part.attribute for part in parts}) < len(parts):
            expected = "expected two or more terms of one function with different attributes"
            raise self._error(f"{UNORDERED!r} has terms that cannot change places", place, expected)
        return tuple(KeyPart(part.function, part.attribute, part.argument, self.groups) for part in parts)

    def _attribute(self, name: str, place: int) -> int:
        try:
            return self.index_of(name)
        except ValueError as error:
            raise self._error(f"unknown attribute {name!r}", place, str(error)) from error

    def _argument(self) -> int:
        lexeme, place = self.lexemes[self.position]
        if not lexeme.isascii() or not lexeme.isdigit() or len(lexeme) > 3 or not 1 <= int(lexeme) <= ARGUMENT_MAX:
            raise self._error("the number is not usable", place, f"expected an integer from 1 to {ARGUMENT_MAX}")
        self.position += 1
        return int(lexeme)

    def _name(self, expected: str) -> tuple[str, int]:
        lexeme, place = self.lexemes[self.position]
        if not lexeme.isidentifier():
            raise self._error(_found(lexeme), place, f"expected {expected}")
        self.position += 1
        return lexeme, place

    def _take(self, mark: str, expected: str) -> None:
        lexeme, place = self.lexemes[self.position]
        if lexeme != mark:
            raise self._error(_found(lexeme), place, f"expected {expected}")
        self.position += 1

    def _at(self, mark: str) -> bool:
        return self.lexemes[self.position][0] == mark

    def _lex(self) -> list[tuple[str, int]]:
        """Return each lexeme with its place, and an empty one for the end."""
        lexemes: list[tuple[str, int]] = []
        place = 0
        end = len(self.text.rstrip())
        while place < end:
            found = _LEXEMES.match(self.text, place)
            if found is None:
                place += len(self.text[place:]) - len(self.text[place:].lstrip())
                raise self._error(
                    f"unexpected {self.text[place]!r}", place, "expected a name, a number, '+', '(' or ','"
                )
            lexemes.append((found[found.lastgroup or 0], found.start(found.lastgroup or 0)))
            place = found.end()
        lexemes.append(("", end))
        return lexemes

    def _error(self, problem: str, place: int, expected: str) -> ValueError:
        return ValueError(f"{problem} at character {place + 1} of key expression {self.text!r}; {expected}")


def _found(lexeme: str) -> str:
    return f"unexpected {lexeme!r}" if lexeme else "unexpected end"
