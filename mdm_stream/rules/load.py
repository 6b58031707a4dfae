"""Loading rule sets: read, extend, validate, compile."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mdm_stream.core.ruleset import Ruleset
from mdm_stream.rules.compile import compile_ruleset
from mdm_stream.rules.extend import locate, resolve, shown_name
from mdm_stream.rules.findings import Findings, Place, fail
from mdm_stream.rules.learned import read_learned
from mdm_stream.rules.validate import validate


def load_ruleset(path_or_pack_name: str | Path) -> Ruleset:
    """Load one rule set from a YAML file, or a pack by its name.

    Raises ``RulesError`` with one line ``FILE:LINE: what is wrong; expected ...; do ...`` for each problem of the
    first stage that finds any (reading, extending, settings and their types, what names refer to). The result
    depends on the files' content alone: the rule set's, of those that it extends, and of the model that it names.
    """
    return _loaded(path_or_pack_name, with_model=True)


def load_written(path_or_pack_name: str | Path) -> Ruleset:
    """Load a rule set as it is written, without the learned model that it may name: what a model is learned for."""
    return _loaded(path_or_pack_name, with_model=False)


def _loaded(path_or_pack_name: str | Path, *, with_model: bool) -> Ruleset:
    path = locate(path_or_pack_name)
    findings = Findings()
    tree = resolve(path, findings)
    model = validate(tree, findings)
    findings.raise_errors()
    if model is None:  # validate() notes an error whenever it returns none
        raise AssertionError("a rule set without a model has errors")
    learned = read_learned(model, tree, findings) if with_model else None
    findings.raise_errors()
    rules = compile_ruleset(model, tree, findings, learned)
    findings.raise_errors()
    return rules


def load_rulesets(paths: Iterable[str | Path]) -> dict[str, Ruleset]:
    """Load several rule sets, one a domain, and return them by domain. Raises ``RulesError``."""
    loaded: dict[str, Ruleset] = {}
    origins: dict[str, str] = {}
    for path in paths:
        rules = load_ruleset(path)
        shown = shown_name(locate(path))
        if rules.domain in loaded:
            other = origins[rules.domain]
            fail(Place(shown), f"domain {rules.domain!r} already has a rule set, {other}; expected one; drop one")
        loaded[rules.domain] = rules
        origins[rules.domain] = shown
    return loaded
