"""Households and the people in them: who they are before anything happens to them.

Everything is drawn from one generator of random numbers a household, seeded by (seed, number of the household), so
a household does not depend on the others.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from random import Random

from mdm_stream.simulate.cities import (
    CITIES,
    CITY_WEIGHTS,
    DIRECTIONS,
    STREET_NAMES,
    STREET_SUFFIXES,
    SUFFIX_WEIGHTS,
    phone_number,
)
from mdm_stream.simulate.person_names import CULTURES, SHORT_FORMS, Culture, zipf_weights

HOUSEHOLD_SIZE_MAX = 6
PHONES_PER_PERSON = 3
_CULTURE_WEIGHTS = tuple(accumulate(culture.share for culture in CULTURES))
_RANK_WEIGHTS = {count: zipf_weights(count) for c in CULTURES for count in (len(c.men), len(c.women), len(c.family))}
_STREET_WEIGHTS = zipf_weights(len(STREET_NAMES))
_KINDS = ("single", "couple", "family", "flatshare")
_KIND_WEIGHTS = tuple(accumulate((38, 32, 24, 6)))
_MAIL_DOMAINS = ("example.com", "mail.example.com", "example.net", "post.example.net", "example.org", "my.example.org")
_MAIL_WEIGHTS = tuple(accumulate((40, 20, 15, 10, 10, 5)))

TWINS = 0.06
"""Part of the families with children whose last two children are twins."""
NAMESAKES = 0.08
"""Part of the families whose first child bears the given name of the parent of the same sex."""
SHARED_PHONE = 0.5
"""Part of the households of more than one person with a line at home that several of them give as theirs."""
NOT_SAME_FAMILY_NAME = 0.25
"""Part of the couples who keep two family names."""


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address, spelt out."""

    house_number: str
    direction: str
    street: str
    suffix: str
    unit: str
    city: str
    state: str
    postcode: str


@dataclass(slots=True)
class Person:
    """One person as they are now. ``number`` is their place in the population and makes ``entity_id``."""

    number: int
    given: str
    middle: str
    family: str
    sex: str
    birth: date
    email: str
    phone: str
    address: Address
    generation: str = ""

    @property
    def entity_id(self) -> str:
        """The true identity, as the truth file names it."""
        return f"p{self.number:07d}"

    @property
    def short_form(self) -> str:
        """The everyday form of the given name; the given name itself if it has none."""
        forms = SHORT_FORMS.get(self.given)
        return forms[self.number % len(forms)] if forms else self.given


def draw_household(random: Random, first_person: int, people_max: int) -> list[Person]:
    """Return the people of one household, at least one and at most ``people_max``, numbered from ``first_person``."""
    kind = random.choices(_KINDS, cum_weights=_KIND_WEIGHTS)[0]
    culture = _draw_culture(random)
    address = draw_address(random)
    family = draw_family_name(random, culture)
    year = random.randrange(1938, 2004)
    sexes = random.choice(("mf", "fm"))
    members = [_draw_person(random, culture, first_person, family, sexes[0], year, address)]
    if kind == "couple" or (kind == "family" and random.random() < 0.8):
        partner_culture = culture if random.random() < 0.85 else _draw_culture(random)
        other = draw_family_name(random, partner_culture) if random.random() < NOT_SAME_FAMILY_NAME else family
        born = min(2004, year + random.randrange(-6, 7))
        members.append(_draw_person(random, partner_culture, first_person + 1, other, sexes[1], born, address))
    if kind == "family":
        _add_children(random, culture, members, first_person)
    elif kind == "flatshare":
        for _ in range(random.randrange(1, 4)):
            mate = _draw_culture(random)
            name, born = draw_family_name(random, mate), min(2004, year + random.randrange(-5, 6))
            number = first_person + len(members)
            members.append(_draw_person(random, mate, number, name, random.choice("mf"), born, address))
    elif random.random() < SHARED_PHONE:
        _share_phone(members)
    return members[: min(people_max, HOUSEHOLD_SIZE_MAX)]


def draw_address(random: Random) -> Address:
    """Return an address of a random city; big cities have more of them."""
    city = random.choices(CITIES, cum_weights=CITY_WEIGHTS)[0]
    name = random.choices(STREET_NAMES, cum_weights=_STREET_WEIGHTS)[0]
    suffix = random.choices(STREET_SUFFIXES, cum_weights=SUFFIX_WEIGHTS)[0][0]
    direction = random.choice(DIRECTIONS)[0] if random.random() < 0.12 else ""
    unit = f"{random.randrange(1, 30)}{random.choice(('', 'A', 'B', 'C'))}" if random.random() < 0.3 else ""
    return Address(
        house_number=str(int(10 ** random.uniform(0.3, 4.0)) + 1),
        direction=direction,
        street=name,
        suffix=suffix,
        unit=unit,
        city=city.name,
        state=city.state,
        postcode=f"{random.choice(city.zips)}{random.randrange(1, 100):02d}",
    )


