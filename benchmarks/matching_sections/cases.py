"""The cases from public reports about matching and survivorship, and the promises about people and companies.

Each case lies in ``../shared/cases`` (or where ``MDM_CASES`` says) and is replayed as it is, by the command, under a
pack, rules of its own, or rules that declare what the data mean. A case that is not there is a figure that is missed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from commands import run
from show import Show
from trees import ROOT

from mdm_stream.assess.case_run import read_cases, run_cases

FOLDER = Path(os.environ.get("MDM_CASES", ROOT.parent / "shared" / "cases"))
PROMISES = ROOT / "tests" / "cases" / "people_and_companies"
PROMISES_MIN = 50


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay wrote: golden values by their members (``source/record_id``), how many questions it asks, and how
    many values it set aside, by attribute and reason.
    """

    golden: Mapping[frozenset[str], Mapping[str, Any]]
    questions: int
    set_aside: Mapping[str, int]
    code: int
    said: str

    def are_one(self, *refs: str) -> bool:
        """Return whether some records are of one golden record."""
        return any(members.issuperset(refs) for members in self.golden)

    def of(self, ref: str) -> Mapping[str, Any]:
        """Return the golden values of a record."""
        return next(values for members, values in self.golden.items() if ref in members)


@dataclass(frozen=True, slots=True)
class Case:
    """A case of the folder: its files, its rules, and what holds of the outcome where it is right.

    ``rules`` are a pack, a file of the case, or the text of rules.
    """

    name: str
    files: tuple[str, ...]
    rules: str
    right: str
    holds: Callable[[Replayed], bool]


def _pairs_are_one(*pairs: tuple[str, str]) -> Callable[[Replayed], bool]:
    return lambda outcome: all(outcome.are_one(*pair) for pair in pairs)


def _all_apart(outcome: Replayed) -> bool:
    return all(len(members) == 1 for members in outcome.golden)


def _address_is_kept(outcome: Replayed) -> bool:
    golden = outcome.of("crm/1")
    whole = {"street": "14 Kirkgate", "city": "Leeds", "postcode": "LS1 4AB"}
    return outcome.are_one("crm/1", "erp/7", "school/9") and all(golden.get(name) == whole[name] for name in whole)


def _strangers_are_strangers(outcome: Replayed) -> bool:
    return _all_apart(outcome) and len(outcome.golden) == 303 and outcome.questions <= 10


