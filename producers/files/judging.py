"""The judge step: the findings of all chunks, and what is known of the source's other loads, make one verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mdm_stream.contracts.file_manifest import AttributeProfile
from mdm_stream.core.times import format_time_us
from mdm_stream.decode.files.csv_table import absence_version, has_versions
from mdm_stream.errors import Reason
from mdm_stream.index.absent import absent_refs
from mdm_stream.index.errors import NoIndexError
from producers.files.chunks import ChunkFindings
from producers.files.digests import Digests
from producers.files.judge import Absences, LoadTimes, LoadVerdict, judge_load
from producers.files.manifest import LoadView, view_of, wire_reason
from producers.files.reading import LoadReader
from producers.files.records import LoadVerdictRecord
from producers.files.surroundings import LoadSurroundings, reader_of

EARLIER_LOADS_MAX = 10
"""Loads of a source with whose profiles a new one is compared."""
LOOKED_AT_MAX = 50
"""Loads that are looked at to find so many that were done."""


def judge_attempt(around: LoadSurroundings, view: LoadView) -> None:
    """Write the verdict on a load whose chunks were all checked. The first verdict holds, if several judge at once."""
    reader = reader_of(around, view)
    accepted: list[int] = []

    def findings() -> Iterator[ChunkFindings]:
        for found in findings_of(view):
            accepted.append(found.accepted)
            yield found

    absences, unasked = _absences(around, view, reader)
    times, earlier = _other_loads(around, view)
    verdict = judge_load(reader.survey, findings(), reader.rules, times, absences=absences, earlier=earlier)
    if unasked is not None and verdict.decision == "run":
        verdict = replace(verdict, decision="held", reasons=(*verdict.reasons, unasked))
    record = verdict_record(verdict, format_time_us(around.now_us()), accepted)
    around.store.objects.create(view.attempt.name("verdict.json"), record.encode())


def verdict_record(verdict: LoadVerdict, decided_at: str, accepted: Sequence[int]) -> LoadVerdictRecord:
    """Return a verdict as it is stored."""
    return LoadVerdictRecord(
        decision=verdict.decision,
        decided_at=decided_at,
        reasons=[wire_reason(reason) for reason in verdict.reasons],
        warnings=list(verdict.warnings),
        rows=verdict.rows,
        accepted=verdict.accepted,
        rejected=verdict.rejected,
        skipped=verdict.skipped,
        accepted_by_chunk=list(accepted),
        rejected_rows=list(verdict.rejected_rows),
        profile=list(verdict.profile),
    )


def findings_of(view: LoadView) -> Iterator[ChunkFindings]:
    """Yield the findings of all chunks, in their order, one in memory at a time."""
    for number in sorted(view.attempt.chunks_in("checked")):
        yield ChunkFindings.from_json(view.attempt.store.objects.get(view.attempt.of_chunk("checked", number)))


def absent_from(
    around: LoadSurroundings, view: LoadView, reader: LoadReader
) -> tuple[list[str], int, int | str | None] | None:
    """Return the live records that a full load has not, how many are live, and the version of their deletion.

    ``None`` if no index is set, ``NoIndexError`` if nothing of the domain was resolved yet. Without a version none can
    be deleted, and none is looked for.
    """
    if around.open_index is None:
        return None
    source, record = reader.route.source, view.record
    versioned = has_versions(source, frozenset(reader.survey.header))
    version = absence_version(source, record.as_of_us, reader.survey.rows + 1, has_versions=versioned)
    if version is None:
        return [], 0, None
    named = Digests(found.refs for found in findings_of(view))
    refs, live = absent_refs(around.open_index(reader.ruleset), source.name, named, version)
    return refs, live, version


def _absences(around: LoadSurroundings, view: LoadView, reader: LoadReader) -> tuple[Absences | None, Reason | None]:
    if reader.rules.load != "full":
        return None, None
    try:
        found = absent_from(around, view, reader)
    except NoIndexError:
        return Absences(0, 0), None  # the first load of a domain
    if found is None:
        said = "cannot be done: no index is set (MDM_REDIS_URL) that says which records the load has not"
        return None, Reason("no_index", "load", said)
    refs, live, version = found
    return Absences(live, len(refs), versioned=version is not None), None


def _other_loads(around: LoadSurroundings, view: LoadView) -> tuple[LoadTimes, list[Sequence[AttributeProfile]]]:
    """Return the times of a load, and the profiles of the latest other ones of its source that ran."""
    record, store = view.record, around.store
    latest: int | None = None
    profiles: list[Sequence[AttributeProfile]] = []
    looked_at = 0
    for other in store.loads_of(record.domain or "", record.source or ""):
        if other.load_id == record.load_id:
            continue
        looked_at += 1
        if looked_at > LOOKED_AT_MAX or len(profiles) == EARLIER_LOADS_MAX:
            break
        seen = view_of(store.attempt(other.load_id))
        if seen.state not in ("running", "done"):
            continue
        latest = other.as_of_us if latest is None else max(latest, other.as_of_us)
        if seen.verdict is not None and seen.verdict.profile:
            profiles.append(seen.verdict.profile)
    return LoadTimes(record.as_of_us, record.received_at_us, latest), profiles
