"""Which rule set and source an event belongs to: by the source's name, or by the table that its rows come from."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mdm_stream.core.model import STEWARD_SOURCE
from mdm_stream.core.name_patterns import SOURCE_PATTERN
from mdm_stream.core.ruleset import Ruleset, Source
from mdm_stream.core.wire_formats import WIRE_FORMATS, FormatName
from mdm_stream.decode.cdc.unavailable import NOT_LOGGED, Unavailable, unavailable_as
from mdm_stream.decode.column_values import Reader, reader_of
from mdm_stream.decode.reasons import rejection
from mdm_stream.errors import ConfigurationError

TABLES_KEPT_MAX = 1_000
"""Tables of which the route is kept once it was found. The rules name fewer, in few databases; those beyond are looked
up for each of their rows, so that names that a sender makes up take no memory."""
_SOURCE_NAME = re.compile(SOURCE_PATTERN)


@dataclass(frozen=True, slots=True)
class Route:
    """Where an event goes. ``columns`` are those that the rules use; everything else a source sends is left behind.

    ``readers`` read the columns of which the rules say what they hold. ``used`` are the columns that the rules use in
    any way, those that identify, order and date a row among them; ``nested`` are those of them that may be a path
    (``address.city``), where rows have objects in them. ``unavailable`` are the placeholders of values that were not
    logged.
    """

    domain: str
    source: Source
    columns: frozenset[str]
    readers: Mapping[str, Reader] = field(default_factory=dict)
    used: frozenset[str] = frozenset()
    nested: tuple[str, ...] = ()
    unavailable: Unavailable = NOT_LOGGED


class IgnoredTableError(Exception):
    """The rules ignore the table of a row. A decoder lets it through, and no change comes of the row."""


class SourceCatalogue:
    """Finds the route of an event among the rule sets in use. Its answers never change once it is built.

    A rule set that names no source takes every source, column by attribute name.
    """

    def __init__(
        self, rulesets: Mapping[str, Ruleset], *, only_source: str | None = None, archived: bool = False
    ) -> None:
        """Index the sources; ``ConfigurationError`` if two read one table, or a table's source has no key.

        With ``only_source`` every row of a table is taken to be of that source, whatever its table is called.
        ``archived`` events were accepted by the rules of their time.
        """
        self.archived = archived
        self._rulesets = dict(rulesets)
        self._only_source = only_source
        self._by_name: dict[tuple[str, str], Route] = {}
        self._by_table: dict[tuple[str, str], Route] = {}
        self._found: dict[tuple[str, tuple[str, ...]], Route] = {}
        self._ignored: set[tuple[str, str]] = set()
        self._attributes = {
            domain: frozenset(attribute.name for attribute in rules.attributes) for domain, rules in rulesets.items()
        }
        for domain, rules in self._rulesets.items():
            for source in rules.sources.values():
                self._add(domain, source)
        self.columns = frozenset().union(*self._attributes.values(), *(each.columns for each in self._by_name.values()))
        """Every attribute and column that the rules name: what a report may repeat."""
        if only_source is not None:
            self._check_only_source(only_source)

    def reads(self, kinds: Collection[FormatName]) -> bool:
        """Return whether any source sends events of one of these formats."""
        return any(route.source.format in kinds for route in self._by_name.values())

    def by_name(self, domain: str, source: str) -> Route:
        """Return the route of a named source; ``RejectedEventError`` if the domain or the source is unknown."""
        route = self._by_name.get((domain, source))
        if route is not None:
            return route
        rules = self._rulesets.get(domain)
        if rules is None:
            raise rejection("unknown_domain", "domain", "has no rule set here; add one, or correct the name")
        if rules.sources:
            raise rejection("unknown_source", "source", "is not among the sources that the domain's rules name")
        # The rules check the names that they list; of a name that came with the data nobody has yet.
        if _SOURCE_NAME.fullmatch(source) is None:
            raise rejection("wrong_format", "source", "does not have the form of a source's name")
        if source == STEWARD_SOURCE and not self.archived:
            raise rejection("unknown_source", "source", "is reserved: provenance names it for what stewards decide")
        return Route(domain, Source(source), self._attributes[domain])

    def has_attribute(self, domain: str, name: str) -> bool:
        """Return whether the rules of a domain have an attribute of that name."""
        return name in self._attributes.get(domain, ())

    def by_table(self, kind: FormatName, *parts: str) -> Route:
        """Return the route of a table's rows; ``parts`` are those of its full name, its own name last.

        The rules may call it by the whole, or leave parts out from the front. ``IgnoredTableError`` for a table that
        the rules ignore. A table that is read by its own name is not ignored for the sake of its schema.
        """
        known = self._found.get((kind, parts))
        if known is None:
            known = self._table(kind, [".".join(parts[start:]) for start in range(len(parts))])
            if len(self._found) < TABLES_KEPT_MAX:
                self._found[kind, parts] = known
        return known

    def _table(self, kind: FormatName, known: Sequence[str]) -> Route:
        """Find the route of a table by its names, the most precise one first."""
        if self._only_source is not None and not self._is_ignored(kind, known):
            return self._named_anywhere(self._only_source, kind)
        for name in known:
            route = self._by_table.get((kind, name))
            if route is not None:
                return route
            if (kind, name) in self._ignored:
                raise IgnoredTableError
        if self._is_ignored(kind, known):
            raise IgnoredTableError
        raise rejection(
            "unknown_table",
            "table",
            f"no source of format {kind} reads it; name it as the table of a source in the rules, or under 'ignore'",
        )

    def _is_ignored(self, kind: FormatName, names: Iterable[str]) -> bool:
        schemas = (f"{name.rpartition('.')[0]}.*" for name in names if "." in name)
        return any((kind, name) in self._ignored for name in (*names, *schemas))

    def by_source(self, kind: FormatName, source: str) -> Route:
        """Return the route of a file's row, which names a source and no domain."""
        return self._named_anywhere(source, kind)

    def _named_anywhere(self, source: str, kind: FormatName) -> Route:
        routes = [route for (_, name), route in self._by_name.items() if name == source]
        if not routes:
            routes = [self.by_name(domain, source) for domain, rules in self._rulesets.items() if not rules.sources]
        if len(routes) > 1:
            routes = [route for route in routes if route.source.format == kind] or routes
        if len(routes) == 1:
            return routes[0]
        if routes:
            raise rejection("unknown_source", "source", "is a source of several domains; give it another name in one")
        raise rejection("unknown_source", "source", "is not among the sources that the rules name")

    def _add(self, domain: str, source: Source) -> None:
        mapped = frozenset(column for columns in source.columns.values() for column in columns)
        readers = {name: reader_of(column) for name, column in source.column_types.items()}
        columns = mapped or self._attributes[domain]
        own = [name for name in (source.version, source.event_time) if name is not None]
        used = columns.union(source.key, own)
        nested = tuple(sorted(name for name in used if "." in name))
        not_logged = NOT_LOGGED if source.unavailable_value is None else unavailable_as(source.unavailable_value)
        route = Route(domain, source, columns, readers, used, nested, not_logged)
        self._ignored.update((source.format, table) for table in source.ignore)
        self._by_name[domain, source.name] = route
        if not WIRE_FORMATS[source.format].needs_table:
            return
        if not source.key:
            raise ConfigurationError(
                f"source {source.name} of domain {domain} has format {source.format} and no key; "
                "name the columns of the table's primary key as its key",
            )
        table = (source.format, source.table or source.name)
        if table in self._by_table:
            other = self._by_table[table]
            raise ConfigurationError(
                f"sources {other.domain}.{other.source.name} and {domain}.{source.name} both read {source.format} "
                f"table {table[1]}; a table feeds one source",
            )
        self._by_table[table] = route

    def _check_only_source(self, name: str) -> None:
        if any(known == name for _, known in self._by_name):
            return
        if all(rules.sources for rules in self._rulesets.values()):
            raise ConfigurationError(f"the rules name no source {name}; name one that they have, or add it to them")
