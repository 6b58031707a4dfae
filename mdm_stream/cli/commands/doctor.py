"""``mdm-stream doctor``: can this machine run mdm-stream, and if not, what is to be done."""

from __future__ import annotations

from dataclasses import asdict

import click

from mdm_stream.cli.machine import Check, examine
from mdm_stream.cli.output import json_option, print_json, progress, say

_MARKS = {"ok": "ok", "absent": "absent (optional)", "warning": "WARNING", "failed": "FAILED"}


@click.command()
@json_option
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> None:
    """Find out whether this machine can run mdm-stream. Exit code 1 if something that is needed is missing."""
    with progress() as advance:
        advance("examining", 0, 0)
        checks = examine()
    failed = any(check.status == "failed" for check in checks)
    if as_json:
        print_json({"ok": not failed, "checks": [asdict(check) for check in checks]})
    else:
        _show(checks)
    if failed:
        ctx.exit(1)


def _show(checks: list[Check]) -> None:
    for check in checks:
        say(f"{_MARKS[check.status]:<18} {check.name:<32} {check.found}")
        if check.advice:
            say(f"{'':<18} -> {check.advice}")
