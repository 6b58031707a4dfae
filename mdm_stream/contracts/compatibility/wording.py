"""How differences are told: what changed from the earlier document to the present one, and why that matters."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mdm_stream.contracts.compatibility.branches import SchemaBranch
from mdm_stream.contracts.compatibility.findings import Difference

_SHOWN_MAX = 10
_CHARS_MAX = 120


class Wording:
    """Words of one comparison. ``lost``: the present document takes away what the earlier one had; else it adds."""

    def __init__(self, *, lost: bool) -> None:
        """Take which of the two it is."""
        self._lost = lost
        self._why = "what was accepted is refused" if lost else "what did not occur may occur"

    def bound(self, keyword: str, narrow: float | None, wide: float | None) -> Difference:
        """A length, count or range whose bound differs."""
        old, new = (narrow, wide) if self._lost else (wide, narrow)
        return Difference((), keyword, f"{keyword} {_number(old)} -> {_number(new)}", self._why)

    def replaced(self, keyword: str, narrow: Collection[Any], wide: Collection[Any]) -> Difference:
        """A keyword whose content can be compared no further, such as a pattern."""
        old, new = (narrow, wide) if self._lost else (wide, narrow)
        both = bool(old) and bool(new) and keyword != "uniqueItems"
        why = "that both mean the same values cannot be shown" if both else self._why
        return Difference((), keyword, f"{keyword} {_several(old)} -> {_several(new)}", why)

    def value(self, value: object) -> Difference:
        """One value that the other schema does not take."""
        said = f"value {_short(value)} is refused now" if self._lost else f"value {_short(value)} is new"
        return Difference((), "value", said, self._why)

    def values(self, values: Sequence[Any]) -> Difference:
        """Only some values on one side, and any on the other."""
        listed = ", ".join(map(_short, values[:_SHOWN_MAX])) + (", ..." if len(values) > _SHOWN_MAX else "")
        said = f"only {listed} from now on" if self._lost else f"not only {listed} any more"
        return Difference((), "value", said, self._why)

    def alternative(
        self, atom: SchemaBranch, branches: Sequence[SchemaBranch], alike: Sequence[SchemaBranch]
    ) -> Difference:
        """A part of a schema that has no counterpart."""
        (kind,) = atom.types
        if not alike:
            shown = "number" if kind == "fraction" else kind
            labelled = f" ({atom.label})" if kind == "object" and atom.label else ""
            said = f"type {shown}{labelled} is refused now" if self._lost else f"type {shown}{labelled} is new"
            return Difference((), "type", said if branches else f"{said}: nothing is accepted", self._why)
        if atom.values is not None:
            return self.value(next(iter(atom.values.values())))
        shown = atom.label or kind
        said = f"alternative {shown} is refused now" if self._lost else f"alternative {shown} is new"
        return Difference((), "alternative", said, self._why)

    def required(self, name: str) -> Difference:
        """A field that is required on one side alone."""
        if self._lost:
            return Difference((name,), "required", "is required now", "a document without it is refused")
        return Difference((name,), "required", "is optional now", "a document may come without it")

    def refused(self, name: str, renamed: str) -> Difference:
        """A field that one document has, while the other refuses unknown ones."""
        if self._lost:
            return Difference((name,), "property", _removed(renamed), "unknown fields are refused")
        return Difference((name,), "property", "is a new field", "the earlier document refuses unknown fields")

    def unnamed(self, name: str, renamed: str) -> Difference:
        """A field that one document has, while the other takes any."""
        if self._lost:
            return Difference((name,), "property", _removed(renamed), "unknown fields are accepted", breaks=False)
        return Difference((name,), "property", "is a new field", "readers ignore what they do not know", breaks=False)

    def gone(self, name: str, renamed: str) -> Difference:
        """A field that the present document no longer has."""
        return Difference((name,), "property", _removed(renamed), "who reads it finds it no more")

    def claimed(self, name: str) -> Difference:
        """A new field in the place of an unknown one, which was accepted whatever it held."""
        return Difference((name,), "property", "is a new field", "anything was accepted under this name")

    def additional(self) -> Difference:
        """Unknown fields that are accepted on one side alone."""
        said = "unknown fields are refused now" if self._lost else "unknown fields are possible now"
        return Difference((), "additionalProperties", said, self._why)

    def default(self, old: object, new: Mapping[str, Any]) -> Difference:
        """Another default: what a document leaves out has another meaning."""
        shown = _short(new["default"]) if "default" in new else "none"
        return Difference((), "default", f"default {_short(old)} -> {shown}", "what is left out means something else")

    def unsure(self, keyword: str, old: object = None, new: object = None) -> Difference:
        """A keyword that differs and is not understood."""
        changed = f" {_short(old)} -> {_short(new)}" if old is not None else ""
        return Difference((), keyword, f"{keyword}{changed} differs", "that it is safe cannot be shown")


def _removed(renamed: str) -> str:
    return f"is removed; {renamed} has its schema (renamed?)" if renamed else "is removed"


def _number(bound: float | None) -> str:
    return "none" if bound is None else str(bound)


def _several(values: Collection[Any]) -> str:
    return ", ".join(sorted(map(_short, values))) or "none"


def _short(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    text = {"None": "null", "True": "true", "False": "false"}.get(text, text)
    return text if len(text) <= _CHARS_MAX else f"{text[:_CHARS_MAX]}..."
