"""``mdm-stream source``: hold a whole source, let it go on, and take out again what it sent between two moments."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.index_options import chosen_ruleset
from mdm_stream.cli.options import deployment_options
from mdm_stream.cli.output import json_option, phases, print_json, print_table, say
from mdm_stream.core.times import format_time_us, parse_time_us
from mdm_stream.deployment import Deployment
from mdm_stream.errors import ConfigurationError, TerminalError

if TYPE_CHECKING:
    from mdm_stream.archive import Exclusion, SourceMarkStore
    from mdm_stream.core.ruleset import Ruleset
    from mdm_stream.rebuild.forecast import Forecast
    from mdm_stream.rebuild.run import RebuildReport

REASON_CHARS_MAX = 256
GRACE_LOCAL_S = 3.0
"""On one machine a batch is done in a second or two."""
GRACE_S = 60.0
"""Lambda's function time-out."""


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    return deployment_options("state", "environment", "domain")(json_option(command))


_workers = click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes.")


@click.group()
def source() -> None:
    """Whole sources: hold one, let it go on, take out again what it sent between two moments.

    Marks are kept beside the archive; nothing that was sent is ever deleted by these commands.
    """


@source.command("list")
@_options
def list_marks(*, as_json: bool, **where: Any) -> None:
    """Show which sources are held, how much of them is kept aside, and what is taken out."""
    deployment, ruleset, marks = _open(**where)
    found, applied = marks.read(), marks.applied()
    waiting = _waiting(deployment, ruleset.domain)
    left = {name: count for name, count in waiting.items() if all(each.source != name for each in found.held)}
    if as_json:
        held = [{**asdict(each), "kept_aside": waiting[each.source]} for each in found.held]
        excluded = [{**asdict(each), "applied_epoch": applied.get(each.exclusion_id)} for each in found.exclusions]
        print_json({"domain": ruleset.domain, "held": held, "left_by_a_release": left, "excluded": excluded})
        return
    rows = [(each.source, format_time_us(each.since_us), f"{waiting[each.source]:,}", each.reason)
            for each in found.held]  # fmt: skip
    if not (rows or left or found.exclusions):
        say(f"no source of domain {ruleset.domain} is held, and nothing is taken out")
    if rows:
        print_table("Held", ("source", "since", "kept aside", "why"), rows, texts=True)
    for name, count in left.items():
        say(f"{count:,} events of {name} are kept aside though it is not held: mdm-stream source release {name}")
    gone = [
        (
            each.exclusion_id,
            each.source,
            format_time_us(each.from_us),
            format_time_us(each.to_us),
            f"epoch {applied[each.exclusion_id]}" if each.exclusion_id in applied else "not yet: mdm-stream rebuild",
        )
        for each in found.exclusions
    ]
    if gone:
        print_table("Taken out", ("id", "source", "from", "to", "applied"), gone, texts=True)


