"""The last step of a load: the deletions of a full load, once all its rows were sent, and its end."""

from __future__ import annotations

from mdm_stream.contracts.change import encode_event
from mdm_stream.contracts.file_manifest import FileWarning
from mdm_stream.core.model import RecordEvent, split_ref
from mdm_stream.core.times import format_time_us
from mdm_stream.index.errors import NoIndexError
from producers.files.judging import absent_from
from producers.files.manifest import LoadView
from producers.files.records import DeletionsRecord, FinishedRecord, SentRecord
from producers.files.surroundings import LoadSurroundings, reader_of
from producers.partition_key import partition_key


def finish_load(around: LoadSurroundings, view: LoadView) -> None:
    """Send the deletions of a full load, and write that the load is done.

    What is deleted is written down before it is sent, so that a second try sends the same. The share that may be
    deleted was judged before anything was sent; it is looked at again here, since the index went on meanwhile: past it
    nothing is deleted, and the manifest warns. A load that a person released is deleted for as it was released.
    """
    attempt, objects = view.attempt, around.store.objects
    sent = 0
    for number in sorted(attempt.chunks_in("sent")):
        record = around.store.read(attempt.of_chunk("sent", number), SentRecord)
        sent += 0 if record is None else record.sent
    deletions = _deletions(around, view)
    if deletions.record_ids and deletions.version is not None:
        domain, source = view.record.domain or "", view.record.source or ""
        with around.open_stream() as stream:
            for record_id in deletions.record_ids:
                gone = RecordEvent(domain, source, record_id, "delete", deletions.version, view.record.as_of_us)
                around.put_event(stream, encode_event(gone), partition_key(domain, source, record_id))
            stream.flush()
    deleted = len(deletions.record_ids)
    finished = FinishedRecord(
        sent=sent + deleted,
        deleted=deleted,
        ended_at=format_time_us(around.now_us()),
        warnings=[] if deletions.withheld is None else [deletions.withheld],
    )
    objects.create(attempt.name("finished.json"), finished.encode())


def _deletions(around: LoadSurroundings, view: LoadView) -> DeletionsRecord:
    if view.plan is None or view.plan.load != "full":
        return DeletionsRecord()
    attempt = view.attempt
    known = attempt.read("deletions.json", DeletionsRecord)
    if known is None:
        found = _found_absent(around, view)
        created = around.store.objects.create(attempt.name("deletions.json"), found.encode())
        known = found if created else attempt.read("deletions.json", DeletionsRecord)
    return known or DeletionsRecord()


def _found_absent(around: LoadSurroundings, view: LoadView) -> DeletionsRecord:
    reader = reader_of(around, view)
    try:
        found = absent_from(around, view, reader)
    except NoIndexError:
        said = "no record was deleted: nothing of the domain was resolved yet, so none was known that the load has not"
        return DeletionsRecord(withheld=FileWarning(code="no_deletions", path="load", message=said))
    if found is None or found[2] is None:
        said = "no record was deleted: it is not known which ones the load has not, or at which version"
        return DeletionsRecord(withheld=FileWarning(code="no_deletions", path="load", message=said))
    refs, live, version = found
    if view.release is None and len(refs) > reader.rules.deleted_share_max * live:
        said = (
            f"no record was deleted: {len(refs):,} of {live:,} live records are not in the load by now, more than "
            f"{reader.rules.deleted_share_max:.0%}; deliver a full load that has them, or release this one"
        )
        return DeletionsRecord(withheld=FileWarning(code="deleted_share", path="load", message=said))
    return DeletionsRecord(record_ids=[split_ref(ref)[1] for ref in refs], version=version)
