"""A learned model: the file that ``match: model: FILE`` names, read, checked against the rules, and put to use.

The file is JSON and beside the rules, written by ``mdm-stream rules train`` or ``rules import-splink``. It has the
weight of each level of each comparison, the prior, what common values change, how rare words are, which comparisons are
not independent, and how confidence was calibrated. The rules say what is compared; the model says what it is worth. A
model of other levels than those of the rules is an error, so a changed rule set is never scored with what was learned
for another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mdm_stream.core.match.decide import bits_of
from mdm_stream.core.ruleset import Attribute, Comparison, Dependence, Level, Match, TermBits
from mdm_stream.errors import ConfigurationError
from mdm_stream.rules.conditions import describe
from mdm_stream.rules.findings import Findings, Place, nearest
from mdm_stream.rules.learned_words import with_word_weights, word_weights
from mdm_stream.rules.model import BITS_MAX, RulesetModel
from mdm_stream.rules.tree import Node

MODEL_FORMAT: Literal[1] = 1
"""The form of a model file. A release reads the forms up to its own."""
MODEL_BYTES_MAX = 64 * 1024 * 1024
"""A model without term frequencies has some 20 kB; each value in a table of them takes some 30 bytes."""
TERMS_MAX = 500_000
"""Values of one attribute in a table of term frequencies."""
DEPENDENCES_MAX = 64
LEARNED_DECIMALS = 9
"""To so many decimals a learned weight is kept: a digest does not hang on the last bit of a logarithm."""
PRIOR_DIGITS = 12
"""To so many digits a calibrated prior is kept, for the same reason."""
PROBLEMS_SHOWN = 5
SLOPE_MIN = 0.05
SLOPE_MAX = 5.0

Bits = Annotated[float, Field(ge=-BITS_MAX, le=BITS_MAX)]
Frequency = Annotated[float, Field(gt=0.0, le=1.0)]


class _LearnedPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class LevelTerms(_LearnedPart):
    """How a level's weight changes with the value: by ``weight`` times log2(``u`` / the value's frequency).

    ``u`` is how often two random records agree on the attribute; a frequency counts as ``floor`` at the least.
    """

    attribute: str
    u: Annotated[float, Field(gt=0.0, le=1.0)]
    weight: Annotated[float, Field(ge=0.0, le=1.0)] = 1.0
    floor: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0


class LearnedLevel(_LearnedPart):
    """One level: its condition as text, its weight, and the shares that the weight comes from where they are known."""

    when: str
    bits: Bits
    m: float | None = None
    u: float | None = None
    terms: LevelTerms | None = None


class LearnedComparison(_LearnedPart):
    """The levels of one comparison, in the order of the rules."""

    levels: tuple[LearnedLevel, ...]


class LearnedDependence(_LearnedPart):
    """Bits to add at each level of the first comparison (rows) and of the second."""

    comparisons: tuple[str, str]
    bits: tuple[tuple[Bits, ...], ...]


class TermTable(_LearnedPart):
    """How frequent the values of an attribute are. ``rest`` is for those not listed; without it they say nothing."""

    values: Annotated[dict[str, Frequency], Field(max_length=TERMS_MAX)]
    rest: Frequency | None = None


class WordTable(_LearnedPart):
    """How frequent the words of an attribute's texts are: the share of its records. ``rest`` is for all others."""

    values: Annotated[dict[str, Frequency], Field(max_length=TERMS_MAX)]
    rest: Frequency


class Calibration(_LearnedPart):
    """What a match weight is turned into: ``slope`` times it, plus ``offset`` bits (Platt, 1999)."""

    slope: Annotated[float, Field(ge=SLOPE_MIN, le=SLOPE_MAX)] = 1.0
    offset: Bits = 0.0


class LearnedModel(_LearnedPart):
    """A model file. ``about`` says where it comes from, for people: it decides nothing."""

    format: Literal[1]
    domain: str
    about: dict[str, Any] = {}
    prior: Annotated[float, Field(gt=0.0, lt=1.0)]
    calibration: Calibration = Calibration()
    comparisons: dict[str, LearnedComparison]
    dependences: Annotated[tuple[LearnedDependence, ...], Field(max_length=DEPENDENCES_MAX)] = ()
    terms: dict[str, TermTable] = {}
    words: dict[str, WordTable] = {}

    def to_bytes(self) -> bytes:
        """Return the file: JSON, indented, names in their order.

        ``ConfigurationError`` if it is larger than what is read back.
        """
        document = self.model_dump(mode="json", exclude_defaults=True)
        options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        written = orjson.dumps({"format": self.format, **document}, option=options)
        if len(written) > MODEL_BYTES_MAX:
            sizes = [(name, len(table.values)) for name, table in self.terms.items()]
            sizes += [(name, len(table.values)) for name, table in self.words.items()]
            listed = ", ".join(f"{count:,} of {name}" for name, count in sizes)
            raise ConfigurationError(
                f"the model has {len(written):,} bytes; expected at most {MODEL_BYTES_MAX:,}, for no larger one is "
                f"read; its values with a frequency are {listed}: leave out the rare ones"
            )
        return written


