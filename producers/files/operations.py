"""What people do with loads: look at them, release or fail a held one, begin one again, send rejected rows again.

Each is noted in the store of loads with who did it and when, before anything follows from it.
"""

from __future__ import annotations

from collections.abc import Iterator

from mdm_stream.contracts.file_manifest import FileManifest, FileState
from mdm_stream.core.times import format_time_us
from mdm_stream.dead_letters.letters import DeadLetters, Selection
from mdm_stream.dead_letters.redrive import RedriveReport, RedriveRun
from mdm_stream.errors import ConfigurationError
from producers.files.judge_again import JudgedAgain, judged_again
from producers.files.loads import LOADS, LoadStore
from producers.files.manifest import LoadView, render, view_of
from producers.files.records import AgainRecord, RedriveRecord, ReleaseRecord, SentRecord
from producers.files.steps import LoadSteps
from producers.files.surroundings import file_rules


def manifests(
    store: LoadStore, *, domain: str | None = None, source: str | None = None, state: FileState | None = None
) -> Iterator[FileManifest]:
    """Yield manifests as of now, of each source those with the latest time first; of a source and state if named."""
    open_states = state in ("received", "validating", "held", "running")
    if open_states:
        for load_id in store.open_loads():
            manifest = show(store, load_id)
            if manifest.state == state and domain in (None, manifest.domain) and source in (None, manifest.source):
                yield manifest
        return
    for each_domain, each_source in store.sources():
        if domain in (None, each_domain) and source in (None, each_source):
            for listed in store.loads_of(each_domain, each_source):
                manifest = show(store, listed.load_id)
                if state in (None, manifest.state):
                    yield manifest


def show(store: LoadStore, load_id: str) -> FileManifest:
    """Return the manifest of a load as of now; ``MissingObjectError`` if there is no such load."""
    return render(view_of(store.attempt(load_id)))


def release(steps: LoadSteps, load_id: str, by: str) -> LoadView:
    """Let a held load run, whatever it is held for; ``ConfigurationError`` if it is not held, or the rules changed."""
    view = _held(steps, load_id)
    if view.plan is not None and view.record.domain is not None and view.record.source is not None:
        rules = file_rules(steps.around.rulesets, view.record.domain, view.record.source)
        if steps.around.rules_digest(view.record.domain, rules) != view.plan.rules_digest:
            raise ConfigurationError(
                f"the rules changed since load {load_id} was checked; begin it again, and see whether it is still held"
            )
    _decide(steps, view, ReleaseRecord(decision="run", by=by, at=_now(steps)))
    return steps.advance(load_id)


def fail(steps: LoadSteps, load_id: str, by: str) -> LoadView:
    """End a held load: nothing of it is sent, and its rows are removed. ``ConfigurationError`` if it is not held."""
    _decide(steps, _held(steps, load_id), ReleaseRecord(decision="failed", by=by, at=_now(steps)))
    return steps.advance(load_id)


def begin_again(steps: LoadSteps, load_id: str, by: str) -> LoadView:
    """Read, check and judge a load anew, by the rules as they are now, from the object that was delivered.

    One that ran before is sent again too, which changes nothing where the rules read the same. A load whose object
    was refused is begun by another delivery.
    """
    view = view_of(steps.store.attempt(load_id))
    if view.record.domain is None or view.record.source is None or (view.plan is None and view.ended):
        raise ConfigurationError(f"load {load_id} was refused before it was read; deliver the file again")
    steps.store.again(load_id, view.attempt.number + 1, AgainRecord(because="person", by=by, at=_now(steps)))
    return steps.advance(load_id)


def redrive_rows(
    steps: LoadSteps, load_id: str, by: str, letters: DeadLetters, run: RedriveRun, name: str
) -> tuple[RedriveReport, dict[str, str]]:
    """Send the rejected rows of a load again that are still in the quarantine, as far as the rules of now accept them.

    The others stay in the quarantine: the codes of their reasons are returned by their ids, ``NO_ROW`` of those that
    no rules make a row of. ``name`` is the run's, see ``DeadLetters.set_aside``. A row that the consumer rejects again
    is in the quarantine again.
    """
    attempt = steps.store.attempt(load_id)
    record = steps.store.record(load_id)
    ids: set[str] = set()
    for number in attempt.chunks_in("sent"):
        sent = steps.store.read(attempt.of_chunk("sent", number), SentRecord)
        ids.update(sent.quarantine_ids if sent is not None else ())
    found = letters.find(Selection(letter_ids=frozenset(ids))) if ids else []
    judged = JudgedAgain(found)
    if found and record.domain is not None and record.source is not None:
        judged = judged_again(found, letters, steps.around.rulesets, record.domain, record.source)
    at = _now(steps)
    noted = RedriveRecord(by=by, at=at, run=name, letters=len(judged.sendable))
    steps.store.objects.put(f"{LOADS}{load_id}/redriven/{name}.json", noted.encode())
    return run.send(judged.sendable, name), judged.kept


def _held(steps: LoadSteps, load_id: str) -> LoadView:
    view = view_of(steps.store.attempt(load_id))
    if view.state != "held":
        raise ConfigurationError(f"load {load_id} is {view.state}; only a load that is held can be decided on")
    return view


def _decide(steps: LoadSteps, view: LoadView, record: ReleaseRecord) -> None:
    if not steps.store.objects.create(view.attempt.name("released.json"), record.encode()):
        raise ConfigurationError(f"load {view.record.load_id} was decided on by another person at the same time")


def _now(steps: LoadSteps) -> str:
    return format_time_us(steps.around.now_us())