@source.command()
@click.argument("name")
@click.option("--reason", required=True, help="Why; `source list` shows it.")
@_options
def hold(*, name: str, reason: str, as_json: bool, **where: Any) -> None:
    """Keep aside what source NAME sends, until it is released. Other sources go on.

    Every consumer does so within two seconds and the batch that it has begun. The events lie in the quarantine under
    the reason source_held: they are not lost, and not applied. Decisions of stewards about its records go on.
    """
    _, ruleset, marks = _open(**where)
    _check_source(ruleset, name)
    mark = marks.hold(name, _checked(reason), time.time_ns() // 1_000)
    if as_json:
        print_json({"domain": ruleset.domain, **asdict(mark)})
    else:
        say(f"source {name} of domain {ruleset.domain} is held since {format_time_us(mark.since_us)}")


@source.command()
@click.argument("name")
@click.option("--grace", "grace_s", type=click.FloatRange(0), metavar="SECONDS",
              help="How long a batch may run that a consumer has begun: 60, or 3 for the local stack.")  # fmt: skip
@_options
def release(*, name: str, grace_s: float | None, as_json: bool, **where: Any) -> None:
    """Let source NAME go on, and send again what was kept aside: as what it was when it first arrived.

    Exit code 1 if some could not be sent: it is still in the quarantine, and a second release sends it.
    """
    from mdm_stream.cli.redelivery import change_key_of, deliver_with  # noqa: PLC0415 - --help does without
    from mdm_stream.dead_letters import DeadLetters, RedriveRun, Streams  # noqa: PLC0415
    from mdm_stream.resolve.source_release import kept_aside  # noqa: PLC0415
    from mdm_stream.resolve.source_release import release as let_go  # noqa: PLC0415

    deployment, ruleset, marks = _open(**where)
    quarantine = DeadLetters(deployment.store(deployment.quarantine_url), "quarantine")
    streams = Streams(deployment.changes_stream, steward=deployment.steward_stream)
    redrive = RedriveRun([quarantine], streams, change_key_of, deliver_with(deployment.kinesis()))
    if grace_s is None:
        grace_s = GRACE_S if deployment.state is None else GRACE_LOCAL_S
    report = let_go(marks, kept_aside(ruleset.domain, name), quarantine, redrive, grace_s)
    if as_json:
        print_json({"domain": ruleset.domain, **asdict(report)})
    else:
        before = "goes on" if report.was_held else "was not held"
        say(f"source {name} of domain {ruleset.domain} {before}; {report.events:,} events sent again")
    if report.left:
        raise TerminalError(f"{len(report.left):,} events could not be sent, and are still in the quarantine")


@source.command()
@click.argument("name")
@click.option("--from", "from_", required=True, metavar="TIME", help="When the first of it arrived (RFC 3339).")
@click.option("--to", required=True, metavar="TIME", help="Before when the last of it arrived.")
@click.option("--yes", is_flag=True, help="Do it. Without this only the forecast is made.")
@_workers
@_options
def purge(*, name: str, from_: str, to: str, yes: bool, workers: int, as_json: bool, **where: Any) -> None:
    """Take out again what source NAME sent between two moments: as if it had never been sent.

    First says what that would change; with --yes it is marked, and the domain rebuilt without it while consumers keep
    running. The rows stay in the archive: `mdm-stream source readmit ID` takes them in again.
    """
    from mdm_stream.archive import Exclusion  # noqa: PLC0415 - --help does without
    from mdm_stream.rebuild.forecast import forecast  # noqa: PLC0415
    from mdm_stream.rebuild.run import RebuildOptions  # noqa: PLC0415

    deployment, ruleset, marks = _open(**where)
    _check_source(ruleset, name)
    from_us, to_us, now_us = _time_us("--from", from_), _time_us("--to", to), time.time_ns() // 1_000
    if not from_us < to_us <= now_us:
        raise ConfigurationError("--from lies before --to, and --to has passed; hold the source for what is to come")
    with phases(quiet=as_json) as advance:
        how = RebuildOptions(workers=workers).filling(advance)
        planned = Exclusion("planned", name, from_us, to_us, now_us)
        expected = forecast(
            ruleset, deployment.redis_url, deployment.namespace, deployment.archive(), how, planned
        )  # fmt: skip
    if not as_json:
        _show(expected)
    if not yes:
        if as_json:
            print_json({"forecast": asdict(expected), "exclusion": None, "rebuilt": None})
        else:
            say("Nothing was done; say --yes to do it")
        return
    exclusion = marks.exclude(name, from_us, to_us, now_us)
    report = _rebuilt(deployment, ruleset, workers, quiet=as_json)
    _tell(exclusion, report, expected, as_json=as_json)


@source.command()
@click.argument("exclusion_id", metavar="ID")
@_workers
@_options
def readmit(*, exclusion_id: str, workers: int, as_json: bool, **where: Any) -> None:
    """Take in again what a purge took out, by its id from `source list`, and rebuild the domain with it."""
    deployment, ruleset, marks = _open(**where)
    exclusion = marks.readmit(exclusion_id)
    report = _rebuilt(deployment, ruleset, workers, quiet=as_json)
    _tell(exclusion, report, None, as_json=as_json)


def _open(*, state: Path, environment: bool, domain: str | None) -> tuple[Deployment, Ruleset, SourceMarkStore]:
    deployment = Deployment.from_environment(os.environ) if environment else Deployment.from_local(state)
    ruleset = chosen_ruleset(deployment.rulesets(), domain)
    return deployment, ruleset, deployment.archive().sources(ruleset.domain)


def _check_source(ruleset: Ruleset, name: str) -> None:
    """Refuse a name that the rules lack: a misspelt source must not be held in silence."""
    if ruleset.sources and name not in ruleset.sources:
        known = ", ".join(sorted(ruleset.sources))
        raise ConfigurationError(f"the rules of domain {ruleset.domain!r} have no source {name!r}; they have {known}")


def _checked(reason: str) -> str:
    from mdm_stream.contracts.change import has_control_character  # noqa: PLC0415 - --help does without

    text = reason.strip()
    if not text or len(text) > REASON_CHARS_MAX or has_control_character(text):
        raise click.UsageError(f"--reason is one line of 1 to {REASON_CHARS_MAX} characters")
    return text


def _waiting(deployment: Deployment, domain: str) -> Counter[str]:
    """Return how many events are kept aside, by their source."""
    from mdm_stream.dead_letters import DeadLetters  # noqa: PLC0415 - --help does without
    from mdm_stream.resolve.source_release import kept_aside  # noqa: PLC0415

    letters = DeadLetters(deployment.store(deployment.quarantine_url), "quarantine")
    return Counter(each.source or "" for each in letters.find(kept_aside(domain, None)))


def _time_us(option: str, text: str) -> int:
    try:
        return parse_time_us(text)
    except ValueError as error:
        raise click.UsageError(f"{option} is {error}") from error


def _rebuilt(deployment: Deployment, ruleset: Ruleset, workers: int, *, quiet: bool) -> RebuildReport:
    from mdm_stream.cli.commands.rebuild import rebuilding  # noqa: PLC0415 - --help does without
    from mdm_stream.rebuild.run import RebuildOptions  # noqa: PLC0415

    with phases(quiet=quiet) as advance:
        return rebuilding(deployment, ruleset, RebuildOptions(workers=workers), advance).run()


def _show(expected: Forecast) -> None:
    say(f"{expected.events:,} events would count as never sent")
    say(f"  {expected.records:,} source records would change, {expected.records_gone:,} of them would be gone")
    say(
        f"  {expected.golden_changed:,} golden records would change, {expected.golden_gone:,} would be gone, "
        f"{expected.golden_new:,} would be new"
    )
    say(f"  {expected.values_changed:,} golden values would be others, {expected.values_gone:,} would be lost")


def _tell(exclusion: Exclusion, report: RebuildReport, expected: Forecast | None, *, as_json: bool) -> None:
    if as_json:
        forecast = None if expected is None else asdict(expected)
        print_json({"forecast": forecast, "exclusion": asdict(exclusion), "rebuilt": asdict(report)})
        return
    done = "is in again" if expected is None else "is taken out"
    say(f"{exclusion.source}: exclusion {exclusion.exclusion_id} {done}; epoch {report.epoch} is live")
    say(f"  {report.told:,} changes for the golden feed; writers were held for {report.held_s:.1f} s")
