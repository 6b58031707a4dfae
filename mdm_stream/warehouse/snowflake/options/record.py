"""Which options a schema has: a table of it, the newest row of a name counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from mdm_stream.warehouse.faults import MissingTableError
from mdm_stream.warehouse.rows import timestamp_text
from mdm_stream.warehouse.session import Session
from mdm_stream.warehouse.snowflake.options.settings import OptionSettings

State = Literal["begun", "applied", "removed"]
"""``begun``: statements of it may have run. It counts as applied wherever that is the careful answer."""

CREATE_APPLIED_OPTION = """
CREATE $table IF NOT EXISTS applied_option (
    name       $text      NOT NULL,
    number     $integer   NOT NULL,
    state      $text      NOT NULL,
    settings   $text      NOT NULL,
    noted_at   $timestamp NOT NULL
) $table_options
"""
INSERT_APPLIED_OPTION = """
INSERT INTO applied_option (name, number, state, settings, noted_at)
SELECT CAST(? AS $text), COALESCE(MAX(number), 0) + 1, CAST(? AS $text), CAST(? AS $text), CAST(? AS $timestamp)
FROM applied_option
"""
SELECT_APPLIED_OPTIONS = """
SELECT name, state, settings FROM applied_option
QUALIFY ROW_NUMBER() OVER (PARTITION BY name ORDER BY number DESC) = 1
"""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is recorded of an option."""

    state: State
    settings: OptionSettings


def recorded_options(session: Session) -> Mapping[str, Recorded]:
    """Return the options that a schema has or may have in part, by name."""
    if session.dialect.name != "snowflake":
        return {}
    try:
        rows = session.execute(SELECT_APPLIED_OPTIONS, step="read applied_option")
    except MissingTableError:  # no option was ever applied
        return {}
    return {
        str(name): Recorded(state, OptionSettings.model_validate_json(settings))
        for name, state, settings in sorted(rows)
        if state != "removed"
    }


def note_option(session: Session, name: str, state: State, settings: OptionSettings, now: datetime) -> None:
    """Record the state of an option. Rows are added and never changed: they are the log of who saw what, and when."""
    render, step = session.dialect.render, f"note the option {name}"
    session.execute(render(CREATE_APPLIED_OPTION), step=step)
    values = (name, state, settings.model_dump_json(), timestamp_text(now))
    session.execute(render(INSERT_APPLIED_OPTION), values, step=step)
