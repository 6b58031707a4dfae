"""The notice of a load that is done, held or failed, and the request of a Spark job. No value of any row is in them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mdm_stream.contracts.file_manifest import FileObject
from mdm_stream.contracts.reason import QuarantineReason

NoticeState = Literal["done", "held", "failed"]

NOTICE_SOURCE = "mdm-stream.files"
"""``source`` of the EventBridge event."""

DETAIL_TYPES: dict[NoticeState, str] = {
    "done": "File Load Done",
    "held": "File Load Held",
    "failed": "File Load Failed",
}
"""``detail-type`` of the EventBridge event, and the subject of the SNS message."""

Count = Annotated[int, Field(ge=0)]
LoadId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class _NoticeModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileNotice(_NoticeModel):
    """The SNS message, and the detail of the EventBridge event. Sent at least once: ``id`` is the same again.

    ``manifest`` is the address of the manifest, which has everything else.
    """

    id: str
    load_id: LoadId
    state: NoticeState
    domain: str | None
    source: str | None
    bucket: str
    key: str
    rows: Count
    accepted: Count
    rejected: Count
    skipped: Count
    sent: Count
    deleted: Count
    reasons: list[QuarantineReason]
    warnings: list[str]
    manifest: str


class FileJobRequest(_NoticeModel):
    """A file that is too large for the functions: the job that loads it reads ``object`` as of ``as_of``.

    ``loads_url`` is the store of loads, in which the job writes what the workers would have written.
    """

    job: str
    load_id: LoadId
    attempt: Annotated[int, Field(ge=1)]
    domain: str
    source: str
    object: FileObject
    as_of: str
    load: Literal["incremental", "full"]
    rules_digest: str
    loads_url: str