def read_learned(model: RulesetModel, tree: Node, findings: Findings) -> LearnedModel | None:
    """Return the learned model that a rule set names, ``None`` if it names none or after noting what is wrong."""
    if model.match.model is None:
        return None
    place = tree.at(("match", "model")).place
    path = Path(place.file).parent / model.match.model
    if model.match.method != "fellegi_sunter":
        findings.error(place, "'model' has no meaning with weighted_mean; remove it, or use fellegi_sunter")
        return None
    raw = _bytes_of(path, place, findings)
    learned = None if raw is None else parse_learned(raw, str(path), findings)
    if learned is not None and learned.domain != model.domain:
        said = f"the model is of domain {learned.domain!r}, these rules are of {model.domain!r}"
        findings.error(place, f"{said}; expected a model of this domain; name another file")
        return None
    return learned


def parse_learned(raw: bytes, shown: str, findings: Findings) -> LearnedModel | None:
    """Return the model in a file's bytes, or ``None`` after noting what is wrong; ``shown`` names the file."""
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        findings.error(Place(shown, error.lineno), f"this is not valid JSON: {error.msg}; write the model again")
        return None
    if isinstance(document, dict) and isinstance(number := document.get("format"), int) and number > MODEL_FORMAT:
        said = f"the model has format {number}, this release reads {MODEL_FORMAT}"
        findings.error(Place(shown), f"{said}; use a later release, or write the model again with this one")
        return None
    try:
        return LearnedModel.model_validate_json(raw)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        for detail in details[:PROBLEMS_SHOWN]:
            where = ".".join(map(str, detail["loc"])) or "the file"
            findings.error(Place(shown), f"{where}: {detail['msg'][:1].lower()}{detail['msg'][1:]}; write it again")
        return None


