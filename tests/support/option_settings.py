"""Roles, and what the options of a Snowflake schema are applied with for them."""

from __future__ import annotations

from mdm_stream.rules.load import load_ruleset
from mdm_stream.warehouse.snowflake.options import OptionSettings

OWNER, WRITER, ANALYST, STEWARD = "MDM_MIGRATION", "MDM_WRITER", "MDM_READER", "MDM_STEWARD"
SETTINGS = {
    "keys": OptionSettings(),
    "clustering": OptionSettings(),
    "search": OptionSettings(),
    "masking": OptionSettings.of([WRITER], [STEWARD], [load_ruleset("person")]),
    "row-access": OptionSettings.of([WRITER], [f"{ANALYST}=person", f"{STEWARD}=*"], []),
}
