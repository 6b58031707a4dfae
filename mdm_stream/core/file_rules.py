"""What the rules say about the files of a source: which objects are its own, and what a good file of it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

LoadKind = Literal["incremental", "full"]
Encryption = Literal["any", "kms"]

REJECTED_SHARE_MAX = 0.5
"""Of a file's rows, the share that may be rejected: one that is exceeded says that the file is not what the rules are
about. Fewer are quarantined one by one."""

DELETED_SHARE_MAX = 0.2
"""Of a source's live records, the share that a full load may delete unless it is forced: an export that was cut short
deletes more."""

DRIFT_MAX = 0.2
"""How far a share of the profile (completeness, uniqueness, conformity) may lie off the mean of earlier loads, and by
what part of itself the mean length of an attribute's values may."""

FILE_BYTES_MAX = 5 * 1024**4
"""The largest object that S3 keeps."""


@dataclass(frozen=True, slots=True)
class FileRules:
    """The files of one source. ``prefix`` is what the keys of its objects begin with, and no other source's do.

    ``name`` is a glob that the rest of the key must match, with at most one ``{as_of:FORMAT}``, which reads the time
    of the load (see :mod:`mdm_stream.core.time_format`); ``None`` takes every name. ``tags`` are those that an object
    must have, with the values allowed (none: any). ``encryption`` is what the object must be encrypted by.

    ``columns`` must be in the header, and no others if ``columns_exact``. A row without a value in a ``required``
    column is rejected; a value of a ``unique`` column in two rows holds the file. The limits on rows and shares hold
    it too.
    """

    prefix: str
    name: str | None = None
    size_bytes_max: int = FILE_BYTES_MAX
    encryption: Encryption | None = None
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    columns_exact: bool = False
    required: tuple[str, ...] = ()
    unique: tuple[str, ...] = ()
    rows_min: int = 0
    rows_max: int | None = None
    rejected_share_max: float = REJECTED_SHARE_MAX
    load: LoadKind = "incremental"
    deleted_share_max: float = DELETED_SHARE_MAX
    drift_max: float = DRIFT_MAX
    late_after_us: int | None = None
