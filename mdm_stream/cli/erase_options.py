"""Where the stores of an erasure are: the local stack's, those of the consumers' settings, or named one by one."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.index_options import chosen_ruleset
from mdm_stream.cli.options import deployment_options
from mdm_stream.deployment import Deployment
from mdm_stream.errors import TransientError

if TYPE_CHECKING:
    from mdm_stream.core.ruleset import Ruleset
    from mdm_stream.erasure.places import Places
    from mdm_stream.warehouse import WarehouseSettings

LOCK_WAIT_MS = 60_000
"""How long one attempt to open the warehouse's file waits for its consumer, which lets go of it when it is idle."""

NONE = "none"


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command all that :class:`Addresses` has."""
    return deployment_options(
        "state", "environment", "redis_url", "namespace", "rules", "domain", "changes_stream", "steward_stream",
        "golden_stream", "endpoint", "s3_endpoint", "region", "archive", "claims", "snapshots", "quarantine",
        "on_failure", "warehouse",
        without_default="namespace",
        redis_url="The index. With it every store has to be named.",
        rules="The rule sets that the consumers use, paths or packs.",
        on_failure="The on-failure destination: folder, s3://, or none.",
    )(command)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Addresses:
    """What the options said about where the stores are; ``None`` and ``()`` where they said nothing."""

    state: Path
    environment: bool
    redis_url: str | None
    namespace: str | None
    rules: tuple[str, ...]
    domain: str | None
    changes_stream: str | None
    steward_stream: str | None
    golden_stream: str | None
    endpoint: str | None
    s3_endpoint: str | None
    region: str | None
    archive: str | None
    claims: str | None
    snapshots: str | None
    quarantine: str | None
    on_failure: str | None
    warehouse: str | None

    def is_local(self) -> bool:
        """Return whether the local stack is meant."""
        return not self.environment and self.redis_url is None


def open_places(addresses: Addresses) -> tuple[Places, Ruleset]:
    """Return all stores of the domain that the options name, and its rule set.

    ``ConfigurationError`` or ``click.UsageError`` for a store that nothing names: one that is not searched proves
    nothing.
    """
    from mdm_stream.archive import Archive  # noqa: PLC0415 - --help does without all of these
    from mdm_stream.aws.read_shards import StreamReader  # noqa: PLC0415
    from mdm_stream.dead_letters import DeadLetters  # noqa: PLC0415
    from mdm_stream.decode import Decoder  # noqa: PLC0415
    from mdm_stream.erasure.places import Places  # noqa: PLC0415
    from mdm_stream.index.redis.index import RedisIndex  # noqa: PLC0415

    found = _whole_deployment(addresses)
    rulesets = found.rulesets()
    ruleset = chosen_ruleset(rulesets, addresses.domain)
    client, kinesis = found.redis(), found.kinesis()
    own_machine = None
    if found.state is not None:
        from mdm_stream.local.kinesis.forgetting import LocalTraces  # noqa: PLC0415

        streams = (found.changes_stream, found.steward_stream, found.golden_stream)
        assert found.keys is not None, "a running stack has proved to hold them"
        own_machine = LocalTraces(found.state, (found.kinesis_endpoint_url, found.keys), streams, kinesis, client)
    receipts = found.store(found.archive_url)
    letters = [DeadLetters(found.store(found.quarantine_url), "quarantine")]
    if found.on_failure_url != NONE:
        letters.append(DeadLetters(found.store(found.on_failure_url), "on_failure"))
    index = RedisIndex(client, ruleset, found.namespace, create=False)
    places = Places(
        decoder=Decoder(rulesets),
        client=client,
        namespace=found.namespace,
        index=index,
        outbox=index,
        changes=StreamReader(kinesis, found.changes_stream),
        steward=StreamReader(kinesis, found.steward_stream),
        golden=StreamReader(kinesis, found.golden_stream),
        archive=Archive(receipts),
        claims=found.claims(),
        receipts=receipts,
        letters=letters,
        open_warehouse=lambda writing: found.open_warehouse(writing=writing, lock_wait_ms=LOCK_WAIT_MS),
        tell=lambda events: _tell(kinesis, found.steward_stream, events),
        own_machine=own_machine,
        loads=found.store(found.files_url) if found.files_url else None,
        snapshots=found.snapshots(),
    )
    return places, ruleset


def deployment_of(given: Addresses) -> Deployment:
    """Return what the options name, with what they leave open from the stack or the settings that they point to.

    A store that nothing names is empty.
    """
    if given.environment:
        base = Deployment.from_environment(os.environ)
    else:
        base = Deployment.from_local(given.state) if given.is_local() else Deployment.from_addresses(os.environ)
    named = base.overridden(
        redis_url=given.redis_url,
        namespace=given.namespace,
        rules=given.rules,
        changes_stream=given.changes_stream,
        steward_stream=given.steward_stream,
        golden_stream=given.golden_stream,
        kinesis_endpoint_url=given.endpoint,
        s3_endpoint_url=given.s3_endpoint,
        region=given.region,
        archive_url=given.archive,
        quarantine_url=given.quarantine,
        on_failure_url=given.on_failure,
        warehouse=_duckdb(given.warehouse),
    )
    # Another archive than the settings' has claim objects and snapshots of its own beside it.
    return replace(
        named,
        warehouse=None if given.warehouse == NONE else named.warehouse,
        claims_url=given.claims or ("" if given.archive else named.claims_url),
        snapshots_url=given.snapshots or ("" if given.archive else named.snapshots_url),
    )


def _whole_deployment(given: Addresses) -> Deployment:
    """Return what the options name; ``click.UsageError`` if they leave a store out."""
    named = deployment_of(given)
    needed = (
        "redis_url",
        "changes_stream",
        "steward_stream",
        "golden_stream",
        "archive_url",
        "quarantine_url",
        "on_failure_url",
        "rules",
    )
    missing = [f"--{name.removesuffix('_url').replace('_', '-')}" for name in needed if not getattr(named, name)]
    if named.warehouse is None and given.warehouse != NONE:
        missing.append("--warehouse")
    if missing:
        raise click.UsageError(f"name every store, so that none is left out; missing: {', '.join(missing)}")
    return named


def _duckdb(file: str | None) -> WarehouseSettings | None:
    from mdm_stream.warehouse import WarehouseSettings  # noqa: PLC0415 - --help does without

    return None if file in (None, NONE) else WarehouseSettings(duckdb_path=file)


def _tell(kinesis: Any, stream: str, events: Sequence[bytes]) -> None:
    from mdm_stream.cli.redelivery import change_key_of, deliver_with  # noqa: PLC0415
    from mdm_stream.dead_letters import Message  # noqa: PLC0415

    messages = [Message(stream, change_key_of(event) or stream, event) for event in events]
    failures = deliver_with(kinesis)(messages)
    if failures:
        raise TransientError(f"the stream {stream} did not take the erasure: {next(iter(failures.values()))}")
