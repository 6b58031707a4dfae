"""``mdm-stream capture``: the changes of a database, read from its log, onto the change stream."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from mdm_stream.aws.clients import aws_client
from mdm_stream.cli.options import deployment_options
from mdm_stream.cli.output import json_option, say
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.deployment import running_stack
from mdm_stream.errors import ConfigurationError
from mdm_stream.metrics import namespace_of
from mdm_stream.rules import load_rulesets
from mdm_stream.telemetry.log_lines import write_lines

if TYPE_CHECKING:
    from producers.postgres import ReaderSettings, ReaderStatus

PUT_TIMEOUT_S = 0.5
"""What the reader waits for room in the publisher's buffer before it gives PostgreSQL a sign of life."""
DEFAULT_SCHEMA = "public"


@click.group()
def capture() -> None:
    """Read the changes of a database from its log, and put them on the change stream."""


@capture.command()
@click.argument("dsn")
@click.option("--publication", default="mdm_stream", show_default=True, help="Which tables the database publishes.")
@click.option("--slot", default="mdm_stream", show_default=True, help="Where PostgreSQL keeps how far this has come.")
@click.option("--table", "tables", multiple=True, metavar="SCHEMA.TABLE",
              help="A table to capture; those of the rules, or all of the publication, if left out.")  # fmt: skip
@click.option("--key", "keys", multiple=True, metavar="SCHEMA.TABLE=COLUMN,...",
              help="The columns that identify a row; those of the rules, or the primary key, if left out.")  # fmt: skip
@click.option("--snapshot", "snapshot_again", multiple=True, metavar="SCHEMA.TABLE",
              help="Read all rows of this table once more, as after it was added to the publication.")  # fmt: skip
@click.option("--allow-truncate", is_flag=True, help="Go on after a TRUNCATE, which deletes no record.")
@click.option("--status-interval", "status_interval_s", type=click.FloatRange(0.1), default=10.0, show_default=True,
              help="Seconds between two lines about how far behind it is.")  # fmt: skip
@click.option("--emf", is_flag=True, help="Write these lines as CloudWatch metrics (embedded metric format).")
@deployment_options("rules", "endpoint", "stream", "region", "state")
@json_option
def postgres(
    *,
    dsn: str,
    publication: str,
    slot: str,
    tables: tuple[str, ...],
    keys: tuple[str, ...],
    snapshot_again: tuple[str, ...],
    allow_truncate: bool,
    status_interval_s: float,
    emf: bool,
    rules: tuple[str, ...],
    endpoint: str | None,
    stream: str | None,
    region: str | None,
    state: Path,
    as_json: bool,
) -> None:
    """Read all rows of a PostgreSQL database, then every change of them, until it is interrupted.

    DSN is an address such as postgresql://reader@db.example.com/shop; leave the password to ~/.pgpass or PGPASSWORD.
    Without --stream the changes go to the local stack that runs in --state. The database keeps how far this has come,
    and moves on only past what Kinesis has accepted: start it again after whatever has ended it. --json writes a JSON
    document a line.
    """
    from producers.delivery import PublisherSettings  # noqa: PLC0415 - with the driver, which --help does without
    from producers.postgres import PostgresReader  # noqa: PLC0415
    from producers.publisher import Publisher  # noqa: PLC0415

    loopback_keys = None
    if stream is None:
        if endpoint is not None or region is not None:
            raise click.UsageError("--endpoint and --region need --stream")
        stack = running_stack(state)
        endpoint, stream, rules = stack.kinesis_endpoint_url, stack.changes_stream, rules or stack.rules
        loopback_keys = stack.keys
    settings = _settings(
        load_rulesets(rules) if rules else {},
        tables=tuple(map(_qualified, tables)),
        keys=dict(map(_key, keys)),
        slot=slot,
        publication=publication,
        snapshot_again=tuple(map(_qualified, snapshot_again)),
        allow_truncate=allow_truncate,
        status_interval_s=status_interval_s,
    )
    client = aws_client("kinesis", endpoint, region, keys=loopback_keys)
    publisher_settings = PublisherSettings(put_timeout_s=PUT_TIMEOUT_S)
    if sys.stderr.isatty():
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    else:
        write_lines("postgres-reader", sys.stderr, logging.WARNING)
    stop = threading.Event()
    reader = PostgresReader(
        dsn,
        lambda: Publisher(client, stream, settings=publisher_settings),
        settings,
        on_status=lambda status: _show(status, slot if emf else None, as_json=as_json),
    )
    before = {each: signal.signal(each, lambda *_: stop.set()) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        reader.run(stop)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _settings(rulesets: dict[str, Ruleset], **options: Any) -> ReaderSettings:
    """Return the reader's settings; what the rules say of their tables holds where no option says otherwise."""
    from producers.postgres import ReaderSettings  # noqa: PLC0415

    keys: dict[str, tuple[str, ...]] = {}
    sources: dict[str, tuple[str, str]] = {}
    required: dict[str, frozenset[str]] = {}
    for domain, ruleset in rulesets.items():
        for source in ruleset.sources.values():
            if source.format != "postgres":
                continue
            table = _qualified(source.table or source.name)
            mapped = {column for columns in source.columns.values() for column in columns}
            named = {source.version, source.event_time} - {None}
            keys[table], sources[table] = source.key, (domain, source.name)
            required[table] = frozenset({*source.key, *mapped, *named})  # type: ignore[arg-type]
    options["tables"] = options["tables"] or tuple(sources)
    options["keys"] = keys | options["keys"]
    try:
        return ReaderSettings(sources=sources, required=required, **options)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


def _qualified(table: str) -> str:
    """Return ``schema.table``; a database before it is the one that is connected to."""
    parts = table.split(".")
    return ".".join(parts[-2:]) if len(parts) > 1 else f"{DEFAULT_SCHEMA}.{table}"


def _key(text: str) -> tuple[str, tuple[str, ...]]:
    table, _, columns = text.partition("=")
    names = tuple(name.strip() for name in columns.split(",") if name.strip())
    if not table or not names:
        raise click.UsageError("--key is SCHEMA.TABLE=COLUMN, or several columns with commas between them")
    return _qualified(table), names


def _show(status: ReaderStatus, emf_slot: str | None, *, as_json: bool) -> None:
    if emf_slot is not None:
        from producers.postgres.metrics import metrics_of  # noqa: PLC0415 - with the driver

        line = metrics_of(status, emf_slot, time.time_ns() // 1_000_000, namespace_of(os.environ))
        say(orjson.dumps(line).decode())
        return
    if as_json:
        say(orjson.dumps(asdict(status)).decode())
        return
    say(
        f"{status.phase}: {status.snapshot_rows:,} rows read, {status.changes:,} changes of {status.transactions:,} "
        f"transactions; confirmed {status.confirmed_lsn}, behind by {status.lag_bytes:,} bytes and {status.lag_s:.1f} s"
    )
