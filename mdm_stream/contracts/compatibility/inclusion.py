"""Whether every value that is valid under one schema is valid under another, and if not, where and why.

The answer is sound, not complete: what is found included is, as far as both documents say what is accepted; what
cannot be shown is a difference that breaks.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mdm_stream.contracts.compatibility.branches import (
    BOUNDS,
    NESTING_MAX,
    Schema,
    SchemaBranch,
    SchemaReader,
    all_of,
    by_text,
    disjoint,
    text_of,
    told_apart,
    type_of,
)
from mdm_stream.contracts.compatibility.findings import Difference, UncomparableError
from mdm_stream.contracts.compatibility.wording import Wording

SKIPPED = "x-skipped-by-readers"
"""The keyword of a schema whose readers pass over what has a value, or an alternative, that they do not know."""
PAIRS_MAX = 200_000
"""Pairs of schemas that one comparison looks at: our largest document takes some thousand."""

_LENGTHS = {"string": ("minLength", "maxLength"), "array": ("minItems", "maxItems")}
_COUNTS = ("minProperties", "maxProperties")
_RANGE = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
assert {*_LENGTHS["string"], *_LENGTHS["array"], *_COUNTS, *_RANGE} == set(BOUNDS)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two branches that are compared: all values of the narrow one should be of the wide one."""

    narrow: SchemaBranch
    wide: SchemaBranch


