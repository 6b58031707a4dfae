"""Which policy stands where, and what a policy says of roles.

Policies stand on the tables that hold rows and on no view. Snowflake evaluates a table's policies wherever a view
reads it, by the roles of the session and not of the view's owner (IS_ROLE_IN_SESSION), so every view over them is
covered, one that is replaced and one that others make too.

The roles that write must see all: an erasure reads a row, takes values out and writes it back, so one that saw masked
rows would write those; and one that did not see a row would leave its values there and say that none is left.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mdm_stream.contracts.evidence import EVIDENCE
from mdm_stream.contracts.file_manifest import FileManifest
from mdm_stream.contracts.golden import GoldenChange, QuarantinedEvent, RecordErased
from mdm_stream.errors import ConfigurationError
from mdm_stream.warehouse.session import Session
from mdm_stream.warehouse.snowflake.options.catalog import Catalog
from mdm_stream.warehouse.snowflake.options.record import recorded_options
from mdm_stream.warehouse.snowflake.options.settings import OptionSettings

WITHOUT_VALUES = frozenset({"reasons", "manifest", "positions", "contributors"})
"""JSON columns that hold keys, reasons and counts, and no value of a record."""

MASKED_BY = {
    "golden_values": "mdm_values",
    "provenance": "mdm_values",
    "payload": "mdm_document",
    "document": "mdm_document",
}
"""The policy of each JSON column with values, by its name. Any other is hidden whole until it is declared here."""

ROW_POLICIES = ("mdm_domain_rows", "mdm_all_rows")

_MODELS = (GoldenChange, RecordErased, *EVIDENCE, QuarantinedEvent, FileManifest)
_BY_ATTRIBUTE = {"values", "provenance", "attributes", "overrides"}
DOCUMENT_MEMBERS = tuple(
    sorted({name for model in _MODELS for name in model.model_fields} - _BY_ATTRIBUTE | {"positions"})
)
"""Members of a message's data that hold no value of a record. What a later release adds is hidden until it is here."""


def mask_of(column: str) -> str | None:
    """Return the masking policy of a JSON column, None for one without values."""
    return None if column in WITHOUT_VALUES else MASKED_BY.get(column, "mdm_hidden")


def row_policy_of(catalog: Catalog, table: str) -> str:
    """Return the row access policy of a table.

    A dynamic table is refreshed incrementally, for which Snowflake takes no subquery outside FROM, and a policy of the
    table that it reads counts as part of its query: there ``golden_event`` has the policy that looks up nothing, and
    only the roles that see all read it.
    """
    return "mdm_all_rows" if catalog.kind == "dynamic" and table == "golden_event" else "mdm_domain_rows"


def any_role(roles: Iterable[str]) -> str:
    """Return the condition that the session has one of these roles, itself or by inheritance."""
    return " OR ".join(f"IS_ROLE_IN_SESSION({literal(role)})" for role in roles) or "FALSE"


def literal(text: str) -> str:
    """Return a text as SQL has it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


@dataclass(frozen=True, slots=True)
class PolicyClauses:
    """What a new dynamic table is made with, so that at no moment it has rows without the policies of its schema."""

    masking: bool = False
    row_access: bool = False

    def columns(self, columns: Iterable[tuple[str, str]]) -> str:
        """Return the list of columns for those names and types, empty where none is masked."""
        listed = list(columns)
        masks = {name: mask_of(name) if kind == "VARIANT" else None for name, kind in listed}
        if not self.masking or not any(masks.values()):
            return ""
        defined = [
            f"{name} {kind}" + (f" WITH MASKING POLICY {masks[name]}" if masks[name] else "") for name, kind in listed
        ]
        return f" ({', '.join(defined)})"

    def rows(self, columns: Iterable[tuple[str, str]]) -> str:
        """Return the clause of the row access policy, empty where the table has none."""
        if not self.row_access or "domain" not in {name for name, _ in columns}:
            return ""
        return " WITH ROW ACCESS POLICY mdm_domain_rows ON (domain)"


NO_POLICIES = PolicyClauses()


def policy_clauses(session: Session) -> PolicyClauses:
    """Return what dynamic tables of this schema are made with."""
    recorded = recorded_options(session)
    return PolicyClauses("masking" in recorded, "row-access" in recorded)


def check_role_sees_all(session: Session) -> None:
    """Raise ``ConfigurationError`` where policies hide rows or values from this session, which then must not write."""
    settings = [each.settings for name, each in recorded_options(session).items() if name in ("masking", "row-access")]
    for each in settings:
        if not session.execute(f"SELECT {any_role(each.roles)}", step="look at the roles of the session")[0][0]:
            raise ConfigurationError(
                "policies of the warehouse hide rows or values from this role, so that what it writes or erases would "
                "be incomplete: apply the options masking and row-access again with this role as a --writer, as the "
                "role that migrates; nothing was changed"
            )


def placeholders(catalog: Catalog, settings: OptionSettings, *, masks: bool) -> dict[str, str]:
    """Return what the statements of a policy are rendered with."""
    seeing = (*settings.roles, *(settings.readers if masks else ()))
    return {
        "may_read": any_role(seeing),
        "attributes": ", ".join(literal(name) for name in settings.attributes),
        "members": ", ".join(literal(name) for name in DOCUMENT_MEMBERS),
        "schema": catalog.schema,
    }
