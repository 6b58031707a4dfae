"""Settings as Terraform, the code and the page of limits have them, side by side."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from source_tree import ROOT, modules
from terraform_tree import TERRAFORM, defaults_of, files, variables

from consumers.reconcile.arguments import JobSettings
from consumers.resolve.kcl_settings import KclSettings
from mdm_stream.deployment import _OF_COMMANDS
from mdm_stream.settings import EngineSettings, ResolveSettings, Settings
from mdm_stream.warehouse.lineage import LineageSettings
from mdm_stream.warehouse.settings import SnowflakeSettings
from producers.events_api.settings import EventsApiSettings
from producers.files.addresses import FilesSettings
from producers.files.settings import FileLimits

NAME = re.compile(r"\bMDM_[A-Z0-9_]+\b")
STANDS_FOR_MANY = re.compile(r"MDM_([A-Z]+_)*(NAME)?")
"""How a description names a whole family of settings, and an expression its beginning."""
PAGE = ROOT / "docs" / "reference" / "limits.md"
_ROW = re.compile(r"^\| `(\w+\.\w+)` \| ([^|]+) \|", re.MULTILINE)

SAME_DEFAULTS: list[tuple[str, str, tuple[type[Settings], ...]]] = [
    ("ingest", "timeouts", (FilesSettings,)),
    ("ingest", "file_limits", (FileLimits,)),
    ("consumer", "limits", (ResolveSettings,)),
    ("consumer", "engine", (EngineSettings,)),
    ("api", "limits", (EventsApiSettings,)),
    ("deployment", "limits", (ResolveSettings,)),
    ("deployment", "engine", (EngineSettings,)),
]
"""Objects whose members are settings of the code, by its names: module, variable, and where the code has them."""

DEFAULTS: list[tuple[str, str, type[Settings]]] = [
    ("warehouse", "limits", SnowflakeSettings),
    ("warehouse", "snowflake", SnowflakeSettings),
    ("warehouse", "lineage", LineageSettings),
    ("kcl", "limits", KclSettings),
    ("reconcile", "job", JobSettings),
]
"""The same, by the names of the settings' variables."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A default in Terraform and in the code, as text, and on the page if it is a limit."""

    place: str
    terraform: str
    code: str | None
    page: str | None

    @property
    def agree(self) -> bool:
        """Tell whether all that have it have the same."""
        return self.terraform == self.code and self.page in (None, self.code)


def known_settings() -> set[str]:
    """Return the names of settings that the code reads: those of its classes, and those that it names itself."""
    for module in modules():
        if re.search(r"^class \w+\(\w*Settings\)", module.text, re.MULTILINE):
            importlib.import_module(module.name)
    kinds, waiting = [], [Settings]
    while waiting:
        kinds.append(waiting.pop())
        waiting += kinds[-1].__subclasses__()
    named = {name for module in modules() for name in NAME.findall(module.text)}
    named |= {f"MDM_{name.upper()}" for name in _OF_COMMANDS}
    return named | {kind.variable(name) for kind in kinds for name in kind.model_fields}


def names_in_terraform() -> Iterator[tuple[str, str]]:
    """Yield the names of settings in all .tf files, each with its file."""
    for path in files():
        for name in NAME.findall(path.read_text("utf-8")):
            if not STANDS_FOR_MANY.fullmatch(name):
                yield str(path.relative_to(TERRAFORM)), name


def as_written(value: object) -> str:
    """Return a default of the code as Terraform and the page write it."""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def compared_defaults() -> list[Compared]:
    """Return each default of Terraform that is one of the code, with the code's and the page's."""
    page = {name: shown.strip().replace(",", "") for name, shown in _ROW.findall(PAGE.read_text("utf-8"))}
    listed = [*SAME_DEFAULTS, *((module, variable, (kind,)) for module, variable, kind in DEFAULTS)]
    found = []
    for module, variable, kinds in listed:
        fields = {
            key: (f"{kind.__name__}.{name}", field.default)
            for kind in kinds
            for name, field in kind.model_fields.items()
            for key in {name, kind.variable(name).removeprefix(kind.env_prefix).lower()}
            if not field.is_required()
        }
        for name, value in defaults_of(variables(TERRAFORM / "modules" / module)[variable]).items():
            limit, default = fields.get(name, ("", None))
            code = None if default is None else as_written(default)
            found.append(Compared(f"{module}.{variable}.{name}", value, code, page.get(limit)))
    return found
