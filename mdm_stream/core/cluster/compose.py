"""Wholes (a full name, an address on one line) that say what their surviving parts say.

A record may contradict itself, most have either the whole or the parts, and a steward may correct one part alone. So
under the strategy ``compose``, when all rules and overrides have been followed, the whole is looked at once more:

* one that a steward has set stands;
* one that says every surviving part as it survived stands as it is, with its titles, order and spelling;
* any other is built from the parts, in the order of ``join`` of its type, if those are there without which none can be
  (given and family name; street and city), or if there is a whole that contradicts them;
* where no part survives, what survived of the whole stands.

It is a function of what survived and of the rules alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping, Sequence
from dataclasses import dataclass

from mdm_stream.core.cluster.strategies import VALID_ONLY
from mdm_stream.core.cluster.survivor import Origin, Survivor
from mdm_stream.core.model import STEWARD_SOURCE, Standardised, Version, split_ref
from mdm_stream.core.per_ruleset import PerRuleset
from mdm_stream.core.ruleset import Attribute, Ruleset, SurvivorshipRule
from mdm_stream.core.standardise import JOIN_NEEDS, STANDARDISERS, is_valid_whole, part_values, whole_of_parts

COMPOSE = "compose"
"""The strategy that builds wholes from their parts. Provenance names it with the parts: ``compose(given_name)``."""

_GENERATION = "generation"


@dataclass(frozen=True, slots=True)
class ComposedWhole:
    """An attribute that is built from others of its rule: ``parts`` has their positions, by the type's parts.

    ``named`` has their names likewise. ``needs`` are the parts without which it cannot be, ``valid_only`` says that it
    has to be valid.
    """

    position: int
    name: str
    parts: Mapping[str, int]
    named: tuple[tuple[str, str], ...]
    needs: tuple[str, ...]
    valid_only: bool


def composable(attributes: Mapping[int, Attribute], *, valid_only: bool = False) -> tuple[ComposedWhole, ...]:
    """Return the wholes that can be built from parts among some attributes, by their positions.

    All have one value, and what they need is among them. A generation that survives with a name belongs to it.
    """
    places = {attribute.name: position for position, attribute in attributes.items() if not attribute.multi}
    found = []
    for position, attribute in attributes.items():
        needs = JOIN_NEEDS.get(attribute.type, ())
        parts = {part: places[name] for part, name in attribute.fills.items() if name in places}
        if needs and not attribute.multi and parts.keys() >= set(needs):
            if attribute.type == "full_name" and _GENERATION not in parts:
                generations = [name for name, place in places.items() if attributes[place].type == _GENERATION]
                if generations:
                    parts[_GENERATION] = places[generations[0]]
            named = tuple((part, attributes[place].name) for part, place in parts.items())
            found.append(ComposedWhole(position, attribute.name, parts, named, needs, valid_only))
    return tuple(found)


def parts_named(strategy: str) -> tuple[str, ...]:
    """Return the attributes that the strategy in a value's provenance names as its parts: none if it was not built."""
    name, _, said = strategy.removesuffix(")").partition("(")
    return tuple(said.split(", ")) if name == COMPOSE and said else ()


def composed_wholes(rules: Ruleset, rule: SurvivorshipRule) -> tuple[ComposedWhole, ...]:
    """Return the wholes that a rule of survivorship builds."""
    names = [strategy.name for strategy in rule.strategies]
    if COMPOSE not in names:
        return ()
    attributes = {position: rules.attributes[position] for position in rule.attributes}
    return composable(attributes, valid_only=VALID_ONLY in names)


def _make_wholes(rules: Ruleset) -> tuple[ComposedWhole, ...]:
    return tuple(whole for rule in rules.survivorship for whole in composed_wholes(rules, rule))


wholes_of = PerRuleset(_make_wholes)
"""The wholes that a rule set builds."""


def compose(
    rules: Ruleset,
    survivors: MutableMapping[str, Survivor],
    survived: Mapping[int, Survivor],
    settled: Collection[int],
) -> None:
    """Put wholes in place that say what their parts say.

    ``survivors`` are what survives with the overrides, ``survived`` the wholes, by position, as they were without;
    ``settled`` are those that stewards have set.
    """
    for whole in wholes_of(rules):
        if whole.position in settled:
            continue
        parts = {part: each for part, name in whole.named if (each := survivors.get(name)) is not None}
        had = survived.get(whole.position)
        if had is not None and _says(rules, whole, had, parts):
            survivors[whole.name] = had
        elif parts and (had is not None or all(part in parts for part in whole.needs)):
            survivors.pop(whole.name, None)
            if (built := _built(rules, whole, had, parts)) is not None:
                survivors[whole.name] = built


def _says(rules: Ruleset, whole: ComposedWhole, had: Survivor, parts: Mapping[str, Survivor]) -> bool:
    """Return whether a whole says each part as it survived: with the same words, or as it is read."""
    text = str(had.value)
    if not parts or _words(text) == _words(" ".join(str(part.value) for part in parts.values())):
        return True
    said = part_values(rules, split_ref(had.origins[0].ref)[0], whole.position, text, whole.parts)
    return all(
        part in said and _same(rules.attributes[whole.parts[part]], said[part], str(survivor.value))
        for part, survivor in parts.items()
    )


def _same(attribute: Attribute, said: Standardised, text: str) -> bool:
    """Return whether a part is what survived, to the letter; of a generation, whether it is the same."""
    if attribute.type == _GENERATION:
        return said.match == STANDARDISERS[_GENERATION](text, {}).match
    return said.value == text


def _words(text: str) -> frozenset[str]:
    return frozenset(text.replace(",", " ").split())


def _built(
    rules: Ruleset, whole: ComposedWhole, had: Survivor | None, parts: Mapping[str, Survivor]
) -> Survivor | None:
    texts = {part: str(survivor.value) for part, survivor in parts.items()}
    origins = [origin for survivor in parts.values() for origin in survivor.origins]
    source = _source(origins if had is None else had.origins)
    text = whole_of_parts(rules, source, whole.position, texts, "" if had is None else str(had.value))
    if whole.valid_only and not is_valid_whole(rules, source, whole.position, text):
        return None
    first = origins[0]
    if all(origin is first for origin in origins):  # one event has written all: so it is of most records
        names = [name for part, name in whole.named if part in parts]
        return Survivor(text, (_composed((first.ref, first.version, first.event_time_us), names),))
    by_write: dict[_Write, list[str]] = {}
    for part, name in whole.named:
        for origin in parts[part].origins if part in parts else ():
            by_write.setdefault((origin.ref, origin.version, origin.event_time_us), []).append(name)
    return Survivor(text, tuple([_composed(write, names) for write, names in by_write.items()]))


_Write = tuple[str, Version, int]


def _composed(write: _Write, names: Sequence[str]) -> Origin:
    return Origin(*write, f"{COMPOSE}({', '.join(names)})")


def _source(origins: Sequence[Origin]) -> str:
    """Return the source whose ways a value is written in: the first that is no steward."""
    for origin in origins:
        source = split_ref(origin.ref)[0]
        if source != STEWARD_SOURCE:
            return source
    return STEWARD_SOURCE
