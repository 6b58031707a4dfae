"""``mdm-stream status``: what a deployment is doing, and what an operator should see."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from mdm_stream.cli.options import deployment_options
from mdm_stream.cli.output import json_option, print_json, print_table, say
from mdm_stream.deployment import Deployment

AGE_MAX_S = 300.0
"""A record that waits for longer is worth an operator's look: batches take seconds."""


@click.command()
@deployment_options("state", "environment", "rules", "on_failure")
@click.option(
    "--seconds", type=click.FloatRange(0.1, 60), default=1.0, show_default=True, help="Time to take rates of."
)
@click.option("--age-max", "age_max_s", type=click.FloatRange(0), default=AGE_MAX_S, show_default=True,
              metavar="SECONDS", help="Age of a waiting record from which a shard needs attention.")  # fmt: skip
@json_option
@click.pass_context
def status(
    ctx: click.Context,
    *,
    state: Path,
    environment: bool,
    rules: tuple[str, ...],
    on_failure: str | None,
    seconds: float,
    age_max_s: float,
    as_json: bool,
) -> None:
    """Show backlog and age of each shard, rates, golden records, review, dead letters, loads of files, holds and more.

    Of the local stack in --state, or with --environment of the consumers' deployment on AWS. Exit code 0: everything
    goes on. 1: something needs attention, and is listed (a domain that cannot be written or is held, a held source or
    file, a suspected history, a shard older than --age-max). Dead letters alone are ordinary. 2: it is unknown.
    """
    from mdm_stream.cli.status_of import DeploymentStatus  # noqa: PLC0415 - --help does without

    deployment = Deployment.from_environment(os.environ) if environment else Deployment.from_local(state)
    deployment = deployment.overridden(rules=rules, on_failure_url=on_failure)
    found = DeploymentStatus(deployment).document(seconds, age_max_s)
    if as_json:
        print_json(found)
    else:
        _tell(found)
    if found["attention"]:
        ctx.exit(1)


def _since(age_s: float) -> str:
    return f" (the oldest for {age_s:,.0f} s)" if age_s >= 1 else ""


def _tell(found: dict[str, Any]) -> None:
    for domain in found["domains"]:
        say(
            f"domain {domain['domain']}: epoch {domain['epoch']}, rules {domain['rules_digest'] or 'none'}, "
            f"F version {found['f_version']} ({domain['f_digest']})"
        )
        say(
            f"  {domain['records']:,} records, {domain['golden']:,} golden records, "
            f"{domain['review']:,} to review{_since(domain['oldest_review_s'])}; "
            f"{domain['waiting_for_reevaluation']:,} wait for re-evaluation, "
            f"{domain['waiting_for_publication']:,} for publication{_since(domain['oldest_publication_s'])}; "
            f"replicas that follow its server: {domain['replicas']}"
        )
    rates = found["rates"]
    say(f"{rates['events_per_s']:,} events/s, {rates['golden_changes_per_s']:,} golden changes/s")
    rows = [
        (
            f"{each['stream']}/{each['shard']}",
            each["problem"] or f"{each['backlog']:,}{'+' if each['more'] else ''}",
            "" if each["problem"] else f"{each['age_s']:,.1f} s",
            each["last_done"] or "nothing yet",
        )
        for each in found["shards"]
    ]
    print_table("", ("shard", "backlog", "oldest", "last done"), rows, texts=True)
    for kind, letters in found["dead_letters"].items():
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in letters["reasons"].items())
        count = f"{letters['letters']:,}{'+' if letters['more'] else ''}"
        say(f"{kind}: {count} dead letters{f' ({reasons})' if reasons else ''}")
    if loads := found["files"]["open"]:
        more = "+" if found["files"]["more"] else ""
        say(f"files: {', '.join(f'{count:,}{more} {state}' for state, count in loads.items())}")
    for line in found["attention"]:
        say(f"attention: {line}")