class Inclusion:
    """Asks of schemas of two documents whether all that is valid under the one is valid under the other.

    ``old_is_narrow``: whether the earlier document is the one whose values must stay valid (a change that takes
    something away is found), or the present one (a change that adds something is found).
    """

    def __init__(self, old: SchemaReader, new: SchemaReader, *, old_is_narrow: bool) -> None:
        """Take both documents."""
        self._narrow, self._wide = (old, new) if old_is_narrow else (new, old)
        self._old_is_narrow = old_is_narrow
        self._words = Wording(lost=old_is_narrow)
        self._found: dict[tuple[bytes, bytes], tuple[Difference, ...]] = {}
        self._open: set[tuple[bytes, bytes]] = set()
        self._assumed: set[tuple[bytes, bytes]] = set()
        self._pairs = 0

    def differences(self, narrow: Schema, wide: Schema) -> tuple[Difference, ...]:
        """Return why a value of the one may not be of the other, with what else a reader of the change should know.

        A pair of schemas that is met again while it is compared counts as included: if it is not, the first says so.
        """
        if (isinstance(wide, bool) and wide) or wide == {}:
            return tuple(self._annotations(narrow, wide))
        key = (text_of(narrow), text_of(wide))
        if key[0] == key[1] and b'"$ref"' not in key[0]:
            return ()
        if key in self._found:
            return self._found[key]
        if key in self._open:
            self._assumed.add(key)
            return ()
        self._pairs += 1
        if self._pairs > PAIRS_MAX or len(self._open) > NESTING_MAX:
            raise UncomparableError("the schemas are too large, or nested too deep, to be compared")
        self._open.add(key)
        outer, self._assumed = self._assumed, set()
        found = tuple(dict.fromkeys((*self._annotations(narrow, wide), *self._of_branches(narrow, wide))))
        if not self._old_is_narrow and isinstance(wide, dict) and wide.get(SKIPPED):
            known = {f"<{branch.label}>" for branch in self._wide.branches(wide)}
            found = tuple(dict.fromkeys(_skipped(each, known) for each in found))
        self._open.discard(key)
        self._assumed.discard(key)
        if not self._assumed:  # else it holds only if a pair does that is still being compared
            self._found[key] = found
        self._assumed |= outer
        return found

    def _annotations(self, narrow: Schema, wide: Schema) -> Iterator[Difference]:
        old, new = (narrow, wide) if self._old_is_narrow else (wide, narrow)
        if isinstance(old, bool) or isinstance(new, bool):
            return
        if new.get("deprecated") and not old.get("deprecated"):
            yield Difference((), "deprecated", "is deprecated now", "it means what it meant", breaks=False)
        kept = "default" in new and text_of(old.get("default")) == text_of(new["default"])
        if "default" in old and not kept:
            yield self._words.default(old["default"], new)
        elif "default" in new and "default" not in old:
            yield Difference(
                (), "default", f"has the default {new['default']!r} now", "there was none before", breaks=False
            )
        properties = [(each.get("discriminator") or {}).get("propertyName") for each in (old, new)]
        if None not in properties and properties[0] != properties[1]:
            yield self._words.unsure("discriminator", *properties)

    def _of_branches(self, narrow: Schema, wide: Schema) -> Iterator[Difference]:
        branches = self._wide.branches(wide)
        for each in self._narrow.branches(narrow):
            for atom in _atoms(each):
                yield from self._of_atom(atom, branches)

    def _of_atom(self, atom: SchemaBranch, branches: tuple[SchemaBranch, ...]) -> tuple[Difference, ...]:
        """Return the differences from the branch that is nearest to a branch of one type."""
        alike = [each for each in branches if atom.types <= each.types]
        near = [each for each in alike if self._is_near(atom, each)]
        nearest: tuple[tuple[bool, int], tuple[Difference, ...]] | None = None
        for each in near:
            found = tuple(self._of_pair(_Pair(atom, each)))
            weight = each.label != atom.label, sum(one.breaks for one in found)
            if not weight[1]:
                return found
            if nearest is None or weight < nearest[0]:
                nearest = weight, found
        if nearest is None:
            return (self._words.alternative(atom, branches, alike),)
        best = nearest[1]
        if len(alike) > 1 and atom.types == {"object"} and atom.label:
            return tuple(each.under(f"<{atom.label}>") for each in best)
        return best

    def _is_near(self, atom: SchemaBranch, branch: SchemaBranch) -> bool:
        """Tell whether two branches are of one kind: they share values, or else a name and what tells kinds apart."""
        if not disjoint(atom, branch, self._narrow, self._wide):
            return True
        named = atom.label != "" and atom.label == branch.label and atom.values is None
        return named and not told_apart(atom, branch, self._narrow, self._wide)

    def _of_pair(self, pair: _Pair) -> Iterator[Difference]:
        for name, text in pair.wide.opaque.items():
            if pair.narrow.opaque.get(name) != text:
                yield self._words.unsure(name)
        if pair.narrow.values is not None:
            yield from self._of_value(pair)
            return
        if pair.wide.values is not None:
            yield self._words.values(list(pair.wide.values.values()))
            return
        (kind,) = pair.narrow.types
        if kind == "string":
            yield from self._of_text(pair)
        elif kind in ("integer", "fraction"):
            yield from self._of_number(pair, kind)
        elif kind == "array":
            yield from self._of_list(pair)
        elif kind == "object":
            yield from self._of_object(pair)

    def _of_value(self, pair: _Pair) -> Iterator[Difference]:
        """One value is valid or it is not; formats, and lists and objects as values, are compared as they stand."""
        (value,) = (pair.narrow.values or {b"null": None}).values()
        if not _takes(pair.wide, value):
            yield self._words.value(value)
        elif isinstance(value, str) and not pair.wide.formats <= pair.narrow.formats:
            yield self._words.unsure("format")
        elif isinstance(value, list | dict) and not _only_listed(pair.wide):
            yield self._words.unsure("const")

    def _bounds(self, pair: _Pair, names: tuple[str, ...]) -> Iterator[Difference]:
        for name in names:
            narrow, wide = pair.narrow.bounds.get(name), pair.wide.bounds.get(name)
            if wide is None or (name.startswith("min") and name != "minimum" and wide == 0):
                continue
            low = name in ("minimum", "exclusiveMinimum") or name.startswith("min")
            if narrow is None and name in _RANGE:
                narrow = _implied(name, wide, pair.narrow.bounds)
            if narrow is None or (wide > narrow if low else wide < narrow):
                yield self._words.bound(name, narrow, wide)

    def _of_text(self, pair: _Pair) -> Iterator[Difference]:
        yield from self._bounds(pair, _LENGTHS["string"])
        for name in ("patterns", "formats"):
            narrow, wide = getattr(pair.narrow, name), getattr(pair.wide, name)
            if not wide <= narrow:
                yield self._words.replaced(name.removesuffix("s"), narrow, wide)

    def _of_number(self, pair: _Pair, kind: str) -> Iterator[Difference]:
        yield from self._bounds(pair, _RANGE)
        for multiple in pair.wide.multiples:
            whole = kind == "integer" and multiple == 1
            if not whole and not any(each % multiple == 0 for each in pair.narrow.multiples):
                yield self._words.replaced("multipleOf", pair.narrow.multiples, pair.wide.multiples)

    def _of_list(self, pair: _Pair) -> Iterator[Difference]:
        narrow, wide = pair.narrow, pair.wide
        yield from self._bounds(pair, _LENGTHS["array"])
        if wide.unique and not narrow.unique:
            yield self._words.replaced("uniqueItems", {False}, {True})
        longest = max(len(narrow.prefix), len(wide.prefix))
        held = int(narrow.bounds.get("maxItems", longest + 1))
        for number in range(min(longest, held)):
            yield from _under(f"[{number}]", self.differences(narrow.item(number), wide.item(number)))
        if held > longest:
            yield from _under("[]", self.differences(narrow.items, wide.items))

    def _of_object(self, pair: _Pair) -> Iterator[Difference]:
        narrow, wide = pair.narrow, pair.wide
        yield from self._bounds(pair, _COUNTS)
        gone = set[str]()
        for name in sorted({*narrow.properties, *wide.properties}):
            for each in self._of_field(pair, name):
                gone |= {name} if each.code == "property" and each.path == (name,) else set()
                yield each
        for name in sorted(wide.required - narrow.required - gone):
            yield self._words.required(name)
        if narrow.additional is not False:
            if wide.additional is False:
                yield self._words.additional()
            else:
                yield from _under("*", self.differences(narrow.additional, wide.additional))
        yield from self._of_patterned(pair)
        if wide.names:
            names = all_of({"type": "string"}, *narrow.names)
            found = self.differences(names, all_of(*wide.names))
            yield from (replace(each.under("(names)"), code=f"names.{each.code}") for each in found)

    def _of_field(self, pair: _Pair, name: str) -> Iterator[Difference]:
        narrow, wide = pair.narrow, pair.wide
        first, second = narrow.schema_of(name), wide.schema_of(name)
        if name in narrow.properties and name in wide.properties:
            if first is not False:
                yield from _under(name, self.differences(first, second))
            return
        renamed = self._renamed(pair, name)
        if name in narrow.properties:  # the wide one has no field of this name
            if first is False:
                return
            if second is False:
                yield self._words.refused(name, renamed)
                return
            found = self.differences(first, second)
            yield from _under(name, found) if found else (self._words.unnamed(name, renamed),)
        elif not self._old_is_narrow:  # the earlier document named it, and the present one does not
            yield self._words.gone(name, renamed)
        elif first is not False and self.differences(first, second):
            yield self._words.claimed(name)

    def _renamed(self, pair: _Pair, name: str) -> str:
        """Return another name that the same schema has in the present document alone, if this one was given up."""
        old, new = (pair.narrow, pair.wide) if self._old_is_narrow else (pair.wide, pair.narrow)
        if name in new.properties:
            return ""
        bare = _bare(old.properties[name])
        others = [each for each in new.properties if each not in old.properties and _bare(new.properties[each]) == bare]
        return others[0] if others else ""

    def _of_patterned(self, pair: _Pair) -> Iterator[Difference]:
        for pattern, schema in pair.wide.patterned.items():
            if pattern in pair.narrow.patterned:
                yield from _under(f"({pattern})", self.differences(pair.narrow.patterned[pattern], schema))
            elif schema not in (True, {}) and pair.narrow.additional is not False:
                yield self._words.unsure("patternProperties")
        for pattern, schema in pair.narrow.patterned.items():
            if pattern not in pair.wide.patterned:
                yield from _under(f"({pattern})", self.differences(schema, pair.wide.additional))


