"""The stores of ``mdm-stream trace``, opened for reading: those that the options name, and of them what is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.erase_options import NONE, Addresses, deployment_of
from mdm_stream.cli.index_options import chosen_ruleset, index_on
from mdm_stream.deployment import Deployment
from mdm_stream.errors import ConfigurationError, MdmError
from mdm_stream.objects.store import ObjectStore

if TYPE_CHECKING:
    from mdm_stream.aws.put_records import StreamPlace
    from mdm_stream.cli.output import Advance
    from mdm_stream.core.ruleset import Ruleset
    from mdm_stream.decode import Decoder
    from mdm_stream.trace.in_stream import StreamTrace
    from mdm_stream.trace.in_warehouse import WarehouseTrace
    from mdm_stream.trace.stores import TraceStores
    from mdm_stream.trace.subject import TraceSubject
    from mdm_stream.warehouse import Warehouse, WarehouseSettings

LOCK_WAIT_MS = 3_000
"""How long opening the warehouse's file waits for its consumer; after that its read copy is read."""

_NEEDED = ("redis_url", "archive_url", "rules")


@dataclass(frozen=True, slots=True)
class OpenedTrace:
    """The stores of a trace, the rules of its domain, and what the name means."""

    stores: TraceStores
    rules: Ruleset
    subject: TraceSubject


@contextmanager
def open_trace(
    addresses: Addresses, name: str, *, id_keys: str | None, since_day: str, advance: Advance
) -> Iterator[OpenedTrace]:
    """Open the stores that the options name, and yield them with what ``name`` means; close them at the end.

    ``ConfigurationError`` or ``click.UsageError`` where index, archive or rules are not named, and for what is no name.
    Another store that is not named, or has nothing yet, is not looked into.
    """
    found = deployment_of(addresses)
    missing = [f"--{part.removesuffix('_url')}" for part in _NEEDED if not getattr(found, part)]
    if missing:
        raise click.UsageError(f"a trace needs index, archive and rules; missing: {', '.join(missing)}")
    rulesets = found.rulesets()
    subject = subject_of(name, found, id_keys)
    rules = chosen_ruleset(rulesets, subject.domain or addresses.domain)
    with ExitStack() as opened:
        yield OpenedTrace(_stores(found, rulesets, rules, since_day, advance, opened), rules, subject)


def subject_of(name: str, found: Deployment, id_keys: str | None) -> TraceSubject:
    """Return what a name means; an id of the events API is opened with the API's key.

    ``ConfigurationError`` for a name that is none, or an id that this key did not seal.
    """
    from mdm_stream.aws.clients import aws_client  # noqa: PLC0415 - --help does without all of these
    from mdm_stream.aws.signing_keys import read_signing_keys  # noqa: PLC0415
    from mdm_stream.trace.subject import EventSelector, TraceSubject, parse_subject  # noqa: PLC0415
    from producers.events_api.event_ids import EventIds  # noqa: PLC0415

    subject = parse_subject(name)
    if subject is not None:
        return subject
    address, key_id = _id_key(found, id_keys)
    if not address:
        raise ConfigurationError(
            f"{name!r} is no golden id, no SOURCE/RECORD_ID, no shardId-...:SEQUENCE and no id of a quarantined event. "
            "If it is an id of the events API, name where its key is: --id-keys, or MDM_API_ID_KEYS"
        )
    keys = read_signing_keys(address, [key_id], lambda: aws_client("secretsmanager", region=found.region or None))
    event = EventIds(keys[key_id]).open(name)
    if event is None:
        raise ConfigurationError(
            f"{name!r} is no golden id, no SOURCE/RECORD_ID, no shardId-...:SEQUENCE, no id of a quarantined event, "
            f"and no id that the events API has sealed with the key in {address}"
        )
    place: StreamPlace | None = event.place
    selector = EventSelector(
        ref=event.ref,
        raw_digest=event.raw_digest,
        shard=place.shard_id if place is not None else "",
        sequence=place.sequence_number if place is not None else "",
    )
    return TraceSubject(selectors=(selector,), domain=event.domain)


def _id_key(found: Deployment, id_keys: str | None) -> tuple[str, str]:
    """Return where the key of the events API is, empty if nothing says it, and the key's id."""
    from mdm_stream.local.events_api import NAME  # noqa: PLC0415
    from producers.events_api.settings import EventsApiSettings  # noqa: PLC0415

    key_id = os.environ.get("MDM_API_ID_KEY") or str(EventsApiSettings.model_fields["api_id_key"].default)
    address = id_keys or ""
    if not address and found.state is None:
        address = os.environ.get("MDM_API_ID_KEYS", "")
    elif not address and found.state is not None and (found.state / NAME / key_id).is_file():
        address = str(found.state / NAME)
    return address, key_id


