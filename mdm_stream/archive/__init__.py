"""The archive of every accepted record, from which the index can be built anew."""

from mdm_stream.archive.archive import Archive, Verification, open_archive
from mdm_stream.archive.compact import Compaction
from mdm_stream.archive.erase import ErasedRows
from mdm_stream.archive.object_names import IN_BULK, ArchiveObject, is_written_in_bulk
from mdm_stream.archive.once import AppendOnce
from mdm_stream.archive.record import ArchivedRecord, DamagedObjectError, RecordKind
from mdm_stream.archive.source_marks import Exclusion, HeldSource, SourceMarks, SourceMarkStore
from mdm_stream.objects.store import MissingObjectError

__all__ = [
    "IN_BULK",
    "AppendOnce",
    "Archive",
    "ArchiveObject",
    "ArchivedRecord",
    "Compaction",
    "DamagedObjectError",
    "ErasedRows",
    "Exclusion",
    "HeldSource",
    "MissingObjectError",
    "RecordKind",
    "SourceMarkStore",
    "SourceMarks",
    "Verification",
    "is_written_in_bulk",
    "open_archive",
]
