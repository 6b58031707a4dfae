"""Hostile events by their shape: each a small generator with the rules that let it do its worst.

A shape is a *flood*, delivered in batches, and then *more*: further events of the same kind, whose cost is set beside
that of plain events of the same size (``plain``), which share nothing. Events are plain dictionaries, so that the trees
of earlier commits can be given the same.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]

SEED = 20260104
MORE = 100
"""Further events that are measured: one batch of Lambda's default size."""
CONTACTS = 16
ANN = {"given_name": "Ann", "family_name": "Okonkwo"}
EQUAL = {**ANN, "birth_date": "1980-01-02", "email": ["ann@example.org"]}


@dataclass(frozen=True, slots=True)
class Shape:
    """A storm. ``rules`` is YAML below ``extends: person``; ``plain`` gives the plain event of a number. ``batch`` is
    how many further events, and plain ones, are delivered together.
    """

    flood: Callable[[], list[Event]]
    more: Callable[[], list[Event]]
    plain: Callable[[int], Event]
    rules: str = ""
    settings: Mapping[str, int] = field(default_factory=dict)
    batch: int = MORE


def record(record_id: str, values: Mapping[str, Any], version: int = 1, op: str = "upsert") -> Event:
    """Return a record event."""
    return {"kind": "record", "id": record_id, "op": op, "version": version, "values": dict(values)}


def verdict(a: str, b: str, word: str = "separate") -> Event:
    """Return a verdict on two records."""
    return {"kind": "verdict", "pair": sorted((a, b)), "verdict": word}


def email(number: int) -> str:
    """Return an email address; numbers that differ give addresses that are not alike."""
    chance = random.Random(f"email {number}")
    return "".join(chance.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(10)) + "@example.org"


def phone(number: int) -> str:
    """Return a phone number that is valid, and not alike others."""
    chance = random.Random(f"phone {number}")
    return f"212-{chance.randint(200, 999)}-{chance.randint(1000, 9999)}"


def name(number: int) -> str:
    """Return a name that no other number has."""
    chance = random.Random(f"name {number}")
    return "".join(chance.choice(pair) for pair in ("bdfgklmnprst", "aeiou") * 4).title()


def own(number: int, emails: int = 1, phones: int = 0) -> dict[str, Any]:
    """Return the values of somebody who shares nothing with anybody."""
    first = 1_000_000 + number * 1_000
    values: dict[str, Any] = {
        "given_name": name(2 * number),
        "family_name": name(2 * number + 1),
        "birth_date": f"{1930 + number % 70}-{1 + number // 70 % 12:02}-{1 + number // 840 % 28:02}",
        "email": [email(first + i) for i in range(emails)],
    }
    return values | ({"phone": [phone(first + i) for i in range(phones)]} if phones else {})


def _contacts(count: int, first: int = 0) -> list[Event]:
    """Every record has 16 of 100 emails and 16 of 100 phones: some 130 of 800 share each, and nearly all share some."""
    found = []
    for number in range(first, first + count):
        chance = random.Random(f"contacts {number}")
        mails, phones = (sorted(chance.sample(range(100), CONTACTS)) for _ in range(2))
        found.append(record(f"c{number}", {**ANN, "email": list(map(email, mails)), "phone": list(map(phone, phones))}))
    return found


def _doubts(count: int, first: int = 0) -> list[Event]:
    """Every record has 16 of 48 emails, and nothing else: an email without a name is a question."""
    found = []
    for number in range(first, first + count):
        mails = random.Random(f"doubts {number}").sample(range(48), CONTACTS)
        found.append(record(f"d{number}", {"email": [email(each) for each in sorted(mails)]}))
    return found


def _chain(count: int, first: int = 0) -> list[Event]:
    """Each record shares one email with the one before and one with the one after: a component of them all."""
    return [
        record(f"k{number:06}", {**ANN, "email": [email(number), email(number + 1)]})
        for number in range(first, first + count)
    ]


def _equal(count: int, first: int = 0) -> list[Event]:
    return [record(f"e{number:05}", EQUAL) for number in range(first, first + count)]


def _hub(version: int, op: str = "upsert", *, hub: int = 0, blocks: int = 8) -> Event:
    mails = [] if op == "delete" else [email(10_000 + 100 * hub + block) for block in range(blocks)]
    return record(f"hub{hub}", {**ANN, "email": mails} if mails else {}, version, op)


