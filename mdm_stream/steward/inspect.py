"""Looking into an index: what a record or golden id names, and all that explaining a pair needs to know.

For people. Reads only, in a few round trips; nobody is kept from writing meanwhile, so reads that contradict each other
are done again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from mdm_stream.contracts.golden_explanation import GoldenExplanation
from mdm_stream.contracts.steward import Explanation, Lookup, SourceRecordState
from mdm_stream.core.cluster.golden import golden_id_of
from mdm_stream.core.model import split_ref
from mdm_stream.core.plan.commit import HeldComponent
from mdm_stream.core.record import Record
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.errors import ConfigurationError, TerminalError, TransientError
from mdm_stream.index.reader import IndexReader
from mdm_stream.steward.describe import Reveal, describe_golden, describe_record
from mdm_stream.steward.explain import PairContext, explain
from mdm_stream.steward.explain_golden import explain_golden

READ_ATTEMPTS_MAX = 5
"""How often reads that contradict each other are done again: each time another writer changed the same few records."""

_GOLDEN_ID = re.compile(r"g[0-9a-f]{24}")

T = TypeVar("T")


class NotFoundError(TerminalError):
    """The index knows nothing of that name."""


class _ChangedMeanwhileError(TransientError):
    """Two reads contradict each other."""


def show(index: IndexReader, rules: Ruleset, name: str, *, reveal: Reveal = False) -> Lookup:
    """Return what a record (``source/record_id``) or a golden id names.

    ``golden`` is the golden record as the feed carries it, ``None`` where there is none: the record is deleted, or the
    id's anchor is. ``record`` is the source record that was asked for, or that a golden id which is not live leads
    to. ``redirected_from`` is that id: it leads to wherever its anchor is now. Finding the anchor of an id that is not
    live scans the whole domain. ``NotFoundError`` if nothing has that name, ``ConfigurationError`` if it is none.
    """

    def look() -> Lookup:
        golden = index.golden_record(name) if _GOLDEN_ID.fullmatch(name) else None
        if golden is not None:
            return _shown(rules, golden, None, None, reveal=reveal)
        ref = find_record(index, rules, name)
        record = _known(index, ref)
        golden_id = index.golden_of([ref]).get(ref)
        golden = None if golden_id is None else index.golden_record(golden_id)
        if record.live != (golden is not None):
            raise _ChangedMeanwhileError
        sizes = _block_sizes(index, list(record.keys))
        described = describe_record(rules, record, sizes, reveal=reveal)
        return _shown(rules, golden, described, None if name == ref else name, reveal=reveal)

    return _consistently(look)


def explain_names(
    index: IndexReader, rules: Ruleset, names: tuple[str, str], *, values: bool = False, reveal: Reveal = False
) -> Explanation:
    """Return why two records, or the anchors of two golden ids, are together or not: see ``explain``.

    ``NotFoundError`` if either name is unknown; ``ConfigurationError`` if it is none, or both name one record.
    """

    def look() -> Explanation:
        a, b = (_known(index, find_record(index, rules, name)) for name in names)
        if a.ref == b.ref:
            raise ConfigurationError("both names are of one record; name two different ones")
        near = index.read_neighbourhood([a.ref, b.ref])
        components = {ref: near.components[held] for ref, held in near.component_of.items()}
        records = _members(index, components, {a.ref: a, b.ref: b})
        sizes = _block_sizes(index, sorted(set(a.keys) & set(b.keys)))
        return explain(rules, a, b, PairContext(components, records, sizes), values=values, reveal=reveal)

    return _consistently(look)


def explain_golden_name(
    index: IndexReader, rules: Ruleset, name: str, *, values: bool = False, reveal: Reveal = False
) -> GoldenExplanation:
    """Return how the golden record of a golden id, or of a record, came together: see ``explain_golden``.

    ``redirected_from`` is a golden id that is not live any more: what its anchor is in now is explained.
    ``NotFoundError`` if the name is unknown, or of a record that is in no golden record; ``ConfigurationError`` if it
    is none.
    """

    def look() -> GoldenExplanation:
        record = _known(index, find_record(index, rules, name))
        if not record.live:
            raise NotFoundError(f"{record.ref} is in no golden record now; mdm-stream show says what became of it")
        near = index.read_neighbourhood([record.ref])
        if record.ref not in near.component_of:
            raise _ChangedMeanwhileError
        component = near.components[near.component_of[record.ref]]
        records = _members(index, {record.ref: component}, {record.ref: record})
        found = explain_golden(rules, record.ref, component, records, values=values, reveal=reveal)
        moved = _GOLDEN_ID.fullmatch(name) is not None and name != found.golden_id
        return found.model_copy(update={"redirected_from": name}) if moved else found

    return _consistently(look)


def find_record(index: IndexReader, rules: Ruleset, name: str) -> str:
    """Return the reference that a name stands for: itself, or the anchor of a golden id, live or not.

    The anchor of a live golden record is one of its members; that of another id is found by a scan of the domain.
    """
    if not _GOLDEN_ID.fullmatch(name):
        if not all(split_ref(name)):
            raise ConfigurationError(f"{name!r} is neither SOURCE/RECORD_ID nor a golden id (g and 24 hex digits)")
        return name
    golden = index.golden_record(name)
    members = [] if golden is None else [f"{member['source']}/{member['record_id']}" for member in golden["members"]]
    for ref in members or index.scan_refs():
        if golden_id_of(rules.domain, ref) == name:
            return ref
    raise NotFoundError(f"the index of domain {rules.domain!r} has no golden record {name}, and never had")


def _shown(
    rules: Ruleset,
    golden: dict[str, Any] | None,
    record: SourceRecordState | None,
    moved: str | None,
    *,
    reveal: Reveal,
) -> Lookup:
    return Lookup(
        domain=rules.domain,
        redirected_from=moved,
        golden=None if golden is None else describe_golden(rules, golden, reveal=reveal),
        record=record,
    )


def _known(index: IndexReader, ref: str) -> Record:
    record = index.read_records([ref]).get(ref)
    if record is None:
        raise NotFoundError(f"the index knows no record {ref}")
    return record


def _members(index: IndexReader, components: dict[str, HeldComponent], pair: dict[str, Record]) -> dict[str, Record]:
    """Return every member of the components; the two records must be there just if they are live."""
    if any(record.live != (ref in components) for ref, record in pair.items()):
        raise _ChangedMeanwhileError
    refs = sorted({ref for component in components.values() for ref in component.members} - pair.keys())
    records = {**index.read_records(refs), **pair}
    if any(ref not in records or not records[ref].live for ref in refs):
        raise _ChangedMeanwhileError
    return records


def _block_sizes(index: IndexReader, keys: list[str]) -> dict[str, int]:
    return {key: block.size for key, block in index.read_blocks(dict.fromkeys(keys, 0)).items()}


def _consistently(look: Callable[[], T]) -> T:
    for _ in range(READ_ATTEMPTS_MAX):
        try:
            return look()
        except _ChangedMeanwhileError:
            continue
    raise TransientError("what was asked for keeps changing; ask again in a moment")
