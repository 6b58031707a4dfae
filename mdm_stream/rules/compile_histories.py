"""What a source's rules say about the histories of its positions."""

from __future__ import annotations

import re

from mdm_stream.core.model import History
from mdm_stream.core.name_patterns import GTID_SOURCE_PATTERN
from mdm_stream.core.times import parse_time_us
from mdm_stream.core.wire_formats import WIRE_FORMATS
from mdm_stream.rules.findings import Findings, one_of
from mdm_stream.rules.model import HistoryModel, SourceModel
from mdm_stream.rules.tree import Node

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def compile_histories(source: SourceModel, node: Node, findings: Findings) -> tuple[History, ...]:
    """Return the histories that a source declares, in order; what is wrong goes to ``findings``."""
    compiled: list[History] = []
    for place, declared in enumerate(source.histories):
        own = node.at(("histories", place))
        history = _history(source, declared, own, findings)
        for number, other in enumerate(compiled, start=1):
            if history != History() and history.covers(other):
                findings.error(
                    own.place,
                    f"this history holds wherever history {number} above it does, which nothing would belong to; "
                    "expected them in the order in which they began; correct the order, or add 'from' to this one",
                )
                break
        compiled.append(history)
    return tuple(compiled)


def _history(source: SourceModel, declared: HistoryModel, node: Node, findings: Findings) -> History:
    named = declared.model_dump(include={"server_id", "gtid_source", "timeline"}, exclude_none=True)
    known = WIRE_FORMATS[source.format].names_log
    for name in named:
        if name not in known:
            expected = one_of([*known, "from"])
            findings.error(
                node.at((name,)).place,
                f"events of format {source.format} do not name their {name!r}; expected {expected}; correct it",
            )
    if declared.gtid_source is not None and not re.fullmatch(GTID_SOURCE_PATTERN, declared.gtid_source):
        findings.error(
            node.at(("gtid_source",)).place,
            "'gtid_source' is not what a GTID begins with; expected the UUID of a server (MySQL), or domain and server "
            "such as 0-1 (MariaDB); correct it",
        )
    if len(named) > 1:
        listed = one_of(named)
        findings.error(node.place, f"a history names {listed}, not several; expected one of them; remove the others")
    if not named and declared.from_ is None:
        expected = one_of([*known, "from"])
        findings.error(node.place, f"a history does not say what began it; expected {expected}; add it")
    return History(
        **{name: str(value).lower() for name, value in named.items()}, from_us=_from_us(declared, node, findings)
    )


def _from_us(declared: HistoryModel, node: Node, findings: Findings) -> int | None:
    text = declared.from_
    if text is None:
        return None
    try:
        return parse_time_us(f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text)
    except ValueError:
        findings.error(
            node.at(("from",)).place,
            "'from' is no time; expected a day such as 2026-02-01 (from midnight in UTC), or a time with an offset "
            "such as 2026-02-01T09:30:00Z; correct it",
        )
        return None
