"""F's identity covers what decides values, is the same in every process, and says what differs."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import subprocess
import sys

import pytest
from source_tree import ROOT, imports_of, modules, within

from mdm_stream.core import f_version
from mdm_stream.core.f_version import (
    F_VERSION,
    STORED_FORMAT,
    WORD_TABLES,
    bind,
    differences,
    f_digest,
    f_identity,
    f_part,
    mismatch,
    parts_from_json,
    require_this_f,
    rules_part,
)
from mdm_stream.errors import ConfigurationError
from mdm_stream.rules import load_ruleset

NOT_DECIDING = {"numpy", "orjson"}
"""Libraries of the core whose results a standard defines: addition of doubles, JSON. The vectors hold them to it."""


@pytest.fixture
def another_f(monkeypatch):
    """Make this process run another F, as far as its identity says."""

    def change(**parts):
        other = dataclasses.replace(f_identity(), **parts)
        monkeypatch.setattr(f_version, "f_identity", lambda: other)
        return other

    return change


def test_every_word_table_counts():
    """The tables of the identity are those that lie beside the standardisers."""
    assert {path.name for path in (ROOT / "mdm_stream" / "core").rglob("*.csv")} == set(WORD_TABLES)


def test_every_library_of_the_core_counts():
    """Whatever the core imports from outside is in the identity, or known to decide nothing; versions are installed."""
    imported = {
        name.partition(".")[0]
        for module in modules()
        if within(module.name, "mdm_stream.core")
        for _, name in imports_of(module)
    }
    outside = imported - sys.stdlib_module_names - {"mdm_stream", "__future__"}
    libraries = dict(f_identity().libraries)
    assert libraries.pop("unicode")
    installed_as = {"re2": "google-re2"}
    assert {installed_as.get(name, name) for name in outside - NOT_DECIDING} == libraries.keys()
    assert {name: importlib.metadata.version(name) for name in libraries} == libraries


@pytest.mark.parametrize("part", ["f_version", "stored_format", "tables", "libraries"])
def test_every_part_changes_the_digest(another_f, part):
    """Two F's that differ in one part alone have different digests, and so do rule sets under them."""
    before, rules = f_digest(), load_ruleset("person")
    changed = {"tables": "0" * 32, "libraries": {**f_identity().libraries, "phonenumbers": "1.0"}}.get(part, 77)
    another_f(**{part: changed})
    assert f_digest() != before
    other = load_ruleset("person")
    assert rules_part(other.digest) == rules_part(rules.digest)
    assert f_part(other.digest) == f_digest() != f_part(rules.digest)


def test_the_digest_is_the_same_in_every_process():
    """Consumers, rebuilds and workers of one release agree, whatever their hash seed."""
    script = "from mdm_stream.core.f_version import f_digest; print(f_digest())"
    for seed in ("1", "2"):
        command, environment = [sys.executable, "-c", script], {"PYTHONHASHSEED": seed}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=True)
        assert done.stdout.strip() == f_digest()
    assert f_digest().startswith(f"{F_VERSION}.{STORED_FORMAT}.")


def test_a_mismatch_says_what_differs_and_what_to_do(another_f):
    """Rules, F or both are named, F by its parts; an index that holds no identity says so."""
    here, there = bind("r1"), f_identity().to_json()
    assert mismatch("r2" + here[2:], there, here).startswith("was built with another rule set; use that rule set")
    libraries = {**f_identity().libraries, "phonenumbers": "0.1"}
    another_f(f_version=99, libraries=libraries)
    installed = parts_from_json(there)["phonenumbers"]
    said = mismatch(here, there, bind("r1"))
    changed = f"F_VERSION {F_VERSION} there, 99 here; phonenumbers {installed} there, 0.1 here"
    assert said == (
        f"was built by another F, from the same rules ({changed}); go on with the release that built it, "
        "or make a new epoch with this one: mdm-stream rebuild"
    )
    both = mismatch("r2" + here[2:], there, bind("r1"))
    assert "with another rule set and by another F" in both
    assert "the release and the rules that built it" in both
    for unreadable in ("", "[]", "{"):
        assert "(it does not say which)" in mismatch("r1", unreadable, bind("r1"))


def test_differences_name_parts_that_one_side_lacks():
    """A library that a release added or dropped is a difference like any other."""
    assert differences({"a": "1", "b": "2"}, {"b": "2", "tables": "0123456789"}) == [
        "word tables unknown there, 01234567 here",
        "a 1 there, unknown here",
    ]


def test_rules_compiled_by_another_f_are_refused(another_f):
    """A worker that was started from another release than what gave it the rules writes nothing."""
    digest = bind("rules")
    require_this_f(digest)
    require_this_f("made by hand")
    another_f(f_version=99)
    with pytest.raises(ConfigurationError, match="start it again"):
        require_this_f(digest)


def test_a_library_without_a_version_is_refused(monkeypatch):
    """F is not guessed: where neither the library nor the installer says its version, nothing starts."""
    monkeypatch.setattr(f_version, "_LIBRARIES", {"no-such-library": sys})
    with pytest.raises(ConfigurationError, match="no-such-library"):
        f_identity.__wrapped__()
