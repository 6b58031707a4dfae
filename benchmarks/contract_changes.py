"""The check of wire contracts: deliberate changes of our own documents, breaking ones caught and safe ones passed.

    python benchmarks/contract_changes.py

Each change is written to a folder and judged by ``mdm-stream contracts check``, as a source team or CI would run it.
What it says has to name the party that breaks, and the place; a safe change has to end with 0.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import orjson
from click.testing import CliRunner
from show import Show
from trees import ROOT

sys.path.insert(0, str(ROOT / "tests" / "support"))

from contract_documents import generated, released_folder, write
from deliberate_changes import BREAKING, SAFE, Change

from mdm_stream.cli.main import cli
from mdm_stream.contracts.packaged import packaged_documents

CHANGES_MIN = 10
SECONDS_MAX = 10.0
"""Of one check of all documents: what a developer waits for before a commit."""


def figures(show: Show) -> None:
    """Show how many changes of each kind were judged rightly, and how long a check takes."""
    documents = packaged_documents()
    with tempfile.TemporaryDirectory() as scratch:
        check = _checker(Path(scratch))
        for what, changes in (("breaking changes caught", BREAKING), ("safe changes passed", SAFE)):
            wrong = [each.name for each in changes if not _is_right(each, *check(each))]
            right = len(changes) - len(wrong)
            holds = not wrong and right >= CHANGES_MIN
            said = f"{right} of {len(changes)}" + "".join(f"; not: {name}" for name in wrong)
            show.figure(what, said, floor=f"all, and at least {CHANGES_MIN}", holds=holds)
    stale = [name for name, document in generated().items() if documents.get(name) != document]
    show.figure("documents that are not what the models give", stale or "none", floor="none", holds=not stale)
    began_s = time.perf_counter()
    code = CliRunner().invoke(cli, ["contracts", "check", "--against", str(released_folder())]).exit_code
    took_s = time.perf_counter() - began_s
    show.figure(f"{len(documents)} documents against the last release", f"exit code {code}", floor="0", holds=not code)
    show.figure("that check", f"{took_s:.2f} s", floor=f"within {SECONDS_MAX:g} s", holds=took_s <= SECONDS_MAX)


def _checker(scratch: Path) -> Callable[[Change], tuple[int, list[dict[str, str]]]]:
    documents = packaged_documents()
    write(scratch / "old", documents)

    def check(change: Change) -> tuple[int, list[dict[str, str]]]:
        write(scratch / "new", change.applied(documents))
        arguments = ["--against", str(scratch / "old"), "--documents", str(scratch / "new"), "--json"]
        done = CliRunner().invoke(cli, ["contracts", "check", *arguments])
        return done.exit_code, orjson.loads(done.stdout)["changes"]

    return check


def _is_right(change: Change, code: int, told: list[dict[str, str]]) -> bool:
    """Tell whether a check ended as it should, and told the change by its words and of the party that it breaks."""
    words = [
        f"{each['where']} {each['what']} {each['why']}" for each in told if each["verdict"] == (change.breaks or "safe")
    ]
    named = not change.said or any(change.said in each for each in words)
    return named and code == (1 if change.breaks else 0)


def main() -> int:
    """Run and print; 1 if a change was judged wrongly."""
    return Show().run({"contracts": figures}, ())


if __name__ == "__main__":
    sys.exit(main())
