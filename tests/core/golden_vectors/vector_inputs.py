"""The inputs of the golden vectors: the hand-picked texts of ``texts.json``, and what a fixed seed makes of them.

A section is a list of inputs that one function is applied to; :mod:`vectors` says which. The same on every machine.
"""

from __future__ import annotations

import json
import random
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unicodedata import normalize

GENERATED_PER_TYPE = 180
RECORDS_PER_DOMAIN = 60
PAIRS_PER_DOMAIN = 320
HISTORIES_PER_DOMAIN = 10
EVENTS_PER_HISTORY = 24

Inputs = dict[str, list[Any]]

texts = SimpleNamespace(**json.loads(Path(__file__).with_name("texts.json").read_text("ascii")))
"""Texts by kind. ``nasty`` ones go through every type; ``long`` ones are a piece and how often it is repeated."""

FULL_NAMES = tuple(f"{given} {family}" for given, family in zip(texts.given, texts.family, strict=False))
TEXTS_OF_TYPE: Mapping[str, Sequence[str]] = {
    "name": (*texts.given, *texts.family, *texts.names),
    "full_name": (*FULL_NAMES, *texts.names),
    "generation": texts.generations,
    "legal_form": texts.legal_forms,
    "full_address": texts.full_addresses,
    "text": (*texts.streets[:15], *texts.organisations[:15], *texts.categories),
    "verbatim": (*texts.streets[:15], *texts.organisations[:15]),
    "organisation": texts.organisations,
    "address": texts.streets,
    "city": texts.cities,
    "region": texts.regions,
    "postcode": texts.postcodes,
    "country": texts.countries,
    "phone": texts.phones,
    "email": texts.emails,
    "date": texts.dates,
    "number": texts.numbers,
    "identifier": texts.identifiers,
    "category": texts.categories,
    "url": texts.urls,
}


def of_type(type_name: str) -> list[Any]:
    """Return the inputs of an attribute type: its own texts, nasty ones, long ones, and distorted ones."""
    own = TEXTS_OF_TYPE[type_name]
    chance = random.Random(f"golden vectors of {type_name}")
    made = [distorted(chance.choice(own), chance) for _ in range(GENERATED_PER_TYPE)]
    long = [{"text": piece, "times": times} for piece, times in texts.long]
    return [*dict.fromkeys([*own, *texts.nasty, *made]), *long]


def distorted(text: str, chance: random.Random) -> str:
    """Return a text as another keyboard, program or person would have written it."""
    for _ in range(chance.randrange(1, 3)):
        place = chance.randrange(len(text) + 1)
        letter = chance.choice(string.ascii_lowercase)
        text = chance.choice([
            text.upper(),
            text.lower(),
            text.title(),
            text.swapcase(),
            f"  {text}\t",
            text.replace(" ", "  "),
            text.replace(" ", "\u00a0"),
            text.replace(" ", ""),
            text.replace("-", " "),
            text.replace(".", ""),
            normalize("NFD", text),
            normalize("NFKC", text),
            "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
            text[:place] + text[place + 1 :],
            text[:place] + letter + text[place:],
            text[:place] + letter + text[place + 1 :],
            text[:place] + text[place + 1 : place + 2] + text[place : place + 1] + text[place + 2 :],
            text[:place] + "\u200b" + text[place:],
            text[:place] + "\u0301" + text[place:],
            text + chance.choice([".", ",", " jr", " II", "*", "?", " (old)", ".0", " / " + text]),
        ])  # fmt: skip
    return text


def folded_texts() -> list[str]:
    """Return texts as blocking keys are made from: match values, and some that none would be."""
    chance = random.Random("golden vectors of keys")
    plain = [*texts.given, *texts.family, *texts.names[:20], *texts.organisations[:20], *texts.streets[:15]]
    plain += [*texts.emails[:12], *texts.dates[:12], *texts.phones[:12], *texts.nasty]
    made = [distorted(chance.choice(plain), chance).casefold() for _ in range(60)]
    return list(dict.fromkeys([*(text.casefold() for text in plain), *made]))


def records(domain: str) -> list[dict[str, Any]]:
    """Return the attributes of some records, each as a source would deliver them."""
    chance = random.Random(f"golden vectors of {domain} records")
    return [_person(chance) if domain == "person" else _organisation(chance) for _ in range(RECORDS_PER_DOMAIN)]


def pairs(domain: str) -> list[list[dict[str, Any]]]:
    """Return pairs of records: the same thing twice with slips, two of one home or group, and two of nothing."""
    chance = random.Random(f"golden vectors of {domain} pairs")
    made = []
    for _ in range(PAIRS_PER_DOMAIN):
        one = _person(chance) if domain == "person" else _organisation(chance)
        other = _person(chance) if domain == "person" else _organisation(chance)
        shared = chance.choice([0.0, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0])
        mixed = {name: value if chance.random() < shared else other.get(name) for name, value in one.items()}
        made.append([one, _with_slips(mixed, chance)])
    return made


