"""Compaction: the segments of a day, of which there is one a batch, become a few columnar parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from mdm_stream.archive.object_names import ArchiveObject, is_written_in_bulk, new_name
from mdm_stream.archive.part import compacted, encode_part
from mdm_stream.archive.read import list_objects, read_objects
from mdm_stream.archive.replace import replace, settle
from mdm_stream.objects.store import ObjectStore

PART_CONTENT_BYTES = 64 * 1024**2
"""The default size of a part before compression. Rows are sorted in memory, where they take some four times that."""
INPUTS_MAX = 5_000
"""Objects that become one part: bounds the description of the replacement (0.7 MB) and what a crash makes do again."""


@dataclass(frozen=True, slots=True)
class Compaction:
    """What a compaction did.

    ``overtaken``: groups left for the next one, because another process replaced an object of them meanwhile.
    ``settled``: replacements of others that were finished or given up first.
    """

    objects_replaced: int = 0
    parts_written: int = 0
    rows_kept: int = 0
    duplicates_dropped: int = 0
    overtaken: int = 0
    settled: int = 0


def compact(
    store: ObjectStore,
    domain: str,
    *,
    before_day: str | None = None,
    part_content_bytes: int = PART_CONTENT_BYTES,
) -> Compaction:
    """Turn the segments and small parts of each day into parts, and return what was done.

    ``before_day``: only days before this one (``YYYY-MM-DD``). May run beside writers, readers, erasures and other
    compactions, and be killed at any point: the next one finishes what was begun. Doing it again changes nothing.
    """
    settled = settle(store, domain)
    groups = plan_groups(
        [found for found in list_objects(store, domain) if before_day is None or found.day < before_day],
        part_content_bytes,
    )
    objects = parts = rows = duplicates = overtaken = 0
    for group in groups:
        counts = (0, 0)

        def build(group: Sequence[ArchiveObject] = group) -> bytes:
            nonlocal counts
            records = list(read_objects(store, group))
            kept = compacted(records)
            counts = (len(kept), len(records) - len(kept))
            return encode_part(kept)

        witness, content_bytes = max(each.witness for each in group), sum(each.content_bytes for each in group)
        output = new_name(domain, "part", group[0].day, witness, content_bytes)
        if not replace(store, domain, group, output, build):
            overtaken += 1
            continue
        objects, parts = objects + len(group), parts + 1
        rows, duplicates = rows + counts[0], duplicates + counts[1]
    return Compaction(objects, parts, rows, duplicates, overtaken, settled)


def plan_groups(objects: Iterable[ArchiveObject], part_content_bytes: int) -> list[tuple[ArchiveObject, ...]]:
    """Return which objects become one part each.

    A group is of one day, has at most ``part_content_bytes`` of content unless a single object has more, and holds
    segments and small parts: those of less than half that. A small part alone is left as it is, so that planning
    again over what was made of the groups gives fewer small parts, and in the end none. What was archived in bulk is
    in groups of its own: an index may lack it that has the rest, and only the name says so.
    """
    if part_content_bytes < 1:
        raise ValueError("a part has room for at least one byte")
    wanted = [each for each in objects if each.kind == "segment" or each.content_bytes * 2 < part_content_bytes]
    groups = []
    for _, of_day in groupby(sorted(wanted, key=lambda each: (*_company(each), each.name)), key=_company):
        group: list[ArchiveObject] = []
        content_bytes = 0
        for each in of_day:
            if group and (content_bytes + each.content_bytes > part_content_bytes or len(group) == INPUTS_MAX):
                groups.append(tuple(group))
                group, content_bytes = [], 0
            group.append(each)
            content_bytes += each.content_bytes
        groups.append(tuple(group))
    return [group for group in groups if len(group) > 1 or group[0].kind == "segment"]


def _company(found: ArchiveObject) -> tuple[str, bool]:
    return found.day, is_written_in_bulk(found.name)
