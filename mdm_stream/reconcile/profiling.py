"""A profile of a domain: tables about its values and its blocking, of the records as they are after all that was read.

A profile is a folder with a Parquet table each of ``TABLES``, and ``summary.json``, which is written last: a folder
without it is none. What it says of values is in ``reconcile.value_tables``, of blocking in
``reconcile.blocking_statistics``; every column is told in docs/operate/profiling.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from mdm_stream.archive import Archive
from mdm_stream.archive.record import ArchivedRecord
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.times import format_time_us
from mdm_stream.errors import ConfigurationError
from mdm_stream.objects.opening import open_object_store
from mdm_stream.objects.store import ObjectStore
from mdm_stream.reconcile.blocking_statistics import BlockStatistics, Recall, block_statistics, largest_blocks
from mdm_stream.reconcile.edges import block_sizes
from mdm_stream.reconcile.recompute import Resolved
from mdm_stream.reconcile.value_facts import make_facts
from mdm_stream.reconcile.value_tables import (
    TERM_RECORDS_MIN,
    attribute_table,
    distributions,
    shared_values,
    term_frequencies,
    value_counts,
    with_totals,
)
from mdm_stream.reconcile.worker_rules import WorkerRules
from mdm_stream.reconcile.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

PROFILE_FORMAT = 1
"""Raised when an older release could not read a newer profile."""

SUMMARY = "summary.json"

TABLES = ("attributes", "shared_values", "term_frequencies", "distributions", "blocks", "largest_blocks")

_SMALL = frozenset(TABLES) - {"term_frequencies", "shared_values"}
"""Tables of few rows, whatever the records: a file each."""

_BLOCK_TYPES = {"str": "string", "int": "long", "float | None": "double"}


@dataclass(frozen=True, slots=True)
class ProfileOptions:
    """``values``: whether tables have the values themselves, which are personal, beside their digests.

    ``term_records_min``: records that must have a value before it is among the term frequencies.
    """

    values: bool = False
    term_records_min: int = TERM_RECORDS_MIN


@dataclass(frozen=True, slots=True)
class Profile:
    """The tables by name (``TABLES``), live records, and the figures of blocking."""

    records: int
    tables: Mapping[str, DataFrame]
    blocks: Sequence[BlockStatistics]
    recall: Recall


@dataclass(frozen=True, slots=True)
class ArchiveUntil:
    """Opens an archive as it was before a time: rows that arrived then or later are left out.

    Erasures and exclusions are those of now, since what they took away is not there any more.
    """

    url: str
    until_us: int

    def __call__(self) -> Archive:
        """Open it."""
        return _ArrivedBefore(open_object_store(self.url), self.until_us)


class _ArrivedBefore(Archive):
    """An archive without the rows that arrived at a time or later."""

    def __init__(self, store: ObjectStore, until_us: int) -> None:
        super().__init__(store)
        self._until_us = until_us

    def read_present(self, names: Iterable[str], missing: list[str]) -> Iterator[ArchivedRecord]:
        """Yield the rows of the named objects that arrived before."""
        return (row for row in super().read_present(names, missing) if row.arrival_time_us < self._until_us)


def profile_state(
    workspace: Workspace, rules: Ruleset, state: Resolved, options: ProfileOptions | None = None
) -> Profile:
    """Return the profile of a state that ``recompute`` has left in the same workspace.

    Its tables are computed when they are written; the workspace must be there until then.
    """
    chosen = options or ProfileOptions()
    packed = WorkerRules.of(rules)
    records, values = state.records, chosen.values
    facts = workspace.keep("profile-facts", lambda: make_facts(packed, records))
    counts = workspace.keep("profile-counts", lambda: value_counts(facts))
    with_all = workspace.keep("profile-totals", lambda: with_totals(counts))
    sizes = workspace.keep("blocks", lambda: block_sizes(records))
    live = records.where("live").count()
    blocks, recall = block_statistics(rules, records, sizes, state.links)
    tables = {
        "attributes": attribute_table(rules, facts, with_all, values=values),
        "shared_values": shared_values(rules, live, counts, values=values),
        "term_frequencies": term_frequencies(rules, with_all, chosen.term_records_min, values=values),
        "distributions": distributions(rules, with_all, values=values),
        "blocks": _block_table(records, blocks),
        "largest_blocks": largest_blocks(rules, sizes, values=values),
    }
    return Profile(live, tables, blocks, recall)


def write_profile(profile: Profile, folder: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """Write the tables into a new folder, then the summary with what it is ``about``; return the summary.

    ``ConfigurationError`` if the folder has something in it already.
    """
    require_new(folder)
    for name in TABLES:
        table = profile.tables[name]
        (table.coalesce(1) if name in _SMALL else table).write.parquet(str(folder / name))
    summary = {
        "format": PROFILE_FORMAT,
        **about,
        "records": profile.records,
        "blocking": asdict(profile.recall),
        "tables": list(TABLES),
    }
    (folder / SUMMARY).write_bytes(orjson.dumps(summary, option=orjson.OPT_INDENT_2))
    return summary


def require_new(folder: Path) -> None:
    """Raise ``ConfigurationError`` unless a folder is not there, or empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(f"{folder} is there already and not empty; name another folder for the profile")


def what_of(rules: Ruleset, *, profiled_at_us: int, until_us: int | None, archive: str, objects: int) -> dict[str, Any]:
    """Return what a profile is of, for its summary: rules, archive, and until when its rows had arrived."""
    return {
        "domain": rules.domain,
        "rules": rules.digest,
        "profiled_at": format_time_us(profiled_at_us),
        "until": format_time_us(profiled_at_us if until_us is None else until_us),
        "archive": archive,
        "objects": objects,
    }


def _block_table(records: DataFrame, blocks: Sequence[BlockStatistics]) -> DataFrame:
    schema = ", ".join(f"{field.name} {_BLOCK_TYPES[str(field.type)]}" for field in fields(BlockStatistics))
    rows = [tuple(asdict(each).values()) for each in blocks]
    return records.sparkSession.createDataFrame(rows, schema)
