"""``mdm-stream warehouse``: migrate its schema, make typed views, rebuild it, and say what it costs on Snowflake."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mdm_stream.cli.commands.warehouse_options import option, options
from mdm_stream.cli.commands.warehouse_rebuild import rebuild
from mdm_stream.cli.output import json_option, print_json, print_table, say

if TYPE_CHECKING:
    from mdm_stream.warehouse.settings import WarehouseSettings


@click.group()
def warehouse() -> None:
    """Migrate the warehouse's schema, fill it anew, make typed views of domains, apply Snowflake's options, name costs.

    Which warehouse that is, the MDM_WAREHOUSE_* settings say, as they do for its consumer.
    """


warehouse.add_command(rebuild)


@warehouse.command()
@click.option("--file", metavar="FILE", help="A DuckDB file, in place of what the settings name.")
@click.option("--dry-run", is_flag=True, help="Only print which migrations would run, with their statements.")
def migrate(*, file: str | None, dry_run: bool) -> None:
    """Bring the schema up to this version, as the role that may create tables; the consumer then needs no such right.

    Tables and columns are only ever added. A schema that is newer than this version is refused, with what going back
    would lose.
    """
    from mdm_stream.warehouse.settings import (  # noqa: PLC0415 - --help does without
        migrate_schema,
        open_session,
        pending_changes,
    )

    settings = _settings(file, dry_run=dry_run)
    with closing(open_session(settings)) as session:
        found = pending_changes(session, settings)
        if not dry_run and found:
            migrate_schema(session, settings)
    for name, statements in found:
        say(f"{'would apply' if dry_run else 'applied'} {name}")
        for statement in statements if dry_run else ():
            for line in (*f"{statement};".splitlines(), ""):
                say(line)
    if not found:
        say("the schema is up to date")


@warehouse.command()
@click.argument("rules", nargs=-1, required=True)
@click.option("--file", metavar="FILE", help="A DuckDB file, in place of what the settings name.")
@click.option("--dry-run", is_flag=True, help="Only print the statements.")
def views(*, rules: tuple[str, ...], file: str | None, dry_run: bool) -> None:
    """Make a view a domain with a typed column an attribute, from rule sets (files or packs): DOMAIN_golden for the
    live golden records, DOMAIN_golden_as_of for their states at any time.

    Run it again when the rules have changed: views are replaced, and no value is lost, since they read the JSON that
    the tables hold.
    """
    from mdm_stream.rules.load import load_rulesets  # noqa: PLC0415 - --help does without
    from mdm_stream.warehouse.domain_views import domain_views  # noqa: PLC0415
    from mdm_stream.warehouse.settings import open_session  # noqa: PLC0415

    settings = _settings(file, dry_run=dry_run)
    with closing(open_session(settings)) as session:
        for ruleset in load_rulesets(rules).values():
            for view in domain_views(session.dialect, ruleset):
                for statement in view.statements:
                    if not dry_run:
                        session.execute(statement, step=f"make {view.name}")
                        continue
                    for line in (*f"{statement};".splitlines(), ""):
                        say(line)
                if not dry_run:
                    say(f"made {view.name}")


warehouse.add_command(options)
warehouse.add_command(option)


@warehouse.command()
@click.option("--events-per-day", type=click.IntRange(1), required=True, metavar="N", help="Change events a day.")
@click.option("--lag", "lag_s", type=click.IntRange(1), required=True, metavar="SECONDS",
              help="How old what analysts read may be.")  # fmt: skip
@click.option("--records", type=click.IntRange(1), default=1_000_000, show_default=True, metavar="N",
              help="Golden records in the warehouse.")  # fmt: skip
@click.option("--edition", type=click.Choice(["standard", "enterprise", "business-critical"]), default="standard",
              show_default=True, help="Snowflake's edition, for the price of a credit.")  # fmt: skip
@json_option
def cost(*, events_per_day: int, lag_s: int, records: int, edition: str, as_json: bool) -> None:
    """Estimate what each way of writing to Snowflake costs, and say which settings fit the volume.

    An estimate from named constants, which docs/operate/warehouse-cost.md lists with their sources; measure your own.
    """
    from mdm_stream.warehouse.cost import Volume, document, estimates, recommended  # noqa: PLC0415 - as above

    volume = Volume(events_per_day, lag_s, records)
    if as_json:
        print_json(document(volume, edition))
        return
    rows = [
        (
            each.path,
            f"{each.credits_a_day:.1f}",
            f"{each.storage_gb:,.0f}",
            f"{each.usd_a_month(edition):,.0f}",
            "yes" if each.keeps_up else "no",
        )
        for each in estimates(volume)
    ]
    headings = ("way", "credits a day", "storage after a year, GB", "USD a month", "keeps up")
    print_table(f"{events_per_day:,} events a day, {lag_s:,} s old at most, {records:,} records", headings, rows)
    for name, value in recommended(volume).items():
        say(f"{name}: {value}")


def _settings(file: str | None, *, dry_run: bool) -> WarehouseSettings:
    from mdm_stream.warehouse.settings import WarehouseSettings  # noqa: PLC0415 - --help does without

    settings = WarehouseSettings.from_environment(os.environ)
    if file is not None:
        settings = WarehouseSettings(duckdb_path=file, lock_wait_ms=settings.lock_wait_ms)
    if dry_run and settings.snowflake is None and not Path(settings.duckdb_path).exists():
        settings = settings.model_copy(update={"duckdb_path": ":memory:"})
    return settings
