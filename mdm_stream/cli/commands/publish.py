"""``mdm-stream publish``: the events of a file, or of standard input, onto the change stream."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from mdm_stream.aws.clients import aws_client
from mdm_stream.cli.options import deployment_options
from mdm_stream.cli.output import Advance, json_option, print_json, progress
from mdm_stream.contracts.change import encode_event
from mdm_stream.core.model import ChangeEvent, VerdictEvent, split_ref
from mdm_stream.core.wire_formats import WIRE_FORMATS, FormatName
from mdm_stream.dead_letters.quarantine import quarantine_id_of
from mdm_stream.decode import Delivery
from mdm_stream.decode.files.event_files import LINE_BYTES_MAX, file_events, line_events
from mdm_stream.deployment import running_stack
from mdm_stream.errors import ConfigurationError, RejectedEventError, TerminalError
from mdm_stream.rules import load_rulesets
from producers.delivery import EventTooLargeError
from producers.partition_key import partition_key
from producers.publisher import Publisher

PROGRESS_EVERY_EVENTS = 500

FoundEvent = tuple[bytes, ChangeEvent | RejectedEventError]


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--format", "format_", type=click.Choice(list(WIRE_FORMATS)), required=True, help="What the file holds.")
@click.option("--source", help="The source of CSV rows without one, and of CDC rows whatever their table.")
@deployment_options("rules", "endpoint", "stream", "region", "state")
@json_option
def publish(
    *,
    file: str,
    format_: FormatName,
    source: str | None,
    rules: tuple[str, ...],
    endpoint: str | None,
    stream: str | None,
    region: str | None,
    state: Path,
    as_json: bool,
) -> None:
    """Put the events of FILE on the change stream; - is standard input.

    Without --stream they go to the local stack that runs in --state. Events of one record keep their order. What
    cannot be read as an event is sent as it is, so that the consumer quarantines it with its reasons; what is too
    large for the stream is reported, and the exit code is then 1.
    """
    keys = None
    if stream is None:
        if endpoint is not None or region is not None:
            raise click.UsageError("--endpoint and --region need --stream")
        stack = running_stack(state)
        endpoint, stream, rules = stack.kinesis_endpoint_url, stack.changes_stream, rules or stack.rules
        keys = stack.keys
    if not rules:
        raise click.UsageError("--stream needs --rules: they say which source and record an event belongs to")
    rulesets = load_rulesets(rules)
    events = (
        line_events(_stdin_lines(), format_, source, rulesets)
        if file == "-"
        else file_events(file, format_, source, rulesets)
    )
    # Rows of a table that the rules do not name, and CSV rows, mean nothing without what was said here.
    keep_raw = format_ == "canonical" or (WIRE_FORMATS[format_].on_stream and source is None)
    client = aws_client("kinesis", endpoint, region, keys=keys)
    with progress() as advance, Publisher(client, stream) as publisher:
        counts = _send(publisher, _messages(events, keep_raw=keep_raw), advance)
        publisher.flush()
    if as_json:
        print_json({"stream": stream, **counts})
    else:
        click.echo(f"{counts['sent']:,} events sent to {stream}, {counts['unreadable']:,} of them unreadable")
    if counts["too_large"]:
        raise TerminalError(f"{counts['too_large']:,} events were not sent: each is larger than the stream takes")


def _send(publisher: Publisher, messages: Iterator[tuple[str, bytes, bool]], advance: Advance) -> dict[str, int]:
    counts = {"sent": 0, "unreadable": 0, "too_large": 0}
    for key, data, readable in messages:
        try:
            publisher.put(data, key)
        except EventTooLargeError:
            counts["too_large"] += 1
            continue
        counts["sent"] += 1
        counts["unreadable"] += not readable
        if counts["sent"] % PROGRESS_EVERY_EVENTS == 0:
            advance("events", counts["sent"], 0)
    return counts


def _messages(events: Iterator[FoundEvent], *, keep_raw: bool) -> Iterator[tuple[str, bytes, bool]]:
    """Yield (partition key, bytes, readable) of what to send: the raw bytes once, or each change in canonical form.

    Bytes that say two changes (a row's key was changed) go under the key of the first.
    """
    before: bytes | None = None
    for raw, event in events:
        if isinstance(event, RejectedEventError):
            yield quarantine_id_of(Delivery.unplaced(raw)), raw, False
        elif not keep_raw:
            yield _key_of(event), encode_event(event), True
        elif raw is not before:
            yield _key_of(event), raw, True
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