def _stores(
    found: Deployment, rulesets: dict[str, Ruleset], rules: Ruleset, since_day: str, advance: Advance, opened: ExitStack
) -> TraceStores:
    from mdm_stream.archive import SourceMarkStore  # noqa: PLC0415 - --help does without all of these
    from mdm_stream.contracts.golden import redeem  # noqa: PLC0415
    from mdm_stream.dead_letters import DeadLetters  # noqa: PLC0415
    from mdm_stream.decode import Decoder  # noqa: PLC0415
    from mdm_stream.trace.in_archive import ArchiveTrace  # noqa: PLC0415
    from mdm_stream.trace.in_feed import FeedTrace  # noqa: PLC0415
    from mdm_stream.trace.stores import TraceStores  # noqa: PLC0415

    places: dict[str, str] = {}

    def store(kind: str, url: str) -> ObjectStore:
        places[kind] = url if kind not in places else f"{places[kind]} and {url}"
        return found.store(url)

    places["index"] = _without_password(found.redis_url)
    archive = store("archive", found.archive_url)
    letters = []
    if found.quarantine_url and found.quarantine_url != NONE:
        letters.append(DeadLetters(store("dead_letters", found.quarantine_url), "quarantine"))
    if found.on_failure_url and found.on_failure_url != NONE:
        letters.append(DeadLetters(store("dead_letters", found.on_failure_url), "on_failure"))
    has_streams = any((found.golden_stream, found.changes_stream, found.steward_stream))
    feed, kinesis = None, found.kinesis(attempts=1) if has_streams else None  # a client needs a region
    if found.golden_stream:
        places["golden_feed"] = f"stream {found.golden_stream}"
        feed = FeedTrace(kinesis, found.golden_stream)
    decoder = Decoder(rulesets, archived=True)
    claims = found.claims()
    warehouse = _warehouse(found.warehouse, rules.domain, places, opened)
    return TraceStores(
        rules=rules,
        decoder=decoder,
        index=index_on(found.redis_url, rules, found.namespace),
        archive=ArchiveTrace(archive, rules.domain, since_day=since_day, advance=advance),
        marks=SourceMarkStore(archive, rules.domain).read(),
        letters=letters,
        warehouse=warehouse,
        feed=feed,
        streams=_streams(found, kinesis, Decoder(rulesets), places),
        follow=lambda claim: redeem(claim, claims.fetch),
        places=places,
    )


def _streams(found: Deployment, kinesis: Any, decoder: Decoder, places: dict[str, str]) -> StreamTrace | None:
    from mdm_stream.deployment import redis_client  # noqa: PLC0415
    from mdm_stream.index.redis.progress import read_progress  # noqa: PLC0415
    from mdm_stream.trace.in_stream import StreamTrace  # noqa: PLC0415

    streams = [stream for stream in (found.changes_stream, found.steward_stream) if stream]
    if not streams:
        return None
    places["change_stream"] = f"streams {' and '.join(dict.fromkeys(streams))}"
    progress = read_progress(redis_client(found.redis_url), found.namespace)
    reached = {shard: each.sequence_number for shard, each in progress.shards.items()}
    return StreamTrace(kinesis, streams, decoder, reached)


def _warehouse(
    settings: WarehouseSettings | None, domain: str, places: dict[str, str], opened: ExitStack
) -> WarehouseTrace | None:
    """Return the warehouse; the read copy of a DuckDB file that its consumer does not let go of."""
    from mdm_stream.warehouse import DuckDbWarehouse, WarehouseBusyError, open_warehouse  # noqa: PLC0415 - --help does without
    from mdm_stream.warehouse.duckdb.read_copy import read_copy_path  # noqa: PLC0415

    if settings is None:
        return None
    if settings.kind != "duckdb":
        places["warehouse"] = "the Snowflake schema of the settings"
        return _opened(open_warehouse(settings, read_only=True), domain, opened)
    file = Path(settings.duckdb_path)
    if not file.exists():
        places["warehouse"] = f"{file}, which the first message makes"
        return None
    places["warehouse"] = str(file)
    try:
        return _opened(DuckDbWarehouse(file, read_only=True, lock_wait_ms=LOCK_WAIT_MS), domain, opened)
    except WarehouseBusyError:
        copy = read_copy_path(file)
        if not copy.exists():
            raise
        places["warehouse"] = f"{copy}, which may be some seconds old"
        return _opened(DuckDbWarehouse(copy, read_only=True, lock_wait_ms=LOCK_WAIT_MS), domain, opened)


def _opened(warehouse: Warehouse, domain: str, opened: ExitStack) -> WarehouseTrace:
    from mdm_stream.trace.in_warehouse import WarehouseTrace  # noqa: PLC0415

    opened.callback(_closed, warehouse)
    return WarehouseTrace(warehouse, domain)


def _closed(warehouse: Warehouse) -> None:
    with suppress(MdmError):
        warehouse.close()


def _without_password(url: str) -> str:
    """Return an address of Redis without what it may have of a user."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
