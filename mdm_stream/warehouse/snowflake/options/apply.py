"""Applying an option to a schema, taking it back, and saying which a schema has.

Snowflake commits each statement by itself, so an option may be cut off between two. What is there is asked of the
database, and only what lacks is done: what is applied or removed twice, or again after it was cut off, ends the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from string import Template

from mdm_stream.errors import ConfigurationError
from mdm_stream.warehouse.faults import MissingTableError
from mdm_stream.warehouse.session import Session
from mdm_stream.warehouse.snowflake.options.catalog import Catalog, read_catalog
from mdm_stream.warehouse.snowflake.options.option import SchemaOption, load_options, option_named
from mdm_stream.warehouse.snowflake.options.policies import literal, mask_of, placeholders, row_policy_of
from mdm_stream.warehouse.snowflake.options.record import Recorded, note_option, recorded_options
from mdm_stream.warehouse.snowflake.options.settings import OptionSettings

_KINDS = ("merge", "views", "dynamic")
_INSERT_READER = """
INSERT INTO domain_reader (role, domain)
SELECT m.role, m.domain FROM (SELECT CAST(? AS $text) AS role, CAST(? AS $text) AS domain) AS m
WHERE NOT EXISTS (SELECT 1 FROM domain_reader AS t WHERE t.role = m.role AND t.domain = m.domain)
"""
_KEY = Template("SELECT COUNT(*) - COUNT(DISTINCT $columns) FROM $table")


@dataclass(frozen=True, slots=True)
class Target:
    """A table, or a column of one, that an option is set on, and by which statement.

    ``policy`` is the one that is set there, empty for options that are none. ``exchange`` sets it where another one of
    ours is.
    """

    table: str
    column: str
    policy: str
    add: str
    exchange: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What applying an option does: statements that may run again and again, then those of places that lack it."""

    option: SchemaOption
    settings: OptionSettings
    prepare: tuple[str, ...]
    places: tuple[Target, ...]

    @property
    def statements(self) -> tuple[str, ...]:
        """All of them, as if nothing was there."""
        return (*self.prepare, *(place.add for place in self.places))


@dataclass(frozen=True, slots=True)
class OptionState:
    """An option in a schema: whether it is applied, and which of its tables lack it."""

    option: SchemaOption
    is_applied: bool
    lacking: tuple[str, ...]


def plan_option(session: Session, name: str, settings: OptionSettings) -> Plan:
    """Return what applying an option would do, without writing.

    Raises ``ConfigurationError`` for an unknown option, one that this kind of schema cannot have, and one that lacks a
    setting.
    """
    return _plan(read_catalog(session), option_named(name), settings)


def apply_option(session: Session, name: str, settings: OptionSettings, now: datetime | None = None) -> list[str]:
    """Apply an option, and return the statements that ran. Repeatable; other settings take the place of the former."""
    plan = plan_option(session, name, settings)
    if name == "keys":
        _check_keys(session, plan)
    noted_at = now or datetime.now(UTC)
    note_option(session, name, "begun", plan.settings, noted_at)
    ran = list(_run(session, name, plan.prepare))
    for role, domain in plan.settings.grants:
        session.execute(session.dialect.render(_INSERT_READER), (role, domain), step=f"apply the option {name}")
    present = _present(session, plan.option, plan.places)
    ran += _run(session, name, [sql for place in plan.places if (sql := _change(place, present))])
    note_option(session, name, "applied", plan.settings, noted_at)
    return ran


def removal_of(session: Session, name: str) -> tuple[str, ...]:
    """Return the statements that removing an option would run, without writing."""
    option, catalog = option_named(name), read_catalog(session)
    if name not in recorded_options(session):
        return ()
    present = _present(session, option, _every_place(catalog, option))
    [remove] = option.sections["remove"]
    leaving = [
        Template(remove).substitute(_words(catalog, table, column, policy))
        for (table, column), policy in sorted(present.items())
        if table in catalog.tables
    ]
    return (*leaving, *option.sections.get("finish", ()))


def remove_option(session: Session, name: str, now: datetime | None = None) -> list[str]:
    """Take an option back, and return the statements that ran; none where it is not applied. Repeatable."""
    statements = removal_of(session, name)
    if not statements:
        return []
    settings = recorded_options(session)[name].settings
    ran = list(_run(session, name, statements))
    note_option(session, name, "removed", settings, now or datetime.now(UTC))
    return ran


def reapply_options(session: Session) -> list[str]:
    """Set what is applied on tables that lack it, new ones and ones that were made anew; return what ran."""
    ran: list[str] = []
    recorded = recorded_options(session)
    for state in option_states(session) if recorded else ():
        if state.is_applied and state.lacking:
            ran += apply_option(session, state.option.name, recorded[state.option.name].settings)
    return ran


def option_states(session: Session) -> list[OptionState]:
    """Return every option, in the order of names, without writing."""
    catalog, recorded = read_catalog(session), recorded_options(session)
    return [_state(session, catalog, option, recorded.get(option.name)) for option in load_options().values()]


