"""Loads of files and erasure: rows that wait in chunks, until their load has ended or a person has decided on it.

A chunk is removed when its load has ended, so nothing is taken out of one here: its rows are counted, and belong to a
file that lies in the bucket of drops whole. What is found says which load to release or to fail.
"""

from __future__ import annotations

from mdm_stream.erasure.evidence import Evidence
from mdm_stream.objects.store import ObjectStore

LOADS = "loads"
WAITING = "row of a load that has not ended"

_FOLDER = "loads/"
_CHUNKS = "/chunks/"


def look_into_loads(store: ObjectStore, evidence: Evidence) -> None:
    """Note what every row holds that waits in a chunk; ``where`` is the load."""
    for stored in store.list(_FOLDER):
        if _CHUNKS not in stored.name:
            continue
        load_id = stored.name.removeprefix(_FOLDER).partition("/")[0]
        content = store.get(stored.name)
        # Rows in UTF-16 have zeros in them, and line ends of two bytes: they are looked into as one.
        for line in [content] if b"\x00" in content else content.splitlines():
            evidence.unclear(LOADS, WAITING, line, where=load_id)