CASES = (
    Case(
        "02-mysql-zero-date-is-epoch",
        ("shop.jsonl",),
        "rules.yaml",
        "two strangers with a zero date of birth stay two",
        lambda outcome: _all_apart(outcome) and not any("birth_date" in each for each in outcome.golden.values()),
    ),
    Case("11-twins-similar-names", ("p.jsonl",), "rules.yaml", "three pairs of twins stay six", _all_apart),
    Case(
        "14-newer-postcode-only-wipes-address",
        ("p.jsonl",),
        "person",
        "street, city and postcode survive a newer country",
        _address_is_kept,
    ),
    Case(
        "15-placeholder-email-of-300",
        ("p.jsonl",),
        "person",
        "303 strangers stay 303, with at most 10 questions",
        _strangers_are_strangers,
    ),
    Case(
        "15-placeholder-email-of-300",
        ("p.jsonl",),
        "extends: person\nversion: 1\nplaceholders: {not_given: {attributes: [email], patterns: ['notgiven@.*']}}\n",
        "and so where the rules name the placeholder",
        _strangers_are_strangers,
    ),
    Case(
        "16-phones-of-two-countries",
        ("uk.csv", "de.csv", "web.jsonl"),
        "rules.yaml",
        "a record's own country reads its phone",
        _pairs_are_one(("de/3", "web/w3"), ("de/4", "web/w4")),
    ),
    Case(
        "18-excel-scientific-notation",
        ("desk.csv",),
        "rules.yaml",
        "rounded numbers are no evidence, and a rounded key is refused",
        lambda outcome: _all_apart(outcome) and len(outcome.golden) == 4 and bool(outcome.set_aside),
    ),
    Case(
        "20-german-umlaut-spelling",
        ("p.jsonl",),
        "person",
        "four people of two spellings are one each",
        lambda outcome: (
            outcome.are_one("a/3", "b/4")
            and outcome.are_one("a/5", "b/6")
            and outcome.are_one("a/7", "b/8")
            and (outcome.are_one("a/1", "b/2") or outcome.questions > 0)
        ),
    ),
    Case(
        "22-names-that-are-titles",
        ("p.jsonl",),
        "person",
        "titles that are names, double names, Chinese order: six people, Deborah another",
        lambda outcome: (
            _pairs_are_one(("web/1", "crm/2"), ("web/3", "crm/4"), ("web/9", "crm/10"), ("web/11", "crm/12"))(outcome)
            and not outcome.are_one("web/5", "crm/6")
            and (outcome.are_one("web/7", "crm/8") or outcome.questions > 0)
        ),
    ),
    Case(
        "27-two-values-in-one-cell",
        ("p.jsonl",),
        "rules.yaml",
        "two values in one cell are told",
        lambda outcome: {"email: several_values", "phone: several_values"} <= outcome.set_aside.keys(),
    ),
    Case(
        "27-two-values-in-one-cell",
        ("p.jsonl",),
        'extends: person\nversion: 1\nattributes:\n  email: {options: {separators: ";"}}\n'
        '  phone: {options: {region: GB, separators: "/"}}\n',
        "and a declared separator splits them",
        lambda outcome: (
            # The second number is of no plan (Ofcom keeps it for plays), and so is set aside, by itself.
            outcome.are_one("a/1", "b/2")
            and (len(outcome.of("a/1")["email"]), len(outcome.of("a/1")["phone"])) == (2, 1)
            and outcome.set_aside.keys() == {"phone: wrong_form"}
        ),
    ),
    Case("30-two-legal-entities-one-house", ("o.jsonl",), "organisation", "two register numbers are two", _all_apart),
    Case("30-two-legal-entities-one-house", ("o.jsonl",), "rules.yaml", "and where they are exclusive", _all_apart),
)


def figures(show: Show, scratch: Path) -> None:
    """Replay each case, and run each promise."""
    for number, case in enumerate(CASES):
        folder = FOLDER / case.name
        outcome = _replayed(folder, case, scratch / str(number))
        right = outcome.code == 0 and case.holds(outcome)
        found = f"{len(outcome.golden)} golden records, {outcome.questions} questions"
        show.figure(
            f"{case.name} by {_named(case.rules)}: {case.right}",
            found if outcome.golden else f"exit {outcome.code}: {outcome.said[-300:]}",
            floor="the right outcome",
            holds=right,
        )
    outcomes = list(run_cases(read_cases([PROMISES])))
    by_file: dict[str, list[bool]] = {}
    for each in outcomes:
        by_file.setdefault(Path(each.case.place.file).stem, []).append(not each.failed)
    for name, kept in by_file.items():
        show.figure(f"promises about {name}", f"{sum(kept)} of {len(kept)}", floor="all", holds=all(kept))
    show.figure("promises in all", len(outcomes), floor=f"{PROMISES_MIN}", holds=len(outcomes) >= PROMISES_MIN)


def _named(rules: str) -> str:
    return "declared rules" if "\n" in rules else rules


def _replayed(folder: Path, case: Case, out: Path) -> Replayed:
    rules = str(folder / case.rules) if case.rules.endswith(".yaml") else case.rules
    if "\n" in rules:
        declared = out.with_suffix(".yaml")
        declared.write_text(rules, "utf-8")
        rules = str(declared)
    files = [str(folder / name) for name in case.files]
    ran = run(["-m", "mdm_stream.cli.main", "replay", *files, "--rules", rules, "--out", str(out), "--json"])
    if not (out / "golden.jsonl").exists():
        return Replayed({}, 0, {}, ran.code or 1, ran.said)
    golden = [orjson.loads(line) for line in (out / "golden.jsonl").read_bytes().splitlines()]
    questions = len((out / "review.jsonl").read_bytes().splitlines())
    set_aside = orjson.loads((out / "stats.json").read_bytes())["values_set_aside"]
    return Replayed({_members(each): each["values"] for each in golden}, questions, set_aside, ran.code, ran.said)


def _members(golden: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(f"{member['source']}/{member['record_id']}" for member in golden["members"])
