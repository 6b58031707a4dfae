"""``mdm-stream rules shadow``: what another rule set would make of what is delivered, hour by hour."""

from __future__ import annotations

import os
import re
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.options import deployment_options
from mdm_stream.cli.output import json_option, phases, print_json
from mdm_stream.cli.shadow_shown import (
    rejected_of,
    show_shadow_summary,
    show_shadow_window,
    total_document,
    window_document,
)
from mdm_stream.deployment import Deployment, as_url, redis_client
from mdm_stream.errors import ConfigurationError

if TYPE_CHECKING:
    from mdm_stream.core.ruleset import Ruleset
    from mdm_stream.reconcile.shadow import ShadowIndex

_UNITS_US = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}


class SpanOfTime(click.ParamType):  # type: ignore[type-arg]  # generic for type checkers alone
    """A number and its unit, such as 90s, 15m, 24h or 7d, as microseconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it, or fail with what was expected."""
        if isinstance(value, int):
            return value
        found = re.fullmatch("([0-9]{1,6})([smhd])", value)
        if found is None:
            self.fail(f"{value!r} is not a duration; expected a number and s, m, h or d, such as 24h", param, ctx)
        return int(found[1]) * _UNITS_US[found[2]]


@click.command()
@click.argument("file", metavar="NEW")
@deployment_options(
    "state", "environment", "rules", "archive",
    rules="Rule sets in use; those of the consumers if left out. Needed with --archive.",
    archive="The archive to follow, if no deployment is named: folder or s3://.",
)  # fmt: skip
@click.option("--for", "for_us", type=SpanOfTime(), metavar="DURATION",
              help="How long to follow; until Ctrl-C if left out.")  # fmt: skip
@click.option("--past", "past_us", type=SpanOfTime(), default="0s", show_default=True, metavar="DURATION",
              help="Begin with what arrived so long ago.")  # fmt: skip
@click.option("--every", "every_us", type=SpanOfTime(), default="1h", show_default=True, metavar="DURATION",
              help="The span of one comparison.")  # fmt: skip
@click.option("--settle", "settle_us", type=SpanOfTime(), default="10s", show_default=True, metavar="DURATION",
              help="Until what was committed is archived.")  # fmt: skip
@click.option("--samples", type=click.IntRange(0, 1_000), default=5, show_default=True,
              help="Of each kind of difference, each time.")  # fmt: skip
@click.option("--shadow-redis", metavar="URL",
              help="Keep both indexes in this Redis, in namespaces of their own, and not in memory.")  # fmt: skip
@json_option
def shadow(
    *,
    file: str,
    state: Path,
    environment: bool,
    rules: tuple[str, ...],
    archive: str | None,
    samples: int,
    shadow_redis: str | None,
    as_json: bool,
    **times: Any,
) -> None:
    """Apply the rule set NEW (a path or a pack) to what is delivered, beside the rules in use, and compare by the hour.

    Follows the archive, and applies both rule sets to the same deliveries in two indexes of its own: what was archived
    before is the beginning, then each hour says which clusters, values and questions differ about what was delivered in
    it, with samples, but no value of a record. The live index, feed and warehouse are neither written nor read. Ctrl-C
    closes the hour that is open, reports, and deletes what the shadow kept. Ends with 0 whether or not something
    differs.
    """
    from mdm_stream.reconcile.shadow import RulesShadow  # noqa: PLC0415 - --help does without
    from mdm_stream.reconcile.shadow_windows import ShadowTimes, shadow_windows  # noqa: PLC0415
    from mdm_stream.rules import load_ruleset  # noqa: PLC0415

    new = load_ruleset(file)
    spans = ShadowTimes(**times)
    if not spans.every_us:
        raise click.UsageError("--every takes at least 1s")
    deployment, old = _in_use(state, environment, rules, archive, new.domain)
    with phases(quiet=as_json) as advance, _indexes(old, new, shadow_redis) as (old_index, new_index):
        followed = RulesShadow(deployment.archive(), (old, old_index), (new, new_index), samples=samples)
        advance("applying what was archived before", 0, 0)
        found = []
        with _until_stopped() as stop:
            for window in shadow_windows(followed, spans, _now_us, stop.wait):
                found.append(window_document(window))
                if not as_json:
                    show_shadow_window(found[-1])
        document = {
            "domain": old.domain,
            "rules": {"old": _about(old, rules), "new": _about(new, (file,))},
            "stopped": stop.is_set(),
            "windows": found,
            "total": total_document(followed),
            "rejected": {"old": rejected_of(followed.old), "new": rejected_of(followed.new)},
        }
    if as_json:
        print_json(document)
        return
    show_shadow_summary(document)


@contextmanager
def _until_stopped() -> Iterator[Event]:
    """Yield an event that Ctrl-C and SIGTERM set; a second Ctrl-C ends the program."""
    stop = Event()

    def asked(number: int, _frame: object) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    before = {each: signal.signal(each, asked) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _now_us() -> int:
    return time.time_ns() // 1_000


@contextmanager
def _indexes(old: Ruleset, new: Ruleset, url: str | None) -> Iterator[tuple[ShadowIndex, ShadowIndex]]:
    """Yield an empty index for each rule set; what is in Redis is deleted in the end."""
    if url is None:
        from mdm_stream.index.memory import MemoryIndex  # noqa: PLC0415 - --help does without

        yield MemoryIndex(old), MemoryIndex(new)
        return
    from mdm_stream.index.redis.epochs import drop_namespace  # noqa: PLC0415
    from mdm_stream.index.redis.index import RedisIndex  # noqa: PLC0415

    client = redis_client(url)
    job = f"shadow-{secrets.token_hex(4)}"
    names = (f"{job}-old", f"{job}-new")
    try:
        yield RedisIndex(client, old, names[0]), RedisIndex(client, new, names[1])
    finally:
        for name in names:
            drop_namespace(client, name)


def _in_use(
    state: Path, environment: bool, rules: tuple[str, ...], archive: str | None, domain: str
) -> tuple[Deployment, Ruleset]:
    if archive is not None:
        if not rules:
            raise click.UsageError("--archive needs --rules: the rules that are in use")
        deployment = Deployment.from_addresses(os.environ).overridden(rules=rules, archive_url=as_url(archive))
    else:
        named = Deployment.from_environment(os.environ) if environment else Deployment.from_local(state)
        deployment = named.overridden(rules=rules)
    rulesets = deployment.rulesets()
    if domain not in rulesets:
        raise ConfigurationError(f"the rules in use have no domain {domain!r}; they have {', '.join(sorted(rulesets))}")
    return deployment, rulesets[domain]


def _about(rules: Ruleset, named: tuple[str, ...]) -> dict[str, Any]:
    return {"file": ", ".join(named), "version": rules.version, "digest": rules.digest}
