"""The profile of files of rows, shown: as a table on the terminal, as a document, and as a page of HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mdm_stream.cli.output import plain, print_table, say
from mdm_stream.files import write_atomically
from mdm_stream.profile.columns.page import bars, listing, profile_page, section, table
from mdm_stream.profile.columns.report import column_document, file_document, masked, masked_reference

if TYPE_CHECKING:
    from mdm_stream.draft.drafting import Drafted, ProfiledFile
    from mdm_stream.draft.golden_examples import FirstLook, GoldenExample

KEY_CHARS_MAX = 100
"""Of a blocking key as a chart's label: keys begin alike."""
_HEADINGS = ("column", "means", "complete", "different", "written")
"""What fits a terminal of 80 characters; a page and ``--json`` have the rest."""


def documents(files: Sequence[ProfiledFile], *, show: bool) -> list[dict[str, Any]]:
    """Return a document a file; values are masked unless ``show``."""
    found = []
    for each in files:
        columns = [
            column_document(
                column, [(value, rows) for name, value, rows in each.shared if name == column.name], show=show
            )
            for column in each.file.columns
        ]
        table_file = each.table
        document = file_document(
            table_file.path.name,
            table_file.form,
            table_file.dialect,
            table_file.rows,
            table_file.faulty,
            each.keys.key,
            columns,
            table_file.left_out,
        )
        found.append(document)
    return found


def tell_files(found: Sequence[Mapping[str, Any]]) -> None:
    """Write a table a file to stdout, and what was not sure of its columns."""
    for document in found:
        rows = [
            (
                each["column"],
                _meant(each),
                f"{each['completeness']:.1%}",
                f"{each['distinct_values']:,}" + (" (key)" if each["is_key"] else ""),
                ", ".join(filter(None, [each["conventions"], *(shape for shape, _ in each["shapes"][:1])])),
            )
            for each in document["columns"]
        ]
        title = f"{document['file']}: {document['form']}, {document['rows']:,} rows, key {', '.join(document['key'])}"
        print_table(title, _HEADINGS, rows, texts=True)
        for name in document["left_out"]:
            say(f"column {name!r} has objects or lists, which are left out; flatten them into columns")
        if document["unreadable_rows"]:
            say(f"{document['unreadable_rows']:,} more rows cannot be read")
        for each in document["columns"]:
            for said in each["doubts"]:
                say(f"column {each['column']!r} {said}")
            if each["shared_by_many"]:
                say(f"column {each['column']!r} has {len(each['shared_by_many'])} values that very many rows share")


def _meant(column: Mapping[str, Any]) -> str:
    """Return what a column means, with how sure that is where it is in doubt."""
    meaning = str(column["meaning"]).replace("_", " ")
    return meaning if column["sure"] >= 1.0 else f"{meaning} ({column['sure']:.0%})"


def write_page(
    path: Path, found: Sequence[Mapping[str, Any]], drafted: Drafted | None = None, *, show: bool = False
) -> None:
    """Write the page of HTML, with what was drafted above the profile; ``show`` shows values of golden records."""
    before = "" if drafted is None else _draft_html(drafted, show=show)
    title = "Profile of " + ", ".join(document["file"] for document in found)
    write_atomically(path, profile_page(title, found, before).encode())


def _draft_html(drafted: Drafted, *, show: bool) -> str:
    draft, measured = drafted.draft, drafted.measured
    keys = draft.keys or ()
    most = max((each.measure.pairs for each in keys if each.is_chosen), default=1) or 1
    charted = [
        (each.candidate.expression, each.measure.pairs / most, f"{each.measure.pairs:,} pairs")
        for each in keys
        if each.is_chosen
    ]
    refused = [(each.candidate.expression, each.said) for each in keys if not each.is_chosen]
    parts = [section("Not sure of", listing(_said(drafted)) if drafted.doubts else "<p>Nothing.</p>")]
    parts.append(
        section(
            f"Blocking keys of {measured.records:,} records",
            bars(charted, KEY_CHARS_MAX) if charted else "<p>None.</p>",
        )
    )
    if refused:
        parts.append(table(("not used", "because"), refused))
    look = drafted.look
    told = f"{look.records:,} records became {look.golden:,} golden records, {look.merged:,} of several; "
    told += f"{look.reviews:,} pairs to review."
    parts.append(
        section("Golden records", f"<p>{told}</p>" + "".join(_example_html(each, show=show) for each in look.examples))
    )
    return "".join(parts)


def _example_html(example: GoldenExample, *, show: bool) -> str:
    def shown(text: str) -> str:
        return text if show or not text else masked(text)

    rows = [(name, shown(golden), *map(shown, each)) for name, (golden, each) in example.values.items()]
    members = example.members if show else map(masked_reference, example.members)
    return table(("attribute", "golden record", *members), rows)


def _said(drafted: Drafted) -> list[str]:
    return [
        " ".join(filter(None, [each.file and f"{each.file}:", each.column and f"column {each.column!r}", each.said]))
        for each in drafted.doubts
    ]


def tell_doubts(drafted: Drafted) -> None:
    """Write what the draft was not sure of, a line each."""
    if drafted.doubts:
        say("not sure of:")
    for said in _said(drafted):
        say(f"  {said}")


def tell_look(look: FirstLook, *, is_all: bool) -> None:
    """Write what came of the records that were resolved, and some golden records beside their members."""
    which = "" if is_all else ", those that share most,"
    say(
        f"{look.records:,} records{which} resolved: {look.golden:,} golden records, {look.merged:,} of several, "
        f"{look.reviews:,} pairs to review"
    )
    for example in look.examples:
        rows = [
            (name, golden, *("=" if text and text == golden else text for text in each))
            for name, (golden, each) in example.values.items()
        ]
        headings = ("", "golden record", *example.members)
        print_table(f"golden record {plain(example.golden_id)}", headings, rows, texts=True)
