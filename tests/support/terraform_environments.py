"""The sizes of an environment as its files have them, for comparison with what the load model takes it for."""

from __future__ import annotations

import re

from terraform_tree import TERRAFORM


def configured_sizes(name: str) -> dict[str, int | str | None]:
    """Return the sizes of an environment by the names of the load model's footprint, and ``budget_usd``."""
    folder = TERRAFORM / "environments" / name
    main, variables = (folder / "main.tf").read_text("utf-8"), (folder / "variables.tf").read_text("utf-8")
    node, budget = (
        re.search(r'node_type = "([^"]+)"', main),
        re.search(r'"monthly_usd" \{[^}]*?default\s*=\s*(\d+)', variables),
    )
    assert node is not None
    assert budget is not None
    found: dict[str, int | str | None] = {
        "node_type": node[1],
        "replicas": _number("replicas", main, 1),
        "cache_shards": _number("shards", _line("index", main), 1),
        "zones": _number("availability_zones", main, 2),
        "endpoint_zones": _number("endpoint_zones", main, 2),
        "log_retention_days": _number("log_retention_days", main, 30),
        "budget_usd": int(budget[1]),
    }
    for stream, size in (("changes", "change_shards"), ("golden", "golden_shards")):
        found[size] = _number("shards", _line(stream, main), None)
    kept = {_number("retention_hours", _line(stream, main), 168) for stream in ("changes", "golden", "steward")}
    assert len(kept) == 1, f"{name}: streams keep records for {kept} hours"
    return {**found, "retention_hours": kept.pop()}


def _line(name: str, text: str) -> str:
    found = re.search(rf"^\s*{name}\s*=\s*\{{(.*)\}}", text, re.MULTILINE)
    return found[1] if found else ""


def _number(name: str, text: str, default: int | None) -> int | None:
    found = re.search(rf"\b{name}\s*=\s*(\d+)", text)
    return int(found[1]) if found else default
