"""A Snowflake session that also keeps what the local server has no notion of: keys, search paths and policies.

Those statements are matched whole, so that one that is spelt otherwise fails; all others go to the inner session.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from mdm_stream.warehouse.faults import MissingTableError
from mdm_stream.warehouse.session import Session

_ALTER = r"ALTER (DYNAMIC TABLE|TABLE) (\w+) "


class PolicyCatalog:
    """See the module's note. ``fail_after``: so many more statements that change something succeed."""

    def __init__(self, inner: Session, roles: set[str]) -> None:
        """Take the session that runs the rest, and the roles that it is in; the first one by name is its own."""
        self.inner, self.roles, self.dialect = inner, roles, inner.dialect
        self.keys: dict[str, str] = {}
        self.clustered: dict[str, str] = {}
        self.searched: dict[str, str] = {}
        self.bodies: dict[str, str] = {}
        self.set: dict[tuple[str, str], str] = {}
        self.altered: list[str] = []
        self.fail_after: int | None = None

    def execute(self, sql: str, parameters: Sequence[object] = (), *, step: str) -> list[tuple[Any, ...]]:
        """Run one statement, here or there."""
        if sql.startswith("SELECT CURRENT_DATABASE()"):
            database, schema, _ = self.inner.execute(sql, parameters, step=step)[0]
            return [(database, schema, min(self.roles))]
        if sql.startswith("SELECT IS_ROLE_IN_SESSION"):
            return [(any(role in self.roles for role in re.findall(r"'(\w+)'", sql)),)]
        if "table_constraints" in sql:
            return [(table, "") for table in self.keys]
        if "clustering_key" in sql:
            return [(table, "") for table in self.clustered]
        if match := re.fullmatch(r"DESCRIBE SEARCH OPTIMIZATION ON (\w+)", sql):
            return [(1,)] if match[1] in self.searched else []
        if "policy_references" in sql:
            [policy] = re.findall(r"\.(\w+)'\)", sql)
            if policy not in self.bodies:
                raise MissingTableError(f"{policy} is not there")
            return [place for place, name in self.set.items() if name == policy]
        if re.match(r"(CREATE|ALTER|DROP)\b", sql) and not sql.startswith("ALTER SESSION"):
            if self.fail_after is not None:
                if self.fail_after == 0:
                    raise ConnectionError
                self.fail_after -= 1
            if self._changed(sql):
                self.altered.append(sql)
                return []
        return self.inner.execute(sql, parameters, step=step)

    def transaction(self) -> AbstractContextManager[None]:
        """Each statement commits by itself."""
        return self.inner.transaction()

    def close(self) -> None:
        """Leave the inner session to its owner."""

    def _changed(self, sql: str) -> bool:
        """Do what a statement says, if it is one of those that are kept here."""
        if match := re.fullmatch(r"CREATE (?:MASKING|ROW ACCESS) POLICY IF NOT EXISTS (\w+) AS (.*)", sql):
            self.bodies.setdefault(match[1], match[2].partition("->")[2].strip())
        elif match := re.fullmatch(r"ALTER (?:MASKING|ROW ACCESS) POLICY (\w+) SET BODY ->(.*)", sql, re.DOTALL):
            assert match[1] in self.bodies
            self.bodies[match[1]] = match[2].strip()
        elif match := re.fullmatch(r"DROP (?:MASKING|ROW ACCESS) POLICY IF EXISTS (\w+)", sql):
            assert match[1] not in self.set.values()
            self.bodies.pop(match[1], None)
        elif match := re.fullmatch(_ALTER + r"MODIFY COLUMN (\w+) SET MASKING POLICY (\w+)( FORCE)?", sql):
            assert match[5] or (match[2], match[3]) not in self.set
            assert match[4] in self.bodies
            self.set[match[2], match[3]] = match[4]
        elif match := re.fullmatch(_ALTER + r"MODIFY COLUMN (\w+) UNSET MASKING POLICY", sql):
            del self.set[match[2], match[3]]
        elif match := re.fullmatch(_ALTER + r"ADD ROW ACCESS POLICY (\w+) ON \(domain\)", sql):
            assert (match[2], "") not in self.set
            assert match[3] in self.bodies
            self.set[match[2], ""] = match[3]
        elif match := re.fullmatch(_ALTER + r"DROP ROW ACCESS POLICY (\w+)", sql):
            assert self.set.pop((match[2], "")) == match[3]
        elif match := re.fullmatch(_ALTER + r"ADD CONSTRAINT \w+ PRIMARY KEY \(([\w, ]+)\) RELY", sql):
            assert match[2] not in self.keys
            self.keys[match[2]] = match[3]
        elif match := re.fullmatch(r"ALTER (TABLE) (\w+) DROP PRIMARY KEY", sql):
            del self.keys[match[2]]
        elif match := re.fullmatch(_ALTER + r"CLUSTER BY \((.+)\)", sql):
            self.clustered[match[2]] = match[3]
        elif match := re.fullmatch(_ALTER + r"DROP CLUSTERING KEY", sql):
            del self.clustered[match[2]]
        elif match := re.fullmatch(_ALTER + r"ADD SEARCH OPTIMIZATION ON EQUALITY\(([\w, ]+)\)", sql):
            assert match[2] not in self.searched
            self.searched[match[2]] = match[3]
        elif match := re.fullmatch(_ALTER + r"DROP SEARCH OPTIMIZATION", sql):
            del self.searched[match[2]]
        else:
            return False
        return True
