"""``mdm-stream files job``: a file that is too large for the functions, into the archive and into a new epoch."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.commands.rebuild import rebuilding, tell_rebuilt
from mdm_stream.cli.options import deployment_options
from mdm_stream.cli.output import json_option, phases, print_json, say
from mdm_stream.cli.spark_job import SparkHere, spark_here, spark_options
from mdm_stream.deployment import Deployment

if TYPE_CHECKING:
    from mdm_stream.core.ruleset import Ruleset
    from producers.files.bulk import ErasedAmong


@click.command("job")
@click.argument("load_id", metavar="LOAD")
@deployment_options("state", "environment", "files_url", "s3_endpoint", "region")
@click.option("--grace", "grace_s", type=click.FloatRange(0), default=60.0, show_default=True, metavar="SECONDS",
              help="How long a consumer may still publish what it read from an index that was lost.")  # fmt: skip
@spark_options
@json_option
def job(
    *,
    load_id: str,
    grace_s: float,
    cores: int,
    memory: str,
    work: Path | None,
    as_json: bool,
    **where: Any,
) -> None:
    """Do a load whose file is too large for the functions, and put a new epoch of its domain live that has it.

    The file is read, checked and judged as the functions do, its rows are archived, and the domain is recomputed on
    Spark while consumers keep running; differences go to the golden feed. Killed anywhere, run it again. A load that is
    held is released with `mdm-stream files release`, and goes on with another run. With --environment the settings of
    the consumers are needed beside those of the functions. Exit code 1 if the load is not done.
    """
    from mdm_stream.cli.commands.loads import found_load, steps_of  # noqa: PLC0415 - they know this command
    from mdm_stream.rebuild.run import RebuildOptions  # noqa: PLC0415 - --help does without
    from producers.files.bulk import load_in_bulk  # noqa: PLC0415
    from producers.files.manifest import render  # noqa: PLC0415

    deployment = (
        Deployment.from_environment(os.environ) if where["environment"] else Deployment.from_local(where["state"])
    )
    steps = steps_of(**where)
    domain = found_load(lambda: steps.store.record(load_id), load_id).domain
    with phases(quiet=as_json) as advance:
        advance("reading the file", 0, 0)
        rulesets = deployment.rulesets()
        erased_among = _erased_among(deployment, rulesets[domain]) if domain in rulesets else lambda _refs: ()
        manifest = render(load_in_bulk(steps, load_id, deployment.archive(), erased_among))
        report = None
        if manifest.state == "done":
            with spark_here(SparkHere(cores, memory, work), "files-job") as spark:
                options = RebuildOptions(publish_grace_s=grace_s)
                report = rebuilding(deployment, rulesets[str(domain)], options, advance, spark).run()
    if as_json:
        print_json({"load": load_id, "state": manifest.state, "rebuilt": None if report is None else asdict(report)})
    else:
        say(f"load {load_id} is {manifest.state}: {manifest.accepted:,} rows archived, {manifest.rejected:,} rejected")
        if report is not None:
            tell_rebuilt(report)
    if report is None:
        sys.exit(1)


def _erased_among(deployment: Deployment, rules: Ruleset) -> ErasedAmong:
    from mdm_stream.index.errors import NoIndexError  # noqa: PLC0415 - --help does without
    from mdm_stream.index.redis.reader import open_reader  # noqa: PLC0415

    client = deployment.redis()

    def erased_among(refs: Collection[str]) -> Collection[str]:
        try:
            reader = open_reader(client, rules, deployment.namespace)
        except NoIndexError:
            return ()  # nothing was resolved yet, so nothing is erased
        return [ref for ref, record in reader.read_records(sorted(refs)).items() if record.state.erased]

    return erased_among
