"""``mdm-stream rules import-splink``: a team's Splink model as a rule set."""

from __future__ import annotations

from pathlib import Path

import click

from mdm_stream.cli.output import json_option, print_json, say
from mdm_stream.errors import ConfigurationError

SETTINGS_BYTES_MAX = 16 * 1024 * 1024


@click.command("import-splink")
@click.argument("model_file", metavar="MODEL", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, metavar="RULES",
              help="The rule set to write; its model is written beside it.")  # fmt: skip
@click.option("--domain", default="person", show_default=True, help="What the records are.")
@click.option("--terms", "terms", multiple=True, metavar="COLUMN=FILE",
              help="Splink's table of term frequencies of a column, as CSV.")  # fmt: skip
@json_option
def import_splink(*, model_file: Path, out: Path, domain: str, terms: tuple[str, ...], as_json: bool) -> None:
    """Turn a Splink MODEL, saved as JSON, into a rule set that gives each pair the same match probability.

    Comparisons, levels, m and u, prior, term frequencies and blocking rules are carried over. What rules cannot express
    is an error that names it, and nothing is written.
    """
    import orjson  # noqa: PLC0415 - --help does without
    import yaml  # noqa: PLC0415

    from mdm_stream.files import write_atomically  # noqa: PLC0415
    from mdm_stream.rules import load_ruleset  # noqa: PLC0415
    from mdm_stream.rules.use_model import model_path  # noqa: PLC0415
    from mdm_stream.train.splink_import import import_splink as imported  # noqa: PLC0415
    from mdm_stream.train.splink_import import read_terms  # noqa: PLC0415

    try:
        raw = model_file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{model_file}: cannot be read: {error.strerror}") from error
    try:
        settings = orjson.loads(raw) if len(raw) <= SETTINGS_BYTES_MAX else None
    except orjson.JSONDecodeError as error:
        raise ConfigurationError(f"{model_file}:{error.lineno}: this is not valid JSON: {error.msg}") from error
    if not isinstance(settings, dict):
        raise ConfigurationError(f"{model_file}: is no Splink model; save it with linker.misc.save_model_to_json")
    tables = {}
    for each in terms:
        column, equals, path = each.partition("=")
        if not equals or not column:
            raise click.UsageError(f"--terms {each}: expected COLUMN=FILE")
        tables[column.lower()] = read_terms(Path(path), column)
    learned = model_path(str(out))
    found = imported(settings, domain, learned.name, tables)
    try:
        write_atomically(learned, found.model.to_bytes())
        write_atomically(out, yaml.safe_dump(found.rules, sort_keys=False, allow_unicode=True, width=120).encode())
    except OSError as error:
        raise ConfigurationError(f"{out}: cannot be written: {error.strerror}") from error
    rules = load_ruleset(out)
    if as_json:
        print_json({"rules": str(out), "model": str(learned), "digest": rules.digest, "notes": list(found.notes)})
        return
    for note in found.notes:
        say(f"note: {note}", err=True)
    say(
        f"{out}: domain {rules.domain}, {len(rules.attributes)} attributes, {len(rules.blocking)} blocking keys, "
        f"{len(rules.match.comparisons)} comparisons; {learned}: written"
    )
