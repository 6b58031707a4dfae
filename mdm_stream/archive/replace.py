"""Replacing objects by another that holds what must be kept of them: crash-safe, without locks, beside anybody.

Compaction and erasure are both replacements. One goes so:

1. *describe*: write which inputs will be replaced by which output, before the first input is read;
2. read the inputs and *create* the output, which only works if nobody has taken its name;
3. keep the inputs' greatest witness, remove the inputs, remove the description.

The second step decides. Whoever finds a description (the next compaction or erasure *settles* all of them first) looks
for its output. If it is there, the third step is finished for its maker. If it is not, the name is taken by a mark, so
that its maker, should it still be alive, can never create it, and the inputs stay what they are.

So nothing is lost: inputs are only removed when the output exists. And nothing comes back: an erasure that has
settled what was under way before it looked knows that no older copy of a row can still be written. The marks stay for
ever; there is one for each replacement that was given up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import orjson

from mdm_stream.archive.object_names import (
    ABANDONED,
    ArchiveObject,
    greatest_in,
    is_mark,
    name_of_replacement,
    name_of_witness,
    replacement_folder,
    witness_folder,
    witness_in,
)
from mdm_stream.archive.record import DamagedObjectError
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.objects.store import MissingObjectError, ObjectStore

WITNESSES_KEPT = 8
"""More than the one that counts: who lists while the lowest are removed finds the greatest all the same."""


def replace(
    store: ObjectStore, domain: str, inputs: Sequence[ArchiveObject], output: str, build: Callable[[], bytes]
) -> bool:
    """Replace ``inputs`` by the object ``output``, whose content ``build`` makes of them; return whether it was done.

    It was not if another process has replaced an input first, or has taken this replacement for abandoned; nothing has
    changed then. An error of ``build`` is raised, and nothing has changed. After an error of the store, the next
    ``settle`` finishes what was begun.
    """
    description = name_of_replacement(domain)
    names = [each.name for each in inputs]
    store.put(description, orjson.dumps({"output": output, "inputs": names}))
    try:
        content = build()
    except Exception as error:
        store.delete([description])
        if isinstance(error, MissingObjectError):
            return False
        raise
    if not store.create(output, content):
        store.delete([description])
        return False
    _finish(store, domain, description, names)
    return True


def settle(store: ObjectStore, domain: str) -> int:
    """Finish or give up every replacement that is under way, and return how many there were."""
    store.sweep()
    descriptions = [stored.name for stored in store.list(replacement_folder(domain))]
    for description in descriptions:
        try:
            fields = orjson.loads(store.get(description))
            output, inputs = str(fields["output"]), [str(name) for name in fields["inputs"]]
        except MissingObjectError:
            continue
        except (KeyError, TypeError, ValueError):
            raise DamagedObjectError(description, "it describes no replacement") from None
        if _is_abandoned(store, output):
            store.delete([description])
        else:
            _finish(store, domain, description, inputs)
    return len(descriptions)


def keep_witness(store: ObjectStore, domain: str, witness: EpochPosition) -> None:
    """Keep a witness whose segment is about to be removed; the greatest ever kept stays."""
    newest = next((witness_in(stored.name) for stored in store.list(witness_folder(domain))), None)
    if newest is not None and newest >= witness:
        return
    store.put(name_of_witness(domain, witness), b"")
    store.delete([stored.name for stored in islice(store.list(witness_folder(domain)), WITNESSES_KEPT, None)])


def _is_abandoned(store: ObjectStore, output: str) -> bool:
    """Tell whether an output will never be: it is marked so, or could be marked so now."""
    found = next((stored for stored in store.list(output) if stored.name == output), None)
    return store.create(output, ABANDONED) if found is None else is_mark(found)


def _finish(store: ObjectStore, domain: str, description: str, inputs: Sequence[str]) -> None:
    witness = greatest_in(inputs)
    if witness is not None:
        keep_witness(store, domain, witness)
    store.delete(inputs)
    store.delete([description])
