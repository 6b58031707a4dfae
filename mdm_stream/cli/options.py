"""The options that name a deployment to commands: each is declared once, and commands pick those they take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mdm_stream.errors import ConfigurationError

DEFAULT_STATE = Path(".mdm-stream")

Command = Callable[..., Any]

_DECLARED: dict[str, tuple[str, dict[str, Any]]] = {
    "state": (
        "--state",
        {
            "type": click.Path(file_okay=False, path_type=Path),
            "default": DEFAULT_STATE,
            "show_default": True,
            "help": "The state directory of the local stack.",
        },
    ),
    "environment": (
        "--environment",
        {"is_flag": True, "help": "Take the consumers' settings from MDM_* variables, not from --state."},
    ),
    "redis_url": ("--redis", {"metavar": "URL", "help": "The index; that of the local stack if left out."}),
    "namespace": (
        "--namespace",
        {"default": "main", "show_default": True, "help": "The namespace of the index in that Redis."},
    ),
    "rules": (
        "--rules",
        {"multiple": True, "help": "Rule set, a path or a pack; those of the local stack if left out."},
    ),
    "domain": ("--domain", {"help": "Which domain, if the rules are of several."}),
    "stream": ("--stream", {"help": "The change stream; that of the local stack if left out."}),
    "changes_stream": ("--changes-stream", {"help": "The change stream."}),
    "steward_stream": ("--steward-stream", {"help": "The steward stream."}),
    "golden_stream": ("--golden-stream", {"help": "The golden feed."}),
    "endpoint": (
        "--endpoint",
        {"metavar": "URL", "help": "A Kinesis API other than AWS's own or the local stack's."},
    ),
    "s3_endpoint": ("--s3-endpoint", {"metavar": "URL", "help": "An S3 API other than AWS's own."}),
    "region": ("--region", {"help": "The AWS region; that of the environment if left out."}),
    "archive": ("--archive", {"metavar": "URL", "help": "The archive: folder or s3://."}),
    "claims": (
        "--claims",
        {"metavar": "URL", "help": "The claim objects: folder or s3://; beside the archive if left out."},
    ),
    "snapshots": (
        "--snapshots",
        {"metavar": "URL", "help": "Snapshots of the golden feed: folder or s3://; beside the archive if left out."},
    ),
    "quarantine": ("--quarantine", {"metavar": "URL", "help": "The quarantine: folder or s3://."}),
    "on_failure": ("--on-failure", {"metavar": "URL", "help": "The on-failure destination: folder or s3://."}),
    "files_url": ("--files", {"metavar": "URL", "help": "The store of loads of files: folder or s3://."}),
    "warehouse": ("--warehouse", {"metavar": "FILE", "help": "The warehouse: a DuckDB file, or none."}),
}

state_option: Callable[[Command], Command] = click.option("--state", **_DECLARED["state"][1])


def archive_url_of(state: Path, url: str | None) -> str:
    """Return the archive that was named, or that of the local stack; ``ConfigurationError`` if that has none."""
    from mdm_stream.deployment import ARCHIVE_FOLDER  # noqa: PLC0415 - most commands that have options do without

    folder = state / ARCHIVE_FOLDER
    if url is None and not folder.is_dir():
        raise ConfigurationError(
            f"there is no archive in {state}; name the stack's directory with --state, or --archive"
        )
    return url or str(folder)


def deployment_options(
    *names: str, without_default: str | None = None, **help_texts: str
) -> Callable[[Command], Command]:
    """Give a command these options, as parameters of these names; ``help_texts`` are in place of the common ones.

    ``without_default`` names one that is ``None`` where it was left out, because something else may say it.
    """

    def decorate(command: Command) -> Command:
        for name in reversed(names):
            flag, settings = _DECLARED[name]
            text = help_texts.get(name, settings["help"])
            if name == without_default:
                settings = {**settings, "default": None, "show_default": False}
            command = click.option(flag, name, **{**settings, "help": text})(command)
        return command

    return decorate
