"""The pages of a Parquet file, looked at before any is read: how large each becomes when it is decompressed.

A library allocates what a page's header says. Headers are in Thrift's compact protocol, of which as much is read here
as it takes to walk from one to the next.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Any

from mdm_stream.decode.files.file_faults import UnreadableFileError, unreadable

HEADER_BYTES_MAX = 65_536
"""Bytes of a page's header: its statistics have two values of a column."""
PAGES_MAX = 200_000
"""Pages of a file: as many as one of its greatest permitted size has at the sizes that writers choose."""
_DEPTH_MAX = 16

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_FIXED = {_TRUE: 0, _FALSE: 0, _BYTE: 1, _DOUBLE: 8}
_UNCOMPRESSED, _COMPRESSED = 2, 3


def check_pages(file: IO[bytes], chunks: Iterable[Any], page_bytes_max: int) -> None:
    """Raise ``UnreadableFileError`` if a page of some column chunks is larger than any function has the memory for.

    ``chunks`` are the metadata of column chunks, as pyarrow has them.
    """
    pages = 0
    for chunk in chunks:
        starts = [chunk.data_page_offset]
        if chunk.has_dictionary_page and chunk.dictionary_page_offset:
            starts.append(chunk.dictionary_page_offset)
        at = min(starts)
        end = at + chunk.total_compressed_size
        while at < end:
            pages += 1
            if pages > PAGES_MAX:
                raise unreadable("giant_part", f"has more than {PAGES_MAX:,} pages; write it with larger ones")
            file.seek(at)
            header = _Header(file.read(HEADER_BYTES_MAX))
            sizes = header.sizes()
            if max(sizes) > page_bytes_max:
                said = f"has a page of more than {page_bytes_max:,} bytes; write it with the usual page size of 1 MB"
                raise unreadable("giant_part", said)
            at += header.at + sizes[1]


class _Header:
    """One page's header, as it is read."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.at = 0

    def sizes(self) -> tuple[int, int]:
        """Return the bytes of the page, decompressed and as they lie there; ``at`` is then behind the header."""
        found: dict[int, int] = {}
        field = 0
        while (head := self._byte()) != 0:
            kind = head & 0x0F
            field = field + (head >> 4) if head >> 4 else self._zigzag()
            if kind in (_I16, _I32, _I64):
                found[field] = self._zigzag()
            else:
                self._skip(kind, 0)
        sizes = found.get(_UNCOMPRESSED, -1), found.get(_COMPRESSED, -1)
        if min(sizes) < 0:
            raise _damaged()
        return sizes

    def _skip(self, kind: int, depth: int) -> None:
        if depth > _DEPTH_MAX:
            raise _damaged()
        if kind in (_I16, _I32, _I64):
            self._varint()
        elif kind == _BINARY:
            size = self._varint()
            self.at += size
        elif kind == _STRUCT:
            self._skip_members(depth)
        elif kind in (_LIST, _SET):
            self._skip_many(depth)
        elif kind in _FIXED:
            self.at += _FIXED[kind]
        else:
            raise _damaged()
        if self.at > len(self._content):
            raise _damaged()

    def _skip_members(self, depth: int) -> None:
        while (head := self._byte()) != 0:
            if not head >> 4:
                self._varint()
            self._skip(head & 0x0F, depth + 1)

    def _skip_many(self, depth: int) -> None:
        head = self._byte()
        size = self._varint() if head >> 4 == 0x0F else head >> 4
        if size > len(self._content):
            raise _damaged()
        for _ in range(size):
            if head & 0x0F in (_TRUE, _FALSE):
                self.at += 1
            else:
                self._skip(head & 0x0F, depth + 1)

    def _byte(self) -> int:
        if self.at >= len(self._content):
            raise _damaged()
        self.at += 1
        return self._content[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > 63:
                raise _damaged()
        return value | byte << shift

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)


def _damaged() -> UnreadableFileError:
    return unreadable("broken_file", "is damaged: a page of it has no header that can be read; send it again")
