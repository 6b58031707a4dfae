"""``mdm-stream env``: what another program needs to use the local stack."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from mdm_stream.cli.options import state_option
from mdm_stream.cli.output import json_option, print_json, say
from mdm_stream.deployment import running_stack
from mdm_stream.errors import ConfigurationError

_IN_THE_WAY = ("AWS_PROFILE", "AWS_SESSION_TOKEN")
"""What a shell may have of another account, and what SDKs would prefer to the keys."""


@click.command()
@state_option
@json_option
def env(*, state: Path, as_json: bool) -> None:
    """Print, for a shell, the environment in which any AWS client meets the local stack that runs in --state.

    The keys are new at each `up`, and secret: with them all that the stack holds can be read and written. Use it as
    eval "$(mdm-stream env)", which leaves them out of the history and of the list of processes.
    """
    from mdm_stream.aws.loopback import loopback_environment  # noqa: PLC0415 - --help does without boto3

    stack = running_stack(state)
    if stack.keys is None:
        raise ConfigurationError(f"the stack in {state} has no keys; start it again with `mdm-stream up`")
    variables = loopback_environment(stack.kinesis_endpoint_url, stack.keys, {}) | {"MDM_REDIS_URL": stack.redis_url}
    if as_json:
        print_json(variables)
        return
    say(f"unset {' '.join(_IN_THE_WAY)}")
    for name, value in variables.items():
        say(f"export {name}={shlex.quote(value)}")
