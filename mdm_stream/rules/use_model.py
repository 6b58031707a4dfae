"""Naming a learned model in a rule-set file, by one line, without touching what else its author wrote."""

from __future__ import annotations

import os
import re
from pathlib import Path

from mdm_stream.errors import ConfigurationError
from mdm_stream.rules.extend import pack_names
from mdm_stream.rules.tree import parse_tree, read_tree

MODEL_SUFFIX = ".model.json"
_MATCH = re.compile(r"^match:[ \t]*(#.*)?$", re.MULTILINE)


def model_path(rules_file: str) -> Path:
    """Return where the model of a rule-set file is written; ``ConfigurationError`` for a pack, which has no place."""
    if rules_file in pack_names():
        raise ConfigurationError(
            f"{rules_file!r} is a pack, beside which nothing is written; name the model's file with --out, or give a "
            f"rule set of your own that begins with 'extends: {rules_file}'"
        )
    path = Path(rules_file)
    return path.with_name(path.stem + MODEL_SUFFIX)


def named_model(rules_file: Path) -> str | None:
    """Return the name of the model that a rule-set file names, if that is in the same folder; else ``None``.

    ``RulesError`` for a file that is no rule set.
    """
    match = read_tree(rules_file, str(rules_file)).items.get("match")
    named = None if match is None else match.items.get("model")
    if named is None or not isinstance(named.content, str):
        return None
    return named.content if Path(named.content).name == named.content else None


def use_model(rules_file: str, model: Path) -> str:
    """Make a rule-set file name a model, and say what was done. The file is replaced as a whole or not at all.

    ``ConfigurationError`` for a pack, or a file whose ``match`` is written in braces or names another model.
    """
    if rules_file in pack_names():
        raise ConfigurationError(f"{rules_file!r} is a pack, which is not changed; give a rule set that extends it")
    path = Path(rules_file)
    name = os.path.relpath(model, path.parent)
    tree = read_tree(path, str(path))
    section = tree.items.get("match")
    if section is not None and (given := section.items.get("model")) is not None:
        if given.content == name:
            return f"{path} names it already"
        raise ConfigurationError(f"{given.place}: these rules name another model; write 'model: {name}' there")
    text = path.read_text("utf-8-sig")
    if section is None:
        changed = f"{text.rstrip()}\n\nmatch:\n  model: {name}\n"
    elif found := _MATCH.search(text):
        below = re.compile(r"^([ ]+)[^\s#]", re.MULTILINE).search(text, found.end())
        changed = f"{text[: found.end()]}\n{below[1] if below else '  '}model: {name}{text[found.end() :]}"
    else:
        raise ConfigurationError(f"{section.place}: 'match' is not written as a block; add 'model: {name}' to it there")
    told = parse_tree(changed, str(path)).items["match"].items.get("model")
    if told is None or told.content != name:
        raise ConfigurationError(f"{path}: the line 'model: {name}' cannot be added to 'match'; add it by hand")
    written = path.with_name(f".{path.name}.new")
    written.write_text(changed, "utf-8")
    written.replace(path)
    return f"{path} names it now"
