"""The arguments of a job on Glue: its own options, and the settings that the consumers have as environment variables.

``--NAME value`` is the setting ``MDM_NAME``, so that one table of settings serves functions and job. What Glue itself
passes along is left alone; any other name in capitals is refused, since a misspelt option would silently do nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from mdm_stream.deployment import Deployment
from mdm_stream.errors import ConfigurationError
from mdm_stream.metrics.namespace import DEFAULT_NAMESPACE, NAMESPACE_PATTERN
from mdm_stream.objects.opening import open_object_store
from mdm_stream.reconcile.compare import SAMPLES, SETTLE_S
from mdm_stream.rules.use_model import named_model
from mdm_stream.settings import ResolveSettings, Settings
from mdm_stream.warehouse import WarehouseSettings
from mdm_stream.warehouse.settings import SnowflakeSettings

_PREFIX = "MDM_"
_OWN = re.compile(r"[A-Z][A-Z0-9_]*")
_OF_GLUE = re.compile(r"JOB_[A-Z_]+|SECURITY_CONFIGURATION")


class JobSettings(Settings):
    """What a reconciliation on Glue is asked for.

    ``workspace``: where the job keeps its tables, ``s3://bucket/prefix``; they hold personal values and are removed at
    the end. ``domain``: these alone, comma-separated; all that the rules have if it is empty. ``repair``: mend what
    differs, and compare again. ``skip_unchanged``: end at once where nothing was archived or committed since the last
    clean run; damage that was done past the consumers is not found then. ``settle_s``: seconds until what was committed
    is archived, the resolve function's time-out. ``samples``: differences of each kind in the report.
    ``metrics_namespace``: the namespace of its metrics; a job has no variables, and so not that of the functions.
    """

    needed_for: ClassVar[str] = "the reconciliation"

    workspace: str
    domain: str = ""
    repair: bool = False
    skip_unchanged: bool = False
    settle_s: Annotated[float, Field(ge=0)] = SETTLE_S
    samples: Annotated[int, Field(ge=0, le=1_000)] = SAMPLES
    metrics_namespace: Annotated[str, Field(pattern=NAMESPACE_PATTERN)] = DEFAULT_NAMESPACE


@dataclass(frozen=True, slots=True)
class Arguments:
    """What the arguments say."""

    job: JobSettings
    deployment: Deployment


def read_arguments(arguments: Sequence[str], environment: Mapping[str, str], scratch: str) -> Arguments:
    """Return what the arguments say, over the environment; ``ConfigurationError`` for a wrong or an unknown one.

    Rule sets on S3 are fetched into the folder ``scratch``, each with the model that it names beside it.
    """
    named = {f"{_PREFIX}{name}": value for name, value in _pairs(arguments) if not _OF_GLUE.fullmatch(name)}
    known = set(_variables())
    for name in named:
        if name not in known:
            raise ConfigurationError(
                f"the job has no argument --{name.removeprefix(_PREFIX)}; docs/operate/reconcile.md lists them"
            )
    settings = {**environment, **named}
    settings["MDM_RULES"] = ",".join(_fetched(settings.get("MDM_RULES", ""), Path(scratch)))
    return Arguments(JobSettings.from_environment(settings), Deployment.from_environment(settings))


def _pairs(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield names in capitals with their values, from ``--NAME value`` and ``--NAME=value``."""
    for place, argument in enumerate(arguments):
        name, equals, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or not _OWN.fullmatch(name):
            continue  # Glue's own, such as --TempDir and --job-bookmark-option, and values
        yield name, value if equals else next(iter(arguments[place + 1 : place + 2]), "")


def _variables() -> Iterator[str]:
    for settings in (JobSettings, ResolveSettings, WarehouseSettings, SnowflakeSettings):
        yield from map(settings.variable, settings.model_fields)


def _fetched(rules: str, folder: Path) -> Iterator[str]:
    """Yield paths and packs as they are, and the paths of files that were fetched from S3."""
    for number, each in enumerate(rules.split(",") if rules else ()):
        if not each.startswith("s3://"):
            yield each
            continue
        place, _, name = each.rpartition("/")
        store = open_object_store(place)
        path = folder / str(number) / name
        path.parent.mkdir()
        path.write_bytes(store.get(name))
        model = named_model(path)
        if model is not None:
            path.with_name(model).write_bytes(store.get(model))
        yield str(path)
