"""``mdm-stream capacity``: how large a deployment has to be for a volume, its simulated day, and its bill."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.output import json_option, print_json, print_table, say
from mdm_stream.errors import ConfigurationError

if TYPE_CHECKING:
    from mdm_stream.capacity.capacity_plan import CapacityPlan
    from mdm_stream.capacity.tables import MeasuredTable, PriceTable
    from mdm_stream.capacity.workload import Footprint, Workload

PARTS = ("api", "files", "warehouse", "reconcile", "compaction")
_FILE = click.Path(dir_okay=False, exists=True, path_type=Path)


@click.command()
@click.option(
    "--events-per-day", type=click.IntRange(1), metavar="N", help="Change events a day. Without: a table of volumes."
)
@click.option(
    "--environment",
    "of",
    type=click.Choice(["dev", "staging", "prod"]),
    help="The sizes, and the volume, of an environment in infra/terraform.",
)
@click.option("--peak-to-mean", type=float, help="The busiest minute's rate by the day's mean.  [default: 3]")
@click.option("--skew", type=float, help="The busiest shard's rate by the mean shard's.  [default: 1.25]")
@click.option("--new-share", type=float, help="Share of the events that bring a new record.  [default: 0.02]")
@click.option("--event-bytes", type=int, help="Bytes of an event.  [default: 1000]")
@click.option("--domains", type=int, help="Domains, of equal volume.  [default: 1]")
@click.option("--days-held", type=int, help="Days after which the size is asked.  [default: 365]")
@click.option("--records", type=int, help="Source records then, in place of events x new share x days.")
@click.option("--lag", "lag_s", type=int, metavar="SECONDS", help="How old the warehouse may be.  [default: 300]")
@click.option("--batch-size", type=int, help="Events a batch.  [default: 500]")
@click.option(
    "--window",
    "window_s",
    type=float,
    metavar="SECONDS",
    help="Batching window.  [default: 1 up to 4 shards, 5 beyond]",
)
@click.option("--parallelization-factor", type=int, help="Lanes a shard.  [default: 1]")
@click.option("--retention-hours", type=int, help="Of the streams.  [default: 168]")
@click.option("--change-shards", type=int, help="In place of what is needed.")
@click.option("--golden-shards", type=int, help="In place of what is needed.")
@click.option("--on-demand", is_flag=True, default=None, help="Streams on demand, and not provisioned.")
@click.option("--node-type", help="Of the cache, in place of the cheapest that does.")
@click.option("--replicas", type=int, help="Of each shard of the cache.  [default: 1]")
@click.option("--without", "without", type=click.Choice(PARTS), multiple=True, help="A part that there is not.")
@click.option(
    "--failed-share", type=float, default=0.001, show_default=True, help="Of the batches of the simulated day."
)
@click.option(
    "--outage",
    "outage_s",
    type=float,
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Of the cache, at the peak.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed gives another day.")
@click.option("--prices", type=_FILE, metavar="FILE", help="Your prices, as YAML or JSON: names with US dollars.")
@click.option(
    "--measured", type=_FILE, metavar="FILE", help="Your measured inputs; benchmarks/capacity.py writes them."
)
@click.option("--markdown", "as_markdown", is_flag=True, help="The tables of the page on capacity.")
@json_option
def capacity(
    *,
    events_per_day: int | None,
    of: str | None,
    prices: Path | None,
    measured: Path | None,
    as_markdown: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Estimate shards, concurrency, cache, objects, credits and dollars for a volume, and simulate a day of it.

    A model of few formulas over two tables, of what was measured and of list prices, both of which you may give. It is
    an estimate with its date and no quote: docs/operate/capacity.md has every formula.
    """
    from mdm_stream.capacity.tables import measured_table, price_table  # noqa: PLC0415 - --help does without

    tables = measured_table(_read(measured)), price_table(_read(prices))
    if as_markdown:
        from mdm_stream.capacity.page import page_tables  # noqa: PLC0415

        for name, table in page_tables(*tables).items():
            say(f"## {name}")
            for line in ("", *table.split("\n"), ""):
                say(line)
    elif events_per_day is None and of is None:
        _of_volumes(tables, given, as_json=as_json)
    else:
        _of_one(events_per_day, of, tables, given, as_json=as_json)


