"""What was delivered about one record key, from the whole list of its events: nothing is kept, all is a maximum.

Written from DESIGN section 2, the glossary and the contracts. Shares no code with ``mdm_stream``.
"""

from __future__ import annotations

import json
from hashlib import blake2b

VERDICTS_MAX = 500
"""So many verdicts one record holds, the newest."""


def canonical(value):
    """Return canonical JSON: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(value):
    """Return the digest by which two writes of one version are ordered: the greater wins."""
    return blake2b(canonical(value), digest_size=16).hexdigest()


def version_key(version):
    """Order versions: every integer sorts below every text."""
    return (1, 0, version) if isinstance(version, str) else (0, version, "")


def refs_of(event):
    """Return the records that an event is about."""
    if event["kind"] == "verdict":
        return [event["a"], event["b"]]
    if event["kind"] == "record":
        return [f"{event['source']}/{event['record_id']}"]
    return [event["ref"]]


DAY_US = 86_400_000_000


def born_of(event, sources):
    """Return when a write says that its record was born: its time, but no longer before its arrival than allowed."""
    if event["arrival"] is None:
        return event["time"]
    return max(event["time"], event["arrival"] - sources.get(event["source"], {}).get("backdating", DAY_US))


def live_states(events, sources):
    """Return, by reference, what the live records hold; ``sources`` are those that the rules declare."""
    by_ref = {}
    for event in events:
        for ref in refs_of(event):
            by_ref.setdefault(ref, []).append(event)
    states = {ref: state_of(ref, about, sources) for ref, about in by_ref.items()}
    for ref, state in states.items():
        held = state.get("verdicts", {})
        state["verdicts"] = {other: word for other, word in held.items() if ref in states[other].get("held", ())}
    return {ref: state for ref, state in sorted(states.items()) if state["live"]}


def state_of(ref, events, sources):
    """Return the state of one record key: ``live``, ``born``, columns, verdicts and overrides."""
    if any(event["kind"] == "erase" for event in events):
        return {"live": False}
    writes = [_write(event, sources) for event in events if event["kind"] == "record"]
    wholes = [write for write in writes if write["op"] != "patch"]
    base = max(wholes, key=lambda write: write["order"], default=None)
    patches = [write for write in writes if write["op"] == "patch" and (base is None or write["order"] > base["order"])]
    columns = {}
    for write in ([base] if base is not None else []) + sorted(patches, key=lambda write: write["order"]):
        for column, value in write["attributes"].items():
            columns[column] = {"value": value, "version": write["version"], "time": write["time"]}
    return {
        "live": bool(patches) or (base is not None and base["op"] == "upsert"),
        "born": min((born_of(write, sources) for write in writes), default=0),
        "columns": {column: cell for column, cell in columns.items() if cell["value"] is not None},
        "newest": _newest_write(base, patches),
        "held": set(_verdicts(ref, [event for event in events if event["kind"] == "verdict"])),
        "verdicts": _verdicts(ref, [event for event in events if event["kind"] == "verdict"]),
        "overrides": _overrides([event for event in events if event["kind"] in ("override", "expiry")]),
    }


def _write(event, sources):
    marked = digest([event["op"], event["time"], event["attributes"]])
    version = version_of(event, sources)
    return {**event, "version": version, "order": (version_key(version), marked)}


LAST_CHARACTER = chr(0x10FFFD)
"""What the version of a later history begins with: no source may send it."""


def version_of(event, sources):
    """Return the version of a write: its position, above all others if its source began a new history before it."""
    source, position = sources.get(event["source"], {}), event["version"]
    time = event["time"]
    if event["arrival"] is not None:
        time = min(time, event["arrival"] + DAY_US)
    held = [
        number
        for number, history in enumerate(source.get("histories", []), 1)
        if history["server"] in ("", event["server"]) and history["from"] <= time
    ]
    if not held:
        return position
    kind, text = ("t", position) if isinstance(position, str) else ("i", str(position + 2**63).rjust(20, "0"))
    return LAST_CHARACTER + str(held[-1]).rjust(3, "0") + kind + text


def _newest_write(base, patches):
    newest = max([*patches, *([base] if base is not None else [])], key=lambda write: write["order"], default=None)
    return None if newest is None else (newest["version"], newest["time"])


def _verdicts(ref, events):
    """Return the standing word on each other record."""

    def order(event):
        return version_key(event["version"]), digest([event["verdict"], event["time"], event["steward"]])

    standing = {}
    for event in sorted(events, key=order):
        other = event["b"] if event["a"] == ref else event["a"]
        standing.pop(other, None)
        standing[other] = (order(event), other, event["verdict"])
    newest = sorted(standing.values())[-VERDICTS_MAX:]
    return {other: word for _, other, word in newest}


def _overrides(events):
    """Return the standing override of each attribute: of one version its expiry wins."""
    standing = {}
    for event in events:
        for name, value in _values_of(event).items():
            if event["kind"] == "expiry":
                order = (version_key(event["version"]), 1, -event["time"], "")
            else:
                marked = digest([value, event["time"], event["steward"], event["expires"]])
                order = (version_key(event["version"]), 0, 0, marked)
            standing.setdefault(name, []).append((order, value, event))
    held = {name: max(found, key=lambda each: each[0]) for name, found in standing.items()}
    return {
        name: {"value": value, "version": event["version"], "time": event["time"]}
        for name, (_, value, event) in held.items()
        if value is not None
    }


def _values_of(event):
    return dict.fromkeys(event["attributes"]) if event["kind"] == "expiry" else event["attributes"]
