"""``mdm-stream trace``: what became of an event, and which events a golden record comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.erase_options import Addresses, place_options
from mdm_stream.cli.output import json_option, print_json, print_table, progress, say

if TYPE_CHECKING:
    from mdm_stream.trace.timeline import Journey, Timeline

DAY = click.DateTime(formats=["%Y-%m-%d"])
LAST_MAX = 1_000


@click.command()
@click.argument("name", metavar="EVENT|GOLDEN_ID")
@click.option("--last", type=click.IntRange(1, LAST_MAX), default=10, show_default=True, metavar="N",
              help="How many deliveries or golden changes to show, the newest.")  # fmt: skip
@click.option("--since", type=DAY, metavar="DAY", help="Leave out what was archived before this day (UTC).")
@click.option("--streams", is_flag=True, help="Read the change streams too, for what is not archived (yet).")
@click.option("--logs", type=click.Path(path_type=Path), multiple=True, metavar="FILE|FOLDER",
              help="Log lines of the functions, JSON lines; may be repeated.")  # fmt: skip
@click.option("--values", is_flag=True, help="Show values too: of events and golden records, and texts of log lines.")
@click.option(
    "--id-keys", metavar="URL", help="Where the key of the events API is: a folder, or secretsmanager:PREFIX."
)
@place_options
@json_option
def trace(
    *,
    name: str,
    last: int,
    since: Any,
    streams: bool,
    logs: tuple[Path, ...],
    values: bool,
    id_keys: str | None,
    as_json: bool,
    **where: Any,
) -> None:
    """Follow an event to the golden changes that it caused and their warehouse rows; or a golden record back.

    EVENT is SOURCE/RECORD_ID, perhaps with @VERSION; its place on a stream ([STREAM/]shardId-...:SEQUENCE); an id that
    the events API gave; or the id of a quarantined event. No value of a record is shown without --values. Nothing is
    changed. The stores are those of the local stack in --state, of MDM_* variables with --environment, or named.
    """
    from mdm_stream.cli.trace_stores import open_trace  # noqa: PLC0415 - --help does without
    from mdm_stream.trace.event_trace import trace_event  # noqa: PLC0415
    from mdm_stream.trace.golden_trace import trace_golden  # noqa: PLC0415
    from mdm_stream.trace.in_logs import log_files  # noqa: PLC0415
    from mdm_stream.trace.lookups import Lookups  # noqa: PLC0415
    from mdm_stream.trace.stores import TraceOptions  # noqa: PLC0415

    since_day = "" if since is None else since.strftime("%Y-%m-%d")
    options = TraceOptions(last, streams, values, log_files(logs), since_day)
    with (
        progress() as advance,
        open_trace(Addresses(**where), name, id_keys=id_keys, since_day=since_day, advance=advance) as opened,
    ):
        lookups, subject = Lookups(opened.stores, options), opened.subject
        if subject.golden_id:
            timeline = trace_golden(lookups, name, subject.golden_id)
        else:
            timeline = trace_event(lookups, name, subject.selectors)
    if as_json:
        print_json(timeline.document())
    else:
        print_timeline(timeline)


def print_timeline(timeline: Timeline) -> None:
    """Write a timeline for people: a table for each journey, and then where was looked."""
    for line in timeline.summary:
        say(line)
    if timeline.left_out:
        say(f"{timeline.left_out:,} older ones are left out; --last shows more")
    for journey in timeline.journeys:
        say()
        _print_journey(journey)
    for note in timeline.notes:
        say(f"note: {note}")
    if timeline.looked_into:
        say()
        rows = [
            (each.store.replace("_", " "), f"{each.found:,}", each.where, each.note) for each in timeline.looked_into
        ]
        print_table("Looked into", ("store", "found", "where", "note"), rows, texts=True)


def _print_journey(journey: Journey) -> None:
    elapsed_us = journey.elapsed_us()
    took = "" if elapsed_us is None else f", {_duration(elapsed_us)} from the first to the last step"
    say(f"{journey.about} ({journey.outcome}{took})")
    rows = []
    for timed in journey.timed():
        document = timed.document()
        after = "" if timed.after_us is None else _duration(timed.after_us, plus="+")
        rows.append((timed.step.stage, str(document["time"] or ""), after, timed.step.said, timed.step.place))
    print_table("", ("step", "time", "after", "what", "where"), rows, texts=True)
    for timed in journey.timed():
        if timed.step.values:
            _print_values(timed.step.stage, timed.step.values)


def _print_values(stage: str, values: Mapping[str, Any]) -> None:
    rows = [(name, _text_of(value)) for name, value in values.items()]
    print_table(f"Values of the step {stage}", ("name", "value"), rows, texts=True)


def _text_of(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _duration(time_us: int, *, plus: str = "") -> str:
    """Return a time span as people read it: ``plus`` before one that is not negative."""
    sign, rest_us = ("-", -time_us) if time_us < 0 else (plus, time_us)
    if rest_us < 1_000_000:
        return f"{sign}{rest_us / 1_000:.0f} ms"
    rest_s = rest_us / 1_000_000
    if rest_s < 120:
        return f"{sign}{rest_s:.1f} s"
    minutes, seconds = divmod(round(rest_s), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{days} d"] * bool(days) + [f"{hours} h"] * bool(hours) + [f"{minutes} min"] * bool(minutes)
    return sign + " ".join(parts or [f"{seconds} s"])
