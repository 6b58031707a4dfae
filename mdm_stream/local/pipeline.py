"""The whole of mdm-stream on one machine: the local stack with the resolve and the warehouse consumer of some rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mdm_stream.deployment import ARCHIVE_FOLDER, ON_FAILURE_FOLDER, QUARANTINE_FOLDER, WAREHOUSE_FILE
from mdm_stream.local.event_source.mapping import EventSource
from mdm_stream.local.stack import CHANGES_STREAM, GOLDEN_STREAM, STEWARD_STREAM, ConsumerSpec, LocalStack
from mdm_stream.settings import ResolveSettings

RESOLVE = "resolve"
STEWARD = "steward"
"""The same function as ``RESOLVE``, behind an event source of its own: the stream that stewards and operators write to.
"""
WAREHOUSE = "warehouse"

RESOLVE_BATCH_SIZE = 500
RETRY_ATTEMPTS_MAX = 100
"""With the event source's backoff some fifteen minutes: a server may be restarted meanwhile, but a record that no retry
can mend goes to the on-failure folder in the end, and the stream goes on."""

WAREHOUSE_BATCH_SIZE = 1_000
WAREHOUSE_WINDOW_S = 0.5
TICK_S = 2.0
"""After so long without a batch a consumer is ticked: it drains what waits, or lets go of the warehouse file."""


@dataclass(frozen=True, slots=True)
class Authorisation:
    """Who may say what on a local stack: the settings ``authority`` and ``signing_keys`` of the resolve consumer."""

    policy: str = ""
    signing_keys: str = ""


def resolve_settings(
    folder: Path, redis_url: str, endpoint_url: str, rules: Sequence[str], authority: Authorisation | None = None
) -> ResolveSettings:
    """Return what the resolve consumer of a stack in ``folder`` is told of its surroundings."""
    authority = authority or Authorisation()
    return ResolveSettings(
        rules=",".join(rules),
        redis_url=redis_url,
        changes_stream=CHANGES_STREAM,
        steward_stream=STEWARD_STREAM,
        golden_stream=GOLDEN_STREAM,
        quarantine_url=(folder / QUARANTINE_FOLDER).absolute().as_uri(),
        archive_url=(folder / ARCHIVE_FOLDER).absolute().as_uri(),
        kinesis_endpoint_url=endpoint_url,
        authority=authority.policy,
        signing_keys=authority.signing_keys,
    )


def start_consumers(stack: LocalStack, rules: Sequence[str], authority: Authorisation | None = None) -> None:
    """Start the consumers of a running stack. ``rules`` are absolute paths or names of packs.

    Each comes after those that write to its stream: the resolve consumer sends the ends of overrides to the steward
    stream.
    """
    folder = stack.state_dir
    on_failure = str(folder / ON_FAILURE_FOLDER)
    settings = resolve_settings(folder, stack.redis.url, stack.kinesis.endpoint_url, rules, authority)
    for name, stream in ((RESOLVE, CHANGES_STREAM), (STEWARD, STEWARD_STREAM)):
        stack.start_consumer(
            ConsumerSpec(
                name=name,
                handler="consumers.resolve.handler:handler",
                stream=stream,
                event_source=EventSource(
                    batch_size=RESOLVE_BATCH_SIZE, maximum_retry_attempts=RETRY_ATTEMPTS_MAX, on_failure=on_failure
                ),
                environment=settings.to_environment(),
                tick_s=TICK_S,
            )
        )
    stack.start_consumer(
        ConsumerSpec(
            name=WAREHOUSE,
            handler="consumers.warehouse.handler:handler",
            stream=GOLDEN_STREAM,
            event_source=EventSource(
                batch_size=WAREHOUSE_BATCH_SIZE,
                window_s=WAREHOUSE_WINDOW_S,
                maximum_retry_attempts=RETRY_ATTEMPTS_MAX,
                on_failure=on_failure,
            ),
            environment={"MDM_WAREHOUSE_DUCKDB_PATH": str(folder / WAREHOUSE_FILE)},
            tick_s=TICK_S,
        )
    )
