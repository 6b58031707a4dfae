"""``mdm-stream rules``: check a rule set, print the schema that editors validate against."""

from __future__ import annotations

from dataclasses import asdict

import click

from mdm_stream.cli.output import json_option, print_json, say
from mdm_stream.errors import RulesError


@click.group()
def rules() -> None:
    """Check rule sets; print their JSON Schema."""


@rules.command()
@click.argument("file")
@json_option
@click.pass_context
def check(ctx: click.Context, *, file: str, as_json: bool) -> None:
    """List every error and warning of a rule set: a path, or the name of a pack. Exit code 2 if it cannot be used."""
    from mdm_stream.core.blocking.keys import candidates_max  # noqa: PLC0415 - --help does without
    from mdm_stream.core.f_version import f_identity  # noqa: PLC0415
    from mdm_stream.rules import check_file, load_ruleset  # noqa: PLC0415

    findings = check_file(file)
    errors = [finding for finding in findings if finding.severity == "error"]
    if as_json:
        usable = None if errors else load_ruleset(file)
        found = {
            "usable": usable is not None,
            "digest": usable and usable.digest,
            "f": f_identity().parts(),
            "candidates_max": usable and candidates_max(usable),
        }
        print_json({"file": file, **found, "findings": [asdict(finding) for finding in findings]})
        if errors:
            ctx.exit(2)
        return
    if errors:
        raise RulesError("\n".join(str(finding) for finding in errors))
    for finding in findings:
        say(str(finding))
    ruleset = load_ruleset(file)
    say(
        f"{file}: usable; domain {ruleset.domain}, version {ruleset.version}, {len(ruleset.attributes)} attributes, "
        f"{len(ruleset.sources)} sources, {len(ruleset.blocking)} blocking keys, "
        f"{len(ruleset.match.comparisons)} comparisons, {len(findings)} warnings"
    )
    say(
        f"a record has at most {candidates_max(ruleset):,} candidates, and keeps {ruleset.max_links} links and "
        f"{ruleset.max_reviews} questions to records before it, and as many to those after it"
    )
    say(f"digest {ruleset.digest}; {f_identity()}")


@rules.command()
def schema() -> None:
    """Print the JSON Schema of rule-set files."""
    from mdm_stream.rules import ruleset_schema  # noqa: PLC0415

    print_json(ruleset_schema())
