"""What was found of records that are erased: gathered place by place, and judged when every place has been seen.

What says whose it is, is judged by that: an item that is theirs is a finding whatever it holds. What does not say whose
it is, is judged by its bytes: a value in them is a finding, unless records that are not erased have the same value too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from mdm_stream.core.model import STEWARD_SOURCE, make_ref
from mdm_stream.erasure.values import Values


@dataclass(frozen=True, slots=True)
class Remnant:
    """Something that is left: in which store, what kind of thing, how often, and until when if it goes by itself."""

    store: str
    what: str
    count: int
    until_us: int | None = None


class Evidence:
    """Everything seen in a search for the values of ``refs``.

    ``tombstones`` are all records that are known to be erased: what is still about of them is nobody's, so that one
    erased record does not stand up for the values of another.
    """

    def __init__(self, refs: Collection[str], values: Values) -> None:
        """Start with nothing seen."""
        self.refs = frozenset(refs)
        self.values = values
        self.tombstones: set[str] = set()
        self._shared: set[str] = set()
        self._theirs: dict[tuple[str, str], tuple[int, int | None]] = {}
        self._unclear: dict[tuple[str, str], list[tuple[set[str], int | None]]] = {}

    def theirs(self, store: str, what: str, until_us: int | None = None) -> None:
        """Note an item that is theirs."""
        count, latest_us = self._theirs.get((store, what), (0, None))
        self._theirs[store, what] = count + 1, _later(latest_us, until_us)

    def others(self, raw: bytes, refs: Collection[str]) -> None:
        """Note the content of something that belongs to other records, by their references."""
        if not self.tombstones.issuperset(refs):
            self._shared |= self.values.found_in(raw)

    def unclear(self, store: str, what: str, raw: bytes, until_us: int | None = None) -> None:
        """Note the content of something that does not say whose it is."""
        found = self.values.found_in(raw)
        if found:
            self._unclear.setdefault((store, what), []).append((found, until_us))

    def golden(self, store: str, what: str, content: Mapping[str, Any], until_us: int | None = None) -> None:
        """Note a golden record or a change of one, each value of which says whose it is."""
        values, found = content.get("values", {}), False
        for name, origins in content.get("provenance", {}).items():
            value = values.get(name)
            parts = value if isinstance(value, list) and len(value) == len(origins) else [value] * len(origins)
            for origin, part in zip(origins, parts, strict=True):
                ref = _ref_of(origin)
                if ref in self.refs:
                    found = True
                else:
                    self.others(orjson.dumps(part), [ref])
        if found:
            self.theirs(store, what, until_us)

    @property
    def shared(self) -> frozenset[str]:
        """The values that records which are not erased have too, as far as was seen."""
        return frozenset(self._shared)

    @property
    def own(self) -> frozenset[str]:
        """The values that nobody else was seen to have."""
        return self.values.texts - self._shared

    def findings(self) -> list[Remnant]:
        """Return what is left, by store and kind."""
        found = dict(self._theirs)
        for place, sightings in self._unclear.items():
            for texts, until_us in sightings:
                if texts & self.own:
                    count, latest_us = found.get(place, (0, None))
                    found[place] = count + 1, _later(latest_us, until_us)
        return [Remnant(store, what, *counted) for (store, what), counted in sorted(found.items())]


def total(findings: Sequence[Remnant], store: str) -> int:
    """Return how many things were found in a store."""
    return sum(finding.count for finding in findings if finding.store == store)


def records_in_change(content: Mapping[str, Any]) -> set[str]:
    """Return every record that the content of an outbox entry or feed message names: members, origins, the erased."""
    keys = [*content.get("members", ()), *content.get("removed", ())]
    if content["op"] == "erase":
        keys.append(content)
    named = {make_ref(str(key["source"]), str(key["record_id"])) for key in keys}
    return named | {_ref_of(origin) for origins in content.get("provenance", {}).values() for origin in origins}


def _ref_of(origin: Mapping[str, Any]) -> str:
    """Return the record that a provenance entry speaks of; a steward's names the one that is overridden."""
    record_id = str(origin["record_id"])
    return record_id if origin["source"] == STEWARD_SOURCE else make_ref(str(origin["source"]), record_id)


def _later(one_us: int | None, other_us: int | None) -> int | None:
    return other_us if one_us is None else one_us if other_us is None else max(one_us, other_us)