def _state(session: Session, catalog: Catalog, option: SchemaOption, recorded: Recorded | None) -> OptionState:
    if recorded is None or catalog.kind in option.refused:
        return OptionState(option, recorded is not None, ())
    places = _plan(catalog, option, recorded.settings).places
    present = _present(session, option, places)
    lacking = {place.table for place in places if _change(place, present)}
    return OptionState(option, is_applied=True, lacking=tuple(sorted(lacking)))


def _plan(catalog: Catalog, option: SchemaOption, settings: OptionSettings) -> Plan:
    option.check_kind(catalog.kind)
    if not option.is_policy:
        return Plan(option, settings, (), tuple(_fixed_places(catalog, option, option.sections[catalog.kind])))
    if not settings.roles:
        raise ConfigurationError(
            f"the option {option.name} needs each role that writes or erases as a --writer: they must see all, or what "
            "they write would be incomplete"
        )
    if option.name == "masking" and not settings.attributes:
        raise ConfigurationError(
            "the option masking has nothing to mask: name rule sets with --rules that have sensitive attributes"
        )
    roles = sorted({*settings.roles, catalog.role} - {""})  # refreshes of dynamic tables run as the role that made them
    settings = settings.model_copy(update={"roles": tuple(roles)})
    words = placeholders(catalog, settings, masks=option.name == "masking")
    prepare = tuple(Template(sql).substitute(words) for sql in option.sections["prepare"])
    return Plan(option, settings, prepare, tuple(_policy_places(catalog, option)))


def _fixed_places(catalog: Catalog, option: SchemaOption, statements: tuple[str, ...]) -> Iterator[Target]:
    for statement in statements:
        words = statement.split()
        table = words[3] if words[1] == "DYNAMIC" else words[2]
        if table in catalog.tables:
            yield _place(catalog, option, table, "", "", statement)


def _policy_places(catalog: Catalog, option: SchemaOption) -> Iterator[Target]:
    [each] = option.sections["each"]
    if option.name == "masking":
        found = [(table, column, policy) for table, column in catalog.json_columns() if (policy := mask_of(column))]
    else:
        found = [(table, "", row_policy_of(catalog, table)) for table in catalog.with_domain()]
    for table, column, policy in found:
        yield _place(catalog, option, table, column, policy, each)


def _place(catalog: Catalog, option: SchemaOption, table: str, column: str, policy: str, add: str) -> Target:
    words = _words(catalog, table, column, policy)
    [exchange] = option.sections.get("exchange", ("",))
    return Target(
        table, column, policy, Template(add).safe_substitute(words), Template(exchange).safe_substitute(words)
    )


def _words(catalog: Catalog, table: str, column: str, policy: str) -> dict[str, str]:
    return {"alter": catalog.alter(table), "table": table, "column": column, "policy": policy}


def _every_place(catalog: Catalog, option: SchemaOption) -> tuple[Target, ...]:
    """Return every place that may have an option, of whatever kind the schema was when it was applied."""
    if option.is_policy:
        return ()
    statements = [sql for kind in _KINDS for sql in option.sections.get(kind, ())]
    return tuple(_fixed_places(catalog, option, tuple(statements)))


def _change(place: Target, present: Mapping[tuple[str, str], str]) -> str | None:
    """Return the statement that a place needs, None for one that is as it should be."""
    there = present.get((place.table, place.column))
    if there is None:
        return place.add
    return None if there == place.policy else Template(place.exchange).substitute(former=there)


def _present(session: Session, option: SchemaOption, places: tuple[Target, ...]) -> dict[tuple[str, str], str]:
    """Return table and column of each place that has the option, with the policy that it has."""
    step = f"look for the option {option.name}"
    if "present" in option.sections:
        [sql] = option.sections["present"]
        return dict.fromkeys(session.execute(sql, step=step), "")
    [sql] = option.sections["present each"]
    if not option.is_policy:
        tables = sorted({place.table for place in places})
        return {
            (table, ""): "" for table in tables if session.execute(Template(sql).substitute(table=table), step=step)
        }
    schema, found = read_catalog(session).schema, dict[tuple[str, str], str]()
    for policy in (statement.split()[-1] for statement in option.sections["finish"]):
        qualified = literal(f"{schema}.{policy}")[1:-1]
        try:
            rows = session.execute(Template(sql).substitute(qualified=qualified), step=step)
        except MissingTableError:  # it was not made yet, or is dropped already
            continue
        found |= dict.fromkeys(rows, policy)
    return found


def _check_keys(session: Session, plan: Plan) -> None:
    """Raise ``ConfigurationError`` where a key is there twice: RELY would make queries wrong."""
    for place in plan.places:
        columns = place.add.partition("PRIMARY KEY (")[2].partition(")")[0]
        twice = session.execute(_KEY.substitute(columns=columns, table=place.table), step="count the keys")[0][0]
        if twice:
            raise ConfigurationError(
                f"{place.table} has {twice} rows whose key ({columns}) another row has too, so no query may rely on "
                "it: find who else writes to the table, and rebuild the warehouse; nothing was changed"
            )


def _run(session: Session, name: str, statements: Sequence[str]) -> Iterator[str]:
    for statement in statements:
        session.execute(statement, step=f"apply the option {name}")
        yield statement
