"""``mdm-stream override``: a steward's values for single attributes of one record."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.output import plain
from mdm_stream.cli.steward_channel import ChannelAddress, StewardChannel, record_reference, steward_options

if TYPE_CHECKING:
    from mdm_stream.core.fold import RecordState
    from mdm_stream.core.model import Value, Version
    from mdm_stream.core.ruleset import Ruleset

FROM_STDIN = "-"


@click.command()
@click.argument("name", metavar="SOURCE/ID")
@click.argument("assignments", nargs=-1, metavar="[ATTRIBUTE=VALUE]...")
@click.option("--clear", "cleared", multiple=True, metavar="ATTRIBUTE", help="Take an earlier override back.")
@click.option("--expires", metavar="TIME", help="When the override ends, as 2026-12-31T00:00:00Z; never if left out.")
@steward_options
def override(
    *,
    name: str,
    assignments: tuple[str, ...],
    cleared: tuple[str, ...],
    expires: str | None,
    steward: str,
    as_json: bool,
    **address: Any,
) -> None:
    """Set attributes of one record, above every rule of survivorship, or take that back.

    Attributes have the names of the rules. One that holds several values may be given several times. The arguments of a
    command are kept by shells and seen by everybody on the machine: write ATTRIBUTE=- to have its value read from
    standard input, a line each.
    """
    from mdm_stream.core.fold import EMPTY  # noqa: PLC0415 - --help does without
    from mdm_stream.steward.decide import override_event, override_versions  # noqa: PLC0415

    if not assignments and not cleared:
        raise click.UsageError("name what to set, as ATTRIBUTE=VALUE, or what to take back, with --clear ATTRIBUTE")
    ref = record_reference(name)
    expires_at_us = None if expires is None else _time_us(expires)
    channel = StewardChannel(ChannelAddress(**address))
    attributes = _attributes(channel.rules, assignments, cleared)
    held: list[RecordState] = []

    def versions_to_beat(state: RecordState) -> list[Version]:
        held.append(state)
        return override_versions(state, attributes)

    version = channel.version([ref], versions_to_beat)
    event = override_event(
        channel.rules,
        ref,
        attributes,
        steward=steward,
        version=version,
        time_us=channel.now_us,
        expires_at_us=expires_at_us,
        held=held[0] if held else EMPTY,
    )
    channel.send(event, as_json=as_json)


def _attributes(rules: Ruleset, assignments: Sequence[str], cleared: Sequence[str]) -> dict[str, Value]:
    """Return the values by attribute; those of attributes with several values are tuples."""
    given: dict[str, list[str]] = {}
    for number, assignment in enumerate(assignments, start=1):
        attribute, equals, value = assignment.partition("=")
        if not equals or not attribute:
            # Not repeated: it may be a value.
            raise click.UsageError(f"assignment {number} is not ATTRIBUTE=VALUE; take a value back with --clear")
        given.setdefault(attribute, []).append(_from_stdin(attribute) if value == FROM_STDIN else value)
    multi = {attribute.name for attribute in rules.attributes if attribute.multi}
    attributes: dict[str, Value] = {}
    for attribute, values in given.items():
        if len(values) > 1 and attribute not in multi:
            raise click.UsageError(f"{attribute} has one value, and was given {len(values)}")
        attributes[attribute] = tuple(values) if attribute in multi else values[0]
    for attribute in cleared:
        if attribute in attributes:
            raise click.UsageError(f"{attribute} cannot be set and taken back at once")
        attributes[attribute] = None
    return attributes


def _from_stdin(attribute: str) -> str:
    if sys.stdin.isatty():
        said: str = click.prompt(plain(attribute), err=True, hide_input=True)
        return said
    line = sys.stdin.readline()
    if not line:
        raise click.UsageError(f"standard input ended before the value of {attribute}")
    return line.rstrip("\r\n")


def _time_us(text: str) -> int:
    from mdm_stream.core.times import parse_time_us  # noqa: PLC0415

    try:
        return parse_time_us(text)
    except ValueError as error:
        raise click.UsageError(f"--expires is {error}") from error
