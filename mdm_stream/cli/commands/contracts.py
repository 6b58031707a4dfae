"""``mdm-stream contracts``: list and print the wire contracts; say what a change of them breaks."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mdm_stream.cli.output import json_option, print_json, print_table, print_yaml, say
from mdm_stream.errors import ConfigurationError

if TYPE_CHECKING:
    from mdm_stream.contracts.compatibility import ContractChange

_SAID = {"breaks_producer": "breaks a producer", "breaks_subscriber": "breaks a subscriber", "safe": "safe"}


@click.group()
def contracts() -> None:
    """The wire contracts: JSON Schemas, AsyncAPI, OpenAPI; what a change of them breaks."""


@contracts.command("list")
@json_option
def list_contracts(*, as_json: bool) -> None:
    """List the documents of this release: what each describes, and whether mdm-stream consumes or produces it."""
    from mdm_stream.contracts.compatibility.documents import directions_of, kind_of  # noqa: PLC0415 - --help does without
    from mdm_stream.contracts.packaged import packaged_documents  # noqa: PLC0415

    listed = []
    for name, document in packaged_documents().items():
        kind = kind_of(document)
        title = document.get("title") or document["info"]["title"]
        direction = directions_of(document)[0] if kind == "JSON Schema" else "both"
        listed.append({"name": name, "kind": kind, "direction": direction, "title": title})
    if as_json:
        print_json({"contracts": listed})
        return
    print_table("", ("name", "kind", "direction", "what"), [tuple(each.values()) for each in listed], texts=True)


@contracts.command()
@click.argument("name")
@click.option("--yaml", "as_yaml", is_flag=True, help="YAML in place of JSON.")
def show(*, name: str, as_yaml: bool) -> None:
    """Print one document, by a name of `contracts list`."""
    from mdm_stream.contracts.packaged import packaged_documents  # noqa: PLC0415 - --help does without

    documents = packaged_documents()
    if name not in documents:
        raise ConfigurationError(f"no contract has the name {name!r}; there are {', '.join(documents)}")
    (print_yaml if as_yaml else print_json)(documents[name])


@contracts.command()
@click.option(
    "--against", metavar="REF", required=True, help="Earlier documents: a folder, a file, or a commit of this checkout."
)
@click.option(
    "--documents", metavar="PATH", help="Present documents: a folder or file. Those of this release if left out."
)
@json_option
@click.pass_context
def check(ctx: click.Context, *, against: str, documents: str | None, as_json: bool) -> None:
    """Compare contracts with earlier ones: what breaks a producer, what breaks a subscriber, what is safe.

    A file is compared with the present document of its name. Every change is listed, and none can be excused. Exit
    code 1 if something breaks, 2 if there is nothing to compare.
    """
    from mdm_stream.cli.contract_sources import documents_against  # noqa: PLC0415 - --help does without
    from mdm_stream.contracts.compatibility import compare_documents  # noqa: PLC0415
    from mdm_stream.contracts.compatibility.findings import UncomparableError  # noqa: PLC0415
    from mdm_stream.contracts.packaged import packaged_documents  # noqa: PLC0415

    earlier = documents_against(against)
    present = documents_against(documents) if documents else packaged_documents()
    if Path(against).is_file():
        present = {name: each for name, each in present.items() if name in earlier}
        if not present:
            raise ConfigurationError(f"no present document has the name of {against}; see mdm-stream contracts list")
    try:
        findings = compare_documents(earlier, present)
    except UncomparableError as error:
        raise ConfigurationError(str(error)) from error
    broken = sum(each.breaks for each in findings)
    if as_json:
        print_json({"against": against, "breaks": broken, "changes": [asdict(each) for each in findings]})
    else:
        _tell(findings, against, len(present))
    if broken:
        ctx.exit(1)


def _tell(findings: list[ContractChange], against: str, compared: int) -> None:
    for each in findings:
        say(f"{_SAID[each.verdict]}: {each.document}: {each.where}: {each.what} ({each.why})")
    counts = {said: sum(each.verdict == verdict for each in findings) for verdict, said in _SAID.items()}
    told = ", ".join(f"{count:,} {said}" for said, count in counts.items())
    say(f"{compared:,} documents against {against}: {told if findings else 'no change'}")
