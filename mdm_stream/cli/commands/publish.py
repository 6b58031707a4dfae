"""``mdm-stream publish``: the events of a file, or of standard input, onto the change stream."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from mdm_stream.aws.clients import aws_client
from mdm_stream.aws.signing_keys import read_signing_key
from mdm_stream.cli.options import deployment_options
from mdm_stream.cli.output import Advance, json_option, print_json, progress, say
from mdm_stream.contracts.change import check_value, encode_event
from mdm_stream.core.model import ChangeEvent, RecordEvent, VerdictEvent, split_ref
from mdm_stream.core.wire_formats import WIRE_FORMATS, FormatName
from mdm_stream.dead_letters.quarantine import quarantine_id_of
from mdm_stream.decode import Delivery
from mdm_stream.decode.canonical import is_canonical
from mdm_stream.decode.files.csv_lines import LINE_BYTES_MAX
from mdm_stream.decode.files.event_files import file_events, line_events
from mdm_stream.decode.json_object import parse_object
from mdm_stream.deployment import running_stack
from mdm_stream.errors import ConfigurationError, RejectedEventError, TerminalError
from mdm_stream.rules import load_rulesets
from producers.delivery import EventTooLargeError
from producers.partition_key import partition_key
from producers.publisher import Publisher

PROGRESS_EVERY_EVENTS = 500

FoundEvent = tuple[bytes, ChangeEvent | RejectedEventError]
_Message = tuple[str, bytes, ChangeEvent | None]


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--format", "format_", type=click.Choice(list(WIRE_FORMATS)), required=True, help="What the file holds.")
@click.option("--source", help="The source of CSV rows without one, and of CDC rows whatever their table.")
@click.option("--signing-key", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Sign canonical events with the key in this file, whose name is the key's id.")  # fmt: skip
@deployment_options(
    "rules", "endpoint", "stream", "steward_stream", "region", "state",
    steward_stream="Where verdicts, overrides and erasures go; with --stream, to that one if left out.",
)  # fmt: skip
@json_option
def publish(
    *,
    file: str,
    format_: FormatName,
    source: str | None,
    rules: tuple[str, ...],
    endpoint: str | None,
    stream: str | None,
    steward_stream: str | None,
    signing_key: Path | None,
    region: str | None,
    state: Path,
    as_json: bool,
) -> None:
    """Put the events of FILE on the change stream, stewards' events on the steward stream; - is standard input.

    Without --stream they go to the local stack that runs in --state. Events of one record keep their order. What
    cannot be read as an event is sent as it is, so that the consumer quarantines it with its reasons; what is too
    large for the stream is reported, and the exit code is then 1.
    """
    keys = None
    if stream is None:
        if endpoint is not None or region is not None or steward_stream is not None:
            raise click.UsageError("--endpoint, --region and --steward-stream need --stream")
        stack = running_stack(state)
        endpoint, stream, rules = stack.kinesis_endpoint_url, stack.changes_stream, rules or stack.rules
        keys = stack.keys
        steward_stream = stack.steward_stream
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
    key = None if signing_key is None else read_signing_key(signing_key)
    client = aws_client("kinesis", endpoint, region, keys=keys)
    with progress() as advance, ExitStack() as opened:
        changes = opened.enter_context(Publisher(client, stream, signing_key=key))
        steward = changes
        if steward_stream is not None:
            steward = opened.enter_context(Publisher(client, steward_stream, signing_key=key))
        counts = _send(changes, steward, _messages(events, keep_raw=keep_raw), advance, signs=key is not None)
        changes.flush()
        steward.flush()
    if as_json:
        print_json({"stream": stream, **counts})
    else:
        say(f"{counts['sent']:,} events sent to {stream}, {counts['unreadable']:,} of them unreadable")
    if counts["too_large"]:
        raise TerminalError(f"{counts['too_large']:,} events were not sent: each is larger than the stream takes")


def _send(
    changes: Publisher, steward: Publisher, messages: Iterator[_Message], advance: Advance, *, signs: bool
) -> dict[str, int]:
    counts = {"sent": 0, "unreadable": 0, "too_large": 0}
    for key, data, event in messages:
        readable = event is not None
        to = changes if event is None or isinstance(event, RecordEvent) else steward
        try:
            to.put(_signable(data) if signs and readable else data, key)
        except EventTooLargeError:
            counts["too_large"] += 1
            continue
        counts["sent"] += 1
        counts["unreadable"] += not readable
        if counts["sent"] % PROGRESS_EVERY_EVENTS == 0:
            advance("events", counts["sent"], 0)
    return counts


def _signable(data: bytes) -> dict[str, Any] | bytes:
    """Return a canonical event as the publisher signs it; the bytes of another format, which carry no signature.

    A number that no machine number keeps is signed, and sent, as the text that the consumer makes of it.
    """
    event = parse_object(data)
    if not is_canonical(event):
        return data
    values = event.get("attributes")
    if isinstance(values, dict):
        event["attributes"] = {name: check_value(value) for name, value in values.items()}
    return event


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
