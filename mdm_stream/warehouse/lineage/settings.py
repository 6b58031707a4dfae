"""Where lineage is sent, and under which names. Without an address nothing is sent, and no library is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from mdm_stream.settings import Settings
from mdm_stream.warehouse.lineage.batch import BatchLineage
from mdm_stream.warehouse.lineage.tables import TableNames
from mdm_stream.warehouse.settings import WarehouseSettings

TIMEOUT_S = 2.0
"""A batch waits that long for an event at most, twice."""


class LineageSettings(Settings):
    """``url``: ``https://...`` of a server that takes OpenLineage, ``file:///...`` of a file, or empty for none.

    ``endpoint`` is the path of the server that takes events. ``api_key`` is sent as a bearer token. ``namespace`` and
    ``job`` name the consumer as a job, ``stream_namespace`` is where the stream's name is unique.
    """

    env_prefix: ClassVar[str] = "MDM_LINEAGE_"

    url: str = ""
    endpoint: str = "api/v1/lineage"
    api_key: str = Field(default="", repr=False)
    namespace: Annotated[str, Field(min_length=1)] = "mdm-stream"
    job: Annotated[str, Field(min_length=1)] = "warehouse"
    stream_namespace: Annotated[str, Field(min_length=1)] = "kinesis"
    timeout_s: Annotated[float, Field(gt=0, le=30)] = TIMEOUT_S

    @field_validator("url")
    @classmethod
    def _is_a_url(cls, url: str) -> str:
        if url and not url.startswith(("https://", "http://", "file:///")):
            raise ValueError("MDM_LINEAGE_URL begins with https://, http:// or file:///")
        return url


def lineage_of(environment: Mapping[str, str], warehouse: WarehouseSettings) -> BatchLineage | None:
    """Return what tells the lineage of batches, None where no address is set.

    Raises ``ConfigurationError`` for settings that do not fit, and where the extra ``lineage`` is not installed.
    """
    settings = LineageSettings.from_environment(environment)
    if not settings.url:
        return None
    from mdm_stream.warehouse.lineage.open_lineage import OpenLineage  # noqa: PLC0415 - half a second, where it is used

    telling = OpenLineage(
        settings.url,
        endpoint=settings.endpoint,
        api_key=settings.api_key,
        timeout_s=settings.timeout_s,
        namespace=settings.namespace,
        job=settings.job,
        stream_namespace=settings.stream_namespace,
    )
    return BatchLineage(telling, TableNames.of(warehouse), settings.namespace, settings.job)
