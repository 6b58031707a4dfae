"""Settings of the resolve consumer under the KCL, beside those that it shares with the Lambda function."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from mdm_stream.metrics.exposition import LOOPBACK
from mdm_stream.settings import Count, Settings

CHECKPOINT_ATTEMPTS_MAX = 5
"""Attempts of one checkpoint; the next batch's passes one that failed, which redelivery then need not repeat."""


class KclSettings(Settings):
    """What the KCL consumer is told; environment names are ``MDM_KCL_`` and the upper case.

    ``application`` names the lease table in DynamoDB: workers that share it share the shards. ``stream`` is the one
    that is read, the change stream if it is empty; the steward stream needs an application and a daemon of its own.
    ``initial_position`` holds for a shard without a checkpoint. ``region`` is that of the environment if it is empty;
    ``kinesis_endpoint_url``, ``dynamodb_endpoint_url`` and ``cloudwatch_endpoint_url`` are empty except on one machine.

    A batch that fails is tried again from the first event that is not done, after a random time up to
    ``backoff_ms_base`` * 2^n, at most ``backoff_ms_max``. After ``retry_s_max`` the process ends, so that another
    worker takes its shards. ``timeout_s`` is when the daemon gives up a child that does not answer: at least twice as
    much. ``tick_s``: how often a shard's process does what waits without a batch. ``max_records`` of one batch;
    ``idle_ms`` between two reads of a shard. ``shutdown_grace_ms``: what a worker that is stopped, or hands a lease
    over, waits for the batch in hand. ``metrics_level`` is of the KCL's own metrics. ``health_folder``: where each
    shard's process keeps a file about how it goes; none if it is empty. ``metrics_port``: where Prometheus reads the
    metrics of all shards of this worker (extra ``prometheus``); none if it is 0. ``metrics_address``: of which of the
    machine's addresses: whoever reaches another one than loopback can read them, and no more.

    ``restarts_max``: how often in a row a daemon that ended is started again, after a random time up to
    ``restart_ms_base`` * 2^n, at most ``restart_ms_max``; one that ran for ``steady_s`` begins a new row.
    """

    env_prefix: ClassVar[str] = "MDM_KCL_"
    needed_for = "the KCL consumer"

    application: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{3,200}$")] = "mdm-resolve"
    stream: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{0,128}$")] = ""
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]*$")] = ""
    initial_position: Literal["TRIM_HORIZON", "LATEST"] = "TRIM_HORIZON"
    kinesis_endpoint_url: Annotated[str, Field(pattern=r"^\S*$")] = ""
    dynamodb_endpoint_url: Annotated[str, Field(pattern=r"^\S*$")] = ""
    cloudwatch_endpoint_url: Annotated[str, Field(pattern=r"^\S*$")] = ""
    metrics_level: Literal["NONE", "SUMMARY", "DETAILED"] = "SUMMARY"
    health_folder: str = ""
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    metrics_address: Annotated[str, Field(pattern=r"^[0-9A-Fa-f.:]+$")] = LOOPBACK
    retry_s_max: Count = 300
    backoff_ms_base: Count = 200
    backoff_ms_max: Count = 20_000
    timeout_s: Count = 900
    tick_s: Count = 60
    max_records: Annotated[int, Field(ge=1, le=10_000)] = 500
    idle_ms: Annotated[int, Field(ge=200)] = 1_000
    shutdown_grace_ms: Count = 30_000
    restarts_max: Annotated[int, Field(ge=0)] = 10
    restart_ms_base: Count = 1_000
    restart_ms_max: Count = 60_000
    steady_s: Count = 600

    @model_validator(mode="after")
    def _fit(self) -> KclSettings:
        if self.backoff_ms_base > self.backoff_ms_max or self.restart_ms_base > self.restart_ms_max:
            raise ValueError("MDM_KCL_BACKOFF_MS_BASE and MDM_KCL_RESTART_MS_BASE must not be above their MAX")
        if self.timeout_s < 2 * self.retry_s_max:
            raise ValueError("MDM_KCL_TIMEOUT_S must be at least twice MDM_KCL_RETRY_S_MAX, or the daemon ends first")
        return self
