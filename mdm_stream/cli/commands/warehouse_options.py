"""``mdm-stream warehouse options`` and ``option``: what a Snowflake schema may have beside its tables."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING

import click

from mdm_stream.cli.output import json_option, print_json, say

if TYPE_CHECKING:
    from mdm_stream.warehouse.session import Session
    from mdm_stream.warehouse.snowflake.options import OptionState

_DRY_RUN = click.option("--dry-run", is_flag=True, help="Only print the statements.")


@click.command()
@click.option("--applied", is_flag=True, help="Ask the schema that the settings name which it has.")
@json_option
def options(*, applied: bool, as_json: bool) -> None:
    """List the options of a Snowflake schema: the reason, the cost, the rights and the undoing of each.

    Exit code 2 with --applied: the settings name no Snowflake schema, or one without tables.
    """
    from mdm_stream.warehouse.snowflake.options import OptionState, load_options, option_states  # noqa: PLC0415

    states: Iterable[OptionState] = [
        OptionState(each, is_applied=False, lacking=()) for each in load_options().values()
    ]
    if applied:
        with closing(_session()) as session:
            states = option_states(session)
    if as_json:
        print_json([_document(state, applied=applied) for state in states])
        return
    for state in states:
        said = _shown_state(state) if applied else ""
        say(f"{state.option.name}{said}")
        for title, text in (
            ("reason", state.option.reason),
            ("cost", state.option.cost),
            ("rights", state.option.rights),
            ("undone", state.option.undone),
            *(("not for the append kind", text) for text in sorted(set(state.option.refused.values()))),
        ):
            say(f"  {title}: {text}")
        say("")


@click.group()
def option() -> None:
    """Apply an option to the Snowflake schema that the settings name, or remove one."""


@option.command()
@click.argument("name")
@click.option("--writer", "writers", multiple=True, metavar="ROLE",
              help="A role that writes or erases and so must see all; policies need it. Repeatable.")  # fmt: skip
@click.option("--reader", "readers", multiple=True, metavar="ROLE[=DOMAIN]",
              help="A role that sees masked values, or for row-access the rows of a domain (* for all).")  # fmt: skip
@click.option("--rules", multiple=True, metavar="RULES",
              help="A rule set (file or pack) whose sensitive attributes are masked. Repeatable.")  # fmt: skip
@_DRY_RUN
def apply(*, name: str, writers: tuple[str, ...], readers: tuple[str, ...], rules: tuple[str, ...],
          dry_run: bool) -> None:  # fmt: skip
    """Apply an option, as the role that migrates. Repeatable: only tables that lack it are changed, and roles, readers
    and attributes take the place of those before.

    Exit code 2: no such option, none for this kind of schema, or a setting is missing; nothing was changed.
    """
    from mdm_stream.rules.load import load_rulesets  # noqa: PLC0415 - --help does without
    from mdm_stream.warehouse.snowflake.options import OptionSettings, apply_option, plan_option  # noqa: PLC0415

    settings = OptionSettings.of(writers, readers, load_rulesets(rules).values())
    with closing(_session()) as session:
        if dry_run:
            _print(plan_option(session, name, settings).statements)
            return
        ran = apply_option(session, name, settings)
    say(f"applied {name}: {len(ran)} statements ran")


@option.command()
@click.argument("name")
@_DRY_RUN
def remove(*, name: str, dry_run: bool) -> None:
    """Remove an option, as the role that migrates. Repeatable.

    Exit code 2: there is no such option.
    """
    from mdm_stream.warehouse.snowflake.options import removal_of, remove_option  # noqa: PLC0415

    with closing(_session()) as session:
        if dry_run:
            _print(removal_of(session, name))
            return
        ran = remove_option(session, name)
    say(f"removed {name}: {len(ran)} statements ran" if ran else f"the schema does not have {name}")


def _session() -> Session:
    from mdm_stream.errors import ConfigurationError  # noqa: PLC0415 - --help does without
    from mdm_stream.warehouse.settings import WarehouseSettings, open_session  # noqa: PLC0415

    settings = WarehouseSettings.from_environment(os.environ)
    if settings.snowflake is None:
        raise ConfigurationError(
            "options are Snowflake's: set MDM_WAREHOUSE_KIND=snowflake and where to log in; a DuckDB file has none"
        )
    return open_session(settings)


def _print(statements: Iterable[str]) -> None:
    for statement in statements:
        for line in (*f"{statement};".splitlines(), ""):
            say(line)


def _shown_state(state: OptionState) -> str:
    if not state.is_applied:
        return " (not applied)"
    lacking = ", ".join(state.lacking)
    return f" (applied, but not on {lacking}: run warehouse migrate)" if lacking else " (applied)"


def _document(state: OptionState, *, applied: bool) -> dict[str, object]:
    option = state.option
    said: dict[str, object] = {
        "name": option.name,
        "reason": option.reason,
        "cost": option.cost,
        "rights": option.rights,
        "undone": option.undone,
        "not_for": dict(option.refused),
    }
    return said | ({"applied": state.is_applied, "lacking": list(state.lacking)} if applied else {})