def _spokes(hub: int = 0, blocks: int = 8, each: int = 150) -> list[Event]:
    return [
        record(f"s{hub}-{block}-{number}", {**ANN, "email": [email(10_000 + 100 * hub + block)]})
        for block in range(blocks)
        for number in range(each)
    ]


def _clique(count: int = 180) -> list[Event]:
    """Equal but for a hub that has the phone of everyone besides: it is the strongest link of each."""
    return [record(f"q{number:05}", EQUAL) for number in range(count)]


def _lists(count: int, first: int = 0) -> list[Event]:
    """Every record has 200 of 300 emails."""
    found = []
    for number in range(first, first + count):
        mails = random.Random(f"lists {number}").sample(range(300), 200)
        found.append(record(f"l{number}", {**ANN, "email": [email(each) for each in sorted(mails)]}))
    return found


def _toggled(make: Callable[[int, str], Event], count: int) -> list[Event]:
    """The same record deleted and written again, in turn."""
    return [make(2 + i, "delete" if i % 2 == 0 else "upsert") for i in range(count)]


_WIDE = "blocking:\n  max_block_size: 1000\n"
_CAP = "limits:\n  max_cluster_size: 50\n"

SHAPES: dict[str, Shape] = {
    "contacts": Shape(
        lambda: _contacts(800),
        lambda: _contacts(MORE, 800),
        lambda n: record(f"p{n}", own(n, CONTACTS, CONTACTS)),
    ),
    "doubts": Shape(
        lambda: _doubts(400),
        lambda: _doubts(MORE, 400),
        lambda n: record(f"p{n}", {"email": own(n, CONTACTS)["email"]}),
    ),
    "verdicts on one record": Shape(
        lambda: [record("hub", own(0)), *(verdict("crm/hub", f"crm/v{n}") for n in range(8_000))],
        lambda: [verdict("crm/hub", f"crm/w{n}") for n in range(MORE)],
        lambda n: verdict(f"crm/x{n}", f"crm/y{n}"),
    ),
    "component of 5,000": Shape(
        lambda: _chain(5_000), lambda: _chain(MORE, 5_000), lambda n: record(f"p{n}", own(n, 2))
    ),
    "component of 5,000, one event a batch": Shape(
        lambda: _chain(5_000), lambda: _chain(20, 5_000), lambda n: record(f"p{n}", own(n, 2)), batch=1
    ),
    "equal, 200": Shape(
        lambda: _equal(200), lambda: _equal(MORE, 200), lambda n: record(f"p{n}", own(n)), _WIDE + _CAP
    ),
    "equal, 800": Shape(
        lambda: _equal(800), lambda: _equal(MORE, 800), lambda n: record(f"p{n}", own(n)), _WIDE + _CAP
    ),
    "hub over many blocks, again and again": Shape(
        lambda: [event for hub in range(5) for event in (*_spokes(hub), _hub(1, hub=hub))],
        lambda: [_hub(version, "delete" if version % 2 == 0 else "upsert", hub=hub)
                 for version in range(2, 6) for hub in range(5)],
        lambda n: record(f"p{n}", own(n, 8)),
    ),
    "strongest of a clique, again and again": Shape(
        lambda: [*_clique(), record("q-hub", {**EQUAL, "phone": [phone(1)]}, 1)],
        lambda: _toggled(lambda v, op: record("q-hub", {} if op == "delete" else EQUAL, v, op), 20),
        lambda n: record(f"p{n}", own(n)),
    ),
    "SEPARATE inside a component": Shape(
        lambda: [
            *_chain(1_000),
            *(verdict(f"crm/k{n:06}", f"crm/k{n + 7:06}") for n in range(990)),
        ],
        lambda: [verdict(f"crm/k{n:06}", f"crm/k{n + 9:06}") for n in range(MORE)],
        lambda n: verdict(f"crm/x{n}", f"crm/y{n}"),
    ),
    "many keys an expression": Shape(
        lambda: _lists(300), lambda: _lists(MORE, 300), lambda n: record(f"p{n}", own(n, 200)),
        "blocking:\n  keys:\n    both: email + first(given_name, 3) + first(family_name, 3)\n",
    ),
}  # fmt: skip
"""By what each is."""
