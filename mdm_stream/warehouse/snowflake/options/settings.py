"""What an option is applied with: the roles that see all, those that see values, and which attributes are sensitive."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Self

from pydantic import BaseModel, ConfigDict

from mdm_stream.core.ruleset import Ruleset
from mdm_stream.errors import ConfigurationError

_ROLE = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,254}")


class OptionSettings(BaseModel):
    """The settings of an option, as they are recorded. Names of roles are as Snowflake has them, in capitals.

    ``roles`` see everything: those that write and erase, and the one that made the tables. ``readers`` see values that
    are masked for others. ``attributes`` are the sensitive ones. ``grants`` are pairs of a role and a domain.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    roles: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    grants: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, writers: Iterable[str], readers: Iterable[str], rulesets: Iterable[Ruleset]) -> Self:
        """Return settings from what a command was given; readers of domains are ``ROLE=DOMAIN``."""
        plain = sorted({role_name(reader) for reader in readers if "=" not in reader})
        pairs = [reader.split("=", 1) for reader in readers if "=" in reader]
        sensitive = {each.name for rules in rulesets for each in rules.attributes if each.sensitive}
        return cls(
            roles=tuple(sorted({role_name(writer) for writer in writers})),
            readers=tuple(plain),
            attributes=tuple(sorted(sensitive)),
            grants=tuple(sorted({(role_name(role), domain_name(domain)) for role, domain in pairs})),
        )


def role_name(name: str) -> str:
    """Return the name of a role as Snowflake stores it; ``ConfigurationError`` for one that would need quotes."""
    if not _ROLE.fullmatch(name):
        raise ConfigurationError(f"{name!r} is not the name of a role: letters, digits, _ and $, and no quotes")
    return name.upper()


def domain_name(name: str) -> str:
    """Return the name of a domain, or * for all; ``ConfigurationError`` for what is neither."""
    if name != "*" and not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
        raise ConfigurationError(f"{name!r} is not the name of a domain, nor * for all of them")
    return name
