"""Learning a model: records in, a :class:`~mdm_stream.rules.learned.LearnedModel` out, with what is to be said of it.

    1  gather level vectors of candidate pairs and of random ones        (:mod:`mdm_stream.train.gather`)
    2  estimate weights and prior by expectation maximisation            (:mod:`mdm_stream.train.em`)
    3  find comparisons that are plainly dependent, and estimate again   (:mod:`mdm_stream.train.dependence`)
    4  table the frequencies of declared attributes, and of words first  (:mod:`mdm_stream.train.terms`)
    5  calibrate confidence by verdicts, if there are any                (:mod:`mdm_stream.train.calibrate`)

Pure: the same rules and records give the same model, byte for byte, whatever their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mdm_stream.core.blocking.generic_values import generic_by_record, pair_values
from mdm_stream.core.f_version import rules_part
from mdm_stream.core.match.compare import deciding_rule
from mdm_stream.core.match.score import explain_pair, score_pair
from mdm_stream.core.model import MatchValues
from mdm_stream.core.record import Record
from mdm_stream.core.ruleset import Comparison, Level, Ruleset
from mdm_stream.errors import ConfigurationError
from mdm_stream.rules.compile import with_digest
from mdm_stream.rules.findings import Findings, Place
from mdm_stream.rules.learned import (
    LEARNED_DECIMALS,
    MODEL_FORMAT,
    Calibration,
    LearnedComparison,
    LearnedDependence,
    LearnedLevel,
    LearnedModel,
    LevelTerms,
    TermTable,
    WordTable,
    level_text,
    with_learned,
)
from mdm_stream.rules.learned_words import with_word_weights, word_weights, worded_attributes
from mdm_stream.rules.model import BITS_MAX
from mdm_stream.train.calibrate import calibrated
from mdm_stream.train.dependence import LearnedTogether, dependences
from mdm_stream.train.effect import decided_pairs
from mdm_stream.train.em import TrainingEstimate, estimate, probabilities
from mdm_stream.train.gather import PairLimits, candidates_of, gather
from mdm_stream.train.pairs import CandidatePairs
from mdm_stream.train.terms import TermFrequencies, WordFrequencies, term_frequencies, word_frequencies
from mdm_stream.train.training_evidence import TrainingEvidence
from mdm_stream.train.weights import LevelWeights

MATCHES_KNOWN_MIN = 30
"""Of fewer matches, weights are mostly those that were written, and that is said."""
VERDICTS_MIN = 20
"""Fewer verdicts calibrate nothing."""
SLOPE_BELIEVED_MIN = 0.3
"""Verdicts after which evidence counts less are more likely mistaken, or of other pairs, than the weights are."""
TURNED_MAX = 0.5
"""If so many pairs that the written weights do not link would be linked, for each that these link, another thing was
learned: it is not used."""
CONTRADICTED_MAX = 0.5
CONTRADICTED_FROM = 0.1
"""If so many of those pairs, and so many for each pair that the written weights link, have two values of an identifier,
another thing was learned, too: a number of one's own tells what is related from what is one."""
TELLING_MIN = 3
"""Comparisons that say something of most matches. Two classes and fewer than three traits leave open how often each of
these agrees in each class (Goodman, *Exploratory latent structure analysis*, 1974)."""
KNOWN_SHARE_MIN = 0.5
PRIOR_PAIRS = 1_000.0
"""Pairs that a written prior stands for: those of 45 records. Of thousands of records it changes nothing."""
SHARE_DECIMALS = 9


@dataclass(frozen=True, slots=True)
class Learning:
    """A model, what it was learned from, and warnings: what could not be known, a sentence each.

    ``candidates`` are the references of the records and the candidate pairs among them, as ``gather.candidates_of``.
    """

    model: LearnedModel
    estimate: TrainingEstimate
    evidence: TrainingEvidence
    warnings: tuple[str, ...]
    candidates: tuple[list[str], CandidatePairs]