def _bytes_of(path: Path, place: Place, findings: Findings) -> bytes | None:
    try:
        if not path.is_file():
            advice = "expected a path relative to this file; run 'mdm-stream rules train', or correct the path"
            findings.error(place, f"there is no model {str(path)!r}; {advice}")
            return None
        with path.open("rb") as stream:
            raw = stream.read(MODEL_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the path is not valid"
        findings.error(place, f"the model {str(path)!r} cannot be read ({reason}); check the path and its permissions")
        return None
    if len(raw) > MODEL_BYTES_MAX:
        findings.error(place, f"the model {str(path)!r} has more than {MODEL_BYTES_MAX:,} bytes; is it the right file?")
        return None
    return raw


def with_learned(
    match: Match, learned: LearnedModel, attributes: Sequence[Attribute], place: Place, findings: Findings
) -> Match:
    """Return the match section with the weights of a model. What does not fit goes to ``findings``.

    Calibration is an affine function of the match weight, so it is worked into the prior and into every weight.
    """
    positions = {attribute.name: at for at, attribute in enumerate(attributes)}
    if said := _misfit(match, learned, attributes):
        findings.error(place, f"{said}; the rules have changed since; run 'mdm-stream rules train' again")
        return match
    weights = {positions[name]: word_weights(table.values, table.rest) for name, table in learned.words.items()}
    match = with_word_weights(match, weights)
    slope = learned.calibration.slope
    tabled: dict[LevelTerms, TermBits] = {}
    comparisons = tuple(
        _learned_comparison(each, learned, positions, tabled, place, findings) for each in match.comparisons
    )
    places = {each.name: at for at, each in enumerate(match.comparisons)}
    return replace(
        match,
        prior=_calibrated_prior(learned),
        comparisons=comparisons,
        dependences=tuple(
            Dependence(places[each.comparisons[0]], places[each.comparisons[1]], _scaled(each.bits, slope))
            for each in learned.dependences
        ),
    )


def _calibrated_prior(learned: LearnedModel) -> float:
    """Return the prior that calibration makes of the learned one; it is kept as it is where nothing was calibrated."""
    if learned.calibration == Calibration():
        return learned.prior
    bits = learned.calibration.slope * bits_of(learned.prior) + learned.calibration.offset
    return float(f"{1.0 / (1.0 + math.exp2(-bits)):.{PRIOR_DIGITS}g}")


def level_text(level: Level, attributes: Sequence[Attribute]) -> str:
    """Return the condition of a level as a model file names it: its predicates, every attribute written out."""
    return describe(level.when, lambda position: attributes[position].name, ())


def _misfit(match: Match, learned: LearnedModel, attributes: Sequence[Attribute]) -> str:
    """Return how a model does not fit the rules; nothing if it does."""
    names = [each.name for each in match.comparisons]
    for name in learned.comparisons:
        if name not in names:
            return f"the model has a comparison {name!r}{nearest(name, names)} that the rules do not have"
    known = [attribute.name for attribute in attributes]
    for name in learned.words:
        if name not in known:
            return f"the model weighs the words of {name!r}{nearest(name, known)}, which is no attribute of the rules"
    said = (_other_levels(each, learned.comparisons.get(each.name), attributes) for each in match.comparisons)
    sizes = {each.name: len(each.levels) for each in match.comparisons}
    odd = (_other_dependence(each, sizes) for each in learned.dependences)
    return next(filter(None, [*said, *odd]), "")


def _other_levels(comparison: Comparison, given: LearnedComparison | None, attributes: Sequence[Attribute]) -> str:
    if given is None:
        return f"the model has no comparison {comparison.name!r}"
    if len(given.levels) != len(comparison.levels):
        said = f"comparison {comparison.name!r} has {len(comparison.levels)} levels in the rules"
        return f"{said} and {len(given.levels)} in the model"
    for number, (level, other) in enumerate(zip(comparison.levels, given.levels, strict=True), 1):
        if (text := level_text(level, attributes)) != other.when:
            said = f"level {number} of comparison {comparison.name!r} is {text!r} in the rules"
            return f"{said} and {other.when!r} in the model"
    return ""


def _other_dependence(dependence: LearnedDependence, sizes: Mapping[str, int]) -> str:
    for name in dependence.comparisons:
        if name not in sizes:
            return f"the model has a dependence of {name!r}, which is no comparison of the rules"
    rows, width = (sizes[name] for name in dependence.comparisons)
    if len(dependence.bits) != rows or any(len(row) != width for row in dependence.bits):
        return f"the dependence of {' and '.join(dependence.comparisons)} has not a weight for each of their levels"
    return ""


def _learned_comparison(
    comparison: Comparison,
    learned: LearnedModel,
    positions: Mapping[str, int],
    tabled: dict[LevelTerms, TermBits],
    place: Place,
    findings: Findings,
) -> Comparison:
    """Return a comparison with learned weights. Levels of the same terms share a table, which is kept in ``tabled``."""
    levels, slope = [], learned.calibration.slope
    for level, given in zip(comparison.levels, learned.comparisons[comparison.name].levels, strict=True):
        terms = None
        if given.terms is not None:
            name = given.terms.attribute
            if name not in positions or name not in learned.terms:
                missing = "no attribute of the rules" if name not in positions else "without a table of frequencies"
                said = f"the terms of comparison {comparison.name!r} are of {name!r}, which is {missing}"
                findings.error(place, f"{said}; write the model again")
            else:
                terms = tabled.get(given.terms)
                if terms is None:
                    terms = tabled[given.terms] = _term_bits(given.terms, learned.terms[name], positions[name], slope)
        levels.append(replace(level, bits=round(slope * given.bits, LEARNED_DECIMALS), terms=terms))
    return replace(comparison, levels=tuple(levels))


def _term_bits(terms: LevelTerms, table: TermTable, attribute: int, slope: float) -> TermBits:
    def bits(frequency: float) -> float:
        # Of a quotient the logarithm may be infinite: a file may have any frequency above 0.
        found = terms.weight * (math.log2(terms.u) - math.log2(max(frequency, terms.floor)))
        return round(slope * max(-BITS_MAX, min(BITS_MAX, found)), LEARNED_DECIMALS)

    by_value = {value: bits(frequency) for value, frequency in table.values.items()}
    return TermBits(attribute, by_value, None if table.rest is None else bits(table.rest))


def _scaled(rows: tuple[tuple[float, ...], ...], slope: float) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(slope * bits, LEARNED_DECIMALS) for bits in row) for row in rows)
