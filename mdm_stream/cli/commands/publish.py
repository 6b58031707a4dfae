"""``mdm-stream publish``: the events of a file, or of standard input, onto the change stream."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any

import click

from mdm_stream.aws.clients import aws_client
from mdm_stream.aws.signing_keys import read_signing_key
from mdm_stream.cli.event_inputs import CheckedInputs, EventInput, checked_inputs, named_inputs, refuse
from mdm_stream.cli.full_load import plan_full_load
from mdm_stream.cli.index_options import index_on
from mdm_stream.cli.options import deployment_options
from mdm_stream.cli.output import Advance, json_option, print_json, progress, say
from mdm_stream.contracts.change import encode_event
from mdm_stream.contracts.signature import SigningKey
from mdm_stream.core.file_rules import DELETED_SHARE_MAX, REJECTED_SHARE_MAX
from mdm_stream.core.model import ChangeEvent, RecordEvent, VerdictEvent, split_ref
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.wire_formats import WIRE_FORMATS, FormatName
from mdm_stream.dead_letters.quarantine import quarantine_id_of
from mdm_stream.decode import Delivery
from mdm_stream.decode.canonical import signable
from mdm_stream.decode.files.csv_lines import LINE_BYTES_MAX
from mdm_stream.decode.files.csv_rows import CsvFile
from mdm_stream.decode.files.event_files import file_events, line_events
from mdm_stream.decode.sources import SourceCatalogue
from mdm_stream.deployment import running_stack
from mdm_stream.errors import ConfigurationError, RejectedEventError, TerminalError, TransientError
from mdm_stream.index.reader import IndexReader
from mdm_stream.rules import load_rulesets
from producers.delivery import EventTooLargeError, PublisherSettings
from producers.files.row_messages import row_message
from producers.partition_key import partition_key
from producers.publisher import Publisher

PROGRESS_EVERY_EVENTS = 500

AGGREGATE_BYTES_MAX = 100_000
"""Bytes of one record of the stream that ``--aggregate`` fills with events: a tenth of what Kinesis takes."""

NO_STREAM = "no stream"
"""Where a dry run sends nothing to, if no stream was named."""

FoundEvent = tuple[bytes, ChangeEvent | RejectedEventError]
_NOTHING = {"sent": 0, "unreadable": 0, "too_large": 0}
_Message = tuple[str, bytes, ChangeEvent | None]


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--format", "format_", type=click.Choice(list(WIRE_FORMATS)), help="What the files hold; CSV by name.")
@click.option(
    "--source",
    "sources",
    multiple=True,
    help="The source of CSV rows without one, and of CDC rows whatever their table: one, or one a file.",
)
@click.option("--as-of", metavar="TIME", help="The time of a CSV load; that of the file if left out.")
@click.option(
    "--max-rejected",
    type=click.FloatRange(0, 1),
    default=REJECTED_SHARE_MAX,
    show_default=True,
    help="Send nothing if more of a CSV file's rows cannot be read.",
)
@click.option("--full", is_flag=True, help="Delete what the CSV files do not name of their sources, last.")
@click.option(
    "--max-deleted",
    type=click.FloatRange(0, 1),
    default=DELETED_SHARE_MAX,
    show_default=True,
    help="Send nothing if --full would delete more of a source's live records.",
)
@click.option("--force", is_flag=True, help="Send, and delete with --full, whatever the shares are.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing.")
@click.option("--aggregate", is_flag=True, help="Send several events a record of the change stream, as KPL aggregates.")
@click.option(
    "--signing-key",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Sign canonical events with the key in this file, whose name is the key's id.",
)
@deployment_options(
    "rules",
    "endpoint",
    "stream",
    "steward_stream",
    "region",
    "state",
    "redis_url",
    "namespace",
    steward_stream="Where verdicts, overrides and erasures go; with --stream, to that one if left out.",
    redis_url="The index that --full asks; that of the local stack if left out.",
)
@json_option  # fmt: skip
def publish(
    *,
    files: tuple[str, ...],
    format_: FormatName | None,
    sources: tuple[str, ...],
    as_of: str | None,
    max_rejected: float,
    full: bool,
    max_deleted: float,
    force: bool,
    dry_run: bool,
    aggregate: bool,
    rules: tuple[str, ...],
    endpoint: str | None,
    stream: str | None,
    steward_stream: str | None,
    signing_key: Path | None,
    region: str | None,
    state: Path,
    redis_url: str | None,
    namespace: str,
    as_json: bool,
) -> None:
    """Put the events of FILES on the change stream, stewards' events on the steward stream; - is standard input.

    Without --stream they go to the local stack that runs in --state. Events of one record keep their order. What
    cannot be read as an event is sent as it is, so that the consumer quarantines it with its reasons; what is too
    large for the stream is reported, and the exit code is then 1.

    CSV files are checked whole before anything is sent: header and rows by the rules. A row without a version column
    has that of its load, --as-of or the file's time: the same file again changes nothing, a later one supersedes it.
    """
    keys = None
    if dry_run and rules and not full and stream is None:
        stream = NO_STREAM
    elif stream is None:
        if endpoint is not None or region is not None or steward_stream is not None:
            raise click.UsageError("--endpoint, --region and --steward-stream need --stream")
        stack = running_stack(state)
        endpoint, stream, rules = stack.kinesis_endpoint_url, stack.changes_stream, rules or stack.rules
        keys, redis_url = stack.keys, redis_url or stack.redis_url
        steward_stream = stack.steward_stream
    if not rules:
        raise click.UsageError("--stream needs --rules: they say which source and record an event belongs to")
    rulesets = load_rulesets(rules)
    now_us = time.time_ns() // 1_000
    inputs = named_inputs(files, format_, sources, as_of, now_us)
    _require_formats(inputs, full=full)
    index = _index_opener(redis_url, namespace, rulesets) if full else None
    checked, refused = checked_inputs(
        inputs, rulesets, rejected_share_max=1.0 if force else max_rejected, arriving_at_us=now_us, collect=full
    )
    deletions: tuple[RecordEvent, ...] = ()
    if index is not None and not refused:
        load = plan_full_load(checked, SourceCatalogue(rulesets), index, max_deleted)
        deletions, refused = load.deletions, [] if force else list(load.refused)
    if refused:
        if as_json:
            print_json({"stream": stream, **_NOTHING, "files": checked.documents(), "refused": refused})
        refuse(refused, "nothing was sent")
    messages = chain(*(_messages_of(given, rulesets, now_us) for given in inputs))
    last = ((_key_of(event), encode_event(event), event) for event in deletions)
    if dry_run:
        counts = _counted(chain(messages, last))
    else:
        key = None if signing_key is None else read_signing_key(signing_key)
        client = aws_client("kinesis", endpoint, region, keys=keys)
        settings = PublisherSettings(aggregate_bytes_max=AGGREGATE_BYTES_MAX if aggregate else 0)
        counts = _published(client, (stream, steward_stream), settings, key, messages, last)
    _say_sent(counts, stream, checked, deleted=len(deletions), dry_run=dry_run, as_json=as_json)
    if counts["too_large"]:
        raise TerminalError(f"{counts['too_large']:,} events were not sent: each is larger than the stream takes")


def _published(
    client: Any,
    streams: tuple[str, str | None],
    settings: PublisherSettings,
    key: SigningKey | None,
    messages: Iterable[_Message],
    last: Iterable[_Message],
) -> Counter[str]:
    """Send messages, and once the streams have taken all of them, the last ones; return how many were sent."""
    with progress() as advance, ExitStack() as opened:
        changes = opened.enter_context(Publisher(client, streams[0], settings=settings, signing_key=key))
        steward = changes
        if streams[1] is not None:
            steward = opened.enter_context(Publisher(client, streams[1], signing_key=key))
        counts = _send(changes, steward, messages, advance, signs=key is not None)
        changes.flush()
        steward.flush()
        counts.update(_send(changes, steward, last, advance, signs=key is not None))
        changes.flush()
    return counts


def _require_formats(inputs: tuple[EventInput, ...], *, full: bool) -> None:
    for given in inputs:
        if given.format is None:
            raise click.UsageError(f"--format is needed: the name {given.name} does not tell what the file holds")
        if full and not given.is_csv:
            raise click.UsageError("--full is about CSV files: they alone hold all records of their source")


_ASKS = "nothing was sent: --full asks the index which records a source has"
_INSTEAD = "name the index with --redis and --namespace, or send the first load of a new domain without --full"


def _index_opener(
    redis_url: str | None, namespace: str, rulesets: Mapping[str, Ruleset]
) -> Callable[[str], IndexReader]:
    if redis_url is None:
        raise click.UsageError("--full with --stream needs --redis: the index says which records a source has")
    address = redis_url

    def opened(domain: str) -> IndexReader:
        try:
            return index_on(address, rulesets[domain], namespace)
        except ConfigurationError:
            raise
        except (TerminalError, TransientError) as error:
            kind = TransientError if isinstance(error, TransientError) else TerminalError
            raise kind(f"{_ASKS}, and that of domain {domain!r} cannot be read: {error}; {_INSTEAD}") from error

    if len(rulesets) == 1:  # of several it is known once the files are read which of them they feed
        opened(next(iter(rulesets)))
    return opened


def _say_sent(
    counts: Counter[str], stream: str, checked: CheckedInputs, *, deleted: int, dry_run: bool, as_json: bool
) -> None:
    document = {"stream": stream, **_NOTHING, **counts}
    if as_json:
        if checked.reports:
            document |= {"deleted": deleted, "dry_run": dry_run, "files": checked.documents()}
        print_json(document)
        return
    done = "would be sent" if dry_run else "sent"
    last = f", {deleted:,} of them deletions" if deleted else ""
    say(f"{document['sent']:,} events {done} to {stream}, {document['unreadable']:,} of them unreadable{last}")


def _counted(messages: Iterable[_Message]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for _, _, event in messages:
        counts["sent"] += 1
        counts["unreadable"] += event is None
    return counts


def _send(
    changes: Publisher, steward: Publisher, messages: Iterable[_Message], advance: Advance, *, signs: bool
) -> Counter[str]:
    counts: Counter[str] = Counter()
    for key, data, event in messages:
        readable = event is not None
        to = changes if event is None or isinstance(event, RecordEvent) else steward
        try:
            to.put(signable(data) if signs and readable else data, key)
        except EventTooLargeError:
            counts["too_large"] += 1
            continue
        counts["sent"] += 1
        counts["unreadable"] += not readable
        if counts["sent"] % PROGRESS_EVERY_EVENTS == 0:
            advance("events", counts["sent"], 0)
    return counts


def _messages_of(given: EventInput, rulesets: Mapping[str, Ruleset], now_us: int) -> Iterator[_Message]:
    """Yield what to send of a file."""
    if given.is_csv:
        yield from _row_messages(given, rulesets, now_us)
        return
    if given.path is None:
        events = line_events(_stdin_lines(), given.format, given.source, rulesets)
    else:
        events = file_events(given.path, given.format, given.source, rulesets)
    # Rows of a table that the rules do not name mean nothing without what was said here.
    keep_raw = given.format == "canonical" or given.source is None
    yield from _messages(events, keep_raw=keep_raw)


def _row_messages(given: EventInput, rulesets: Mapping[str, Ruleset], now_us: int) -> Iterator[_Message]:
    """Yield each row as the event that it means; one that means none with all that says why, for the quarantine."""
    file = CsvFile(given.pieces(), rulesets, given.source, given.loaded_at_us, arriving_at_us=now_us)
    for row in file.rows():
        yield row_message(file, row, given.name, given.source, given.loaded_at_us)


def _messages(events: Iterator[FoundEvent], *, keep_raw: bool) -> Iterator[_Message]:
    """Yield partition key, bytes and event of what to send: the raw bytes once, or each change in canonical form.

    There is no event where the bytes cannot be read as one.

    Bytes that say two changes (a row's key was changed) go under the key of the first.
    """
    before: bytes | None = None
    for raw, event in events:
        if isinstance(event, RejectedEventError):
            yield quarantine_id_of(Delivery.unplaced(raw)), raw, None
        elif not keep_raw:
            yield _key_of(event), encode_event(event), event
        elif raw is not before:
            yield _key_of(event), raw, event
        before = raw


def _key_of(event: ChangeEvent) -> str:
    if isinstance(event, VerdictEvent):
        return partition_key(event.domain, "verdict", f"{event.a}/{event.b}")
    return partition_key(event.domain, *split_ref(event.ref))


def _stdin_lines() -> Iterator[bytes]:
    number = 0
    while line := sys.stdin.buffer.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(line) > LINE_BYTES_MAX:
            raise ConfigurationError(f"standard input:{number}: the line has more than {LINE_BYTES_MAX:,} bytes")
        yield line
