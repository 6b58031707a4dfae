"""Files of rows for the tests of the gatekeeper: one table in every form, and a whole load read as workers read it."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from backports import zstd
from pyarrow import parquet

from mdm_stream.core.ruleset import Ruleset
from mdm_stream.rules import load_rulesets
from producers.files.check import check_chunk, rows_to_quarantine, rows_to_send
from producers.files.chunks import ChunkContent, ChunkFindings
from producers.files.judge import LoadTimes, LoadVerdict, judge_load
from producers.files.reading import LoadReader
from producers.files.settings import FileLimits
from producers.files.survey import Survey, survey

NOW_US = 1_800_000_000_000_000

RULES = """
extends: person
domain: person
version: 1
sources:
  crm:
    format: csv
    key: id
    attributes: {given_name: first, family_name: last, email: email, phone: phone}
    deletion: {column: gone, values: [yes, y]}
    files:
"""
COLUMNS = ("id", "first", "last", "email", "phone", "gone")


def rulesets(folder: Path, files: str = "{}", rules: str = RULES) -> dict[str, Ruleset]:
    """Return the rules of a source ``crm`` of domain ``person`` whose ``files`` are those."""
    path = folder / "files-rules.yaml"
    path.write_text(rules.replace("    files:\n", f"    files: {files}\n"))
    return dict(load_rulesets((str(path),)))


def as_csv(rows: Iterable[Sequence[str]], header: Sequence[str] = COLUMNS) -> bytes:
    """Return a table as CSV with every cell in quotes."""
    lines = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in (header, *rows)]
    return "".join(f"{line}\n" for line in lines).encode()


def as_ndjson(rows: Iterable[Sequence[str]], header: Sequence[str] = COLUMNS) -> bytes:
    """Return a table as one JSON object a line; an empty cell is no member."""
    objects = ({name: cell for name, cell in zip(header, row, strict=True) if cell} for row in rows)
    return b"".join(json.dumps(each).encode() + b"\n" for each in objects)


def as_array(rows: Iterable[Sequence[str]], header: Sequence[str] = COLUMNS) -> bytes:
    """Return a table as a JSON array that is laid out for people; an empty cell is null."""
    objects = [{name: cell or None for name, cell in zip(header, row, strict=True)} for row in rows]
    return json.dumps(objects, indent=2, ensure_ascii=False).encode()


def as_parquet(rows: Iterable[Sequence[str]], header: Sequence[str] = COLUMNS, group_rows: int = 7) -> bytes:
    """Return a table as Parquet of small row groups; an empty cell is null."""
    columns = list(zip(*rows, strict=True)) or [()] * len(header)
    arrays = [pa.array([cell or None for cell in column], pa.string()) for column in columns]
    out = io.BytesIO()
    parquet.write_table(pa.table(arrays, names=list(header)), out, row_group_size=group_rows)
    return out.getvalue()


FORMS = {
    "people.csv": as_csv,
    "people.ndjson": as_ndjson,
    "people.json": as_array,
    "people.parquet": as_parquet,
    "people.csv.gz": lambda rows: gzip.compress(as_csv(rows)),
    "people.ndjson.zst": lambda rows: zstd.compress(as_ndjson(rows)),
}
"""Each form by the name of a file in it."""


@dataclass
class ReadLoad:
    """A load as it was read: what was found, sent and quarantined of it."""

    survey: Survey
    findings: list[ChunkFindings] = field(default_factory=list)
    sent: list[tuple[str, bytes]] = field(default_factory=list)
    quarantined: list[tuple[int, bytes]] = field(default_factory=list)
    verdict: LoadVerdict | None = None

    @property
    def rejected(self) -> list[tuple[int, tuple[str, ...]]]:
        """The numbers of the rejected rows, each with the codes of its reasons."""
        return [(row.row, tuple(each.code for each in row.reasons)) for part in self.findings for row in part.rejected]


def read_load(
    content: bytes,
    rules: Mapping[str, Ruleset],
    name: str = "people.csv",
    *,
    limits: FileLimits | None = None,
    piece_bytes: int = 1_000,
    as_of_us: int = NOW_US,
) -> ReadLoad:
    """Read a file as the gatekeeper and its workers do, each through the bytes that they leave for the next."""
    stored: dict[int, bytes] = {}
    pieces = (content[at : at + piece_bytes] for at in range(0, len(content), piece_bytes))
    found = survey(pieces, name, rules, "person", "crm", limits or FileLimits(), stored.__setitem__)
    found = Survey.from_json(found.to_json())
    load = ReadLoad(found)
    if found.fault is None and not (found.findings and found.findings.needed):
        reader = LoadReader(found, rules, "person", "crm", name, as_of_us, NOW_US)
        for chunk in found.chunks:
            part = ChunkContent.decode(stored[chunk.number])
            load.findings.append(ChunkFindings.from_json(check_chunk(reader, chunk, part).to_json()))
            load.sent += rows_to_send(reader, chunk, part)
            kept = rows_to_quarantine(reader, chunk, part, NOW_US)
            load.quarantined += [(number, entry.delivery.raw) for number, entry in kept]
    own = rules["person"].sources["crm"].files
    assert own is not None
    load.verdict = judge_load(found, load.findings, own, LoadTimes(as_of_us, NOW_US))
    return load
