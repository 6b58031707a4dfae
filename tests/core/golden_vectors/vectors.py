"""What F gives for the inputs of the golden vectors, how that is kept in files, and what has changed since.

Four files hold ``section -> [[input, output], ...]``; ``identity.json`` holds the F under which they were written. What
is compared is the output of today for the *stored* inputs, so a change of the inputs' generator is no change of F.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson
import vector_inputs as inputs

from mdm_stream.core.blocking.functions import KEY_FUNCTIONS
from mdm_stream.core.f_version import f_digest, f_identity, rules_part
from mdm_stream.core.match.score import explain_pair, score_pair
from mdm_stream.core.model import RecordEvent, Standardised
from mdm_stream.core.record import Record, build_record
from mdm_stream.core.reference import fold_events, resolve
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.standardise.registry import STANDARDISERS, freeze_options, split_text
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.rules import load_ruleset

FOLDER = Path(__file__).parent
DOMAINS = ("person", "organisation")
OUTPUT_CHARACTERS_MAX = 160
"""Longer texts of an output are kept as their length and a digest."""

OPTIONS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    **{name: (name, {}) for name in STANDARDISERS},
    "date, day first": ("date", {"day_first": True, "pivot": 50}),
    "date, epoch days": ("date", {"epoch_days": True}),
    "full_name, family first": ("full_name", {"order": "family_first"}),
    "number, decimal comma": ("number", {"decimal_comma": True}),
    "phone, DE": ("phone", {"region": "DE"}),
    "phone, GB": ("phone", {"region": "GB"}),
    "postcode, US": ("postcode", {"country": "US"}),
    "category, synonyms": ("category", {"synonyms": "m=male; f=female; w=female"}),
}
"""Section -> attribute type and its options."""

ARGUMENTS = {"first": (1, 3), "last": (3,), "digits": (0, 7), "token": (0, 4)}
"""The arguments that key functions are applied with; the others take none."""

Sections = dict[str, list[list[Any]]]
Compute = Callable[[str, Any], Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """An input for which F gives something else than the vectors say."""

    file: str
    section: str
    given: Any
    stored: Any
    now: Any

    def __str__(self) -> str:
        return (
            f"{self.file}.json, {self.section}: {_shown(self.given)}\n"
            f"  stored {_shown(self.stored)}\n     now {_shown(self.now)}"
        )


@cache
def rules_of(domain: str) -> Ruleset:
    """Return the rule set that the vectors of a domain are made with."""
    return load_ruleset(FOLDER / f"{domain}.yaml")


def standardised(section: str, given: Any) -> Any:
    """Return what a standardiser makes of a text: its value where that is its match too, else value, match, valid."""
    type_name, options = OPTIONS[section]
    text = given if isinstance(given, str) else given["text"] * given["times"]
    result = STANDARDISERS[type_name](text, options)
    shown = _value(result)
    if type_name == "full_name":
        return [shown, split_text(type_name, freeze_options(type_name, options), text)]
    return shown


def keys(section: str, given: Any) -> Any:
    """Return the parts that a key function yields, or the keys of a whole record."""
    if section in DOMAINS:
        record = _record(section, given)
        return {"match": record.match, "keys": record.keys}
    name, _, argument = section.partition(" ")
    return KEY_FUNCTIONS[name].apply(given, int(argument or 0))


def pairs(section: str, given: Any) -> Any:
    """Return the decision on a pair of records, its weight in bits, its confidence and its levels."""
    rules = rules_of(section)
    a, b = (_record(section, attributes).match for attributes in given)
    score, evidence = score_pair(rules, a, b), explain_pair(rules, a, b)
    rule = evidence["rule"] and evidence["rule"]["name"]
    levels = [comparison["level"] for comparison in evidence["comparisons"]]
    return [evidence["decision"], evidence["weight"], evidence["confidence"], rule, score and score.levels, levels]


def golden(section: str, given: Any) -> Any:
    """Return F of a history: crosswalk, golden records and review items, and the revisions of the folded states."""
    domain = section.partition(" ")[0]
    rules = rules_of(domain)
    decoder = Decoder({domain: rules})
    events = [each for event in given for each in decoder.decode(Delivery.unplaced(orjson.dumps(event)))]
    found = resolve(rules, events)
    revisions = {ref: build_record(rules, ref, state).revision for ref, state in fold_events(events).items()}
    review = [[*pair, item] for pair, item in found.review.items()]
    return {"revisions": revisions, "crosswalk": found.crosswalk, "golden": found.golden, "review": review}


COMPUTE: Mapping[str, Compute] = {"standardised": standardised, "keys": keys, "pairs": pairs, "golden": golden}
"""File -> what its outputs are."""


def made_inputs() -> dict[str, inputs.Inputs]:
    """Return the inputs of every file, as the generator makes them today."""
    functions = [
        f"{name} {argument}" if argument else name for name in KEY_FUNCTIONS for argument in ARGUMENTS.get(name, (0,))
    ]
    return {
        "standardised": {section: inputs.of_type(type_name) for section, (type_name, _) in OPTIONS.items()},
        "keys": {
            **dict.fromkeys(functions, inputs.folded_texts()),
            **{domain: inputs.records(domain) for domain in DOMAINS},
        },
        "pairs": {domain: inputs.pairs(domain) for domain in DOMAINS},
        "golden": {name: [history] for d in DOMAINS for name, history in inputs.histories(d).items()},
    }


def make() -> dict[str, Sections]:
    """Return all vectors anew."""
    return {
        file: {
            section: [[given, _plain(COMPUTE[file](section, given))] for given in section_inputs]
            for section, section_inputs in sections.items()
        }
        for file, sections in made_inputs().items()
    }


def stored() -> dict[str, Sections]:
    """Return the vectors that are committed."""
    return {file: json.loads((FOLDER / f"{file}.json").read_text("ascii")) for file in COMPUTE}


def stored_identity() -> dict[str, Any]:
    """Return under which F, and which rules, the committed vectors were written; nothing where there are none."""
    path = FOLDER / "identity.json"
    return json.loads(path.read_text("ascii")) if path.exists() else {}


def identity_of(vectors: Mapping[str, Sections]) -> dict[str, Any]:
    """Return what is kept beside vectors: F by its parts and digest, the rules' own digests, the files' digests."""
    return {
        "f": f_identity().parts(),
        "f_digest": f_digest(),
        "rules": {domain: rules_part(rules_of(domain).digest) for domain in DOMAINS},
        "files": {file: digest(sections) for file, sections in vectors.items()},
    }


def digest(sections: Sections) -> str:
    """Return the digest of a file of vectors."""
    return blake2b(written(sections).encode(), digest_size=16).hexdigest()


def written(sections: Sections) -> str:
    """Return the text of a file: one vector a line, ASCII only, so that no editor can normalise it."""
    parts = []
    for section, entries in sections.items():
        lines = ",\n".join(json.dumps(entry, separators=(",", ":"), sort_keys=True) for entry in entries)
        parts.append(f"{json.dumps(section)}:[\n{lines}\n]")
    return "{" + ",\n".join(parts) + "}\n"


def changed(vectors: Mapping[str, Sections]) -> list[Difference]:
    """Return every stored input for which F gives something else today."""
    found = []
    for file, sections in vectors.items():
        for section, entries in sections.items():
            for given, before in entries:
                now = _plain(COMPUTE[file](section, given)) if section_exists(file, section) else "no such section"
                if now != before:
                    found.append(Difference(file, section, given, before, now))
    return found


def section_exists(file: str, section: str) -> bool:
    """Return whether today's code still has what a section is about (a type or key function may have gone)."""
    return section in made_inputs_cached()[file]


