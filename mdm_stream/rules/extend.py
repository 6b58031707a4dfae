"""``extends``: a rule set laid over another one, item by named item.

Both are mappings of named things down to the settings, so laying one over the other is a merge of mappings in which

- a setting or list of the upper file replaces the one below it as a whole (so do the levels of a comparison),
- a ``when`` is one condition and is replaced as a whole,
- ``name: {remove: true}`` takes the item of that name away,
- new deterministic rules come before those below, for the first that applies wins and the particular knows better;
  everything else new comes after what is already there.

Every node keeps the file and line that it was written in, so an error in the merged rule set points at its author.
"""

from __future__ import annotations

from pathlib import Path

from mdm_stream.rules.findings import Findings, Place, fail, nearest, one_of
from mdm_stream.rules.tree import Node, read_tree

EXTENDS_MAX = 8
"""How many files deep ``extends`` may reach."""

PACKS = Path(__file__).parent / "packs"

_WHOLE = frozenset({"when"})
_NEW_FIRST = ("match", "deterministic")


def pack_names() -> tuple[str, ...]:
    """Return the names of the packs that come with mdm-stream, sorted."""
    return tuple(sorted(path.stem for path in PACKS.glob("*.yaml")))


def locate(path_or_pack_name: str | Path) -> Path:
    """Return the file that a pack's name or a path stands for. The name of a pack wins over a file of that name."""
    if isinstance(path_or_pack_name, str) and path_or_pack_name in pack_names():
        return PACKS / f"{path_or_pack_name}.yaml"
    return Path(path_or_pack_name)


def shown_name(path: Path) -> str:
    """Return how messages name a file: as it was given, a pack by its place in the package."""
    return f"mdm_stream/rules/packs/{path.name}" if path.parent == PACKS else str(path)


def resolve(path: Path, findings: Findings) -> Node:
    """Read a rule set and everything that it extends, and return the merged tree, without ``extends``.

    Raises ``RulesError`` where a file cannot be read or the chain has no end; other errors go to ``findings``.
    """
    chain: list[Node] = []
    seen: list[Path] = []
    named_at: Place | None = None
    while True:
        shown = shown_name(path)
        tree = read_tree(path, shown, named_at)
        seen.append(path.resolve())
        chain.append(tree)
        extends = tree.items.get("extends")
        if extends is None:
            break
        path, named_at = _extended(extends, path), extends.place
        if path.resolve() in seen:
            through = " -> ".join(shown_name(file) for file in [*seen[seen.index(path.resolve()) :], path.resolve()])
            fail(extends.place, f"'extends' goes in a circle: {through}; expected an end; remove one of them")
        if len(chain) >= EXTENDS_MAX:
            fail(extends.place, f"'extends' is more than {EXTENDS_MAX} files deep; expected fewer; merge some of them")
    merged = Node({}, chain[-1].place)
    for tree in reversed(chain):
        upper = Node({key: node for key, node in tree.items.items() if key != "extends"}, tree.place)
        merged = _merge(merged, upper, (), findings)
    return Node(merged.content, Place(chain[0].place.file, 1))


def _extended(extends: Node, path: Path) -> Path:
    name = extends.content
    packs = pack_names()
    if not isinstance(name, str):
        fail(extends.place, f"'extends' is not text; expected {one_of(packs)}, or the path of a rule set")
    if name in packs:
        return locate(name)
    if not name.endswith((".yaml", ".yml")):
        expected = f"expected {one_of(packs)}, or a path that ends in .yaml"
        fail(extends.place, f"there is no pack {name!r} to extend{nearest(name, packs)}; {expected}")
    below = path.parent / name
    if not _exists(below):
        fail(extends.place, f"there is no file {name!r} to extend; expected a path relative to this file; correct it")
    return below


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, or no name at all
        return False


def _merge(lower: Node, upper: Node, path: tuple[str, ...], findings: Findings) -> Node:
    if not isinstance(upper.content, dict):
        return upper
    replace = not isinstance(lower.content, dict) or (bool(path) and path[-1] in _WHOLE)
    below = {} if replace else lower.items
    new: dict[str, Node] = {}
    kept = dict(below)
    for key, node in upper.content.items():
        if _removes(node, findings):
            if key not in below:
                findings.error(node.place, f"there is no {key!r} to remove here{nearest(key, below)}; delete this line")
            kept.pop(key, None)
        elif key in below:
            kept[key] = _merge(below[key], node, (*path, key), findings)
        else:
            new[key] = _merge(Node({}, node.place), node, (*path, key), findings)
    merged = {**new, **kept} if path == _NEW_FIRST else {**kept, **new}
    return Node(merged, upper.place)


def _removes(node: Node, findings: Findings) -> bool:
    if "remove" not in node.items:
        return False
    wish = node.items["remove"]
    if wish.content is not True or len(node.items) > 1:
        # Every other key of an item that goes away would be ignored, which its author cannot have meant.
        if not isinstance(wish.content, bool):
            return False
        findings.error(wish.place, "'remove' stands with other settings or is not true; expected {remove: true} alone")
    return True