def learn(
    rules: Ruleset, records: Mapping[str, Record], limits: PairLimits | None = None, *, by_verdicts: bool = False
) -> Learning:
    """Return the model of these rules, as they are written, for these records by reference.

    ``ConfigurationError`` if the rules do not add evidence in bits, or if there are no two records to compare.
    """
    if rules.match.method != "fellegi_sunter":
        raise ConfigurationError(
            "only rules of method fellegi_sunter have weights to learn; these take a weighted mean"
        )
    live = {ref: record for ref, record in records.items() if record.live}
    if len(live) < 2:
        raise ConfigurationError(
            "there are no two records to learn from; give files with records that the rules accept"
        )
    words, unread = _words(rules, live)
    written, rules = rules, _weighed(rules, words)
    candidates = candidates_of(rules, live, (limits or PairLimits()).candidates_max)
    evidence = gather(rules, live, limits, candidates)
    first = estimate(evidence, rules.match.prior)
    withheld = _withheld(evidence, first, _turned(rules, evidence, first))
    together = () if withheld else dependences(evidence, first)
    tables = [(each.first, each.second, each.bits) for each in together]
    found = estimate(evidence, rules.match.prior, tables) if tables else first
    if withheld:
        as_written = estimate(evidence, rules.match.prior, steps_max=0)
        found = replace(as_written, prior=rules.match.prior)
    else:
        found = replace(found, prior=_drawn_prior(rules.match.prior, found.prior, evidence.pairs_in_all))
    tabled, untold = ({}, [withheld]) if withheld else _terms(rules, live)
    model = LearnedModel(
        format=MODEL_FORMAT,
        domain=rules.domain,
        about=_about(rules, evidence, found, len(live)),
        prior=found.prior,
        comparisons={
            each.name: _learned_comparison(rules, each, weights, tabled)
            for each, weights in zip(rules.match.comparisons, found.weights, strict=True)
        },
        dependences=tuple(_learned_dependence(rules, each) for each in together),
        terms={name: TermTable(values=each.values, rest=each.rest) for name, each in tabled.items()},
        words={name: WordTable(values=each.values, rest=each.rest) for name, each in words.items()},
    )
    warnings = [*unread, *untold, *_unknown(rules, evidence, found)]
    if by_verdicts:
        model, said = with_verdicts(written, model, live)
        warnings += [*said, *_unused_verdicts(records, live)]
    return Learning(model, found, evidence, tuple(warnings), candidates)


def _drawn_prior(written: float, learned: float, pairs: float) -> float:
    """Return the learned prior, drawn towards the written one as if that had been seen on ``PRIOR_PAIRS`` pairs."""
    return (pairs * learned + PRIOR_PAIRS * written) / (pairs + PRIOR_PAIRS)


@dataclass(frozen=True, slots=True)
class _Turned:
    """How many candidates would be linked that the written weights do not link, and how many these link.

    ``contradicted`` of the former have two values of an identifier, by the names of the comparisons in ``by``.
    """

    pairs: float
    linked: float
    contradicted: float
    by: tuple[str, ...]


def _turned(rules: Ruleset, evidence: TrainingEvidence, found: TrainingEstimate) -> _Turned:
    candidates = evidence.candidates
    weights = [LevelWeights(each.written, each.written, each.written) for each in evidence.comparisons]
    written = probabilities(candidates, rules.match.prior, weights)
    linked = written >= rules.match.link
    turned = ~linked & (found.probability >= rules.match.link)
    contradicted = np.zeros(len(turned), np.bool_)
    by = []
    for column, each in enumerate(evidence.comparisons):
        types = {rules.attributes[place].type for place in rules.match.comparisons[column].attributes}
        if types == {"identifier"} and each.written[-1] < 0.0:
            differs = turned & (each.written[candidates.levels[:, column]] < 0.0)
            contradicted |= differs
            by += [each.name] if differs.any() else []

    def pairs(which: NDArray[np.bool_]) -> float:
        return float(candidates.counts[which].sum())

    return _Turned(pairs(turned), pairs(linked), pairs(contradicted), tuple(by))


def _withheld(evidence: TrainingEvidence, found: TrainingEstimate, turned: _Turned) -> str:
    """Return why what was learned is not used; nothing if it is."""
    would = (
        f"{turned.pairs:,.0f} pairs would be linked that the weights as written do not link, beside "
        f"{turned.linked:,.0f} that these do"
    )
    related = (
        "things that are related (sites of a group, a household) look like one, so everything stays as it was written"
    )
    linked = max(turned.linked, MATCHES_KNOWN_MIN)
    if turned.pairs > TURNED_MAX * linked:
        return f"{would}: {related}"
    if turned.pairs > CONTRADICTED_FROM * linked and turned.contradicted > CONTRADICTED_MAX * turned.pairs:
        differ = f"{turned.contradicted:,.0f} of them differ in {' or '.join(turned.by)}"
        return f"{would}, and {differ}: {related}"
    telling = _telling(evidence, found)
    if found.matches >= MATCHES_KNOWN_MIN and len(telling) < TELLING_MIN:
        return (
            f"only {' and '.join(telling) or 'nothing'} is known of most matches, and it takes {TELLING_MIN} of them "
            "to tell how often each agrees, so weights and prior stay as they were written"
        )
    return ""