def histories(domain: str) -> dict[str, list[dict[str, Any]]]:
    """Return some histories as canonical events: few things, so that links, reviews, refusals and merges are many."""
    return {f"{domain} history {number}": _history(domain, number) for number in range(HISTORIES_PER_DOMAIN)}


def _person(chance: random.Random) -> dict[str, Any]:
    given, family = chance.choice(texts.given), chance.choice(texts.family)
    person: dict[str, Any] = {
        "given_name": given,
        "family_name": family,
        "birth_date": chance.choice(texts.dates[:30]),
        "gender": chance.choice(["f", "m", "female", None]),
        "email": [chance.choice(texts.emails) for _ in range(chance.randrange(3))],
        "phone": [chance.choice(texts.phones) for _ in range(chance.randrange(3))],
        "street": chance.choice(texts.streets),
        "city": chance.choice(texts.cities),
        "region": chance.choice(texts.regions),
        "postcode": chance.choice(texts.postcodes),
        "country": chance.choice(texts.countries),
        "national_id": chance.choice([*texts.identifiers[:12], 123456789, None]),
    }
    if chance.random() < 0.3:
        del person["given_name"], person["family_name"]
        person["full_name"] = f"{given} {family}"
    if chance.random() < 0.2:
        person["other_names"] = [chance.choice(FULL_NAMES)]
        person["passport_no"] = chance.choice(texts.identifiers)
        person["passport_country"] = chance.choice(texts.countries)
    if chance.random() < 0.2:
        del person["street"], person["city"]
        person["full_address"] = chance.choice(texts.full_addresses)
    return _thinned(person, chance)


def _organisation(chance: random.Random) -> dict[str, Any]:
    return _thinned(
        {
            "name": chance.choice(texts.organisations),
            "street": chance.choice(texts.streets),
            "city": chance.choice(texts.cities),
            "region": chance.choice(texts.regions),
            "postcode": chance.choice(texts.postcodes),
            "country": chance.choice(texts.countries),
            "phone": [chance.choice(texts.phones) for _ in range(chance.randrange(3))],
            "email": [chance.choice(texts.emails)],
            "website": chance.choice(texts.urls),
            "registration_no": chance.choice([*texts.identifiers[:12], None]),
            "tax_id": chance.choice([*texts.identifiers[:12], 123456789]),
            "duns": chance.choice(["123456789", "987654321", None]),
            "industry": chance.choice(texts.categories),
        },
        chance,
    )


def _thinned(record: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    return {name: value for name, value in record.items() if chance.random() < 0.8 and value not in (None, [])}


def _with_slips(record: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    slipped = {}
    for name, value in record.items():
        if value is None or chance.random() < 0.1:
            continue
        slipped[name] = distorted(value, chance) if isinstance(value, str) and chance.random() < 0.3 else value
    return slipped


def _history(domain: str, number: int) -> list[dict[str, Any]]:
    chance = random.Random(f"golden vectors of {domain} history {number}")
    things = [_person(chance) if domain == "person" else _organisation(chance) for _ in range(3)]
    keys = [{"source": source, "record_id": str(n)} for source in ("crm", "erp", "web") for n in range(1, 5)]
    events: list[dict[str, Any]] = []
    for step in range(EVENTS_PER_HISTORY):
        key = chance.choice(keys)
        common = {
            "domain": domain,
            "version": chance.randrange(1, 40),
            "event_time": f"2026-01-{step + 1:02d}T08:00:00Z",
        }
        values = {name: _storable(value) for name, value in _with_slips(chance.choice(things), chance).items()}
        kind = chance.choice(["upsert"] * 9 + ["patch", "delete", "verdict", "verdict", "override"])
        if kind == "verdict":
            a, b = sorted(chance.sample(keys, 2), key=lambda each: (each["source"], each["record_id"]))
            verdict = chance.choice(["link", "separate"])
            events.append({**common, "op": kind, "a": a, "b": b, "verdict": verdict, "steward": "s-1"})
        elif kind == "override":
            name = chance.choice(["city", "country"])
            events.append({**common, **key, "op": kind, "attributes": {name: values.get(name)}, "steward": "s-1"})
        elif kind == "delete":
            events.append({**common, **key, "op": kind})
        else:
            kept = dict(list(values.items())[:2]) if kind == "patch" else values
            events.append({**common, **key, "op": kind, "attributes": kept})
    if number == HISTORIES_PER_DOMAIN - 1:
        events.append({"domain": domain, **keys[0], "op": "erase", "event_time": "2026-02-01T00:00:00Z"})
    return events


def _storable(value: Any) -> Any:
    """Return a value as the wire takes it: without the control characters that a distortion may have put there."""
    return "".join(c for c in value if c.isprintable()) if isinstance(value, str) else value
