"""The options as they lie in files: what is said of each, and its statements by section.

A file begins with a comment that has ``Reason:``, ``Cost:``, ``Rights:``, ``Undone:`` and, where a kind of schema
cannot have it, ``Not for KIND:``. Sections begin with ``--! NAME``: the statements of one kind of schema (``merge``,
``views``, ``dynamic``), or, for policies, ``prepare``, ``each`` for a place, ``exchange`` for one that has another
policy of the option, and ``finish`` after the removal of all. ``remove`` undoes a place; ``present`` gives the places
that have it, asked once, or with ``present each`` for each table or policy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

from mdm_stream.errors import ConfigurationError
from mdm_stream.warehouse.migrations import split_statements

Kind = Literal["merge", "views", "dynamic"]
"""Of a schema: written by MERGE; folded by views; folded by dynamic tables."""

_SAID = re.compile(r"-- (Reason|Cost|Rights|Undone|Not for \w+): (.*)")
_SECTION = re.compile(r"^--! (.+)$", re.MULTILINE)
_REFUSED_BY = {"Not for merge": ("merge",), "Not for append": ("views", "dynamic")}


@dataclass(frozen=True, slots=True)
class SchemaOption:
    """One option: what its file says of it, why kinds of schema cannot have it, and its statements by section."""

    name: str
    reason: str
    cost: str
    rights: str
    undone: str
    refused: Mapping[str, str]
    sections: Mapping[str, tuple[str, ...]]

    @property
    def is_policy(self) -> bool:
        """Whether it says who sees what, and so needs to know the roles that see all."""
        return "each" in self.sections

    def check_kind(self, kind: Kind) -> None:
        """Raise ``ConfigurationError`` where a schema of this kind cannot have it, with the reason."""
        if kind in self.refused:
            raise ConfigurationError(
                f"a schema of the append kind cannot have the option {self.name}: {self.refused[kind]}; nothing was "
                "changed"
            )


@cache
def load_options() -> Mapping[str, SchemaOption]:
    """Return every option by its name. A file that lacks a part is a ``KeyError``."""
    found = {}
    for file in sorted(resources.files("mdm_stream.warehouse.snowflake.options").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".sql"):
            name = file.name.removesuffix(".sql").replace("_", "-")
            found[name] = _option(name, file.read_text(encoding="utf-8"))
    return found


def option_named(name: str) -> SchemaOption:
    """Return an option; ``ConfigurationError`` with the names that there are for an unknown one."""
    options = load_options()
    if name not in options:
        raise ConfigurationError(f"there is no option {name!r}; there are {', '.join(options)}")
    return options[name]


def _option(name: str, text: str) -> SchemaOption:
    header, *parts = _SECTION.split(text)
    said = _said(header)
    sections = {title: split_statements(body) for title, body in zip(parts[::2], parts[1::2], strict=True)}
    refused = {kind: text for key, text in said.items() if key in _REFUSED_BY for kind in _REFUSED_BY[key]}
    return SchemaOption(name, said["Reason"], said["Cost"], said["Rights"], said["Undone"], refused, sections)


def _said(header: str) -> dict[str, str]:
    said: dict[str, str] = {}
    key = ""
    for line in header.splitlines():
        match = _SAID.match(line)
        if match:
            key, text = match[1], match[2]
            said[key] = text
        elif key and line.startswith("--"):
            said[key] += " " + line.removeprefix("--").strip()
    return {key: text.replace("$$", "$") for key, text in said.items()}