def _telling(evidence: TrainingEvidence, found: TrainingEstimate) -> list[str]:
    """Return the comparisons that are learned and compare something in most matches."""
    matches = found.probability * evidence.candidates.counts
    told = []
    for column, each in enumerate(evidence.comparisons):
        there = ~each.missing[evidence.candidates.levels[:, column]]
        if not each.kept and float((matches * there).sum()) >= KNOWN_SHARE_MIN * float(matches.sum()):
            told.append(each.name)
    return told


def with_verdicts(rules: Ruleset, model: LearnedModel, records: Mapping[str, Record]) -> tuple[LearnedModel, list[str]]:
    """Return the model with its confidence calibrated by stewards' verdicts, and what is to be said.

    Verdicts are on pairs that stewards were asked about: they tell how right a confidence is, and not how often two
    records agree, so that they change slope and offset and no single weight.
    """
    generic = generic_by_record(rules, {ref: record.keys for ref, record in records.items()})
    known = []
    for a, b, verdict in decided_pairs(records):
        shared = generic.get(a, frozenset()) & generic.get(b, frozenset())
        known.append((*pair_values(rules, records[a].match, records[b].match, shared), verdict == "link"))
    # What a deterministic rule decides has no weight that a calibration could change.
    weighed = [(a, b, link) for a, b, link in known if deciding_rule(rules.match, a, b) is None]
    links = sum(link for _, _, link in weighed)
    if len(weighed) < VERDICTS_MIN or not 0 < links < len(weighed):
        by_rule = f" ({len(known) - len(weighed)} more are on pairs that a rule decides)" if known != weighed else ""
        said = f"{len(weighed)} verdicts{by_rule}, {links} of them LINK: confidence is not calibrated by them"
        return model, [f"{said}; it takes {VERDICTS_MIN}, and both kinds"]
    scored = in_use(rules, model.model_copy(update={"calibration": Calibration()}))
    weights = [float(explain_pair(scored, a, b)["weight"]) for a, b, _ in weighed]
    slope, offset = calibrated(weights, [link for _, _, link in weighed])
    calibration = Calibration(slope=round(slope, LEARNED_DECIMALS), offset=round(offset, LEARNED_DECIMALS))
    new = model.model_copy(update={"calibration": calibration})
    written, against = (_against(each, known) for each in (rules, in_use(rules, new)))
    told = {"verdicts": len(known), "verdicts_link": sum(link for _, _, link in known),
            "verdicts_against_written": written, "verdicts_against_model": against}  # fmt: skip
    warnings = []
    if slope < SLOPE_BELIEVED_MIN or against > written:
        warnings.append(
            f"the verdicts hardly follow the evidence (slope {slope:.2f}): pairs of like evidence are decided both "
            "ways, so that a link takes far more of it; look at those that the model decides otherwise, then use it"
        )
    return new.model_copy(update={"about": {**model.about, **told}}), warnings


def _against(rules: Ruleset, known: Sequence[tuple[MatchValues, MatchValues, bool]]) -> int:
    """Return on how many pairs the rules decide otherwise than stewards: LINK where these separated, or the reverse."""
    scores = ((score_pair(rules, a, b), link) for a, b, link in known)
    return sum((score is not None and score.link) != link for score, link in scores)


def _unused_verdicts(records: Mapping[str, Record], live: Mapping[str, Record]) -> list[str]:
    """Return a sentence on verdicts that name a record which is not there, if there are any."""
    unused = {
        (min(ref, other), max(ref, other))
        for ref, record in records.items()
        for other, held in record.state.verdicts.items()
        if held.verdict != "none" and (ref not in live or other not in live)
    }
    if not unused:
        return []
    said = "verdicts are on records that are not among those given, or are deleted: nothing is learned from them"
    return [f"{len(unused):,} {said}"]


def in_use(rules: Ruleset, model: LearnedModel) -> Ruleset:
    """Return written rules with the weights of a model, as they are loaded when they name its file.

    ``RulesError`` if it does not fit.
    """
    findings = Findings()
    match = with_learned(rules.match, model, rules.attributes, Place("model"), findings)
    findings.raise_errors()
    return with_digest(replace(rules, match=match))


def _learned_comparison(
    rules: Ruleset, comparison: Comparison, weights: LevelWeights, tabled: Mapping[str, TermFrequencies]
) -> LearnedComparison:
    return LearnedComparison(
        levels=tuple(
            LearnedLevel(
                when=level_text(level, rules.attributes),
                bits=round(float(np.clip(weights.bits[place], -BITS_MAX, BITS_MAX)), LEARNED_DECIMALS),
                m=_share(weights.m[place]),
                u=_share(weights.u[place]),
                terms=_level_terms(rules, comparison, level, tabled),
            )
            for place, level in enumerate(comparison.levels)
        )
    )


def _share(share: float) -> float | None:
    return None if np.isnan(share) else round(float(share), SHARE_DECIMALS)


