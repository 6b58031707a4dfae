"""What a source's rules say about the files that it delivers: ``files:`` to the rules that the gatekeeper goes by."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mdm_stream.core.file_names import file_names
from mdm_stream.core.file_rules import FILE_BYTES_MAX, FileRules
from mdm_stream.core.ruleset import Source
from mdm_stream.rules.compile_clock import duration_us
from mdm_stream.rules.findings import Findings, nearest, one_of
from mdm_stream.rules.model import FilesModel, SourceModel
from mdm_stream.rules.setting_types import SIZE_PATTERN
from mdm_stream.rules.tree import Node

_UNITS = {"kB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000, "TB": 1_000_000_000_000}
_KEY_CHARACTERS = re.compile(r"[\x21-\x7e]+(?: [\x21-\x7e]+)*/?")
TAGS_MAX = 10
"""As many as an object of S3 may have."""


def compile_delivery(domain: str, name: str, source: SourceModel, node: Node, findings: Findings) -> FileRules | None:
    """Return what the rules say about the files of a source; what is wrong goes to ``findings``."""
    files = source.files
    if files is None:
        return None
    own = node.at(("files",))
    if source.format != "csv":
        said = f"'files' has no meaning with format {source.format}: rows of files, of whatever form, are format csv"
        findings.error(own.place, f"{said}; write 'format: csv' or remove it")
    prefix = files.prefix or f"{domain}/{name}/"
    if not _KEY_CHARACTERS.fullmatch(prefix) or prefix.startswith("/"):
        place = own.at(("prefix",)).place
        findings.error(place, "'prefix' is not the beginning of a key; expected such as vendors/acme/; correct it")
    _check_name(files, own, findings)
    _check_columns(files, own, findings)
    if files.rows_max is not None and files.rows_max < files.rows_min:
        findings.error(own.at(("rows_max",)).place, "'rows_max' is less than 'rows_min'; correct one")
    if len(files.tags) > TAGS_MAX:
        said = f"{len(files.tags)} tags, and an object has at most {TAGS_MAX}; remove some"
        findings.error(own.at(("tags",)).place, said)
    return FileRules(
        prefix=prefix,
        name=files.name,
        size_bytes_max=FILE_BYTES_MAX if files.size_max is None else _bytes_of(files.size_max),
        encryption=files.encryption,
        tags={tag: tuple(values) for tag, values in files.tags.items()},
        columns=files.columns or (),
        columns_exact=files.columns_exact,
        required=files.required or (),
        unique=files.unique or (),
        rows_min=files.rows_min,
        rows_max=files.rows_max,
        rejected_share_max=files.rejected_share_max,
        load=files.load,
        deleted_share_max=files.deleted_share_max,
        drift_max=files.drift_max,
        late_after_us=None if files.late_after is None else duration_us(files.late_after),
    )


def check_prefixes(sources: Mapping[str, Source], node: Node, findings: Findings) -> None:
    """Check that no object could be a file of two sources: no prefix begins with another source's."""
    known: list[tuple[str, str]] = []
    for name, source in sources.items():
        if source.files is None:
            continue
        prefix = source.files.prefix
        other = next((other for other, theirs in known if overlap(prefix, theirs)), None)
        if other is not None:
            place = node.at((name, "files", "prefix")).place
            said = f"files under {prefix!r} are also those of source {other!r}, whose prefix overlaps"
            findings.error(place, f"{said}; give each source a prefix of its own")
        known.append((name, prefix))


def overlap(prefix: str, other: str) -> bool:
    """Tell whether a key may begin with both prefixes."""
    return prefix.startswith(other) or other.startswith(prefix)


def _check_name(files: FilesModel, node: Node, findings: Findings) -> None:
    if files.name is None:
        return
    try:
        file_names(files.name)
    except ValueError as error:
        findings.error(node.at(("name",)).place, f"'name' {error}; correct it")


def _check_columns(files: FilesModel, node: Node, findings: Findings) -> None:
    if not files.columns_exact:
        return
    if files.columns is None:
        place = node.at(("columns_exact",)).place
        findings.error(place, "'columns_exact' needs 'columns', the columns that a file has; add them")
        return
    for setting in ("required", "unique"):
        for column in getattr(files, setting) or ():
            if column not in files.columns:
                said = f"{column!r} is none of the 'columns'; expected {one_of(files.columns)}"
                findings.error(node.at((setting,)).place, f"{said}{nearest(column, files.columns)}; add or correct it")


def _bytes_of(text: str) -> int:
    number, unit = re.fullmatch(SIZE_PATTERN, text).groups()  # type: ignore[union-attr]  # the model has checked it
    return min(int(number) * _UNITS[unit], FILE_BYTES_MAX)
