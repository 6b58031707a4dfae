"""The two tables that the load model rests on: what was measured, and what things cost. Both are inputs, to override.

``measured.json`` and ``prices.json`` beside this module hold the defaults with their sources and dates. An override is
YAML or JSON: a document of the same form, or names with plain numbers; what it leaves out keeps its default.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from math import isfinite
from types import MappingProxyType
from typing import Any

from mdm_stream.errors import ConfigurationError

CPU = "cpu_ms_an_event"
GIB = 1024**3


@dataclass(frozen=True, slots=True)
class NodeType:
    """A type of cache node: US dollars an hour, memory in bytes, and the share of a core that it may use for long."""

    name: str
    usd_hour: float
    memory_bytes: float
    core_share: float


@dataclass(frozen=True, slots=True)
class PriceTable:
    """US dollars by the names of ``prices.json``, the types of cache nodes, and the date as of which both hold."""

    as_of: str
    usd: Mapping[str, float]
    nodes: Mapping[str, NodeType]


@dataclass(frozen=True, slots=True)
class MeasuredTable:
    """What was measured, by the names of ``measured.json``: numbers, and CPU milliseconds an event by batch size."""

    as_of: str
    values: Mapping[str, float]
    cpu_ms_by_batch: Mapping[int, float]

    def __getitem__(self, name: str) -> float:
        """Return a number by its name."""
        return self.values[name]


def default_prices() -> dict[str, Any]:
    """Return the document of list prices that the package has."""
    return _packaged("prices.json")


def default_measured() -> dict[str, Any]:
    """Return the document of measured inputs that the package has."""
    return _packaged("measured.json")


def price_table(override: Mapping[str, Any] | None = None) -> PriceTable:
    """Return the prices, with those of ``override`` in place of the defaults; ``ConfigurationError`` names a fault."""
    document, given = default_prices(), dict(override or {})
    as_of = str(given.pop("as_of", "given" if override else document["as_of"]))
    given_nodes = _members(given.pop("nodes", {}), "nodes")
    for name in ("region", "note"):
        given.pop(name, None)
    given |= _members(given.pop("usd", {}), "usd")
    usd = {name: float(each["usd"]) for name, each in document["usd"].items()}
    usd |= {name: _number(name, value, "usd") for name, value in given.items() if _known(name, usd, "price")}
    nodes = {name: dict(each) for name, each in document["nodes"].items()}
    for name, value in given_nodes.items():
        fields = _members(value, name) if isinstance(value, Mapping) else {"usd_hour": value}
        nodes[name] = {**nodes.get(name, {}), **{each: _number(f"{name}.{each}", fields[each]) for each in fields}}
        if missing := {"usd_hour", "memory_gib"} - nodes[name].keys():
            raise ConfigurationError(f"prices: node {name} lacks {', '.join(sorted(missing))}")
    types = {
        name: NodeType(name, each["usd_hour"], each["memory_gib"] * GIB, each.get("core_share", 1.0))
        for name, each in nodes.items()
    }
    return PriceTable(as_of, MappingProxyType(usd), MappingProxyType(types))


def measured_table(override: Mapping[str, Any] | None = None) -> MeasuredTable:
    """Return what was measured, with ``override`` in place of the defaults; ``ConfigurationError`` names a fault."""
    document, given = default_measured(), dict(override or {})
    as_of = str(given.pop("as_of", "given" if override else document["as_of"]))
    given.pop("note", None)
    given |= _members(given.pop("inputs", {}), "inputs")
    values = {name: each["value"] for name, each in document["inputs"].items()}
    for name, value in given.items():
        if _known(name, values, "measured input"):
            values[name] = value["value"] if isinstance(value, Mapping) and "value" in value else value
    by_batch = _members(values.pop(CPU), CPU)
    try:
        sizes = sorted(by_batch, key=int)
        cpu = {int(size): _number(f"{CPU}.{size}", by_batch[size]) for size in sizes}
    except ValueError:
        raise ConfigurationError(f"{CPU}: batch sizes are whole numbers, such as 500") from None
    if not cpu or min(cpu) < 1:
        raise ConfigurationError(f"{CPU}: at least one batch size from 1 is needed")
    numbers = {name: _number(name, value) for name, value in values.items()}
    return MeasuredTable(as_of, MappingProxyType(numbers), MappingProxyType(cpu))


def _packaged(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((files("mdm_stream.capacity") / name).read_text("utf-8"))
    return document


def _members(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{name}: names with numbers are expected")
    return {str(key): each for key, each in value.items()}


def _known(name: str, known: Mapping[str, object], what: str) -> bool:
    if name not in known:
        raise ConfigurationError(f"there is no {what} named {name}; there are {', '.join(sorted(known))}")
    return True


def _number(name: str, value: object, member: str = "value") -> float:
    if isinstance(value, Mapping) and member in value:
        value = value[member]
    if isinstance(value, str):  # YAML reads 1e-6 as a text
        with suppress(ValueError):
            value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value < 0:
        raise ConfigurationError(f"{name}: a number from 0 is expected")
    return float(value)
