"""Where the stores of an erasure are: the local stack's, those of the consumers' settings, or named one by one."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.clients import aws_client
from mdm_stream.cli.index_options import chosen_ruleset, redis_client
from mdm_stream.cli.stack import running_stack, state_option
from mdm_stream.errors import TransientError

if TYPE_CHECKING:
    from mdm_stream.core.ruleset import Ruleset
    from mdm_stream.erasure.places import Places
    from mdm_stream.objects.store import ObjectStore
    from mdm_stream.warehouse import Warehouse

LOCK_WAIT_MS = 60_000
"""How long one attempt to open the warehouse's file waits for its consumer, which lets go of it when it is idle."""

NONE = "none"

_OPTIONS = (
    state_option,
    click.option(
        "--environment", is_flag=True, help="Take the consumers' settings from MDM_* variables, not from --state."
    ),
    click.option("--redis", "redis_url", metavar="URL", help="The index. With it every store has to be named."),
    click.option("--namespace", help="The namespace of the index in that Redis; main if nothing else says so."),
    click.option("--rules", multiple=True, help="The rule sets that the consumers use, paths or packs."),
    click.option("--domain", help="Which domain, if the rules are of several."),
    click.option("--changes-stream", help="The change stream."),
    click.option("--golden-stream", help="The golden feed."),
    click.option("--endpoint", metavar="URL", help="A Kinesis API other than AWS's own or the local stack's."),
    click.option("--s3-endpoint", metavar="URL", help="An S3 API other than AWS's own."),
    click.option("--region", help="The AWS region; that of the environment if left out."),
    click.option("--archive", metavar="URL", help="The archive: folder or s3://."),
    click.option("--claims", metavar="URL", help="The claim objects: folder or s3://; beside the archive if left out."),
    click.option("--quarantine", metavar="URL", help="The quarantine: folder or s3://."),
    click.option("--on-failure", metavar="URL", help="The on-failure destination: folder, s3://, or none."),
    click.option("--warehouse", metavar="FILE", help="The warehouse: a DuckDB file, or none."),
)


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command all that :class:`Addresses` has."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


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
    golden_stream: str | None
    endpoint: str | None
    s3_endpoint: str | None
    region: str | None
    archive: str | None
    claims: str | None
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
    from mdm_stream.feed.claims import ClaimStore, claims_url_of  # noqa: PLC0415
    from mdm_stream.index.redis.index import RedisIndex  # noqa: PLC0415
    from mdm_stream.rules import load_rulesets  # noqa: PLC0415

    found = _found(addresses)
    rulesets = load_rulesets(found.rules)
    ruleset = chosen_ruleset(rulesets, addresses.domain)
    client = redis_client(found.redis_url)
    kinesis = aws_client("kinesis", found.endpoint, addresses.region)
    own_machine = None
    if addresses.is_local():
        from mdm_stream.local.kinesis.forgetting import LocalTraces  # noqa: PLC0415

        streams = (found.changes_stream, found.golden_stream)
        assert found.endpoint is not None, "a local stack has an address"
        own_machine = LocalTraces(addresses.state, found.endpoint, streams, kinesis, client)

    def store(url: str) -> ObjectStore:
        from mdm_stream.objects.store import open_object_store  # noqa: PLC0415

        s3 = aws_client("s3", addresses.s3_endpoint, addresses.region) if url.startswith("s3:") else None
        return open_object_store(url if "://" in url else Path(url).absolute().as_uri(), s3_client=s3)

    receipts = store(found.archive)
    claims_url = claims_url_of(found.archive, found.claims)
    letters = [DeadLetters(store(found.quarantine), "quarantine")]
    if found.on_failure != NONE:
        letters.append(DeadLetters(store(found.on_failure), "on_failure"))
    index = RedisIndex(client, ruleset, found.namespace, create=False)
    places = Places(
        decoder=Decoder(rulesets),
        client=client,
        namespace=found.namespace,
        index=index,
        outbox=index,
        changes=StreamReader(kinesis, found.changes_stream),
        golden=StreamReader(kinesis, found.golden_stream),
        archive=Archive(receipts),
        claims=ClaimStore(store(claims_url), claims_url),
        receipts=receipts,
        letters=letters,
        open_warehouse=found.open_warehouse,
        tell=lambda events: _tell(kinesis, found.changes_stream, events),
        own_machine=own_machine,
    )
    return places, ruleset


