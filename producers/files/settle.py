"""What follows from each step: the manifest is written anew, and whoever is to hear of a new state hears of it.

Safe to do at any time, any number of times, by several at once: it looks at what exists, and writes what follows.
"""

from __future__ import annotations

from typing import get_args

from mdm_stream.contracts.file_manifest import FileManifest
from mdm_stream.contracts.file_notice import NoticeState
from producers.files.loads import LOADS, LoadStore
from producers.files.manifest import LoadView, render, view_of
from producers.files.notify import Notifier

RENDERINGS_MAX = 20
"""Times that a manifest is written because something else became known meanwhile; the writer of that writes it too."""

_DONE = b"{}"
_NOTICED = frozenset(get_args(NoticeState))


class Settler:
    """Writes manifests, sends notices, and removes what is not needed any more. ``reached`` are states newly told."""

    def __init__(self, store: LoadStore, notifier: Notifier) -> None:
        self._store = store
        self._notifier = notifier
        self.reached: list[FileManifest] = []

    def settle(self, load_id: str) -> LoadView:
        """Bring everything about a load up to what exists of it, and return that.

        The feed and notices are told before it is noted that they were, so they may hear a thing twice.
        """
        view, manifest = self._write(load_id)
        attempt, state = view.attempt, view.state
        fed = f"fed/{state}-{len(view.deliveries)}.json"
        if not attempt.has(fed):
            self._notifier.feed(manifest)
            self._store.objects.create(attempt.name(fed), _DONE)
            # A content that is delivered again is told to the feed, and reaches no state.
            if not any(name.startswith(f"{attempt.folder}fed/{state}-") for name in attempt.names):
                self.reached.append(manifest)
        told = f"told/{state}.json"
        if state in _NOTICED and not attempt.has(told):
            address = self._store.objects.location(_manifest_name(load_id))
            self._notifier.notice(manifest, state, attempt.number, address)  # type: ignore[arg-type]
            self._store.objects.create(attempt.name(told), _DONE)
        if view.ended:
            self._store.attempt(load_id).remove_values()
            self._store.mark_ended(load_id)
        elif attempt.number > 1:
            attempt.remove_values(earlier=True)
        return view

    def _write(self, load_id: str) -> tuple[LoadView, FileManifest]:
        """Write the manifest; once more if a step has ended meanwhile, whose own manifest may have been before ours."""
        view = view_of(self._store.attempt(load_id))
        manifest = render(view)
        for _ in range(RENDERINGS_MAX):
            self._store.objects.put(_manifest_name(load_id), manifest.model_dump_json().encode())
            attempt = self._store.attempt(load_id)
            if (attempt.number, attempt.revision) == (view.attempt.number, view.attempt.revision):
                break
            view = view_of(attempt)
            manifest = render(view)
        return view, manifest


def _manifest_name(load_id: str) -> str:
    return f"{LOADS}{load_id}/manifest.json"
