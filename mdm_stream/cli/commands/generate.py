"""``mdm-stream generate``: an invented population as event files."""

from __future__ import annotations

from pathlib import Path

import click

from mdm_stream.cli.output import json_option, print_json, progress, say
from mdm_stream.simulate.files import MANIFEST_FILE, write_population
from mdm_stream.simulate.stream import PEOPLE_MAX


@click.command()
@click.option("--people", type=click.IntRange(1, PEOPLE_MAX), default=1000, show_default=True, help="How many people.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed gives other people.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="The folder; made if absent."
)
@json_option
def generate(*, people: int, seed: int, out: Path, as_json: bool) -> None:
    """Write an invented population over three sources: a CRM (Debezium), an ERP (DMS) and a web API (canonical JSON).

    The same people and seed give the same bytes. Beside the event files lie truth.csv, rules.yaml and manifest.json,
    which says how to replay and evaluate them.
    """
    with progress() as advance:
        manifest = write_population(out, people, seed, on_progress=advance)
    if as_json:
        print_json(manifest)
        return
    say(
        f"{manifest['deliveries']:,} events about {people:,} people in {out}, "
        f"{manifest['records_alive']:,} records alive at the end. Try, in that folder ({MANIFEST_FILE} tells more):"
    )
    for command in manifest["try"]:
        say(f"  {command}")