@cache
def made_inputs_cached() -> dict[str, inputs.Inputs]:
    """Return the inputs as the generator makes them, made once."""
    return made_inputs()


def depends_on_rules(difference: Difference) -> str | None:
    """Return the domain whose rules have a part in an output, ``None`` if F alone has."""
    domain = difference.section.partition(" ")[0]
    return domain if difference.file in {"pairs", "golden"} or difference.section in DOMAINS else None


def _record(domain: str, attributes: Mapping[str, Any]) -> Record:
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in attributes.items()}
    event = RecordEvent(domain, "crm", "1", "upsert", 1, 0, values)
    (state,) = fold_events([event]).values()
    return build_record(rules_of(domain), event.ref, state)


def _value(result: Standardised) -> Any:
    if result.valid and result.value == result.match:
        return result.value
    return [result.value, result.match, result.valid]


def _plain(output: Any) -> Any:
    """Return an output as JSON has it, long texts as their length and digest."""
    if isinstance(output, str):
        if len(output) <= OUTPUT_CHARACTERS_MAX:
            return output
        content = output.encode("utf-8", "surrogatepass")
        return f"~{len(output)} {blake2b(content, digest_size=8).hexdigest()}"
    if isinstance(output, Mapping):
        return {str(name): _plain(value) for name, value in output.items()}
    if isinstance(output, list | tuple):
        return [_plain(item) for item in output]
    return output


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= 400 else f"{text[:400]}..."
