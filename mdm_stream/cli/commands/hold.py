"""``mdm-stream hold`` and ``release``: stop every write to a domain's index for a while, without losing any."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.options import deployment_options
from mdm_stream.cli.output import json_option, print_json, say
from mdm_stream.deployment import redis_client, running_stack
from mdm_stream.errors import ConfigurationError

if TYPE_CHECKING:
    import redis

REASON_CHARS_MAX = 256


def _redis_options(command: Callable[..., Any]) -> Callable[..., Any]:
    named = deployment_options("state", "redis_url", "namespace", redis_url="A Redis other than the local stack's.")
    return named(json_option(command))


@click.command()
@click.argument("domain")
@click.option("--reason", help="Why; consumers log it, and --show shows it.")
@click.option("--show", is_flag=True, help="Only show whether the domain is held back, and why.")
@_redis_options
def hold(
    *,
    domain: str,
    reason: str | None,
    show: bool,
    state: Path,
    redis_url: str | None,
    namespace: str,
    as_json: bool,
) -> None:
    """Hold back every write to DOMAIN until `mdm-stream release DOMAIN`.

    Consumers fail their batches, which are delivered again until the domain is released; what was committed before is
    still published. A batch that runs out of attempts meanwhile goes to the on-failure destination: `mdm-stream dlq`.
    """
    from mdm_stream.index.redis.epochs import held_because  # noqa: PLC0415 - --help does without
    from mdm_stream.index.redis.epochs import hold as hold_back  # noqa: PLC0415

    if show == (reason is not None):
        raise click.UsageError("say why with --reason, or ask with --show")
    client = _client(state, redis_url, namespace, domain)
    if reason is not None:
        hold_back(client, namespace, domain, _checked(reason))
    _tell(domain, held_because(client, namespace, domain), as_json=as_json)


@click.command()
@click.argument("domain")
@click.option("--abandon-rebuild", is_flag=True, help="Also lift what a killed rebuild has left; a running one fails.")
@_redis_options
def release(
    *, domain: str, abandon_rebuild: bool, state: Path, redis_url: str | None, namespace: str, as_json: bool
) -> None:
    """Let writing to DOMAIN go on. The event source redelivers the batches that failed."""
    from mdm_stream.index.redis.epochs import is_fenced, lift_fence  # noqa: PLC0415 - --help does without
    from mdm_stream.index.redis.epochs import release as let_go  # noqa: PLC0415

    client = _client(state, redis_url, namespace, domain)
    was_held = let_go(client, namespace, domain)
    was_fenced = abandon_rebuild and lift_fence(client, namespace, domain)
    if not as_json:
        if was_fenced:
            say(
                f"the rebuild of domain {domain} is abandoned, and its index written as it was before, if there was one"
            )
        elif is_fenced(client, namespace, domain):
            say(
                f"a rebuild holds the writers of domain {domain}; if none is running any more, run "
                "`mdm-stream rebuild` again, or release with --abandon-rebuild",
                err=True,
            )
        if not was_held:
            say(f"domain {domain} was not held back")
            return
    _tell(domain, None, as_json=as_json)


def _client(state: Path, redis_url: str | None, namespace: str, domain: str) -> redis.Redis:
    """Return a client of a Redis that has an index of the domain: a misspelt one must not be held in silence."""
    from mdm_stream.index.redis.epochs import has_index, is_fenced  # noqa: PLC0415

    client = redis_client(redis_url or running_stack(state).redis_url)
    if not has_index(client, namespace, domain) and not is_fenced(client, namespace, domain):
        raise ConfigurationError(
            f"there is no index of domain {domain!r} in namespace {namespace!r} here; "
            "check the name, --namespace, and the address"
        )
    return client


def _checked(reason: str) -> str:
    from mdm_stream.contracts.change import has_control_character  # noqa: PLC0415

    text = reason.strip()
    if not text or len(text) > REASON_CHARS_MAX or has_control_character(text):
        raise click.UsageError(f"--reason is one line of 1 to {REASON_CHARS_MAX} characters")
    return text


def _tell(domain: str, reason: str | None, *, as_json: bool) -> None:
    if as_json:
        print_json({"domain": domain, "held": reason})
    elif reason is None:
        say(f"domain {domain} is not held back")
    else:
        say(f"domain {domain} is held back: {reason}")
