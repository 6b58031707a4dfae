"""F, broken on purpose in code that reference and engine share: both change alike, so they go on agreeing.

Each mutant is lawful (order and repetition of the events are still not seen) and wrong. For tests alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from mdm_stream.core import fold as folding
from mdm_stream.core import record
from mdm_stream.core.blocking import generic_values, keys, limits
from mdm_stream.core.cluster import clustering, golden, joint_evidence, strategies, strongest, survive
from mdm_stream.core.cluster.edges import VERDICT_RULE, Edge
from mdm_stream.core.match import pair_evidence, terms
from mdm_stream.core.match.pair_evidence import PairEvidence
from mdm_stream.core.model import split_ref
from mdm_stream.core.ruleset import Match, TermBits
from mdm_stream.core.standardise import record_plan, registry
from mdm_stream.decode import clock

Break = Callable[[pytest.MonkeyPatch], None]

_HEX = str.maketrans("0123456789abcdef", "fedcba9876543210")


def _texts_first(patch: pytest.MonkeyPatch) -> None:
    def version_order(version):
        return (0, 0, version) if isinstance(version, str) else (1, version, "")

    patch.setattr(folding, "version_order", version_order)
    patch.setattr(record, "version_order", version_order)


def _lesser_digest(patch: pytest.MonkeyPatch) -> None:
    whole = folding.digest_of
    patch.setattr(folding, "digest_of", lambda value: whole(value).translate(_HEX))


def _birth_without_deletes(patch: pytest.MonkeyPatch) -> None:
    whole = folding.fold_record

    def fold_record(state, event):
        folded = whole(state, event)
        if event.op != "delete" or folded.state is state:
            return folded
        return replace(folded, state=replace(folded.state, born_at_us=state.born_at_us))

    patch.setattr(folding, "fold_record", fold_record)


def _latest_birth(patch: pytest.MonkeyPatch) -> None:
    whole = folding.fold_record

    def fold_record(state, event):
        folded = whole(state, event)
        known = event.event_time_us if state.born_at_us is None else state.born_at_us
        return replace(folded, state=replace(folded.state, born_at_us=max(known, event.event_time_us)))

    patch.setattr(folding, "fold_record", fold_record)


def _birth_by_time(patch: pytest.MonkeyPatch) -> None:
    whole = folding.fold_record
    patch.setattr(folding, "fold_record", lambda state, event: whole(state, replace(event, born_at_us=None)))


def _patch_without_life(patch: pytest.MonkeyPatch) -> None:
    live = property(lambda state: state.base is not None and not state.base.deleted)
    patch.setattr(folding.RecordState, "live", live)


def _clustering(change: Callable[[list, list, set, dict, int], tuple]) -> Break:
    """Cluster something else than what was asked for."""

    def apply(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(golden, "cluster", lambda *asked: clustering.cluster(*change(*asked[:5]), *asked[5:]))

    return apply


def _forgotten_value(patch: pytest.MonkeyPatch) -> None:
    class Forgetful(dict):
        """Learns nothing of the values that another group brings along."""

        def update(self, *_):
            """Learn nothing."""

    whole = clustering._Group
    patch.setattr(clustering, "_Group", lambda members, exclusive: whole(members, Forgetful(exclusive)))


def _strength(key: Callable[[Edge, int], tuple]) -> Break:
    """Follow links in another order."""

    def strength(edge: Edge) -> tuple:
        return key(edge, 0 if edge.rule == VERDICT_RULE else (1 if edge.rule else 2))

    return lambda patch: patch.setattr(Edge, "strength", property(strength))


def _pairs_say(change: Callable[[PairEvidence], PairEvidence]) -> Break:
    """Let pairs between two clusters say something else."""

    def apply(patch: pytest.MonkeyPatch) -> None:
        whole = joint_evidence.pair_evidence
        patch.setattr(joint_evidence, "pair_evidence", lambda *asked: change(whole(*asked)))

    return apply


def _clusters_like_pairs(patch: pytest.MonkeyPatch) -> None:
    whole = golden.weighing_of

    def weighing_of(rules, records, members):
        weighing = whole(rules, records, members)
        return weighing and replace(weighing, needed=rules.match.link)

    patch.setattr(golden, "weighing_of", weighing_of)


def _rules_weighed(patch: pytest.MonkeyPatch) -> None:
    whole = clustering._Grouping._doubt

    def doubt(self, edge, left, right):
        return whole(self, edge._replace(rule=""), left, right)

    patch.setattr(clustering._Grouping, "_doubt", doubt)


def _one_round(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(clustering._Grouping, "grown", property(lambda _: False, lambda *_: None), raising=False)


def _commonest(patch: pytest.MonkeyPatch) -> None:
    def commonest(of: TermBits, texts: set[str]) -> float | None:
        return min((found for text in texts if (found := of.bits.get(text, of.rest)) is not None), default=None)

    patch.setattr(terms, "_rarest", commonest)


def _constant(holder: type, name: str, value: object) -> Break:
    """Let all objects of a class have one value."""
    return lambda patch: patch.setattr(holder, name, property(lambda _: value, lambda *_: None))


def _greatest_digests(patch: pytest.MonkeyPatch) -> None:
    whole = keys._digest
    patch.setattr(keys, "_digest", lambda text: whole(text).translate(_HEX))


def _verdicts_count(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(strongest, "VERDICT_RULE", "no such rule")


def _farthest_first(patch: pytest.MonkeyPatch) -> None:
    to_later, to_earlier = strongest._to_later, strongest._to_earlier
    patch.setattr(
        strongest, "_to_later", lambda edge: [-part for part in _numbers(to_earlier(edge._replace(a=edge.b)))]
    )
    patch.setattr(
        strongest, "_to_earlier", lambda edge: [-part for part in _numbers(to_later(edge._replace(b=edge.a)))]
    )


def _numbers(key: tuple) -> list:
    return [*key[:2], *map(ord, key[2]), *[0] * (16 - len(key[2]))]


def _strategy(name: str, worth: Callable) -> Break:
    """Let a strategy keep the candidates of another greatest worth."""

    def narrow(rules, candidates, _):
        return strategies._best(candidates, lambda candidate: worth(rules, candidate))

    return lambda patch: patch.setitem(strategies.STRATEGIES, name, narrow)


def _length(candidate):
    texts = [value.value for value in candidate.values if value.value is not None]
    return sum(len(text) for value in texts for text in ([value] if isinstance(value, str) else value))


def _shown_values_counted(patch: pytest.MonkeyPatch) -> None:
    def most_frequent(_, candidates, __):
        shown = [tuple(value.value for value in candidate.values) for candidate in candidates]
        most = max(map(shown.count, shown))
        return [candidate for candidate, each in zip(candidates, shown, strict=True) if shown.count(each) == most]

    patch.setitem(strategies.STRATEGIES, "most_frequent", most_frequent)


def _unlisted_first(patch: pytest.MonkeyPatch) -> None:
    whole = strategies.STRATEGIES["source_priority"]

    def source_priority(rules, candidates, options):
        listed = options.get("sources", rules.sources)
        return [each for each in candidates if each.source not in listed] or whole(rules, candidates, options)

    patch.setitem(strategies.STRATEGIES, "source_priority", source_priority)


def _last_key_wins(patch: pytest.MonkeyPatch) -> None:
    whole = survive._candidates
    patch.setattr(survive, "_candidates", lambda *asked: whole(*asked)[::-1])


def _no_trust_undeclared(patch: pytest.MonkeyPatch) -> None:
    def trust(rules, source):
        return rules.sources[source].trust if source in rules.sources else 0.0

    patch.setattr(strategies, "_trust", trust)


def _anchor(key: Callable) -> Break:
    """Make golden ids from another member."""
    return lambda patch: patch.setattr(golden, "anchor_of", lambda members: min(members, key=key).ref)


def _anchor_by_last_key(patch: pytest.MonkeyPatch) -> None:
    def anchor_of(members):
        members = list(members)
        born = min(member.born_at_us for member in members)
        return max((member.ref for member in members if member.born_at_us == born), key=split_ref)

    patch.setattr(golden, "anchor_of", anchor_of)


def _without_ways(options):
    return {name: value for name, value in options.items() if name not in ("day_first", "decimal_comma")}


def _first_history(patch: pytest.MonkeyPatch) -> None:
    def history_of(histories, place, time_us):
        return next((n for n, each in enumerate(histories, 1) if each.holds(place, time_us)), 0)

    patch.setattr(clock, "history_of", history_of)


MUTANTS: dict[str, Break] = {
    "version: a position says all, whatever history it is of": lambda patch: patch.setattr(
        clock, "in_history", lambda _, position: position
    ),
    "version: of several histories the first that holds counts": _first_history,
    "value: what the rules list as a placeholder is a value": lambda patch: patch.setattr(
        record_plan, "without_listed", lambda standardise, _: standardise
    ),
    "value: a source's separator parts nothing": lambda patch: patch.setattr(
        record_plan, "separate_by", lambda _: None
    ),
    "value: a source reads as its attribute does": lambda patch: patch.setattr(
        record_plan, "freeze_options", lambda kind, options: registry.freeze_options(kind, _without_ways(options))
    ),
    "fold: a text version sorts below every integer": _texts_first,
    "fold: of one version the lesser digest wins": _lesser_digest,
    "fold: a delete says nothing of when a record was born": _birth_without_deletes,
    "fold: a record is born with its last event": _latest_birth,
    "fold: a record is born when its event says, whenever that arrived": _birth_by_time,
    "fold: a patch brings no deleted record back": _patch_without_life,
    "cluster: the largest size allowed is one too many": _clustering(
        lambda members, links, separated, exclusive, most: (members, links, separated, exclusive, most - 1)
    ),
    "cluster: of several exclusive attributes the first counts": _clustering(
        lambda members, links, separated, exclusive, most: (
            members,
            links,
            separated,
            {ref: values[:1] for ref, values in exclusive.items()},
            most,
        )
    ),
    "cluster: an exclusive value counts for who brought it": _forgotten_value,
    "cluster: the weakest link first": _strength(lambda edge, tier: (tier, edge.weight, edge.a, edge.b)),
    "cluster: rules by weight among the scores": _strength(
        lambda edge, tier: (min(tier, 1), -edge.weight, edge.a, edge.b)
    ),
    "cluster: of equal links the last pair first": _strength(
        lambda edge, tier: (tier, -edge.weight, [-ord(letter) for letter in edge.a + edge.b])
    ),
    "evidence: a missing value counts": _pairs_say(lambda found: found._replace(known=(True,) * len(found.known))),
    "evidence: clusters need what a pair needs": _clusters_like_pairs,
    "evidence: what a rule decides is weighed": _rules_weighed,
    "evidence: what was refused is not tried again": _one_round,
    "evidence: clusters know nothing of how common a value is": lambda patch: patch.setattr(
        pair_evidence, "term_bits", lambda *_: 0.0
    ),
    "evidence: to clusters all comparisons are independent": lambda patch: patch.setattr(
        pair_evidence, "together_bits", lambda match, _: [0.0] * len(match.dependences)
    ),
    "learned: all comparisons are independent": _constant(Match, "dependences", ()),
    "learned: a value that is not listed says nothing": _constant(TermBits, "rest", None),
    "learned: of several values the commonest counts": _commonest,
    "keys: a refined key goes on to its suspension": lambda patch: patch.setattr(
        limits, "expression_limit", lambda rules, _: rules.max_block_size
    ),
    "keys: a value that too many share is evidence": lambda patch: patch.setattr(
        generic_values, "value_attributes", lambda _: {}
    ),
    "keys: of too many the greatest digests stay": _greatest_digests,
    "links: verdicts count among the strongest": _verdicts_count,
    "links: of equal ones to the farthest first": _farthest_first,
    "survive: the shortest is the longest": _strategy("longest", lambda _, candidate: -_length(candidate)),
    "survive: equal is what looks equal": _shown_values_counted,
    "survive: sources that are not listed come first": _unlisted_first,
    "survive: the last record key breaks ties": _last_key_wins,
    "survive: an undeclared source has no trust": _no_trust_undeclared,
    "golden: the anchor is the last of those born first": _anchor_by_last_key,
    "golden: the anchor is the least reference as a text": _anchor(lambda member: (member.born_at_us, member.ref)),
}
"""By what is wrong with them."""
