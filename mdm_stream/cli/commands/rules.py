"""``mdm-stream rules``: check a rule set, compare two, print the schema that editors validate against."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mdm_stream.cli.commands.rules_blocking import blocking
from mdm_stream.cli.commands.rules_deploy import accept, deploy, rollback
from mdm_stream.cli.commands.rules_diff import diff
from mdm_stream.cli.commands.rules_fmt import rules_fmt
from mdm_stream.cli.commands.rules_shadow import shadow
from mdm_stream.cli.commands.rules_splink import import_splink
from mdm_stream.cli.commands.rules_sweep import sweep
from mdm_stream.cli.commands.rules_test import rules_test
from mdm_stream.cli.commands.rules_train import train
from mdm_stream.cli.options import archive_url_of, deployment_options
from mdm_stream.cli.output import json_option, print_json, say
from mdm_stream.deployment import Deployment
from mdm_stream.errors import RulesError

if TYPE_CHECKING:
    from mdm_stream.core.position_fall import PositionFall
    from mdm_stream.core.ruleset import Ruleset
    from mdm_stream.rebuild.adopt import Adoption


@click.group()
def rules() -> None:
    """Check and test rule sets, learn weights, compare two on the same deliveries; print their JSON Schema."""


for _command in (rules_test, sweep, rules_fmt, blocking, diff, shadow, deploy, rollback, accept, train, import_splink):
    rules.add_command(_command)


@rules.command()
@click.argument("file")
@click.option("--on", "on", type=click.Choice(["archive"]), help="Also look for what contradicts the rules in this.")
@deployment_options("state", "archive", archive="The archive that --on means; that of the local stack if left out.")
@json_option
@click.pass_context
def check(ctx: click.Context, *, file: str, on: str | None, state: Path, archive: str | None, as_json: bool) -> None:
    """List every error and warning of a rule set: a path, or the name of a pack. Exit code 2 if it cannot be used.

    With `--on archive`, everything delivered is read too: where positions of a source fall while its time goes on,
    the line is shown that would declare a new history.
    """
    from mdm_stream.core.blocking.keys import candidates_max  # noqa: PLC0415 - --help does without
    from mdm_stream.core.f_version import f_identity  # noqa: PLC0415
    from mdm_stream.rules import check_file, load_ruleset  # noqa: PLC0415

    findings = check_file(file)
    errors = [finding for finding in findings if finding.severity == "error"]
    if as_json:
        usable = None if errors else load_ruleset(file)
        found: dict[str, object] = {
            "usable": usable is not None,
            "digest": usable and usable.digest,
            "f": f_identity().parts(),
            "candidates_max": usable and candidates_max(usable),
        }
        if on and usable:
            found["falls"] = [{**asdict(fall), "line": fall.line} for fall in _falls(usable, state, archive)[0]]
        print_json({"file": file, **found, "findings": [asdict(finding) for finding in findings]})
        if errors:
            ctx.exit(2)
        return
    if errors:
        raise RulesError("\n".join(str(finding) for finding in errors))
    for finding in findings:
        say(str(finding))
    ruleset = load_ruleset(file)
    say(
        f"{file}: usable; domain {ruleset.domain}, version {ruleset.version}, {len(ruleset.attributes)} attributes, "
        f"{len(ruleset.sources)} sources, {len(ruleset.blocking)} blocking keys, "
        f"{len(ruleset.match.comparisons)} comparisons, {len(findings)} warnings"
    )
    say(
        f"a record has at most {candidates_max(ruleset):,} candidates, and keeps {ruleset.max_links} links and "
        f"{ruleset.max_reviews} questions to records before it, and as many to those after it"
    )
    say(f"digest {ruleset.digest}; {f_identity()}")
    if on:
        _tell_falls(ruleset, *_falls(ruleset, state, archive))


def _falls(ruleset: Ruleset, state: Path, url: str | None) -> tuple[list[PositionFall], int]:
    from mdm_stream.rebuild.archived_falls import falls_of  # noqa: PLC0415 - --help does without
    from mdm_stream.settings import EngineSettings  # noqa: PLC0415

    opened = Deployment(archive_url=archive_url_of(state, url)).archive()
    settings: EngineSettings = EngineSettings.from_environment(os.environ)
    return falls_of(opened, ruleset, settings.later_tolerance_s * 1_000_000)


def _tell_falls(ruleset: Ruleset, falls: list[PositionFall], rows: int) -> None:
    from mdm_stream.core.position_fall import told  # noqa: PLC0415 - --help does without

    for fall in falls:
        say(f"warning: {told(fall, ruleset.domain)}")
    if not falls:
        say(f"{rows:,} archived records: no source's positions fall while its time goes on")


@rules.command()
@deployment_options("state", "environment", "rules", rules="The rule sets with the added histories.")
@json_option
def adopt(*, state: Path, environment: bool, rules: tuple[str, ...], as_json: bool) -> None:
    """Take up the index as it is for rules that add histories which begin later than all that was delivered.

    The archive is compared first, and writers wait meanwhile; then consumers with the new rules go on with the index.
    Exit code 2 if something that was delivered belongs to an added history, or if the rules differ in something
    else: these take `mdm-stream rebuild`.
    """
    from mdm_stream.rebuild.adopt import adopt as take_up  # noqa: PLC0415 - --help does without

    deployment = Deployment.from_environment(os.environ) if environment else Deployment.from_local(state)
    deployment = deployment.overridden(rules=rules)
    client, archive = deployment.redis(), deployment.archive()
    found = [take_up(client, each, deployment.namespace, archive) for each in deployment.rulesets().values()]
    if as_json:
        print_json({"adopted": [asdict(each) for each in found]})
    for each in found:
        if not as_json and each.outcome in ("adopted", "same", "none"):
            say(said_of(each))
    refused = [said_of(each) for each in found if each.outcome in ("refused", "other")]
    if refused:
        raise RulesError("\n".join(refused))


def said_of(adoption: Adoption) -> str:
    """Return what people are told of an adoption."""
    domain = adoption.domain
    if adoption.outcome == "refused":
        counts = ", ".join(f"{count:,} of source {source}" for source, count in sorted(adoption.sources.items()))
        return (
            f"domain {domain!r}: events that were delivered belong to an added history ({counts}), so the index stays "
            f"as it was; begin the history later, or run: mdm-stream rebuild --domain {domain}"
        )
    return {
        "none": f"domain {domain!r} has no index yet",
        "same": f"the index of domain {domain!r} is of these rules already",
        "other": f"domain {domain!r}: these rules differ in more than added histories; run: mdm-stream rebuild",
        "adopted": f"the index of domain {domain!r} is taken up as it is: nothing of {adoption.rows:,} archived "
        "records that could belong to an added history does",
    }[adoption.outcome]


@rules.command()
def schema() -> None:
    """Print the JSON Schema of rule-set files."""
    from mdm_stream.rules import ruleset_schema  # noqa: PLC0415

    print_json(ruleset_schema())
