"""What Terraform writes about a deployment, searched for values of records and for secrets.

A plan and a state are copied into pipelines, artefacts and reviews: they are no place for either. What an operator
says of themselves (who hears of alarms) is there on purpose, and where is listed here.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson
from canary_values import ATTRIBUTES, Search
from terraform_tree import Found, blocks_of, files, resources

NO_RESOURCES: Final = frozenset(
    {
        "aws_iam_access_key",
        "aws_secretsmanager_secret_version",
        "aws_ssm_parameter",
        "random_password",
        "tls_private_key",
    }
)
"""Resources whose state has a secret in plain text."""

SECRET_ATTRIBUTES: Final = frozenset({
    "access_key", "auth_token", "master_password", "master_user_password", "password", "passwords", "private_key",
    "secret_access_key", "secret_binary", "secret_key", "secret_string",
})  # fmt: skip
"""Arguments that take a secret."""

_SETTING = re.compile(r"\b(MDM_[A-Z0-9_]+)\s*=\s*(.+)")
_SECRET_NAME = re.compile(r"KEY|SECRET|PASSWORD|PASSPHRASE|TOKEN")
_WHERE_IT_IS = re.compile(r"_(ARN|KMS_KEY_ID|KEY_ID|SIGNING_KEYS|ID_KEYS?)$")
"""Settings that name a secret, or the place where it lies, and never are one."""


def secrets_in_files() -> list[str]:
    """Return the places in infra/terraform at which a secret could come into a plan: none."""
    found = [
        f"{each.place}: {each.block.labels[0]}"  # type: ignore[attr-defined]
        for each in resources()
        if each.block.labels[0] in NO_RESOURCES or _arguments(each) & SECRET_ATTRIBUTES  # type: ignore[attr-defined]
    ]
    for path in files():
        found += [f"{path.name}: {name}" for name, _ in _SETTING.findall(path.read_text()) if _is_secret(name)]
        found += [
            f"{path.name}: variable {block.labels[0]}"
            for block in blocks_of(path)
            if block.type == "variable" and block.labels[0] in SECRET_ATTRIBUTES
        ]
    return found


def _arguments(found: Found) -> set[str]:
    return set(re.findall(r"^\s*(\w+)\s*=", _text_of(found), re.MULTILINE))


def _text_of(found: Found) -> str:
    """Return the lines of a block, from its own to the one that closes it."""
    lines = found.path.read_text().split("\n")[int(found.place.rpartition(":")[2]) - 1 :]
    return "\n".join(lines[: next((n for n, line in enumerate(lines) if line == "}"), len(lines))])


def _is_secret(name: str) -> bool:
    return bool(_SECRET_NAME.search(name)) and not _WHERE_IT_IS.search(name)


def packages_with_values(folder: Path, names: Iterator[str]) -> None:
    """Write packages, and a job's script, whose content holds the canary's values, as rules of an operator's could."""
    careless = "\n".join(["# rules, with examples that should not be here", *ATTRIBUTES.values()])
    for name in names:
        if name.endswith(".zip"):
            with zipfile.ZipFile(folder / name, "w") as archive:
                archive.writestr("rules/person.yaml", careless)
        else:
            (folder / name).write_text(careless, "utf-8")


def search_documents(search: Search, documents: Mapping[str, bytes]) -> None:
    """Look through plans, states and outputs by their names."""
    for name, document in documents.items():
        search.look(f"Terraform: {name}", name, document)


def sensitive_values(plan: bytes) -> list[str]:
    """Return what a plan (`terraform show -json`) has that its provider calls sensitive, by address and path."""
    found = []
    for change in orjson.loads(plan).get("resource_changes", ()):
        after, marks = change["change"].get("after"), change["change"].get("after_sensitive")
        found += [f"{change['address']}.{path}" for path in _marked(after, marks)]
    return found


def _marked(value: Any, marks: Any, path: str = "") -> Iterator[str]:
    if marks is True:
        if value not in (None, "", [], {}):
            yield path or "all of it"
    elif isinstance(marks, dict) and isinstance(value, dict):
        for name, each in marks.items():
            yield from _marked(value.get(name), each, f"{path}.{name}".lstrip("."))
    elif isinstance(marks, list) and isinstance(value, list):
        for number, (each, held) in enumerate(zip(marks, value, strict=False)):
            yield from _marked(held, each, f"{path}[{number}]")
