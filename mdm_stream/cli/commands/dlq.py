"""``mdm-stream dlq``: events that did not get through, in our quarantine and in Lambda's on-failure destination."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.options import deployment_options, state_option
from mdm_stream.cli.output import json_option, print_json, print_table, say
from mdm_stream.core.times import format_time_us
from mdm_stream.deployment import ON_FAILURE_FOLDER, QUARANTINE_FOLDER, Deployment, running_stack
from mdm_stream.errors import ConfigurationError, TerminalError

if TYPE_CHECKING:
    from mdm_stream.dead_letters import Contents, DeadEvent, DeadLetter, DeadLetters, RedriveReport, Selection

RUN_BYTES = 8
"""A run's name is random: 64 bits, so that no two runs share one."""


@dataclass(frozen=True, slots=True)
class _LetterStores:
    """Which dead letters a command is about: where they are kept, and which of them."""

    stores: list[DeadLetters]
    selection: Selection

    def letters(self) -> list[DeadLetter]:
        """Return the selected letters; ``ConfigurationError`` if one that was named is not there."""
        from mdm_stream.dead_letters.letters import find_all  # noqa: PLC0415

        letters = find_all(self.stores, self.selection)
        absent = self.selection.letter_ids - {letter.letter_id for letter in letters}
        if absent:
            raise ConfigurationError(
                f"no dead letter is selected by id {', '.join(sorted(absent))}; `mdm-stream dlq list` shows all"
            )
        return letters


_PLACE_OPTIONS = (
    state_option,
    click.option("--quarantine", metavar="URL", help="A quarantine other than the local stack's: folder or s3://."),
    click.option("--on-failure", metavar="URL", help="An on-failure destination: a folder, or s3://bucket."),
    deployment_options("s3_endpoint", "region"),
    click.option("--domain", help="Only events that claim this domain."),
    click.option("--source", help="Only events that claim this source."),
    click.option("--reason", metavar="CODE", help="Only those with this code of a reason, or of Lambda's."),
    json_option,
)  # fmt: skip
_CHANGE_OPTIONS = (
    click.argument("ids", nargs=-1),
    click.option("--all", "everything", is_flag=True, help="All there are."),
    click.option("--yes", is_flag=True, help="Do not ask."),
)


