"""``mdm-stream doctor``: can this machine run mdm-stream, is a deployment in order, and if not, what is to be done."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from mdm_stream.cli.machine import Check, examine
from mdm_stream.cli.output import json_option, print_json, progress, say

_MARKS = {
    "ok": "ok",
    "absent": "absent (optional)",
    "unknown": "not known",
    "warning": "WARNING",
    "failed": "FAILED",
}


@click.command()
@click.option(
    "--environment",
    metavar="ENV",
    help="Look at a deployment on AWS instead: the folder of its Terraform environment, or a file with what "
    "`terraform output -json` writes there (- for stdin).",
)
@click.option(
    "--packages",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="With --environment: a folder that `make package` has filled; functions are compared with it.",
)
@json_option
@click.pass_context
def doctor(ctx: click.Context, *, environment: str | None, packages: Path | None, as_json: bool) -> None:
    """Find out whether this machine can run mdm-stream, or with --environment whether a deployment is in order.

    Nothing is changed, and no value of a secret is read. Exit code 1 if something has failed; what could not be looked
    at for want of a right is not known, and does not count.
    """
    if packages is not None and environment is None:
        raise click.UsageError("--packages needs --environment: it is compared with deployed functions")
    with progress() as advance:
        advance("examining", 0, 0)
        checks = examine() if environment is None else _of_deployment(environment, packages)
    failed = any(check.status == "failed" for check in checks)
    if as_json:
        print_json({"ok": not failed, "checks": [asdict(check) for check in checks]})
    else:
        _show(checks)
    if failed:
        ctx.exit(1)


def _of_deployment(environment: str, packages: Path | None) -> list[Check]:
    from mdm_stream.cli.deployed.examine import examine_deployment  # noqa: PLC0415 - --help does without boto3
    from mdm_stream.cli.deployed.inventory import read_inventory  # noqa: PLC0415

    return list(examine_deployment(read_inventory(environment), packages))


def _show(checks: list[Check]) -> None:
    for check in checks:
        say(f"{_MARKS[check.status]:<18} {check.name:<32} {check.found}")
        if check.advice:
            say(f"{'':<18} -> {check.advice}")