def _level_terms(
    rules: Ruleset, comparison: Comparison, level: Level, tabled: Mapping[str, TermFrequencies]
) -> LevelTerms | None:
    """Return the terms of a level that asks for equality of the declared attribute."""
    if comparison.terms_of is None or rules.attributes[comparison.terms_of].name not in tabled:
        return None
    if not any(
        test.kind in ("exact", "intersect") and test.attributes == (comparison.terms_of,) for test in level.when
    ):
        return None
    name = rules.attributes[comparison.terms_of].name
    return LevelTerms(attribute=name, u=tabled[name].agreeing)


def _learned_dependence(rules: Ruleset, together: LearnedTogether) -> LearnedDependence:
    names = (rules.match.comparisons[together.first].name, rules.match.comparisons[together.second].name)
    rows = tuple(tuple(round(float(bits), LEARNED_DECIMALS) for bits in row) for row in together.bits)
    return LearnedDependence(comparisons=names, bits=rows)


def _terms(rules: Ruleset, records: Mapping[str, Record]) -> tuple[dict[str, TermFrequencies], list[str]]:
    """Return the frequencies of the declared attributes by name, and a warning for each that has none."""
    tabled: dict[str, TermFrequencies] = {}
    untold = []
    for comparison in rules.match.comparisons:
        if comparison.terms_of is None:
            continue
        attribute = rules.attributes[comparison.terms_of]
        if attribute.sensitive:
            untold.append(f"{attribute.name} is sensitive: its values are in no model, so it has no term frequencies")
            continue
        found = term_frequencies((record.match for record in records.values()), comparison.terms_of)
        if found is None:
            untold.append(f"no two records share a {attribute.name}: it has no term frequencies")
        else:
            tabled[attribute.name] = found
    return tabled, untold


def _words(rules: Ruleset, records: Mapping[str, Record]) -> tuple[dict[str, WordFrequencies], list[str]]:
    """Return how frequent words are by the name of the attribute that is compared by them, and what has no table."""
    found: dict[str, WordFrequencies] = {}
    untold = []
    for place in worded_attributes(rules.match):
        attribute = rules.attributes[place]
        if attribute.sensitive:
            untold.append(f"{attribute.name} is sensitive: its words are in no model, and weigh by their length")
        elif (table := word_frequencies((record.match for record in records.values()), place)) is not None:
            found[attribute.name] = table
    return found, untold


def _weighed(rules: Ruleset, words: Mapping[str, WordFrequencies]) -> Ruleset:
    weights = {rules.index_of(name): word_weights(each.values, each.rest) for name, each in words.items()}
    return replace(rules, match=with_word_weights(rules.match, weights))


def _unknown(rules: Ruleset, evidence: TrainingEvidence, found: TrainingEstimate) -> list[str]:
    """Return what could not be known, a sentence each."""
    said = []
    if found.iterations and not found.converged:
        said.append(
            f"the estimates still moved after {found.iterations} steps: more records, or fewer levels, would help"
        )
    if evidence.candidates.pairs == 0:
        said.append("no two records share a blocking key that is at work: every weight stays as it was written")
    elif found.matches < MATCHES_KNOWN_MIN:
        kept = "the weights stay near those that were written"
        said.append(f"about {found.matches:.0f} matches among {evidence.candidates.pairs:,.0f} candidates: {kept}")
    for known, weights, used in zip(evidence.comparisons, found.weights, found.used, strict=True):
        if known.kept:
            continue
        if not known.apart:
            said.append(f"{known.name}: every blocking key reads what it compares, so its agreements count too much")
        elif used < MATCHES_KNOWN_MIN <= found.matches:
            said.append(f"{known.name}: about {used:.0f} matches are found by keys that do not read what it compares")
        comparison = next(each for each in rules.match.comparisons if each.name == known.name)
        for level, bits in zip(comparison.levels, weights.bits, strict=True):
            if bits < 0.0 <= level.bits and all(test.kind in ("exact", "intersect") for test in level.when):
                said.append(f"{known.name}: agreement ({level.label}) speaks against a match, {bits:.1f} bits")
    return said


def _about(rules: Ruleset, evidence: TrainingEvidence, found: TrainingEstimate, records: int) -> dict[str, object]:
    """Return where a model comes from: numbers and digests, the same for the same input."""
    return {
        "method": "expectation maximisation",
        "rules": rules_part(rules.digest),
        "records": records,
        "candidate_pairs": round(evidence.candidates.pairs),
        "candidate_share": round(evidence.share, SHARE_DECIMALS),
        "random_pairs": round(evidence.random.pairs),
        "matches": round(found.matches, 1),
        "matches_in_all": round(found.matches_in_all, 1),
        "iterations": found.iterations,
    }
