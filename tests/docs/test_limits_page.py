"""The page of limits says what the code does: every name on it has that default, and no setting is left out."""

from __future__ import annotations

import importlib
import re
from dataclasses import MISSING, fields
from typing import Any

import pytest
from source_tree import ROOT

from consumers.resolve.kcl_settings import KclSettings
from mdm_stream.local.event_source.mapping import EventSource
from mdm_stream.local.event_source.queue import QueueSource
from mdm_stream.rebuild.run import RebuildOptions
from mdm_stream.rules.model import BlockingModel, LimitsModel
from mdm_stream.settings import EngineSettings, ResolveSettings
from mdm_stream.warehouse.lineage import LineageSettings
from mdm_stream.warehouse.settings import SnowflakeSettings, WarehouseSettings
from producers.delivery import PublisherSettings
from producers.events_api.settings import EventsApiSettings
from producers.files.addresses import FilesSettings
from producers.files.settings import FileLimits
from producers.postgres.settings import ReaderSettings

PAGE = (ROOT / "docs" / "reference" / "limits.md").read_text("utf-8")
ROW = re.compile(r"^\| `([\w.]+)` \| ([^|]+) \| ([^|]+) \|", re.MULTILINE)
ROWS = {name: (default.strip(), where.strip()) for name, default, where in ROW.findall(PAGE)}
SETTINGS = (
    EngineSettings,
    ResolveSettings,
    KclSettings,
    WarehouseSettings,
    SnowflakeSettings,
    LineageSettings,
    RebuildOptions,
    PublisherSettings,
    ReaderSettings,
    EventsApiSettings,
    FileLimits,
    FilesSettings,
    EventSource,
    QueueSource,
)
MODELS = {model.__name__: model for model in (BlockingModel, LimitsModel)}
SWITCHES = {
    "RebuildOptions.keep_before",
    "EventSource.bisect_on_error",
    "EventSource.report_batch_item_failures",
    "QueueSource.report_batch_item_failures",
}
"""What turns something on or off is not a limit, unless it is about one."""


def shown(value: object) -> str:
    """Return a default as the page writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def default_of(name: str) -> Any:
    """Return what the code has under a name of the page: a field's default, or a constant."""
    owner, _, attribute = name.rpartition(".")
    if owner in MODELS:
        return MODELS[owner].model_fields[attribute].default
    for kind in SETTINGS:
        if kind.__name__ == owner:
            return defaults_of(kind)[attribute]
    return getattr(importlib.import_module(owner), attribute)


def defaults_of(kind: Any) -> dict[str, Any]:
    """Return the defaults of a group of settings, whether that is a model or a dataclass."""
    if hasattr(kind, "model_fields"):
        return {name: field.default for name, field in kind.model_fields.items() if not field.is_required()}
    return {field.name: field.default for field in fields(kind) if field.default is not MISSING}


@pytest.mark.parametrize("name", ROWS)
def test_a_limit_has_the_default_that_the_page_gives(name: str) -> None:
    """Who plans by the page plans by what runs."""
    assert shown(default_of(name)) == ROWS[name][0]


@pytest.mark.parametrize("kind", SETTINGS, ids=lambda kind: kind.__name__)
def test_every_limit_that_can_be_set_is_on_the_page(kind: type) -> None:
    """A setting that is a number, or turns a limit on, is documented."""
    numbers = {
        f"{kind.__name__}.{name}"
        for name, default in defaults_of(kind).items()
        if isinstance(default, bool | int | float)
    }
    assert numbers - SWITCHES <= ROWS.keys()


def test_the_page_names_the_variables_by_which_limits_are_set() -> None:
    """A consumer reads its limits from the environment, under the names that the page gives."""
    prefixes = dict.fromkeys(("EngineSettings", "ResolveSettings", "EventsApiSettings"), "MDM_")
    prefixes |= {"WarehouseSettings": "MDM_WAREHOUSE_", "SnowflakeSettings": "MDM_WAREHOUSE_SNOWFLAKE_"}
    prefixes |= {"FileLimits": "MDM_FILES_", "FilesSettings": "MDM_", "LineageSettings": "MDM_LINEAGE_"}
    prefixes["KclSettings"] = "MDM_KCL_"
    for name, (_, where) in ROWS.items():
        owner, _, attribute = name.rpartition(".")
        if owner in prefixes:
            assert where == f"`{prefixes[owner]}{attribute.upper()}`"