def _of_volumes(tables: tuple[MeasuredTable, PriceTable], given: dict[str, Any], *, as_json: bool) -> None:
    from mdm_stream.capacity.capacity_plan import document, plan_capacity  # noqa: PLC0415
    from mdm_stream.capacity.page import SIZE_HEADINGS, VOLUMES, size_rows  # noqa: PLC0415

    plans = [plan_capacity(*_asked(volume, None, given), *tables) for volume in VOLUMES]
    if as_json:
        print_json({"volumes": [document(plan) for plan in plans]})
        return
    print_table("Sizes and dollars by volume: an estimate", SIZE_HEADINGS, size_rows(plans))
    _say_dates(plans[0])


def _of_one(
    events_per_day: int | None,
    of: str | None,
    tables: tuple[MeasuredTable, PriceTable],
    given: dict[str, Any],
    *,
    as_json: bool,
) -> None:
    from mdm_stream.capacity.capacity_plan import (  # noqa: PLC0415
        day_lines,
        document,
        lines,
        plan_capacity,
        warnings,
    )
    from mdm_stream.capacity.day import Trouble  # noqa: PLC0415
    from mdm_stream.capacity.page import plain_price  # noqa: PLC0415

    trouble = Trouble(given["failed_share"], given["outage_s"])
    plan = plan_capacity(*_asked(events_per_day, of, given), *tables, trouble=trouble, seed=given["seed"])
    if as_json:
        print_json(document(plan) | {"warnings": list(warnings(plan))})
        return
    print_table(f"{plan.load.events_per_day:,} events a day", ("what", "how much", "how"), lines(plan), texts=True)
    if plan.day is not None:
        print_table("A day of the busiest lane, simulated", ("what", "how much"), day_lines(plan.day), texts=True)
    bill = [
        (item.group, item.price, f"{item.quantity:,.2f}", plain_price(item.usd_each), f"{item.usd:,.2f}")
        for item in plan.costs
    ]
    bill.append(("sum", "", "", "", f"{plan.usd_a_month:,.2f}"))
    print_table("US dollars a month", ("what", "price", "quantity of 30 days", "USD each", "USD"), bill)
    for warning in warnings(plan):
        say(f"look out: {warning}")
    _say_dates(plan)


def _asked(events_per_day: int | None, of: str | None, given: dict[str, Any]) -> tuple[Workload, Footprint]:
    """Return volume and choices: those of an environment or the defaults, with what the command line says."""
    from mdm_stream.capacity.environments import ENVIRONMENTS  # noqa: PLC0415
    from mdm_stream.capacity.workload import FOOTPRINT_NAMES, Footprint, Workload  # noqa: PLC0415

    said = {name: value for name, value in given.items() if value is not None}
    load_names = {each.name for each in fields(Workload)}
    if of is None:
        load, chosen = Workload(events_per_day or 1), Footprint()
    else:
        load, chosen = ENVIRONMENTS[of].load, ENVIRONMENTS[of].footprint
        load = load if events_per_day is None else replace(load, events_per_day=events_per_day)
    load = replace(load, **{name: value for name, value in said.items() if name in load_names})
    chosen = replace(chosen, **{name: value for name, value in said.items() if name in FOOTPRINT_NAMES})
    return load, replace(chosen, parts=chosen.parts - set(given["without"]))


def _say_dates(plan: CapacityPlan) -> None:
    say(f"Measured: {plan.measured.as_of}. Prices: {plan.prices.as_of}, us-east-1 on demand or your own; no quote.")


def _read(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    import yaml  # noqa: PLC0415

    try:
        text = path.read_text("utf-8")
        document = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path}: YAML or JSON is expected") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path}: names with numbers are expected")
    return document
