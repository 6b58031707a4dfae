"""What ``rules train`` says would change: by the whole model, and by stewards' verdicts alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mdm_stream.cli.output import print_table, say
from mdm_stream.errors import RulesError

if TYPE_CHECKING:
    from mdm_stream.core.record import Record
    from mdm_stream.core.ruleset import Ruleset
    from mdm_stream.train.learn import Learning

_WORDS = {
    ("question", "link"): "open questions would be links",
    ("question", "apart"): "open questions would not be asked",
    ("link", "question"): "links would be questions",
    ("link", "apart"): "links would fall away",
    ("apart", "link"): "pairs that are apart would be links",
    ("apart", "question"): "pairs that are apart would be asked about",
}


def effect_document(
    rules_file: str, rules: Ruleset, learned: Learning, records: Mapping[str, Record]
) -> dict[str, Any]:
    """Return what a learned model would change: ``by_model`` against the rules in use, ``by_verdicts`` against itself
    without its calibration, ``null`` where it has none; and ``link_bits``, the evidence that a link takes without and
    with it.
    """
    from mdm_stream.core.match.decide import bits_of  # noqa: PLC0415 - --help does without
    from mdm_stream.rules.learned import Calibration  # noqa: PLC0415
    from mdm_stream.train.effect import effect_of  # noqa: PLC0415
    from mdm_stream.train.learn import in_use  # noqa: PLC0415

    model, candidates = learned.model, learned.candidates
    new, none = in_use(rules, model), Calibration()
    before = _in_use_now(rules_file, rules)
    found: dict[str, Any] = {"by_model": asdict(effect_of(before, new, records, candidates)), "by_verdicts": None}
    if model.calibration != none:
        plain = in_use(rules, model.model_copy(update={"calibration": none}))
        found["by_verdicts"] = asdict(effect_of(plain, new, records, candidates))
    needed = bits_of(rules.match.link)
    calibrated = (needed - model.calibration.offset) / model.calibration.slope
    return found | {"link_bits": {"without": round(needed, 2), "with": round(calibrated, 2)}}


def show_effect(document: Mapping[str, Any]) -> None:
    """Write what a model would change as tables and lines."""
    _show(document["by_model"], "Pairs that would be something else, against the rules in use")
    if document["by_verdicts"] is not None:
        bits = document["link_bits"]
        _show(document["by_verdicts"], "Of that, by the verdicts alone")
        say(f"by the verdicts a link takes {bits['with']:.1f} bits of evidence, {bits['without']:.1f} without them")
    for each in document["by_model"]["verdicts"]:
        agree = f"the rules in use agree with {each['agree_before']:,}, the new ones with {each['agree_after']:,}"
        say(f"{each['pairs']:,} {each['verdict'].upper()} verdicts: {agree}")
        for shift in each["examples"]:
            say(f"  not with {_shift(shift)}")


def _show(effect: Mapping[str, Any], title: str) -> None:
    names = ("link", "question", "apart")
    was, now = (", ".join(f"{effect[side][name]:,} {name}" for name in names) for side in ("before", "after"))
    of = "" if effect["share"] >= 1.0 else f", {effect['share']:.1%} of all"
    say(f"{title}: {effect['pairs']:,} candidate pairs without a verdict{of}; before {was}; after {now}")
    rows = [(f"{each['pairs']:,}", _WORDS[each["before"], each["after"]]) for each in effect["changes"]]
    if not rows:
        say("  none")
        return
    print_table("", ("pairs", "what becomes of them"), rows, texts=True)
    for each in effect["changes"]:
        for shift in each["examples"]:
            say(f"  {each['before']} -> {each['after']}: {_shift(shift)}")


def _shift(shift: Mapping[str, Any]) -> str:
    return (
        f"{shift['a']} {shift['b']}: confidence {shift['confidence_before']:.4f} -> {shift['confidence_after']:.4f} "
        f"({shift['bits_before']:+.1f} -> {shift['bits_after']:+.1f} bits)"
    )


def _in_use_now(rules_file: str, written: Ruleset) -> Ruleset:
    """Return the rules with the model that they name; as they are written if that model does not fit any more."""
    from mdm_stream.rules import load_ruleset  # noqa: PLC0415 - --help does without

    try:
        return load_ruleset(rules_file)
    except RulesError:
        return written
