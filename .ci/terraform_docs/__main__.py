"""Write the tables of inputs and outputs into the README.md of each module and environment of infra/terraform.

With ``--check`` nothing is written: exits with 1 and a line for each file that is absent or whose tables are not those
of its .tf files. What stands outside of the marks is written by hand.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from hcl import Block, UnreadableError, read_folder

ROOT = Path(__file__).resolve().parents[2] / "infra" / "terraform"
BEGIN = "<!-- inputs and outputs, written by .ci/terraform_docs -->"
END = "<!-- end of inputs and outputs -->"
REQUIRED = "required"
TYPE_CHARS_MAX = 400


def folders(root: Path = ROOT) -> Iterator[Path]:
    """Yield the folders that are documented: modules, environments and examples."""
    for kind in ("modules", "environments", "examples"):
        yield from sorted(path for path in (root / kind).glob("*") if any(path.glob("*.tf")))


def tables(folder: Path) -> str:
    """Return the two tables of a folder, with the marks before and behind them."""
    blocks = [block for _, block in read_folder(folder)]
    inputs = [_input(block) for block in blocks if block.type == "variable"]
    outputs = [_output(block) for block in blocks if block.type == "output"]
    said = [BEGIN, "", "## Inputs", ""]
    said += ["| name | type | default | what it is |", "|---|---|---|---|", *inputs] if inputs else ["None."]
    said += ["", "## Outputs", ""]
    said += ["| name | what it is |", "|---|---|", *outputs] if outputs else ["None."]
    return "\n".join([*said, "", END])


def _input(block: Block) -> str:
    default = block.get("default")
    shown = REQUIRED if default is None else _code(default.value)
    kind = block.get("type")
    return _row(f"`{block.labels[0]}`", _code(kind.value if kind else "any"), shown, _description(block))


def _output(block: Block) -> str:
    return _row(f"`{block.labels[0]}`", _description(block))


def _description(block: Block) -> str:
    found = block.get("description")
    if found is None:
        raise UnreadableError(f"{block.type} {block.labels[0]} has no description")
    return found.text()


def _code(value: str) -> str:
    # Commas hold together what stood on lines of its own.
    joined = re.sub(r"\s*\n\s*(?=[})\]])", " ", re.sub(r"([{(\[,])\s*\n\s*", r"\1 ", value))
    joined = re.sub(r"\s+", " ", re.sub(r"\s*\n\s*", ", ", joined)).replace("( {", "({").replace("} )", "})")
    if len(joined) > TYPE_CHARS_MAX:
        joined = f"{joined[:TYPE_CHARS_MAX].rpartition(',')[0]}, …"
    return f"`{joined}`"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def with_tables(text: str, wanted: str) -> str:
    """Return a page with its tables in the place of the ones that it has, or at its end."""
    start, end = text.find(BEGIN), text.find(END)
    if start < 0 or end < 0:
        return f"{text.rstrip()}\n\n{wanted}\n"
    return text[:start] + wanted + text[end + len(END) :]


def faults(root: Path, *, write: bool) -> list[str]:
    """Return a line for each page that is absent or not up to date; with ``write`` only those that are absent."""
    found = []
    for folder in folders(root):
        page = folder / "README.md"
        name = page.relative_to(root)
        if not page.is_file():
            found.append(f"{name} is absent; write what the module is for, and run: make infra-docs")
            continue
        text = page.read_text()
        wanted = with_tables(text, tables(folder))
        if text == wanted:
            continue
        if write:
            page.write_text(wanted)
            sys.stdout.write(f"wrote {name}\n")
        else:
            found.append(f"{name} has not the inputs and outputs of its files; run: make infra-docs")
    return found


def main() -> int:
    """Write or check the tables, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where it would")
    asked = parser.parse_args()
    try:
        found = faults(ROOT, write=not asked.check)
    except UnreadableError as error:
        found = [str(error)]
    for line in found:
        sys.stderr.write(f"{line}\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
