"""Events in OpenLineage's form, by its own client library: its classes and its transports, and nothing else of it.

The library's ``OpenLineageClient`` is left out: it reads variables and files of its own, adds variables of the process
to events, and asks git where the code is from. What is sent here is what this module says.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from mdm_stream.errors import ConfigurationError
from mdm_stream.warehouse.lineage.batch import RunFacts, State, Written

try:
    import attr
    from openlineage.client import event_v2, facet_v2
    from openlineage.client.transport.file import FileConfig, FileTransport
    from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport, TokenProvider
except ImportError as error:
    raise ConfigurationError(
        f"MDM_LINEAGE_URL is set and {error.name} is not installed: pip install 'mdm-stream[lineage]', or unset it"
    ) from error

PRODUCER = "urn:mdm-stream:warehouse"
SHARD_RANGE_SCHEMA = "urn:mdm-stream:facet:shard-range:1"
"""The form of our own facet; docs/operate/lineage.md describes it."""


@attr.define
class ShardRangeInputDatasetFacet(facet_v2.InputDatasetFacet):
    """Which part of a stream a run has read."""

    records: int = 0
    shards: list[dict[str, Any]] = attr.field(factory=list)

    @staticmethod
    def _get_schema() -> str:
        return SHARD_RANGE_SCHEMA


class OpenLineage:
    """Sends runs to a server, or writes them to a file, one event a line. See ``batch.Telling``."""

    def __init__(
        self,
        url: str,
        *,
        endpoint: str,
        api_key: str,
        timeout_s: float,
        namespace: str,
        job: str,
        stream_namespace: str,
    ) -> None:
        """Take the address and the names; nothing is connected yet."""
        self._namespace, self._job, self._stream_namespace = namespace, job, stream_namespace
        self._transport = _transport(url, endpoint, api_key, timeout_s)

    def send(self, run: RunFacts, state: State, at: datetime, written: Sequence[Written], error: str) -> None:
        """Send one event. Raises what the library raises."""
        self._transport.emit(self.event(run, state, at, written, error))

    def event(
        self, run: RunFacts, state: State, at: datetime, written: Sequence[Written], error: str
    ) -> event_v2.RunEvent:
        """Return the event of a run."""
        facets: dict[str, Any] = {}
        if state == "FAIL":
            facets["errorMessage"] = facet_v2.error_message_run.ErrorMessageRunFacet(error, "PYTHON", producer=PRODUCER)
        job_type = facet_v2.job_type_job.JobTypeJobFacet("STREAMING", "MDM_STREAM", "BATCH", producer=PRODUCER)
        return event_v2.RunEvent(
            eventType=event_v2.RunState[state],
            eventTime=at.isoformat(timespec="microseconds"),
            run=event_v2.Run(run.run_id, facets),
            job=event_v2.Job(self._namespace, self._job, {"jobType": job_type}),
            inputs=[_input(run, self._stream_namespace)],
            outputs=[_output(table) for table in written],
            producer=PRODUCER,
        )


def _input(run: RunFacts, namespace: str) -> event_v2.InputDataset:
    shards = [
        {"shard": each.shard, "first": each.first, "last": each.last, "records": each.records} for each in run.shards
    ]
    facet = ShardRangeInputDatasetFacet(run.records, shards, producer=PRODUCER)
    return event_v2.InputDataset(namespace, run.stream, inputFacets={"mdmStream_shardRange": facet})


def _output(table: Written) -> event_v2.OutputDataset:
    fields = [
        facet_v2.schema_dataset.SchemaDatasetFacetFields(name, kind, text or None) for name, kind, text in table.columns
    ]
    statistics = facet_v2.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        rowCount=table.rows, producer=PRODUCER
    )
    return event_v2.OutputDataset(
        table.namespace,
        table.name,
        facets={"schema": facet_v2.schema_dataset.SchemaDatasetFacet(fields, producer=PRODUCER)},
        outputFacets={"outputStatistics": statistics},
    )


def _transport(url: str, endpoint: str, api_key: str, timeout_s: float) -> Any:
    if url.startswith("file:"):
        path = Path(url2pathname(urlparse(url).path))
        if not path.parent.is_dir():
            raise ConfigurationError(f"MDM_LINEAGE_URL: the folder {path.parent} is not there; make it")
        return FileTransport(FileConfig(str(path), append=True))
    auth = ApiKeyTokenProvider({"api_key": api_key}) if api_key else TokenProvider({})
    # No second try: a batch would wait for it. What one event lacks, the next run says again.
    config = HttpConfig(url, endpoint=endpoint, timeout=timeout_s, auth=auth, retry={"total": 0})
    return HttpTransport(config)
