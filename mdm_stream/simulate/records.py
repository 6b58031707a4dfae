"""How each source writes a person down: its columns, its formats, its habits, and how carefully it is kept.

A row is made of five aspects (name, birth, email, phone, address). Each can be rendered on its own, so that a
change of address touches the columns of the address and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import Literal

from mdm_stream.core.model import Scalar
from mdm_stream.simulate.cities import DIRECTIONS, STREET_SUFFIXES
from mdm_stream.simulate.noise import PLACEHOLDERS, misspell, mistype_digit
from mdm_stream.simulate.people import Person, to_ascii

SourceName = Literal["crm", "erp", "web"]
Aspect = Literal["name", "birth", "email", "phone", "address"]
Row = dict[str, Scalar]

SOURCES: tuple[SourceName, ...] = ("crm", "erp", "web")
ASPECTS: tuple[Aspect, ...] = ("name", "birth", "email", "phone", "address")

_SUFFIX_SHORT = dict(STREET_SUFFIXES)
_DIRECTION_SHORT = dict(DIRECTIONS)
_PHONE_FORMATS = ("({a}) {b}-{c}", "{a}-{b}-{c}", "{a}.{b}.{c}", "+1 {a} {b} {c}", "{a}{b}{c}", "1-{a}-{b}-{c}")
_MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Care:
    """How well a source is kept. ``missing`` is the part of rows without an aspect; ``typo`` is per value."""

    coverage: float
    typo: float
    missing: Mapping[Aspect, float]
    placeholder: float = 0.12


CARE: Mapping[SourceName, Care] = {
    "crm": Care(0.75, 0.03, {"birth": 0.15, "email": 0.15, "phone": 0.12, "address": 0.05}),
    "erp": Care(0.60, 0.02, {"birth": 0.20, "email": 0.35, "phone": 0.20, "address": 0.03}),
    "web": Care(0.55, 0.05, {"birth": 0.35, "email": 0.02, "phone": 0.30, "address": 0.25}),
}
"""``coverage`` is the part of the people whom the source knows."""


@dataclass(frozen=True, slots=True)
class Habit:
    """How one row was typed in, the same for as long as it lives."""

    upper: bool
    nickname: bool
    one_name: bool
    abbreviate: bool
    number_last: bool
    phone_format: str
    date_format: str


def draw_habit(random: Random, source: SourceName) -> Habit:
    """Return the habits of a new row of ``source``."""
    return Habit(
        upper=source == "erp" and random.random() < 0.5,
        nickname=random.random() < (0.12 if source == "web" else 0.06),
        one_name=source == "web" and random.random() < 0.25,
        abbreviate=random.random() < 0.5,
        number_last=source == "web" and random.random() < 0.1,
        phone_format=random.choice(_PHONE_FORMATS),
        date_format=random.choice(("iso", "iso", "iso", "slash", "words")) if source == "web" else "iso",
    )


def render(random: Random, source: SourceName, aspect: Aspect, person: Person, habit: Habit, *, careful: bool) -> Row:
    """Return the columns of ``source`` that hold ``aspect`` of ``person``. ``careful``: nothing missing or mistyped."""
    care = CARE[source]
    if not careful and random.random() < care.missing.get(aspect, 0.0):
        unknown = random.choice(PLACEHOLDERS[aspect]) if random.random() < care.placeholder else None
        row = dict.fromkeys(COLUMNS[source][aspect])
        row[COLUMNS[source][aspect][0]] = unknown
        return row
    row = _RENDERERS[source, aspect](random, person, habit)
    if not careful:
        for column, value in row.items():
            if value is not None and random.random() < care.typo:
                row[column] = _spoil(random, aspect, str(value))
    if habit.upper:
        row = {column: to_ascii(value).upper() if isinstance(value, str) else value for column, value in row.items()}
    return row


def render_all(random: Random, source: SourceName, person: Person, habit: Habit) -> Row:
    """Return a whole row, key column aside."""
    row: Row = {}
    for aspect in ASPECTS:
        row.update(render(random, source, aspect, person, habit, careful=False))
    row.update(_UNMAPPED[source])
    return row


def _spoil(random: Random, aspect: Aspect, text: str) -> str:
    if aspect in {"birth", "phone"} or (aspect == "address" and text[:1].isdigit() and random.random() < 0.5):
        return mistype_digit(random, text)
    if aspect == "email":
        mailbox, at, domain = text.partition("@")
        return misspell(random, mailbox) + at + domain
    return misspell(random, text)


def _given(random: Random, person: Person, habit: Habit) -> str:
    if habit.nickname:
        return person.short_form
    return person.given[0] + "." if random.random() < 0.02 else person.given


def _date(birth: date, style: str) -> str:
    if style == "slash":
        return f"{birth.day:02d}/{birth.month:02d}/{birth.year}"
    if style == "words":
        return f"{birth.day} {_MONTH_NAMES[birth.month - 1]} {birth.year}"
    return birth.isoformat()


def _phone(person: Person, habit: Habit) -> str:
    digits = person.phone
    return habit.phone_format.format(a=digits[:3], b=digits[3:6], c=digits[6:])


def _street(person: Person, habit: Habit) -> str:
    """Return direction, name and suffix of the street, long or short."""
    address = person.address
    suffix, direction = address.suffix, address.direction
    if habit.abbreviate:
        suffix, direction = _SUFFIX_SHORT[suffix], _DIRECTION_SHORT.get(direction, "")
    return " ".join(part for part in (direction, address.street, suffix) if part)


def _crm_name(random: Random, person: Person, habit: Habit) -> Row:
    given, family = _given(random, person, habit), person.family
    if random.random() < 0.008:
        given, family = family, given
    middle = person.middle or None
    if middle and habit.abbreviate:
        middle = middle[0]
    return {"first_name": given, "middle_name": middle, "last_name": family, "suffix": person.generation or None}


def _crm_birth(_random: Random, person: Person, habit: Habit) -> Row:
    return {"dob": _date(person.birth, habit.date_format)}


def _crm_email(_random: Random, person: Person, _habit: Habit) -> Row:
    return {"email": person.email}


def _crm_phone(_random: Random, person: Person, habit: Habit) -> Row:
    return {"phone": _phone(person, habit)}


def _crm_address(_random: Random, person: Person, habit: Habit) -> Row:
    address = person.address
    unit = f" {'Apt' if habit.abbreviate else 'Apartment'} {address.unit}" if address.unit else ""
    return {
        "address": f"{address.house_number} {_street(person, habit)}{unit}",
        "city": address.city,
        "state": address.state,
        "zip": address.postcode,
    }


def _erp_name(random: Random, person: Person, habit: Habit) -> Row:
    return {
        "name1": person.family,
        "name2": _given(random, person, habit),
        "name3": f"{person.middle[0]}." if person.middle and habit.abbreviate else None,
    }


def _erp_birth(_random: Random, person: Person, _habit: Habit) -> Row:
    birth = person.birth
    return {"birth_dt": f"{birth.day:02d}.{birth.month:02d}.{birth.year}"}


def _erp_email(_random: Random, person: Person, _habit: Habit) -> Row:
    return {"mail": person.email}


def _erp_phone(_random: Random, person: Person, habit: Habit) -> Row:
    return {"tel": _phone(person, habit)}


def _erp_address(_random: Random, person: Person, habit: Habit) -> Row:
    address = person.address
    return {
        "street": _street(person, habit),
        "house_no": address.house_number,
        "unit": f"Unit {address.unit}" if address.unit else None,
        "town": address.city,
        "region": address.state,
        "post_code": address.postcode,
        "country": "USA" if habit.abbreviate else "US",
    }


def _web_name(random: Random, person: Person, habit: Habit) -> Row:
    given = _given(random, person, habit)
    if habit.one_name:
        return {"full_name": f"{person.family}, {given}" if habit.number_last else f"{given} {person.family}"}
    return {"given_name": given, "family_name": person.family}


def _web_birth(_random: Random, person: Person, habit: Habit) -> Row:
    return {"birth_date": _date(person.birth, habit.date_format)}


def _web_email(_random: Random, person: Person, habit: Habit) -> Row:
    return {"email": person.email.capitalize() if habit.nickname else person.email}


def _web_phone(_random: Random, person: Person, habit: Habit) -> Row:
    return {"phone": _phone(person, habit)}


def _web_address(random: Random, person: Person, habit: Habit) -> Row:
    address = person.address
    street = _street(person, habit)
    line = f"{street} {address.house_number}" if habit.number_last else f"{address.house_number} {street}"
    return {
        "street": f"{line}, #{address.unit}" if address.unit else line,
        "city": address.city,
        "region": address.state,
        "postcode": f"{address.postcode}-{random.randrange(1000, 9999)}" if habit.abbreviate else address.postcode,
    }


_RENDERERS: Mapping[tuple[SourceName, Aspect], Callable[[Random, Person, Habit], Row]] = {
    ("crm", "name"): _crm_name,
    ("crm", "birth"): _crm_birth,
    ("crm", "email"): _crm_email,
    ("crm", "phone"): _crm_phone,
    ("crm", "address"): _crm_address,
    ("erp", "name"): _erp_name,
    ("erp", "birth"): _erp_birth,
    ("erp", "email"): _erp_email,
    ("erp", "phone"): _erp_phone,
    ("erp", "address"): _erp_address,
    ("web", "name"): _web_name,
    ("web", "birth"): _web_birth,
    ("web", "email"): _web_email,
    ("web", "phone"): _web_phone,
    ("web", "address"): _web_address,
}

COLUMNS: Mapping[SourceName, Mapping[Aspect, tuple[str, ...]]] = {
    "crm": {
        "name": ("first_name", "middle_name", "last_name", "suffix"),
        "birth": ("dob",),
        "email": ("email",),
        "phone": ("phone",),
        "address": ("address", "city", "state", "zip"),
    },
    "erp": {
        "name": ("name1", "name2", "name3"),
        "birth": ("birth_dt",),
        "email": ("mail",),
        "phone": ("tel",),
        "address": ("street", "house_no", "unit", "town", "region", "post_code", "country"),
    },
    "web": {
        "name": ("full_name", "given_name", "family_name"),
        "birth": ("birth_date",),
        "email": ("email",),
        "phone": ("phone",),
        "address": ("street", "city", "region", "postcode"),
    },
}
"""The columns of each aspect; the first takes the placeholder where the aspect is unknown."""

_UNMAPPED: Mapping[SourceName, Row] = {
    "crm": {"status": "active", "revision": 1},
    "erp": {"credit_limit": 500, "blocked": False},
    "web": {"newsletter": False},
}
"""Columns that no rule set maps: they change too, and must not matter."""


def touch(random: Random, source: SourceName, row: Row) -> Row:
    """Return the columns of a change that concerns nobody's identity."""
    if source == "crm":
        return {"status": random.choice(("active", "vip", "dormant")), "revision": int(row["revision"] or 0) + 1}
    if source == "erp":
        return {"credit_limit": random.randrange(100, 10_000, 50)}
    return {"newsletter": not row["newsletter"]}