@dataclass(frozen=True, slots=True)
class _Found:
    """Where every store is."""

    redis_url: str
    namespace: str
    rules: tuple[str, ...]
    changes_stream: str
    golden_stream: str
    endpoint: str | None
    archive: str
    claims: str
    quarantine: str
    on_failure: str
    open_warehouse: Callable[[bool], Warehouse | None]


def _found(given: Addresses) -> _Found:
    """Return what the options name, with what they leave open from the stack or the settings that they point to."""
    base, open_warehouse = _base(given)
    needed = ("redis_url", "changes_stream", "golden_stream", "archive", "quarantine", "on_failure")
    named: dict[str, Any] = {name: getattr(given, name) or base.get(name) for name in needed}
    missing = [f"--{name.removesuffix('_url').replace('_', '-')}" for name, value in named.items() if not value]
    rules = given.rules or base.get("rules") or ()
    if not rules:
        missing.append("--rules")
    if given.warehouse is not None:
        open_warehouse = _duckdb_opener(given.warehouse)
    elif open_warehouse is None:
        missing.append("--warehouse")
    if missing or open_warehouse is None:
        raise click.UsageError(f"name every store, so that none is left out; missing: {', '.join(missing)}")
    return _Found(
        **named,
        rules=tuple(rules),
        claims=given.claims or ("" if given.archive else base.get("claims") or ""),
        namespace=given.namespace or base.get("namespace") or "main",
        endpoint=given.endpoint or base.get("endpoint"),
        open_warehouse=open_warehouse,
    )


def _base(given: Addresses) -> tuple[dict[str, Any], Callable[[bool], Warehouse | None] | None]:
    if given.is_local():
        from mdm_stream.local.pipeline import (  # noqa: PLC0415
            ARCHIVE_FOLDER,
            ON_FAILURE_FOLDER,
            QUARANTINE_FOLDER,
        )

        stack = running_stack(given.state)
        base: dict[str, Any] = {
            "redis_url": stack.redis_url,
            "rules": stack.rules,
            "changes_stream": stack.changes_stream,
            "golden_stream": stack.golden_stream,
            "endpoint": stack.kinesis_endpoint_url,
            "archive": str(given.state / ARCHIVE_FOLDER),
            "quarantine": str(given.state / QUARANTINE_FOLDER),
            "on_failure": str(given.state / ON_FAILURE_FOLDER),
        }
        return base, _duckdb_opener(stack.warehouse)
    if not given.environment:
        return {}, None
    from mdm_stream.settings import ResolveSettings  # noqa: PLC0415
    from mdm_stream.warehouse import WarehouseSettings, open_warehouse  # noqa: PLC0415

    settings: ResolveSettings = ResolveSettings.from_environment(os.environ)
    warehouse = WarehouseSettings.from_environment(os.environ)
    base = {
        "redis_url": settings.redis_url,
        "rules": settings.rules.split(","),
        "namespace": settings.namespace,
        "changes_stream": settings.changes_stream,
        "golden_stream": settings.golden_stream,
        "endpoint": settings.kinesis_endpoint_url or None,
        "archive": settings.archive_url,
        "claims": settings.claims_url,
        "quarantine": settings.quarantine_url,
    }
    if warehouse.kind == "duckdb":
        return base, _duckdb_opener(warehouse.duckdb_path)
    return base, lambda _writing: open_warehouse(warehouse)


def _duckdb_opener(file: str) -> Callable[[bool], Warehouse | None]:
    def opened(writing: bool) -> Warehouse | None:
        from mdm_stream.warehouse import DuckDbWarehouse  # noqa: PLC0415

        # Before the first message has come there is no file, and nothing in it.
        if file == NONE or not Path(file).exists():
            return None
        return DuckDbWarehouse(file, read_only=not writing, lock_wait_ms=LOCK_WAIT_MS)

    return opened


def _tell(kinesis: Any, stream: str, events: Sequence[bytes]) -> None:
    from mdm_stream.cli.redelivery import change_key_of, deliver_with  # noqa: PLC0415
    from mdm_stream.dead_letters import Message  # noqa: PLC0415

    messages = [Message(stream, change_key_of(event) or stream, event) for event in events]
    failures = deliver_with(kinesis)(messages)
    if failures:
        raise TransientError(f"the stream {stream} did not take the erasure: {next(iter(failures.values()))}")
