"""What is known of one file that was delivered: its manifest, as JSON in the object store and a row in the warehouse.

A manifest accounts for every row: ``accepted + rejected + skipped == rows``, in every state. It names reasons, columns
and row numbers, and no value of any row. Of two manifests of one load the one with the higher ``revision`` holds.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mdm_stream.contracts.reason import QuarantineReason

FileState = Literal["received", "validating", "held", "running", "done", "failed"]
"""``received``: it lies in the bucket and is being read. ``validating``: its chunks are being checked. ``held``: it
waits for a person, and nothing of it was sent. ``running``: its rows are being sent. ``done`` and ``failed`` are ends;
of a failed one nothing was sent."""

FileRoute = Literal["direct", "chunks", "spark"]
"""By its size and content: sent by the gatekeeper itself, fanned out over a queue, or handed to a Spark job."""

_INTEGER_MAX = 2**63 - 1
Count = Annotated[int, Field(ge=0, le=_INTEGER_MAX)]


class _ManifestModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class FileObject(_ManifestModel):
    """The object that was delivered. ``sha256`` is of its bytes as they lie there, null for one that was not read."""

    bucket: str
    key: str
    version_id: str | None = None
    etag: str
    size_bytes: Count
    sha256: str | None = None


class FileForm(_ManifestModel):
    """How the file was read. Delimiter, quote and encoding are those of CSV."""

    format: Literal["csv", "json", "ndjson", "parquet"]
    compression: Literal["gzip", "zstd"] | None = None
    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    columns: list[str]


class FileDelivery(_ManifestModel):
    """One delivery of the content: every one beyond the first changes nothing."""

    bucket: str
    key: str
    version_id: str | None = None
    delivered_at: str


class RejectedRows(_ManifestModel):
    """How many rows were rejected for one reason at one place, and the first of them (rows count from 1)."""

    reason: QuarantineReason
    rows: Count
    first_row: Annotated[int, Field(ge=1)]


class AttributeProfile(_ManifestModel):
    """One attribute over the accepted rows: shares are of 0 to 1, null where there is nothing to take them of.

    ``completeness``: rows with a value. ``uniqueness``: distinct values among those. ``conformity``: values that the
    attribute's type reads. ``outliers``: values whose length is far off the others of this file.
    """

    attribute: str
    values: Count
    completeness: float | None
    uniqueness: float | None
    conformity: float | None
    outliers: float | None
    length_mean: float | None
    length_variance: float | None = None
    length_max: Count


class FileWarning(_ManifestModel):
    """Something to look at that stops nothing: a stable code, what it is about, and a sentence without values."""

    code: str
    path: str
    message: str


class FileManifest(_ManifestModel):
    """The manifest of one load: a content of one source, however often it was delivered.

    ``load_id``: 32 hex digits, of domain, source, content and the time that the sender declared. ``as_of``: the time of
    the load, from which rows without a version take theirs. ``sent``: events that the change stream took, deletions
    included; ``deleted``: those deletions. ``rejected_rows_at``: where each rejected row is listed with its number and
    reasons. ``reasons`` say why it is held or has failed.
    """

    load_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    revision: Annotated[int, Field(ge=1, le=_INTEGER_MAX)]
    state: FileState
    domain: str | None
    source: str | None
    object: FileObject
    deliveries: list[FileDelivery]
    as_of: str
    as_of_declared: bool
    rules_digest: str | None = None
    load: Literal["incremental", "full"] = "incremental"
    route: FileRoute | None = None
    form: FileForm | None = None
    rows: Count = 0
    accepted: Count = 0
    rejected: Count = 0
    skipped: Count = 0
    sent: Count = 0
    deleted: Count = 0
    chunks: Count = 0
    chunks_checked: Count = 0
    chunks_sent: Count = 0
    reasons: list[QuarantineReason] = []
    warnings: list[FileWarning] = []
    rejected_rows: list[RejectedRows] = []
    rejected_rows_at: str | None = None
    profile: list[AttributeProfile] = []
    job: str | None = None
    released_by: str | None = None
    received_at: str
    ended_at: str | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.accepted + self.rejected + self.skipped != self.rows:
            raise ValueError("accepted, rejected and skipped rows are not all rows")
        return self