def draw_family_name(random: Random, culture: Culture) -> str:
    """Return a family name of ``culture``, two of them where that is its custom."""
    name = _draw_ranked(random, culture.family)
    if random.random() < culture.double_family:
        return f"{name} {_draw_ranked(random, culture.family)}"
    return name


def draw_spouse_name(random: Random, person: Person) -> str:
    """Return the family name that ``person`` bears once married: the spouse's, sometimes hyphenated with their own."""
    name = draw_family_name(random, _draw_culture(random))
    return f"{person.family}-{name}" if random.random() < 0.15 and " " not in person.family + name else name


def draw_email(random: Random, given: str, family: str, number: int) -> str:
    """Return an address under a domain reserved for documentation; ``number`` keeps it distinct from all others."""
    domain = random.choices(_MAIL_DOMAINS, cum_weights=_MAIL_WEIGHTS)[0]
    first, last = _mailbox(given), _mailbox(family)
    local = random.choice(
        (f"{first}.{last}{number}", f"{first[0]}{last}{number}", f"{first}{number}", f"{last}.{number}")
    )
    return f"{local}@{domain}"


def new_phone(person: Person, occasion: int) -> str:
    """Return the telephone number that the person takes on their ``occasion``-th change of number (0 is the first)."""
    return phone_number(person.number * PHONES_PER_PERSON + occasion % PHONES_PER_PERSON)


def _draw_culture(random: Random) -> Culture:
    return random.choices(CULTURES, cum_weights=_CULTURE_WEIGHTS)[0]


def _draw_ranked(random: Random, names: tuple[str, ...]) -> str:
    return random.choices(names, cum_weights=_RANK_WEIGHTS[len(names)])[0]


def _draw_person(
    random: Random, culture: Culture, number: int, family: str, sex: str, year: int, address: Address
) -> Person:
    names = culture.men if sex == "m" else culture.women
    given = _draw_ranked(random, names)
    middle = _draw_ranked(random, names) if random.random() < 0.55 else ""
    person = Person(
        number=number,
        given=given,
        middle="" if middle == given else middle,
        family=family,
        sex=sex,
        birth=date(year, 1, 1) + timedelta(days=random.randrange(365)),
        email=draw_email(random, given, family, number),
        phone="",
        address=address,
    )
    person.phone = new_phone(person, 0)
    return person


def _add_children(random: Random, culture: Culture, members: list[Person], first_person: int) -> None:
    """Add grown-up children who bear the first parent's family name; some are twins, some their parent's namesakes."""
    parent = members[0]
    parent.birth = parent.birth.replace(year=min(parent.birth.year, 1984), day=min(parent.birth.day, 28))
    children: list[Person] = []
    for _ in range(random.choice((1, 1, 2, 2, 3))):
        year = min(2008, parent.birth.year + random.randrange(20, 34))
        number = first_person + len(members) + len(children)
        children.append(_draw_person(random, culture, number, parent.family, random.choice("mf"), year, parent.address))
    if random.random() < NAMESAKES:
        _name_after(random, parent, children[0])
    if len(children) >= 2 and random.random() < TWINS:
        children[-1].birth = children[-2].birth
    members.extend(children)
    if random.random() < SHARED_PHONE:
        _share_phone(members)


def _name_after(random: Random, parent: Person, child: Person) -> None:
    child.given, child.middle, child.sex = parent.given, parent.middle, parent.sex
    child.email = draw_email(random, child.given, child.family, child.number)
    parent.generation, child.generation = "Sr", "Jr"


def _share_phone(members: list[Person]) -> None:
    """Let everybody but the last give the first one's telephone number."""
    for member in members[1:-1] if len(members) > 2 else members[1:]:
        member.phone = members[0].phone


def to_ascii(text: str) -> str:
    """Return ``text`` in letters without accents, as an old system stores it."""
    return unicodedata.normalize("NFKD", text.translate(_NO_DECOMPOSITION)).encode("ascii", "ignore").decode("ascii")


_NO_DECOMPOSITION = str.maketrans({"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d"})


def _mailbox(text: str) -> str:
    return "".join(letter for letter in to_ascii(text).lower() if letter.isalnum())
