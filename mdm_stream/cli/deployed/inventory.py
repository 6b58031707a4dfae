"""What there is to look at in a deployment: the outputs ``inventory`` and ``settings`` of its Terraform."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mdm_stream.errors import ConfigurationError

INVENTORY_FORMAT = 1
"""Of the output ``inventory``; raised when this command could not read an older one."""
STDIN = "-"

_TERRAFORM_TIMEOUT_S = 60
_OUTPUT = ("terraform", "output", "-json", "-no-color")


class _Output(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class DeployedStream(_Output):
    """A stream, and the hours that it keeps a record."""

    name: str
    retention_hours: int


class DeployedFunction(_Output):
    """A function, and the digest of its package in base64; ``None`` for an image."""

    name: str
    code_sha256: str | None = None


class DeployedMapping(_Output):
    """An event source mapping: what it reads for which function; settings are by the local event source's names."""

    uuid: str
    function: str
    stream: str
    settings: dict[str, Any]


class DeployedQueue(_Output):
    """A queue, and that of its dead letters."""

    name: str
    dead_letter_name: str


class Inventory(_Output):
    """All of a deployment by what it is. ``settings``: those of each process; ``secrets``: ARNs, never values.

    ``services`` of ECS run in ``cluster``.
    """

    format: int
    name: str = Field(min_length=3)
    kms_key_arn: str
    streams: dict[str, DeployedStream]
    buckets: dict[str, str]
    functions: dict[str, DeployedFunction]
    event_sources: dict[str, DeployedMapping]
    queues: dict[str, DeployedQueue]
    secrets: dict[str, str]
    alarms: dict[str, str]
    cluster: str = ""
    services: dict[str, str] = {}
    settings: dict[str, dict[str, str]] = {}

    @property
    def region(self) -> str:
        """The region of AWS."""
        return self.kms_key_arn.split(":")[3]

    @property
    def account_id(self) -> str:
        """The account of AWS."""
        return self.kms_key_arn.split(":")[4]

    @property
    def partition(self) -> str:
        """The partition of AWS, which every ARN names."""
        return self.kms_key_arn.split(":")[1]


def read_inventory(environment: str) -> Inventory:
    """Return the inventory of ``terraform output -json``: a file, ``-`` for stdin, or the folder to run it in.

    ``ConfigurationError`` says what is wrong with it, and never repeats a value.
    """
    try:
        outputs = orjson.loads(_outputs_of(environment))
    except orjson.JSONDecodeError as error:
        raise ConfigurationError(
            f"{_named(environment)} is no JSON; write it with: terraform output -json > FILE"
        ) from error
    try:
        fields, settings = outputs["inventory"]["value"], outputs["settings"]["value"]
    except (KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{_named(environment)} has no outputs inventory and settings; it is what `terraform output -json` writes "
            "(without a name behind it) where an environment of this release was applied"
        ) from error
    try:
        found = Inventory(**{**fields, "settings": settings})
    except (ValidationError, TypeError) as error:
        places = error.errors(include_input=False) if isinstance(error, ValidationError) else []
        where = ", ".join(".".join(map(str, each["loc"])) for each in places) or "inventory"
        raise ConfigurationError(
            f"{_named(environment)} is of another release: {where} is not as it should be; "
            "apply this release's Terraform"
        ) from error
    if found.format != INVENTORY_FORMAT or found.kms_key_arn.count(":") < 5:
        raise ConfigurationError(
            f"{_named(environment)} has an inventory of format {found.format}, this release reads {INVENTORY_FORMAT}; "
            "use the command of the release that was applied"
        )
    return found


def _named(environment: str) -> str:
    return "stdin" if environment == STDIN else environment


def _outputs_of(environment: str) -> bytes:
    if environment == STDIN:
        return sys.stdin.buffer.read()
    path = Path(environment)
    try:
        return _outputs_in(path) if path.is_dir() else path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {environment}: {error.strerror or error}; --environment takes the folder of an environment, "
            "or a file that `terraform output -json` has written"
        ) from error


def _outputs_in(folder: Path) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - the program that PATH names, with fixed arguments
            _OUTPUT, cwd=folder, capture_output=True, timeout=_TERRAFORM_TIMEOUT_S, check=True
        )
    except FileNotFoundError as error:
        raise ConfigurationError(
            "terraform is not on PATH; write its outputs where it is, with `terraform output -json > FILE`, "
            "and name that file"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ConfigurationError(
            f"`terraform output` did not end within {_TERRAFORM_TIMEOUT_S} s in {folder}"
        ) from error
    except subprocess.CalledProcessError as error:
        raise ConfigurationError(
            f"`terraform output` failed in {folder} (exit code {error.returncode}); run it there to see why"
        ) from error
    return done.stdout
