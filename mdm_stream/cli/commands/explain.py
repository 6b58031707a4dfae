"""``mdm-stream explain``: why two records are one golden record or not, and how a golden record came together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mdm_stream.cli.index_options import index_options, open_index, reveal_option
from mdm_stream.cli.output import print_json, say
from mdm_stream.errors import ConfigurationError

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="[B]", required=False)
@click.option("--all", "all_of_it", is_flag=True, help="Say the rest too: what says nothing, keys, links; all joins.")
@click.option("--values", is_flag=True, help="Show values: of two side by side, of one those that competed.")
@click.option("--html", "html_file", type=_FILE, metavar="FILE", help="Write all of it as one page instead.")
@click.option("--svg", "svg_file", type=_FILE, metavar="FILE", help="Write the waterfall of evidence as a picture.")
@reveal_option
@index_options
def explain(
    *,
    a: str,
    b: str | None,
    all_of_it: bool,
    values: bool,
    html_file: Path | None,
    svg_file: Path | None,
    state: Path,
    redis_url: str | None,
    namespace: str,
    rules: tuple[str, ...],
    domain: str | None,
    reveal: bool,
    as_json: bool,
) -> None:
    """Say why A and B are together or not; of A alone, how its golden record came together.

    Of two: what speaks for and against, strongest first, and what decided. Of one: the links that join it, strongest
    first, the weakest, what was refused and why, and why each value survived.

    A and B are records (SOURCE/ID) or golden ids, which of two stand for the record that they are named after. Values
    are shown with --values, those of sensitive attributes with --reveal too, both as far as it is one's right.
    """
    from mdm_stream.cli.view_rights import sight  # noqa: PLC0415 - --help does without
    from mdm_stream.steward.inspect import explain_golden_name, explain_names  # noqa: PLC0415

    if b is None and svg_file is not None:
        raise click.UsageError("--svg draws the evidence on a pair: name two records; --html has the tree of one")
    seen = sight(reveal=reveal, values=values, own_stack=redis_url is None)
    index, ruleset = open_index(state, redis_url, namespace, rules, domain)
    if b is None:
        document = explain_golden_name(index, ruleset, a, values=values, reveal=seen).document()
        _write_golden(document, html_file)
    else:
        document = explain_names(index, ruleset, (a, b), values=values, reveal=seen).document()
        _write_pair(document, html_file, svg_file)
    if as_json:
        print_json(document)
    elif html_file is None and svg_file is None:
        _print(document, pair=b is not None, all_of_it=all_of_it)


def _print(document: dict[str, Any], *, pair: bool, all_of_it: bool) -> None:
    if pair:
        from mdm_stream.cli.explained_pair import print_explanation  # noqa: PLC0415 - --help does without

        print_explanation(document, all_of_it=all_of_it)
    else:
        from mdm_stream.cli.explained_golden import print_golden_explanation  # noqa: PLC0415

        print_golden_explanation(document, all_of_it=all_of_it)


def _write_golden(document: dict[str, Any], html_file: Path | None) -> None:
    from mdm_stream.steward.golden_page import golden_page  # noqa: PLC0415 - few calls need it

    if html_file is not None:
        write_shown(html_file, golden_page(document))


def _write_pair(document: dict[str, Any], html_file: Path | None, svg_file: Path | None) -> None:
    from mdm_stream.steward.pair_page import pair_page, pair_picture  # noqa: PLC0415 - few calls need it
    from mdm_stream.steward.waterfall_svg import svg_file as as_file  # noqa: PLC0415

    if html_file is not None:
        write_shown(html_file, pair_page(document))
    if svg_file is not None:
        picture = pair_picture(document)
        if picture is None:
            raise ConfigurationError("there is no evidence to draw: a record is not live, or nothing could be compared")
        write_shown(svg_file, as_file(picture))


def write_shown(file: Path, content: str) -> None:
    """Write a file that shows what an index holds, readable by its owner alone, and say so on stderr."""
    from mdm_stream.files import write_atomically  # noqa: PLC0415

    try:
        write_atomically(file, content.encode())
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}") from error
    say(f"written: {file}", err=True)
