"""``mdm-stream api``: what callers of the local stack's events API need."""

from __future__ import annotations

from pathlib import Path

import click

from mdm_stream.cli.options import state_option
from mdm_stream.cli.output import json_option, print_json, say
from mdm_stream.deployment import running_stack
from mdm_stream.errors import ConfigurationError

HOURS_MAX = 24 * 30


@click.group()
def api() -> None:
    """The events API of the local stack."""


@api.command()
@click.option("--source", "sources", multiple=True, required=True, help="A source that the caller may write; '*': all.")
@click.option("--hours", type=click.IntRange(1, HOURS_MAX), default=12, show_default=True, help="How long it is valid.")
@state_option
@json_option
def token(*, sources: tuple[str, ...], hours: int, state: Path, as_json: bool) -> None:
    """Print a token for the events API that runs in --state: its bearer may write --source, and ask about its events.

    Use it as curl -H "Authorization: Bearer $(mdm-stream api token --source crm)". The key that signs tokens is new
    at each `up`, and tokens of an earlier one are refused.
    """
    from mdm_stream.local.events_api import make_token  # noqa: PLC0415 - --help does without

    stack = running_stack(state)
    if not stack.events_api_key:
        raise ConfigurationError(f"the stack in {state} has no events API; start it again with `mdm-stream up`")
    made = make_token(stack.events_api_key, sources, hours * 3600)
    if as_json:
        print_json({"url": f"{stack.events_api_url}/v1/events", "token": made})
        return
    say(made)
