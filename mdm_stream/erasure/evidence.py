"""What was found of records that are erased: gathered place by place, and judged when every place has been seen.

What says whose it is, is judged by that: an item that is theirs is a finding whatever it holds. What does not say whose
it is, is judged by its bytes. It is a finding if they hold, in any form,

* a value that no record has which is not erased,
* the id of one of the records,
* several of their values, shared and short ones too, unless these are very frequent,
* or something that cannot be read, so that there is no telling.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from mdm_stream.core.model import STEWARD_SOURCE, make_ref
from mdm_stream.erasure.folding import fold
from mdm_stream.erasure.values import Values


@dataclass(frozen=True, slots=True)
class Remnant:
    """Something that is left: in which store, what kind of thing, how often, and until when if it goes by itself.

    ``where`` names some of the places, without a value: ids of dead letters, sequence numbers.
    """

    store: str
    what: str
    count: int
    until_us: int | None = None
    where: tuple[str, ...] = ()


PLACES_NAMED_MAX = 10
"""Places of one kind of finding that are named; all are counted."""

FREQUENT_SIGHTINGS = 20
"""A value that so many items of other records were seen to have is very frequent: it does not count as one of several
that together point to somebody."""

SEVERAL = 2


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
        self._shared: Counter[str] = Counter()
        self._theirs: dict[tuple[str, str], _Sightings] = {}
        self._unclear: dict[tuple[str, str], dict[_Traces, _Sightings]] = {}

    def theirs(self, store: str, what: str, until_us: int | None = None, where: str | None = None) -> None:
        """Note an item that is theirs."""
        self._theirs.setdefault((store, what), _Sightings()).add(until_us, where)

    def others(self, raw: bytes, refs: Collection[str]) -> None:
        """Note the content of something that belongs to other records, by their references."""
        if not self.tombstones.issuperset(refs):
            self._shared.update(self.values.found_in(raw))

    def unclear(
        self,
        store: str,
        what: str,
        raw: bytes,
        until_us: int | None = None,
        where: str | None = None,
        *,
        may_name_them: bool = False,
    ) -> None:
        """Note the content of something that does not say whose it is.

        ``may_name_them``: their ids alone prove nothing, as it claims to be another's, or keeps ids on purpose.
        """
        found = self.values.anywhere_in(raw)
        traces = _Traces(frozenset(found.values | found.words), found.ids and not may_name_them, found.opaque)
        if traces.texts or traces.ids or traces.opaque:
            self._unclear.setdefault((store, what), {}).setdefault(traces, _Sightings()).add(until_us, where)

    def golden(self, store: str, what: str, content: Mapping[str, Any], until_us: int | None = None) -> None:
        """Note a golden record or a change of one, each value of which says whose it is."""
        values, found = content.get("values", {}), False
        members = {make_ref(str(key["source"]), str(key["record_id"])) for key in content.get("members", ())}
        for name, origins in content.get("provenance", {}).items():
            value = values.get(name)
            parts = value if isinstance(value, list) and len(value) == len(origins) else [value] * len(origins)
            for origin, part in zip(origins, parts, strict=True):
                refs = _refs_of(origin, members)
                if not self.refs.isdisjoint(refs):
                    found = True
                else:
                    self.others(orjson.dumps(part), refs)
        if found:
            self.theirs(store, what, until_us)

    def record(self, store: str, what: str, content: Mapping[str, Any], until_us: int | None = None) -> None:
        """Note what the feed says of a source record."""
        ref = make_ref(str(content["source"]), str(content["record_id"]))
        said = [content.get("attributes"), content.get("overrides")]
        if ref in self.refs and any(said):
            self.theirs(store, what, until_us)
        elif ref not in self.refs:
            self.others(orjson.dumps(said), [ref])

    @property
    def shared(self) -> frozenset[str]:
        """The values that records which are not erased have too, as far as was seen."""
        return frozenset(self._shared)

    @property
    def own(self) -> frozenset[str]:
        """The values that nobody else was seen to have."""
        return self.values.texts - self._shared.keys()

    @property
    def frequent(self) -> frozenset[str]:
        """The values that so many others were seen to have that they point to nobody."""
        return frozenset(value for value, count in self._shared.items() if count >= FREQUENT_SIGHTINGS)

    def findings(self) -> list[Remnant]:
        """Return what is left, by store and kind."""
        found = {place: [sightings] for place, sightings in self._theirs.items()}
        for (store, what), sightings_by_traces in self._unclear.items():
            for traces, sightings in sightings_by_traces.items():
                if (why := self._why(traces)) is not None:
                    found.setdefault((store, what + why), []).append(sightings)
        return [
            Remnant(
                store,
                what,
                sum(each.count for each in several),
                max((each.until_us for each in several if each.until_us is not None), default=None),
                tuple(where for each in several for where in each.where)[:PLACES_NAMED_MAX],
            )
            for (store, what), several in sorted(found.items())
        ]

    def _why(self, traces: _Traces) -> str | None:
        """Return why something that does not say whose it is may be theirs, as words to add; ``None`` if it is not."""
        if traces.texts & self.own:
            return ""
        if traces.ids:
            return ", with an id of theirs"
        if len(_distinct(traces.texts - self.frequent)) >= SEVERAL:
            return ", with several of their values"
        return ", with content that cannot be read" if traces.opaque else None


def _distinct(values: Collection[str]) -> set[str]:
    """Return the values that are no mere forms or parts of others."""
    folded = {fold(value) for value in values}
    return {each for each in folded if not any(each != other and each in other for other in folded)}


@dataclass(frozen=True, slots=True)
class _Traces:
    """What something that does not say whose it is holds of them."""

    texts: frozenset[str]
    ids: bool
    opaque: bool


@dataclass(slots=True)
class _Sightings:
    """How often something was seen, until when the last of it stays, and some of the places."""

    count: int = 0
    until_us: int | None = None
    where: list[str] = field(default_factory=list)

    def add(self, until_us: int | None, where: str | None) -> None:
        self.count += 1
        if until_us is not None:
            self.until_us = until_us if self.until_us is None else max(self.until_us, until_us)
        if where is not None and len(self.where) < PLACES_NAMED_MAX:
            self.where.append(where)


def total(findings: Sequence[Remnant], store: str) -> int:
    """Return how many things were found in a store."""
    return sum(finding.count for finding in findings if finding.store == store)


def records_in_change(content: Mapping[str, Any]) -> set[str]:
    """Return every record that the content of an outbox entry or feed message names: members, origins, the erased.

    Of evidence that is the record, or both of a pair.
    """
    keys = [*content.get("members", ()), *content.get("removed", ())]
    if content["op"] in ("erase", "record"):
        keys.append(content)
    elif content["op"] in ("match", "review"):
        keys += (content["a"], content["b"])
    named = {make_ref(str(key["source"]), str(key["record_id"])) for key in keys}
    return named.union(*(_refs_of(o, named) for origins in content.get("provenance", {}).values() for o in origins))


def _refs_of(origin: Mapping[str, Any], members: Collection[str]) -> set[str]:
    """Return the records that a provenance entry may speak of, most often one.

    A steward's names the reference of the record that is overridden. Where a source was called ``steward`` once, its
    records look the same: then what is a member decides, and both are meant where that does not.
    """
    source, record_id = str(origin["source"]), str(origin["record_id"])
    itself = make_ref(source, record_id)
    if source != STEWARD_SOURCE:
        return {itself}
    may_be = {itself, record_id} if "/" in record_id else {itself}
    return may_be.intersection(members) or may_be
