"""The options of commands that look into an index, and the index that they name, opened for reading."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.options import deployment_options
from mdm_stream.cli.output import json_option
from mdm_stream.deployment import redis_client, running_stack
from mdm_stream.errors import ConfigurationError

if TYPE_CHECKING:
    from mdm_stream.core.ruleset import Ruleset
    from mdm_stream.index.reader import IndexReader

reveal_option = click.option("--reveal", is_flag=True, help="Show values of sensitive attributes too: needs a right.")


def index_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``state``, ``redis_url``, ``namespace``, ``rules``, ``domain`` and ``as_json``."""
    named = deployment_options(
        "state",
        "redis_url",
        "namespace",
        "rules",
        "domain",
        redis_url="A Redis other than the local stack's; needs --rules.",
    )
    return named(json_option(command))


def open_index(
    state: Path, redis_url: str | None, namespace: str, rules: tuple[str, ...], domain: str | None
) -> tuple[IndexReader, Ruleset]:
    """Return the index that the options name, which must exist, and its rule set.

    ``ConfigurationError`` for options that name none, ``TerminalError`` if the index is not there or was built with
    other rules, ``TransientError`` if Redis does not answer.
    """
    from mdm_stream.rules import load_rulesets  # noqa: PLC0415 - --help does without

    if redis_url is None:
        stack = running_stack(state)
        redis_url, rules = stack.redis_url, rules or stack.rules
    if not rules:
        raise click.UsageError("--redis needs --rules: an index is read with the rules that it was built with")
    ruleset = chosen_ruleset(load_rulesets(rules), domain)
    return index_on(redis_url, ruleset, namespace), ruleset


def index_on(redis_url: str, ruleset: Ruleset, namespace: str) -> IndexReader:
    """Return the index of a domain, which must exist; raises what ``open_index`` raises."""
    from mdm_stream.index.redis.reader import open_reader  # noqa: PLC0415 - --help does without

    return open_reader(redis_client(redis_url), ruleset, namespace)


def chosen_ruleset(rulesets: dict[str, Ruleset], domain: str | None) -> Ruleset:
    """Return the rule set of ``domain``, or the only one there is; ``ConfigurationError`` if that is none."""
    if domain is None and len(rulesets) == 1:
        return next(iter(rulesets.values()))
    if domain not in rulesets:
        known = ", ".join(sorted(rulesets))
        said = "the rules are of several domains" if domain is None else f"the rules have no domain {domain!r}"
        raise ConfigurationError(f"{said}; name one with --domain: {known}")
    return rulesets[domain]
