"""``mdm-stream init``: a folder with rules for files of rows, drafted from what they hold."""

from __future__ import annotations

import shlex
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.event_inputs import require_files
from mdm_stream.cli.output import json_option, print_json, progress, say
from mdm_stream.core.name_patterns import DOMAIN_PATTERN, SOURCE_PATTERN
from mdm_stream.errors import ConfigurationError
from mdm_stream.files import make_folder, write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mdm_stream.draft.drafting import Drafted

RULES_FILE, PAGE_FILE, NOTES_FILE = "rules.yaml", "profile.html", "README.md"


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True,
              help="The folder for rules, profile and notes.")  # fmt: skip
@click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="NAME",
    help="The name of each file's source; its file name if left out.",
)
@click.option("--domain", metavar="NAME", help="The domain of records that no pack is for; what they are if left out.")
@click.option("--show-values", is_flag=True, help="Show values, which are personal data, in the page, too.")
@json_option
def init(
    *,
    files: tuple[Path, ...],
    out: Path,
    sources: tuple[str, ...],
    domain: str | None,
    show_values: bool,
    as_json: bool,
) -> None:
    """Draft rules for FILES of rows (CSV of any dialect, JSON, NDJSON, Parquet; .gz and .zst too), a source each.

    It counts the columns, tells what they mean by their values and names, in many languages, and writes into --out:
    rules.yaml, a commented rule set that maps the columns of each file, with keys chosen by the pairs that they make;
    profile.html, the profile of the files; README.md, what to do next; and a plain CSV copy of each file that `replay`
    cannot read as it is. Three golden records of the data are shown, and what it was not sure of.

    Golden records on the terminal are personal data; the page has none without --show-values.
    """
    _check(files, out, sources, domain)
    with tempfile.TemporaryDirectory(prefix="mdm-stream-init-") as scratch, progress() as advance:
        from mdm_stream.cli.column_report import documents, tell_doubts, tell_files, tell_look, write_page  # noqa: PLC0415
        from mdm_stream.draft.drafting import draft_rules, profile_files  # noqa: PLC0415 - --help does without

        started_s = time.monotonic()
        profiled = profile_files(files, Path(scratch), advance, sources)
        _keep([out / each.copy_name for each in profiled if each.copy_name])
        make_folder(out)
        drafted = draft_rules(profiled, out, Path(scratch), advance, domain)
        write_atomically(out / RULES_FILE, drafted.text.encode())
        found = documents(profiled, show=show_values)
        write_page(out / PAGE_FILE, found, drafted, show=show_values)
        notes = _next_steps(out, drafted)
        write_atomically(out / NOTES_FILE, _notes(files, notes, drafted).encode())
        took_s = time.monotonic() - started_s
    if as_json:
        print_json(_document(out, found, drafted, took_s))
        return
    tell_files(found)
    tell_look(drafted.look, is_all=drafted.measured.is_all)
    tell_doubts(drafted)
    say(f"{out / RULES_FILE}: {_summary(drafted)}; {took_s:.1f} s")
    say("next:")
    for line in notes:
        say(f"  {line}")


def _check(files: Sequence[Path], out: Path, sources: Sequence[str], domain: str | None) -> None:
    import re  # noqa: PLC0415

    if sources and len(sources) != len(files):
        raise click.UsageError(f"{len(files)} files and {len(sources)} times --source: name one for each file, or none")
    for name in sources:
        if not re.fullmatch(SOURCE_PATTERN, name):
            raise click.UsageError(f"{name!r} is no name of a source; expected letters, digits, '_', '.' and '-'")
    if domain is not None and not re.fullmatch(DOMAIN_PATTERN, domain):
        raise click.UsageError(f"{domain!r} is no name of a domain; expected lower-case letters, digits and '_'")
    require_files((str(path), path) for path in files)
    _keep([out / name for name in (RULES_FILE, PAGE_FILE, NOTES_FILE)])


def _keep(written: Sequence[Path]) -> None:
    """Refuse to write over files that are there: what was changed by hand, a project's own, or one of those read."""
    if there := [str(path) for path in written if path.exists() or path.is_symlink()]:
        verb, it = ("is", "it") if len(there) == 1 else ("are", "them")
        raise ConfigurationError(f"{', '.join(there)} {verb} there already; name another folder, or remove {it}")


def _summary(drafted: Drafted) -> str:
    keys = [each for each in drafted.draft.keys or () if each.is_chosen]
    pack = drafted.draft.plan.subject.pack
    return (
        f"rules for {drafted.rules.domain} records" + (f" on the pack {pack}" if pack else ", on no pack")
        + f", {len(drafted.draft.plan.attributes):,} attributes, {len(keys):,} blocking keys, "
        f"{sum(each.measure.pairs for each in keys):,} candidate pairs of {drafted.measured.records:,} records"
    )  # fmt: skip


def _next_steps(out: Path, drafted: Drafted) -> list[str]:
    rules = shlex.quote(str(out / RULES_FILE))
    inputs = " ".join(f"{shlex.quote(str(each.path))} --source {shlex.quote(each.source)}" for each in drafted.ruled)
    return [
        f"mdm-stream rules check {rules}",
        f"mdm-stream rules train {rules} {inputs} --use",
        f"mdm-stream replay {inputs} --rules {rules} --out {shlex.quote(str(out / 'result'))}",
        f"mdm-stream up --rules {rules}",
    ]


def _notes(files: Sequence[Path], steps: Sequence[str], drafted: Drafted) -> str:
    doubts = [f"* {' '.join(filter(None, (each.file, each.column, each.said)))}" for each in drafted.doubts]
    lines = [
        "# Rules drafted by mdm-stream init", "",
        f"From {', '.join(path.name for path in files)}. `rules.yaml` is yours to change, each choice with its reason;",
        "`profile.html` is what the files hold. It was not sure of:", "", *(doubts or ["* nothing"]), "",
        "Next:", "", "```", *steps, "```", "",
    ]  # fmt: skip
    return "\n".join(lines)


def _document(out: Path, found: Sequence[dict[str, Any]], drafted: Drafted, took_s: float) -> dict[str, Any]:
    look = drafted.look
    return {
        "rules": str(out / RULES_FILE),
        "domain": drafted.rules.domain,
        "pack": drafted.draft.plan.subject.pack or None,
        "subject": dict(drafted.draft.plan.subject.points),
        "records": drafted.measured.records,
        "keys": [
            {"expression": each.candidate.expression, "used": each.is_chosen, "pairs": each.measure.pairs,
             "largest_block": each.measure.largest, "records_in_larger_blocks": each.measure.suspended}
            for each in drafted.draft.keys or ()
        ],
        "inputs": [{"file": str(each.path), "source": each.source} for each in drafted.ruled],
        "resolved": {
            "records": look.records, "golden": look.golden, "of_several": look.merged, "reviews": look.reviews,
        },
        "not_sure_of": [{"file": each.file, "column": each.column, "said": each.said} for each in drafted.doubts],
        "seconds": round(took_s, 1),
        "files": list(found),
    }  # fmt: skip
