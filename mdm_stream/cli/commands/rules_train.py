"""``mdm-stream rules train``: learn what agreement is worth from records, without labels."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.event_inputs import accepted_events, named_inputs
from mdm_stream.cli.model_effect_shown import effect_document, show_effect
from mdm_stream.cli.options import archive_url_of, deployment_options
from mdm_stream.cli.output import json_option, phases, print_json, print_table, say
from mdm_stream.core.wire_formats import WIRE_FORMATS, FormatName
from mdm_stream.errors import ConfigurationError

if TYPE_CHECKING:
    from mdm_stream.core.ruleset import Ruleset
    from mdm_stream.train.learn import Learning

ARCHIVE = "archive"
REASONS_SHOWN = 5
PAIRS_MIN = 1_000
PAIRS_MAX = 5_000_000


@click.command()
@click.argument("rules_file", metavar="RULES")
@click.argument("files", nargs=-1, required=True, metavar="archive|FILE...")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="The model; RULES with .model.json for .yaml if left out.")  # fmt: skip
@click.option("--use", is_flag=True, help="Name the model in RULES, if they do not name it yet.")
@click.option("--verdicts", is_flag=True, help="Calibrate confidence by the verdicts among the events.")
@click.option("--candidates", type=click.IntRange(PAIRS_MIN, PAIRS_MAX), default=None, metavar="PAIRS",
              help="Candidate pairs to learn from, at the most.")  # fmt: skip
@click.option("--random-pairs", type=click.IntRange(PAIRS_MIN, PAIRS_MAX), default=None, metavar="PAIRS",
              help="Pairs to draw at random, at the most.")  # fmt: skip
@click.option("--format", "format_", type=click.Choice(list(WIRE_FORMATS)), default=None,
              help="Of files; CSV by the file's name, the others by the shape of each line.")  # fmt: skip
@click.option("--source", "sources", multiple=True,
              help="The source of CSV rows without one, and of CDC rows of any table: one, or one a file.")  # fmt: skip
@click.option("--as-of", metavar="TIME", help="The time of a CSV load; that of the file if left out.")
@deployment_options("state", "archive", archive="The archive that is meant; that of the local stack if left out.")
@json_option
def train(
    *,
    rules_file: str,
    files: tuple[str, ...],
    out: Path | None,
    use: bool,
    verdicts: bool,
    candidates: int | None,
    random_pairs: int | None,
    format_: FormatName | None,
    sources: tuple[str, ...],
    as_of: str | None,
    state: Path,
    archive: str | None,
    as_json: bool,
) -> None:
    """Learn the weights of RULES from event FILES (.gz too) or the archive, and write them as a model beside them.

    No labels are needed: how often others agree is counted on pairs drawn at random, how often matches do is estimated
    by expectation maximisation over candidate pairs. Shows each level before and after, and says what could not be
    known; then which pairs would be links, questions or apart that are something else now. The rules use the model when
    they name it: `match: {model: FILE}`. The same files give the same model.
    """
    from mdm_stream.cli.archived_states import archived_states  # noqa: PLC0415 - --help does without
    from mdm_stream.core.record import build_record  # noqa: PLC0415
    from mdm_stream.core.reference import fold_events  # noqa: PLC0415
    from mdm_stream.files import write_atomically  # noqa: PLC0415
    from mdm_stream.rules import load_written  # noqa: PLC0415
    from mdm_stream.rules.use_model import model_path, use_model  # noqa: PLC0415
    from mdm_stream.train.gather import PairLimits  # noqa: PLC0415
    from mdm_stream.train.learn import learn  # noqa: PLC0415
    from mdm_stream.train.pairs import CANDIDATES_MAX, RANDOM_PAIRS_MAX  # noqa: PLC0415

    rules = load_written(rules_file)
    path = out or model_path(rules_file)
    _check_out(path, (rules_file, *files))
    limits = PairLimits(candidates or CANDIDATES_MAX, random_pairs or RANDOM_PAIRS_MAX)
    rejected: Counter[str] = Counter()
    if ARCHIVE in files and (len(files) > 1 or format_ or sources or as_of):
        raise click.UsageError("the archive is read alone, and as it is; a file of that name is ./archive")
    with phases(quiet=as_json) as advance:
        advance("reading records", 0, 0)
        if ARCHIVE in files:
            states = archived_states(archive_url_of(state, archive), rules, rejected)
        else:
            inputs = named_inputs(files, format_, sources, as_of, time.time_ns() // 1_000)
            states = fold_events(accepted_events(inputs, {rules.domain: rules}, rejected, "nothing was learned"))
        records = {ref: build_record(rules, ref, state) for ref, state in states.items()}
        advance("learning", 0, 0)
        learned = _beside_former(path, learn(rules, records, limits, by_verdicts=verdicts))
        advance("comparing", 0, 0)
        effect = effect_document(rules_file, rules, learned, records)
    try:
        write_atomically(path, learned.model.to_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path}: the model cannot be written: {error.strerror}") from error
    named = use_model(rules_file, path) if use else ""
    written = {"file": str(path), "used": bool(named), "rejected": dict(rejected)}
    document = _document(rules, learned) | {"effect": effect} | written
    if as_json:
        print_json(document)
        return
    _show(document, rejected)
    show_effect(effect)
    say(f"{path}: written" + (f"; {named}" if named else ""))
    if not use:
        say(f"to use it, give RULES the line: match: {{model: {path.name}}}, or run this with --use")


def _check_out(path: Path, read: tuple[str, ...]) -> None:
    """Refuse, before anything is learned, a place for the model that is none, or that holds what is read."""
    if path.exists() and any(Path(each).exists() and path.samefile(each) for each in read):
        raise click.UsageError(f"{path} is a file that is read; name another one for the model with --out")
    if path.is_dir() or not path.parent.is_dir():
        where = "it is a folder" if path.is_dir() else f"there is no folder {path.parent}"
        raise ConfigurationError(f"{path}: the model cannot be written: {where}")


def _beside_former(path: Path, learned: Learning) -> Learning:
    """Return what was learned, with a warning if the model that it takes the place of was calibrated and it is not."""
    from mdm_stream.rules.findings import Findings  # noqa: PLC0415 - --help does without
    from mdm_stream.rules.learned import Calibration, parse_learned  # noqa: PLC0415

    former = parse_learned(path.read_bytes(), str(path), Findings()) if path.is_file() else None
    none = Calibration()
    if former is None or former.calibration == none or learned.model.calibration != none:
        return learned
    said = f"{path} was calibrated by verdicts and is not any more; give them, with --verdicts, to calibrate it again"
    return replace(learned, warnings=(*learned.warnings, said))


def _document(rules: Ruleset, learned: Learning) -> dict[str, Any]:
    rows = []
    for comparison, known in zip(rules.match.comparisons, learned.evidence.comparisons, strict=True):
        given = learned.model.comparisons[comparison.name]
        rows += [
            {
                "comparison": comparison.name,
                "level": level.label,
                "m": new.m,
                "u": new.u,
                "bits_before": level.bits,
                "bits": new.bits,
                "learned": new.m is not None,
                "by_value": new.terms is not None,
                "kept": known.kept,
            }
            for level, new in zip(comparison.levels, given.levels, strict=True)
        ]
    model = learned.model
    return {
        "domain": rules.domain,
        "about": model.about,
        "prior_before": rules.match.prior,
        "prior": model.prior,
        "calibration": model.calibration.model_dump(),
        "levels": rows,
        "dependences": [list(each.comparisons) for each in model.dependences],
        "terms": {name: len(table.values) for name, table in model.terms.items()},
        "warnings": list(learned.warnings),
    }


def _show(document: dict[str, Any], rejected: Counter[str]) -> None:
    rows = []
    last = ""
    learned = {row["comparison"] for row in document["levels"] if row["learned"]}
    for row in document["levels"]:
        if row["kept"] or row["comparison"] not in learned:
            continue
        name = "" if row["comparison"] == last else row["comparison"]
        last = row["comparison"]
        after = f"{row['bits']:.1f}" + (" by value" if row["by_value"] else "")
        rows.append((name, row["level"], _share(row["m"]), _share(row["u"]), f"{row['bits_before']:.1f}", after))
    print_table("", ("comparison", "level", "m", "u", "bits before", "bits"), rows, texts=True)
    about = document["about"]
    say(
        f"{about['records']:,} records, {about['candidate_pairs']:,} candidate pairs, {about['random_pairs']:,} random "
        f"pairs: about {about['matches']:,.0f} matches found, {about['matches_in_all']:,.0f} in all"
    )
    if "verdicts" in about:
        calibration = document["calibration"]
        say(
            f"{about['verdicts']:,} verdicts: slope {calibration['slope']:.2f}, offset "
            f"{calibration['offset']:.1f} bits; "
            f"{about['verdicts_against_written']:,} against the rules as written, "
            f"{about['verdicts_against_model']:,} against the model"
        )
    say(f"prior {document['prior_before']:.2g} before, {document['prior']:.2g} learned")
    kept = sorted({row["comparison"] for row in document["levels"] if row["kept"]})
    if kept:
        say(f"as written, for they only take back what others counted twice: {', '.join(kept)}")
    unseen = list(dict.fromkeys(row["comparison"] for row in document["levels"] if row["comparison"] not in learned))
    unseen = [name for name in unseen if name not in kept]
    if unseen:
        say(f"as written, for no two of these records have values to compare: {', '.join(unseen)}")
    for pair in document["dependences"]:
        say(f"not independent, weighed together: {pair[0]} and {pair[1]}")
    for name, count in document["terms"].items():
        say(f"{name}: {count:,} common values have a frequency of their own")
    for warning in document["warnings"]:
        say(f"warning: {warning}", err=True)
    if rejected:
        reasons = ", ".join(f"{count:,} {code}" for code, count in rejected.most_common(REASONS_SHOWN))
        say(f"warning: {rejected.total():,} events or rows were not accepted: {reasons}", err=True)


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.4f}" if share >= 0.001 else f"{share:.1e}"
