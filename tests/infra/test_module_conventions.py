"""Modules are alike: what a variable needs, which versions they ask for, and that their pages are up to date."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from source_tree import ROOT
from terraform_tree import DOCS_PROGRAM, TERRAFORM, blocks_of, files, folders, hcl, variables

WITHOUT_PROVIDER = {"index_rights"}
_READ = re.compile(r"\b(?:var\.\w+|local\.\w+|data\.\w+\.\w+)")
_OF_OLD = re.compile(r'^"\$\{[^{}"]*\}"$|[a-z_\]]\.\d+\.[a-z_]|\b(?:list|map)\("|[!=]= *\[\]')
NAMED = [str(path.relative_to(TERRAFORM)) for path in folders("modules")]


def test_every_page_has_the_inputs_and_outputs_of_its_files():
    """As ``make infra-docs`` writes them."""
    done = subprocess.run([sys.executable, str(DOCS_PROGRAM), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", NAMED)
def test_variables_have_a_type_and_say_what_they_are(module):
    """The description is a sentence; no variable decides whether something is made."""
    wrong = []
    for name, block in variables(TERRAFORM / module).items():
        description = block.get("description")
        said = description.text() if description else ""
        if block.get("type") is None or not said.endswith((".", ")")) or not said[:1].isupper():
            wrong.append(name)
        if name.startswith(("create_", "enable_")):
            wrong.append(name)
    assert wrong == []


@pytest.mark.parametrize("module", NAMED)
def test_refusals_say_what_to_do(module):
    """A message of a validation names the variable, and is a sentence."""
    wrong = [
        f"{name}: {message.value}"
        for name, block in variables(TERRAFORM / module).items()
        for validation in block.all("validation")
        for message in [validation.get("error_message")]
        if len(message.value) < 30 or not message.value.rstrip('"').endswith((".", ")"))
    ]
    assert wrong == []


@pytest.mark.parametrize("module", NAMED)
def test_outputs_say_what_they_are(module):
    """The description is a sentence."""
    wrong = [
        block.labels[0]
        for path in files("modules")
        if path.parent == TERRAFORM / module
        for block in blocks_of(path)
        if block.type == "output"
        and not (block.get("description") and block.get("description").text().endswith((".", ")")))
    ]
    assert wrong == []


@pytest.mark.parametrize("module", NAMED)
def test_modules_ask_for_the_same_versions(module):
    """And have no provider of their own: environments and examples have."""
    text = (TERRAFORM / module / "versions.tf").read_text()
    assert 'required_version = ">= 1.10"' in text
    if Path(module).name not in WITHOUT_PROVIDER:
        assert '">= 5.100, < 6"' in text
    own = [
        path.name
        for path in files("modules")
        if path.parent == TERRAFORM / module
        for block in blocks_of(path)
        if block.type == "provider"
    ]
    assert own == []


@pytest.mark.parametrize("folder", [str(path.relative_to(TERRAFORM)) for path in folders()])
def test_what_is_declared_is_used(folder):
    """A variable, local or data source that nothing reads is left from something that was taken away."""
    declared = {}
    for path in sorted((TERRAFORM / folder).glob("*.tf")):
        for block in blocks_of(path):
            if block.type == "variable":
                declared[f"var.{block.labels[0]}"] = path.name
            if block.type == "data":
                declared[".".join(("data", *block.labels))] = path.name
            if block.type == "locals":
                declared |= {f"local.{each.name}": path.name for each in block.attributes}
    values = [value for path in sorted((TERRAFORM / folder).glob("*.tf")) for value in _values_outside_variables(path)]
    read = {name for value in values for name in _READ.findall(value)}
    assert sorted(set(declared) - read) == []


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(TERRAFORM)))
def test_syntax_is_that_of_today(path):
    """No string that is one interpolation alone, no index by a dot, no types list() and map() of old."""
    values = [each for block in blocks_of(path) for inner in block.within() for each in inner.attributes]
    assert [f"{each.line}: {each.value}" for each in values if _OF_OLD.search(each.value)] == []


def test_the_syntax_of_old_is_found():
    """As tflint finds it."""
    assert [bool(_OF_OLD.search(value)) for value in ('"${var.a}"', "a.b.0.c", 'list("a")', "[] == []")] == [True] * 4
    assert not [value for value in ('"${var.a}-b"', '"x-${a["b"]}"', '"10.0.0.0/8"', "a[0].b") if _OF_OLD.search(value)]


def _values_outside_variables(path: Path) -> list[str]:
    """Return the values of a file, but for what a variable says of itself."""
    return [
        each.value
        for block in blocks_of(path)
        if block.type != "variable"
        for inner in block.within()
        for each in inner.attributes
    ]


def test_what_the_reader_reads(tmp_path):
    """Strings with interpolations, heredocs, comments and blocks within blocks are what they are."""
    page = tmp_path / "a.tf"
    page.write_text(
        'resource "a" "b" { # said\n'
        '  name = "x-${join(",", [for k in ["}"] : "${k}{"])}" # why\n'
        "  list = [\n    1, # one\n    2,\n  ]\n"
        "  text = <<-EOT\n    } not an end {\n  EOT\n"
        '  dynamic "c" {\n    for_each = []\n    content {\n      d = c.value\n    }\n  }\n'
        "}\n"
    )
    (block,) = hcl.read_blocks(page)
    assert (block.type, block.labels, block.line) == ("resource", ("a", "b"), 1)
    assert block.get("name").value == '"x-${join(",", [for k in ["}"] : "${k}{"])}"'
    assert (block.get("list").line, block.get("list").last_line) == (3, 6)
    assert block.get("text").value.startswith("<<-EOT")
    assert [each.get("d").value for each in block.all("c")] == ["c.value"]


@pytest.mark.parametrize("text", ["a {", "a }", 'a = "b', "a {\n  = 1\n}"])
def test_what_cannot_be_read_is_named_by_file_and_line(tmp_path, text):
    """Nothing is passed over."""
    page = tmp_path / "a.tf"
    page.write_text(text)
    with pytest.raises(hcl.UnreadableError, match=r"a\.tf: line \d"):
        hcl.read_blocks(page)


def test_no_file_of_a_run_is_kept():
    """Neither states nor what ``terraform init`` leaves: a lock file of one machine would lock out the others."""
    done = subprocess.run(["git", "ls-files", "infra/terraform"], cwd=ROOT, capture_output=True, text=True, check=False)
    kept = [
        line for line in done.stdout.splitlines() if re.search(r"\.tfstate|/\.terraform/|\.terraform\.lock\.hcl$", line)
    ]
    assert kept == []
