"""``blocking.keys``: the authored keys, and those that refine them -> key expressions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from mdm_stream.core.blocking.keys import parse_key
from mdm_stream.core.ruleset import KeyExpression, KeyPart
from mdm_stream.rules.findings import Findings, Place, nearest, one_of
from mdm_stream.rules.model import BlockingKeyModel, BlockingModel
from mdm_stream.rules.tree import Node

KEYS_MAX = 64
"""Every record is indexed under each key, so each one costs memory and time for every record."""

REFINED_DEPTH_MAX = 4
"""So many times one key may be refined: the fifth part of a key that four have not made rare will not do it either."""

TAG_LENGTH_MIN = 3

_JOINT = " + "


class _Written(NamedTuple):
    """A key as it was written: its name for people, the whole expression, its own part of it, and where it stands."""

    name: str
    text: str
    own: str
    refined_above: int | None
    place: Place


def compile_blocking(
    model: BlockingModel,
    node: Node,
    positions: Mapping[str, int],
    digest_of_parts: Callable[[tuple[KeyPart, ...]], str],
    findings: Findings,
) -> tuple[KeyExpression, ...]:
    """Return the key expressions, each followed by those that refine it. ``positions``: of attributes, by name.

    ``digest_of_parts`` says what an expression computes; its tag begins with it.
    """
    if not model.keys:
        findings.error(node.place, "no blocking keys, so no records would be compared; expected at least one; add it")
    written = [each for name, key in model.keys.items() for each in _written(name, key, node.at((name,)), "", findings)]
    if len(written) > KEYS_MAX:
        findings.error(node.place, f"{len(written)} blocking keys; expected at most {KEYS_MAX}; drop some")

    def index_of(attribute: str) -> int:
        if attribute not in positions:
            raise ValueError(f"expected {one_of(positions)}{nearest(attribute, positions)}")
        return positions[attribute]

    parsed: dict[tuple[KeyPart, ...], _Written] = {}
    for each in written:
        try:
            parse_key(each.own, index_of)
            parts = parse_key(each.text, index_of)
        except ValueError as error:
            findings.error(each.place, f"blocking key {each.name}: {error}")
            continue
        first = parsed.setdefault(parts, each)
        if first is not each:
            same = f"blocking key {each.name} is the same as {first.name}"
            findings.error(each.place, f"{same}; expected another; remove one")
    tags = _tags({parts: digest_of_parts(parts) for parts in parsed})
    return tuple(KeyExpression(tags[parts], each.text, parts, each.refined_above) for parts, each in parsed.items())


def key_places(node: Node) -> dict[str, Place]:
    """Return where each key expression was written, those that refine others too, by its whole text."""
    return dict(place for name in node.items for place in _places(node.at((name,)), ""))


def _places(node: Node, before: str) -> Iterator[tuple[str, Place]]:
    text = before + str(node.items["key"].content if "key" in node.items else node.content)
    yield text, node.place
    refining = node.items["refine"].content if "refine" in node.items else ()
    several: Sequence[object] = refining if isinstance(refining, tuple) else (node.at(("refine",)),)
    for each in several:
        if isinstance(each, Node):
            yield from _places(each, text + _JOINT)


def _written(
    name: str, model: BlockingKeyModel, node: Node, before: str, findings: Findings, depth: int = 0
) -> Iterator[_Written]:
    """Yield a key and those that refine it, with what they refine before their own part."""
    shown = repr(name) if not before else f"{name!r}, refined by {model.key!r}"
    if model.refine_above is not None and not model.refine:
        advice = "add 'refine: [expression]', or write 'suspend_above' if other keys find what it would"
        findings.error(node.at(("refine_above",)).place, f"'refine_above' has no meaning without 'refine'; {advice}")
    if model.suspend_above is not None and model.refine:
        advice = "write 'refine_above', or remove 'refine'"
        findings.error(node.at(("suspend_above",)).place, f"'suspend_above' has no meaning beside 'refine'; {advice}")
    if depth > REFINED_DEPTH_MAX:
        findings.error(node.place, f"{name!r} is refined more than {REFINED_DEPTH_MAX} times; expected fewer; drop one")
        return
    text = before + model.key
    yield _Written(shown, text, model.key, model.limit, node.place)
    for place, further in enumerate(model.refine):
        yield from _written(name, further, node.at(("refine", place)), text + _JOINT, findings, depth + 1)


def _tags(digests: Mapping[tuple[KeyPart, ...], str]) -> dict[tuple[KeyPart, ...], str]:
    """Return a short tag for each key expression, derived from what it computes.

    So renaming, reordering or adding expressions leaves the keys of the others as they are. The tags are all of the
    least length that tells them apart.
    """
    length = TAG_LENGTH_MIN
    while len({digest[:length] for digest in digests.values()}) < len(digests):
        length += 1
    return {parts: digest[:length] for parts, digest in digests.items()}