def _atoms(branch: SchemaBranch) -> Iterator[SchemaBranch]:
    """Yield a branch in parts of one type, and of one value where there are only so many."""
    if branch.values is not None:
        for text, value in branch.values.items():
            if _takes(branch, value):
                yield replace(branch, types=frozenset({type_of(value)}), values={text: value})
        return
    for kind in sorted(branch.types):
        values = {"boolean": (True, False), "null": (None,)}.get(kind)
        if values is None:
            yield replace(branch, types=frozenset({kind}))
        else:
            yield from (replace(branch, types=frozenset({kind}), values=by_text([each])) for each in values)


def _takes(branch: SchemaBranch, value: object) -> bool:
    """Tell whether a branch takes a value, as far as its bounds, patterns and list of values say."""
    if branch.values is not None and text_of(value) not in branch.values:
        return False
    if isinstance(value, str):
        low, high = branch.bounds.get("minLength", 0), branch.bounds.get("maxLength", len(value))
        return low <= len(value) <= high and all(_fits(pattern, value) for pattern in branch.patterns)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _in_range(value, branch.bounds) and not any(value % each for each in branch.multiples)
    return True


def _only_listed(branch: SchemaBranch) -> bool:
    """Tell whether nothing but a list of values bounds a branch of lists and objects."""
    free = branch.additional in (True, {}) and branch.items in (True, {}) and not branch.prefix and not branch.unique
    return free and branch.values is not None and not (branch.bounds or branch.properties or branch.required)


def _under(step: str, found: tuple[Difference, ...]) -> Iterator[Difference]:
    return (each.under(step) for each in found)


def _skipped(found: Difference, known: Container[str]) -> Difference:
    """Return a difference as it is where readers pass over what they do not know: one value or alternative more."""
    why = "readers pass over what they do not know"
    if found.path and found.path[0].startswith("<") and found.path[0] not in known:
        return Difference((), "alternative", f"alternative {found.path[0][1:-1]} is new", why, breaks=False)
    if found.path or found.code not in ("value", "type", "alternative"):
        return found
    return replace(found, breaks=False, why=why)


def _fits(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:
        return False


def _in_range(value: float, bounds: Mapping[str, Any]) -> bool:
    return (
        bounds.get("minimum", value) <= value <= bounds.get("maximum", value)
        and ("exclusiveMinimum" not in bounds or value > bounds["exclusiveMinimum"])
        and ("exclusiveMaximum" not in bounds or value < bounds["exclusiveMaximum"])
    )


def _implied(name: str, wide: float, bounds: Mapping[str, Any]) -> float | None:
    """Return the bound that the other keyword of the same side gives, in the place of one that is missing."""
    if name == "minimum":
        return bounds.get("exclusiveMinimum")
    if name == "maximum":
        return bounds.get("exclusiveMaximum")
    plain = bounds.get("minimum" if name == "exclusiveMinimum" else "maximum")
    inside = plain is not None and (plain > wide if name == "exclusiveMinimum" else plain < wide)
    return plain if inside else None


def _bare(schema: Schema) -> bytes:
    if isinstance(schema, bool):
        return text_of(schema)
    return text_of({name: value for name, value in schema.items() if name not in ("title", "description", "examples")})