def _options(*groups: Sequence[Callable[..., Any]]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return decorate


@click.group()
def dlq() -> None:
    """Events that did not get through: list and show them, send them again, drop them.

    Dead letters are events that were rejected (the quarantine) and batches whose last attempt failed (the on-failure
    destination). Without addresses they are those of the local stack in --state, which need not run except for redrive.
    """


@dlq.command("list")
@_options(_PLACE_OPTIONS)
def list_letters(*, as_json: bool, **where: Any) -> None:
    """List dead letters in the order in which their events arrived, without any value of them."""
    letters = _places(**where).letters()
    if as_json:
        print_json({"dead_letters": [letter.summary() for letter in letters]})
        return
    if letters:
        headings = ("id", "events", "bytes", "domain", "record", "why", "when", "state")
        print_table("", headings, [_row(letter) for letter in letters], texts=True)
    events = sum(letter.events for letter in letters)
    say(f"{len(letters):,} dead letters with {events:,} events")


@dlq.command()
@click.argument("letter_id", metavar="ID")
@click.option("--raw", is_flag=True, help="Show the events' bytes, which may be personal.")
@_options(_PLACE_OPTIONS)
def show(*, letter_id: str, raw: bool, as_json: bool, **where: Any) -> None:
    """Show one dead letter: why it is one, and each of its events; their bytes with --raw alone."""
    places = _places(ids=(letter_id,), **where)
    for letter in places.letters():
        if letter.problem:
            raise TerminalError(f"dead letter {letter_id} cannot be read: {letter.problem}")
        store = next(store for store in places.stores if store.kind == letter.kind)
        contents = store.contents(letter)
        if as_json:
            print_json(_document(letter, contents, raw=raw))
        else:
            _print_letter(letter, contents, raw=raw)


@dlq.command()
@_options(_CHANGE_OPTIONS, _PLACE_OPTIONS)
@deployment_options(
    "stream", "steward_stream", "golden_stream", "endpoint",
    golden_stream="The golden feed, for batches of the warehouse consumer.",
    steward_stream="The steward stream, on which what arrived before is sent again.",
)  # fmt: skip
def redrive(
    *,
    stream: str | None,
    steward_stream: str | None,
    golden_stream: str | None,
    endpoint: str | None,
    everything: bool,
    yes: bool,
    as_json: bool,
    **where: Any,
) -> None:
    """Send the events of dead letters again, as what they were when they first arrived: on the steward stream.

    An event keeps the rights of the stream that it came by.

    Name letters by id, select them with --domain, --source and --reason, or take --all. A letter is removed once the
    stream has taken all of its events; an event that is rejected again is in quarantine again. Exit code 1 if some
    could not be sent: these are still there.
    """
    from mdm_stream.aws.clients import aws_client  # noqa: PLC0415 - --help does without all of these
    from mdm_stream.cli.redelivery import change_key_of, deliver_with  # noqa: PLC0415
    from mdm_stream.dead_letters import RedriveReport, RedriveRun, Streams  # noqa: PLC0415

    places = _places(**where, everything=everything, must_select=True)
    keys = None
    if stream is None:
        if endpoint is not None or golden_stream is not None or steward_stream is not None:
            raise click.UsageError("--endpoint, --steward-stream and --golden-stream need --stream")
        stack = running_stack(where["state"])
        endpoint, stream, golden_stream = stack.kinesis_endpoint_url, stack.changes_stream, stack.golden_stream
        keys = stack.keys
        steward_stream = stack.steward_stream
    letters = places.letters()
    report = RedriveReport()
    if letters:
        _ask(f"Send {_counted(letters)} to {steward_stream or stream} again?", yes=yes)
        deliver = deliver_with(aws_client("kinesis", endpoint, where["region"], keys=keys))
        redrive_run = RedriveRun(places.stores, Streams(stream, golden_stream, steward_stream), change_key_of, deliver)
        report = redrive_run.send(letters, secrets.token_hex(RUN_BYTES))
    _tell(report, steward_stream or stream, as_json=as_json)


@dlq.command()
@_options(_CHANGE_OPTIONS, _PLACE_OPTIONS)
def drop(*, everything: bool, yes: bool, as_json: bool, **where: Any) -> None:
    """Remove dead letters for good: what they hold will never be applied."""
    places = _places(**where, everything=everything, must_select=True)
    letters = places.letters()
    if letters:
        _ask(f"Remove {_counted(letters)} for good?", yes=yes)
    for store in places.stores:
        store.remove([name for letter in letters if letter.kind == store.kind for name in letter.names])
    if as_json:
        print_json({"dropped": [letter.letter_id for letter in letters]})
    else:
        say(f"{len(letters):,} dead letters removed")


def _places(
    *,
    state: Path,
    quarantine: str | None,
    on_failure: str | None,
    s3_endpoint: str | None,
    region: str | None,
    domain: str | None,
    source: str | None,
    reason: str | None,
    ids: tuple[str, ...] = (),
    everything: bool = False,
    must_select: bool = False,
) -> _LetterStores:
    from mdm_stream.dead_letters import DeadLetters, Selection  # noqa: PLC0415 - --help does without

    some = bool(ids or domain or source or reason)
    if must_select and some == everything:
        raise click.UsageError("say which: ids, --domain, --source and --reason, or --all alone")
    if quarantine is None and on_failure is None:
        if not state.is_dir():
            raise ConfigurationError(f"there is no local stack in {state}; name its directory with --state")
        quarantine, on_failure = str(state / QUARANTINE_FOLDER), str(state / ON_FAILURE_FOLDER)
    elif absent := [
        each for each in (quarantine, on_failure) if each and "://" not in each and not Path(each).is_dir()
    ]:
        raise ConfigurationError(f"there is no folder {absent[0]}")
    named = Deployment(s3_endpoint_url=s3_endpoint or "", region=region or "")
    stores = []
    if quarantine is not None:
        stores.append(DeadLetters(named.store(quarantine), "quarantine"))
    if on_failure is not None:
        stores.append(DeadLetters(named.store(on_failure), "on_failure"))
    return _LetterStores(stores, Selection(frozenset(ids), domain, source, reason))


def _ask(question: str, *, yes: bool) -> None:
    if not yes and not click.confirm(question, err=True):
        raise TerminalError("nothing was done")


def _counted(letters: Sequence[DeadLetter]) -> str:
    return f"{len(letters):,} dead letters with {sum(letter.events for letter in letters):,} events"


def _row(letter: DeadLetter) -> tuple[str, ...]:
    record = f"{letter.source or '?'}/{letter.record_id or '?'}" if letter.source or letter.record_id else ""
    why = letter.problem or ", ".join(dict.fromkeys(letter.causes))
    when = "" if letter.problem else format_time_us(letter.when_us)
    state = "redriving" if letter.redriving else ""
    return (
        letter.letter_id,
        f"{letter.events:,}",
        f"{letter.raw_bytes:,}",
        letter.domain or "",
        record,
        why,
        when,
        state,
    )


def _document(letter: DeadLetter, contents: Contents, *, raw: bool) -> dict[str, Any]:
    reasons = [{"code": each.code, "path": each.path, "message": each.message} for each in contents.reasons]
    events = [_event_document(event, raw=raw) for event in contents.events]
    return {**letter.summary(), "reasons": reasons, "condition": contents.condition, "events": events}


def _event_document(event: DeadEvent, *, raw: bool) -> dict[str, Any]:
    delivery, claimed = event.delivery, event.claimed
    document: dict[str, Any] = {
        "origin": delivery.origin,
        "position": delivery.place if delivery.placed else None,
        "arrival_time": format_time_us(delivery.arrival_time_us) if delivery.placed else None,
        "domain": claimed.domain,
        "source": claimed.source,
        "record_id": claimed.record_id,
        "bytes": len(delivery.raw),
        "holds": event.holds,
    }
    return {**document, **dict([_shown(delivery.raw)])} if raw else document


def _shown(raw: bytes) -> tuple[str, str]:
    """Return bytes as ``("text", ...)`` if a terminal can show them as such, else as ``("hex", ...)``."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return "hex", raw.hex()
    return ("text", text) if text.replace("\n", "").replace("\t", "").isprintable() else ("hex", raw.hex())


def _print_letter(letter: DeadLetter, contents: Contents, *, raw: bool) -> None:
    what = "was rejected" if letter.kind == "quarantine" else f"failed its last attempt: {contents.condition}"
    aside = "; a redrive has set it aside" if letter.redriving else ""
    say(f"Dead letter {letter.letter_id} {what}, {format_time_us(contents.when_us)}{aside}")
    for reason in contents.reasons:
        say(f"  {reason.code} at {reason.path or 'event'}: {reason.message}")
    for event in contents.events:
        delivery = event.delivery
        arrived = f", arrived {format_time_us(delivery.arrival_time_us)}" if delivery.placed else ""
        claimed = "/".join(
            name or "?" for name in (event.claimed.domain, event.claimed.source, event.claimed.record_id)
        )
        several = f" with {event.holds:,} events" if event.holds > 1 else ""
        say(f"Event {delivery.origin}{arrived}: {len(delivery.raw):,} bytes{several}, claims {claimed}")
        if raw:
            kind, shown = _shown(delivery.raw)
            say(f"  {kind}: {shown}")


def _tell(report: RedriveReport, stream: str, *, as_json: bool) -> None:
    """Say what a redrive has done; ``TerminalError`` if it has not done all."""
    left = {**report.refused, **report.failed, **dict.fromkeys(report.untried, "not tried, because others failed")}
    if as_json:
        print_json({"stream": stream, "redriven": report.letters, "events": report.events, "left": left})
    else:
        say(f"{report.letters:,} dead letters with {report.events:,} events sent to {stream}")
        for letter_id, why in left.items():
            say(f"  {letter_id} is left: {why}")
    if left:
        raise TerminalError(f"{len(left):,} dead letters could not be sent, and are still there")
