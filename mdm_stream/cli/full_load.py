"""What a full load deletes: records that the index has of its sources, and that none of its files names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mdm_stream.cli.event_inputs import CheckedInputs, EventInput
from mdm_stream.cli.output import say
from mdm_stream.core.model import RecordEvent, split_ref
from mdm_stream.decode.files.csv_check import CsvReport
from mdm_stream.decode.files.csv_table import absence_version, has_versions
from mdm_stream.decode.sources import Route, SourceCatalogue
from mdm_stream.errors import RejectedEventError
from mdm_stream.index.absent import absent_refs
from mdm_stream.index.reader import IndexReader


@dataclass(frozen=True, slots=True)
class FullLoad:
    """The deletions of a full load, and why it may not be done, a sentence a source."""

    deletions: tuple[RecordEvent, ...]
    refused: tuple[str, ...]


def plan_full_load(
    checked: CheckedInputs,
    catalogue: SourceCatalogue,
    open_reader: Callable[[str], IndexReader],
    deleted_share_max: float,
) -> FullLoad:
    """Return what is to be deleted once everything else was sent. ``open_reader`` returns the index of a domain."""
    refused = [
        f"{given.name}: of {report.unknown_records:,} rejected rows the record is unknown, and it would be deleted"
        for given, report in _files(checked)
        if report.unknown_records
    ]
    deletions: list[RecordEvent] = []
    for route, files in _by_source(checked, catalogue):
        name = route.source.name
        loaded_at_us = max(given.loaded_at_us for given, _ in files)
        number = max(report.rows for _, report in files) + 1
        versioned = any(has_versions(route.source, report.columns) for _, report in files)
        version = absence_version(route.source, loaded_at_us, number, has_versions=versioned)
        if version is None:
            why = "its versions are a counter's or texts, of which a record that is absent has none"
            refused.append(f"source {name}: a full load of it cannot delete, since {why}")
            continue
        seen: set[str] = set()
        for _, report in files:
            seen |= report.seen.get((route.domain, name), set())
        refs, live = absent_refs(open_reader(route.domain), name, seen, version)
        say(f"source {name}: {len(refs):,} of {live:,} live records are not in the full load: deleted last", err=True)
        if len(refs) > deleted_share_max * live:
            refused.append(
                f"source {name}: the full load lacks {len(refs):,} of {live:,} live records, more than "
                f"{deleted_share_max:.0%}; see whether it is whole, then raise --max-deleted or use --force"
            )
        deletions += [
            RecordEvent(route.domain, name, split_ref(ref)[1], "delete", version, loaded_at_us) for ref in refs
        ]
    return FullLoad(tuple(deletions), tuple(refused))


def _files(checked: CheckedInputs) -> list[tuple[EventInput, CsvReport]]:
    return [(checked.inputs[place], report) for place, report in checked.reports.items()]


def _by_source(
    checked: CheckedInputs, catalogue: SourceCatalogue
) -> list[tuple[Route, list[tuple[EventInput, CsvReport]]]]:
    """Return the files by the source whose records they are; one without rows is of the source that was named."""
    found: dict[tuple[str, str], tuple[Route, list[tuple[EventInput, CsvReport]]]] = {}
    for given, report in _files(checked):
        routes = list(report.routes)
        if not routes and given.source is not None:
            try:
                routes = [catalogue.by_source("csv", given.source)]
            except RejectedEventError:
                continue  # the check of the file has said so
        for route in routes:
            found.setdefault((route.domain, route.source.name), (route, []))[1].append((given, report))
    return list(found.values())
