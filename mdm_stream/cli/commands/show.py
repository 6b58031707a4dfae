"""``mdm-stream show``: a golden record or a source record, with the provenance of every value."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from mdm_stream.cli.index_options import index_options, open_index, reveal_option
from mdm_stream.cli.output import print_json, print_table, say
from mdm_stream.core.histories import shown_version


@click.command()
@click.argument("name", metavar="SOURCE/ID|GOLDEN_ID")
@reveal_option
@index_options
def show(
    *,
    name: str,
    state: Path,
    redis_url: str | None,
    namespace: str,
    rules: tuple[str, ...],
    domain: str | None,
    reveal: bool,
    as_json: bool,
) -> None:
    """Show the golden record of a source record, or of a golden id, and where each of its values comes from.

    For a source record also its own state. A golden id that is not live any more leads to where its first record is
    now. Values of sensitive attributes are masked but for --reveal, which takes a right to see them. The index is that
    of the local stack in --state, or --redis.
    """
    from mdm_stream.cli.view_rights import sight  # noqa: PLC0415 - --help does without
    from mdm_stream.steward.inspect import show as look_up  # noqa: PLC0415

    seen = sight(reveal=reveal, values=False, own_stack=redis_url is None)
    index, ruleset = open_index(state, redis_url, namespace, rules, domain)
    found = look_up(index, ruleset, name, reveal=seen).document()
    if as_json:
        print_json(found)
        return
    if found["redirected_from"]:
        record = ref_of(found["record"])
        say(f"{found['redirected_from']} is no live golden record; its record {record} is shown where it is now")
    if found["golden"]:
        print_golden(found["golden"])
    if found["record"]:
        print_record(found["record"])


def print_golden(golden: Mapping[str, Any]) -> None:
    """Write a golden record: its members, and a line for each value."""
    members = golden["members"]
    say(f"Golden record {golden['golden_id']} of {len(members)}: {', '.join(map(ref_of, members))}")
    rows = []
    for name, value in golden["values"].items():
        values = value if isinstance(value, list) else [value]
        for number, (text, origin) in enumerate(zip(values, golden["provenance"][name], strict=True)):
            written = (shown_version(origin["version"]), time_of(origin), origin["strategy"])
            rows.append(("" if number else name, text, ref_of(origin), *written))
    print_table("", ("attribute", "value", "from", "version", "event time", "chosen by"), rows, texts=True)


_INVALID = {
    "too_long": " (invalid: longer than its type standardises)",
    "combining_marks": " (invalid: more combining marks in a row than any language has)",
    "scientific_notation": " (a number that has lost its last digits: counts as absent)",
    "several_values": " (invalid: several values; declare their separators)",
    "wrong_form": " (invalid)",
    "placeholder": " (a placeholder: counts as absent)",
}


def print_record(record: Mapping[str, Any]) -> None:
    """Write a source record's own state."""
    say(f"Source record {ref_of(record)}: {_STATUS[record['status']]}{_whole_write(record)}")
    rows = [
        (
            name,
            f"{text_of(each['value'])}{_INVALID.get(each.get('invalid_because'), '')}",
            shown_version(each["version"]),
            each["event_time"],
        )
        for name, each in record["attributes"].items()
    ]
    if rows:
        print_table("", ("attribute", "value", "version", "event time"), rows, texts=True)
    if record["blocking_keys"]:
        keys = [(each["expression"], each["key"], size_of(each)) for each in record["blocking_keys"]]
        print_table("", ("blocking key", "value", "records"), keys, texts=True)
    for each in record["verdicts"]:
        say(
            f"Verdict on {ref_of(each['other'])}: {each['verdict']}, by {each['steward']}, "
            f"version {each['version']} of {each['event_time']}"
        )
    print_overrides_set_aside(record)


def print_overrides_set_aside(record: Mapping[str, Any]) -> None:
    """Write which of a record's overrides the rules make nothing of, and why."""
    for name, why in record.get("overrides_set_aside", {}).items():
        effect = "it is set aside" if "absent" in _INVALID[why] else "it stands, invalid as it is"
        say(f"Override of {name}{_INVALID[why]}: {effect}; take it back with --clear {name}, or set another value")


_STATUS = {
    "live": "live",
    "deleted": "deleted, and in no golden record",
    "erased": "erased for good; nothing but its key is kept",
    "unseen": "never delivered; only a steward's decisions name it",
}


def _whole_write(record: Mapping[str, Any]) -> str:
    write = record["last_whole_write"]
    return (
        ""
        if write is None
        else f"; last {write['op']} at version {shown_version(write['version'])} of {write['event_time']}"
    )


def time_of(written: Mapping[str, Any]) -> str:
    """Return an event time for people: without a fraction that is zero."""
    return str(written["event_time"]).replace(".000000Z", "Z")


def ref_of(key: Mapping[str, Any]) -> str:
    """Return the reference of a record's key."""
    return f"{key['source']}/{key['record_id']}"


def text_of(value: Any) -> str:
    """Return a value as one text."""
    return ", ".join(value) if isinstance(value, list) else str(value)


def size_of(key: Mapping[str, Any]) -> str:
    """Return how many records share a blocking key, and whether that is too many."""
    return f"{key['size']:,}{', suspended' if key['suspended'] else ''}"
