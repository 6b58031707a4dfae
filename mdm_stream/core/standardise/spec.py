"""The declaration of a standardiser: what a type is called, what options it takes, what it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from mdm_stream.core.model import Standardised

OptionValue = str | int | float | bool
Options = Mapping[str, OptionValue]
Standardiser = Callable[[str, Options], Standardised]
"""Takes a delivered text and the type's options (absent ones have their default); total, pure and idempotent."""


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """One option of a type. ``allowed`` (texts) and ``minimum``/``maximum`` (integers) bound its value, if set.

    ``problem`` says what else is wrong with a text.
    """

    kind: Literal["boolean", "integer", "text"]
    default: OptionValue
    description: str
    allowed: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    problem: Callable[[str], str | None] | None = None

    def problem_with(self, value: object) -> str | None:
        """Return what was expected instead of ``value``, or ``None`` if it is acceptable."""
        if self.kind == "boolean":
            return None if isinstance(value, bool) else "true or false"
        if self.kind == "integer":
            low, high = self.minimum, self.maximum
            is_integer = isinstance(value, int) and not isinstance(value, bool)
            if is_integer and (low is None or value >= low) and (high is None or value <= high):  # type: ignore[operator]
                return None
            return f"an integer from {low} to {high}"
        if isinstance(value, str) and (not self.allowed or value in self.allowed):
            return None if self.problem is None else self.problem(value)
        if not self.allowed:
            return "a text"
        return f"one of {', '.join(choice or repr(choice) for choice in self.allowed)}"


@dataclass(frozen=True, slots=True)
class TypeSpec:
    """One attribute type.

    ``standardise`` gets a cleaned text of at most ``characters_max`` that is not blank and no placeholder, with every
    option present, and returns ``match`` as a function of ``value`` alone: that makes the type idempotent.
    ``is_placeholder`` sees such a text too. ``parts`` are what ``split`` yields of a value, as texts, for an
    attribute's ``fills``; ``join`` writes a value of parts, those of ``join_needs`` at least, in the way of another
    value (``""``: of none). ``country_option`` names the option that a record's own country decides, if there is one.
    Of a quantity (``is_quantity``) alone a number in scientific notation says enough.
    """

    name: str
    standardise: Standardiser
    is_placeholder: Callable[[str], bool]
    characters_max: int
    options: Mapping[str, OptionSpec] = field(default_factory=dict)
    parts: tuple[str, ...] = ()
    split: Callable[[str, Options], Mapping[str, str]] | None = None
    join: Callable[[Mapping[str, str], str, Options], str] | None = None
    join_needs: tuple[str, ...] = ()
    country_option: str = ""
    is_quantity: bool = False
