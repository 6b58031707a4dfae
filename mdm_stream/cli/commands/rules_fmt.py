"""``mdm-stream rules fmt``: rule-set files in their canonical form."""

from __future__ import annotations

from pathlib import Path

import click

from mdm_stream.cli.output import json_option, print_json, say


@click.command("fmt")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--check", "only_check", is_flag=True, help="Write nothing; end with 1 if a file is not in that form.")
@json_option
@click.pass_context
def rules_fmt(ctx: click.Context, *, files: tuple[Path, ...], only_check: bool, as_json: bool) -> None:
    """Write rule-set files in their canonical form: one layout, settings in one order, every comment kept.

    What the rules mean, and their digest, stay the same. A file that cannot be read is told with its line, and none is
    written then.
    """
    from mdm_stream.files import write_atomically  # noqa: PLC0415 - --help does without
    from mdm_stream.rules.layout import formatted  # noqa: PLC0415
    from mdm_stream.rules.tree import read_text  # noqa: PLC0415

    made = {path: formatted(read_text(path, str(path)), str(path)).encode() for path in files}
    other = [path for path, content in made.items() if path.read_bytes() != content]
    if not only_check:
        for path in other:
            mode = path.stat().st_mode
            write_atomically(path, made[path])
            path.chmod(mode)
    if as_json:
        print_json({"files": len(made), "written": not only_check, "changed": [str(path) for path in other]})
    else:
        for path in other:
            say(f"{path}: {'is not in canonical form' if only_check else 'formatted'}")
        if only_check and other:
            say(f"{len(other):,} of {len(made):,} files; run: mdm-stream rules fmt FILE")
    if only_check and other:
        ctx.exit(1)
