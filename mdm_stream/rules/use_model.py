"""Naming a learned model in a rule-set file, by one line, without touching what else its author wrote."""

from __future__ import annotations

import codecs
import os
import re
import shutil
import tempfile
from contextlib import suppress
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

    It keeps its line ends and its permissions; of a link, what that points to is replaced. ``ConfigurationError`` for a
    pack, a file whose ``match`` is written in braces or names another model, and one that cannot be written.
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
    raw = path.read_bytes()
    text = raw.decode("utf-8-sig")
    line_end = "\r\n" if text.count("\r\n") == text.count("\n") > 0 else "\n"
    text = text.replace(line_end, "\n")
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
    bom = codecs.BOM_UTF8 if raw.startswith(codecs.BOM_UTF8) else b""
    try:
        _replace(path.resolve(), bom + changed.replace("\n", line_end).encode())
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written: {error.strerror}; add 'model: {name}' by hand") from error
    return f"{path} names it now"


def _replace(path: Path, content: bytes) -> None:
    """Replace a file by new content that has its permissions, through a draft that no other process writes."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(path, draft)
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
