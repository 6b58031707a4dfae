"""``mdm-stream kcl``: the resolve consumer on a server, under the Kinesis Client Library."""

from __future__ import annotations

import os
import sys

import click

from mdm_stream.cli.output import say, say_error
from mdm_stream.telemetry.log_lines import write_lines


@click.command()
@click.option("--properties", "show_properties", is_flag=True, help="Print the daemon's properties, and start nothing.")
@click.option("--check", is_flag=True, help="Say whether the consumer of MDM_KCL_HEALTH_FOLDER is healthy; 1 if not.")
def kcl(*, show_properties: bool, check: bool) -> None:
    """Resolve a stream with the Kinesis Client Library, until SIGTERM or an interrupt.

    Settings come from the environment: MDM_* as for the Lambda function, and MDM_KCL_*. It needs Java 17 and the extra
    kcl. The daemon is started again when it has ended, with backoff, MDM_KCL_RESTARTS_MAX times in a row.
    """
    from consumers.resolve.kcl_daemon import properties_of, properties_text, run_daemon, unhealthy  # noqa: PLC0415

    if show_properties:
        for line in properties_text(properties_of(os.environ)).splitlines():
            say(line)
        return
    if check:
        if why := unhealthy(os.environ):
            say_error(why)
            sys.exit(1)
        return
    write_lines("kcl", sys.stderr)
    sys.exit(run_daemon(os.environ))
