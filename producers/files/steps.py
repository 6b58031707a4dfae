"""The steps of a load once its file is known: survey, check, judge, send, finish; what exists tells which is next.

Each step looks at what exists, does what is missing, and writes its output last. So a step may be done twice, by two
at once, and after any crash: it then writes the same, or finds that there is nothing to do. Rows reach the change
stream at least once, under versions of their own, so a row that is sent twice is one row; none is left out, because
``sent/N.json`` is written only once the stream and the quarantine have taken all rows of a chunk.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from mdm_stream.contracts.file_notice import FileJobRequest
from mdm_stream.core.file_rules import FileRules
from mdm_stream.core.times import format_time_us
from mdm_stream.decode.files.file_faults import file_reason
from mdm_stream.errors import Reason, TerminalError, TransientError
from mdm_stream.objects.store import MissingObjectError
from producers.files.check import check_chunk, rows_to_quarantine, rows_to_send
from producers.files.chunks import Chunk, ChunkContent
from producers.files.drop import DropGoneError, DroppedObject
from producers.files.finish import finish_load
from producers.files.judge import judge_survey
from producers.files.judging import judge_attempt, verdict_record
from producers.files.loads import LoadAttempt
from producers.files.manifest import LoadView, view_of, wire_reason
from producers.files.notify import message_of
from producers.files.records import AgainRecord, LoadVerdictRecord, PlanRecord, SentRecord
from producers.files.settle import Settler
from producers.files.surroundings import QUARANTINED_AT_A_TIME, LoadSurroundings, file_rules, reader_of
from producers.files.survey import survey

ATTEMPTS_MAX = 20
"""Attempts at one load that rules which changed meanwhile may begin; further ones are a person's to begin."""
TURNS_MAX = 100
"""Turns of one ``advance``: a load has five steps, and begins again now and then."""

Step = Literal["check", "send"]
_OUTPUT: Mapping[str, str] = {"check": "checked", "send": "sent"}


class LoadSteps:
    """Does the steps of loads, and settles what follows from each."""

    def __init__(self, around: LoadSurroundings) -> None:
        self.around = around
        self.store = around.store
        self.settler = Settler(around.store, around.notifier)

    def advance(self, load_id: str, dropped: DroppedObject | None = None) -> LoadView:
        """Do what is next for a load, or send messages for it, until others have to do something; return how it is.

        ``dropped`` is an object with its content, where one is at hand.
        """
        for _ in range(TURNS_MAX):
            view = view_of(self.store.attempt(load_id))
            if not self._turn(view, dropped):
                return self.settler.settle(load_id)
        raise TerminalError(f"load {load_id} does not go on; begin it again with `mdm-stream files redrive`")

    def step(self, message: Mapping[str, Any]) -> None:
        """Do the step that a message of the queue asks for, and go on with the load if it was the last of its kind.

        A message of an earlier attempt, or of a step that is done, only makes sure that the load goes on.
        """
        load_id, attempt, step, number = _read(message)
        view = view_of(self.store.attempt(load_id))
        if view.attempt.number == attempt and not view.ended and view.survey is not None:
            if number not in view.attempt.chunks_in(_OUTPUT[step]):
                self._do(step, view, number)
            after = self.store.attempt(load_id)
            done = after.chunks_in(_OUTPUT[step])
            if after.number == attempt and any(chunk.number not in done for chunk in view.survey.chunks):
                return
        self.advance(load_id)

    def fail(self, attempt: LoadAttempt, reasons: tuple[Reason, ...]) -> None:
        """Write that a load has failed; of a verdict that is there already nothing changes."""
        verdict = LoadVerdictRecord(
            decision="failed", decided_at=self._now(), reasons=[wire_reason(reason) for reason in reasons]
        )
        self.store.objects.create(attempt.name("verdict.json"), verdict.encode())

    def _turn(self, view: LoadView, dropped: DroppedObject | None) -> bool:
        """Do what is next, and tell whether to look again."""
        is_large = view.record.object.sha256 is None
        if is_large and not self.around.reads_all and view.attempt.is_of_job():
            return False  # the job does it
        if view.state == "received":
            self._plan(view, dropped)
            return True
        if view.survey is None or view.state not in ("validating", "running"):
            return False
        step: Step = "check" if view.state == "validating" else "send"
        failed = judge_survey(view.survey) if step == "check" else None
        if failed is not None:
            record = verdict_record(failed, self._now(), ())
            self.store.objects.create(view.attempt.name("verdict.json"), record.encode())
            return True
        done = view.attempt.chunks_in(_OUTPUT[step])
        missing = [each.number for each in view.survey.chunks if each.number not in done]
        if missing:
            return self._fan_out(view, step, missing)
        (judge_attempt if step == "check" else finish_load)(self.around, view)
        return True

    def _fan_out(self, view: LoadView, step: Step, numbers: list[int]) -> bool:
        """Do a step of some chunks, or send messages for them; tell whether it was done."""
        queue = self.around.queue
        if queue is not None and view.plan is not None and view.plan.route == "chunks":
            attempt = view.attempt
            queue.send([message_of(attempt.load_id, attempt.number, step, number) for number in numbers])
            return False
        for number in numbers:
            self._do(step, view, number)
        return True

    def _do(self, step: Step, view: LoadView, number: int) -> None:
        """Do a step of one chunk, unless the rules have changed since the plan: then the load begins again."""
        if self._begins_again(view):
            return
        chunk = next(each for each in view.survey.chunks if each.number == number) if view.survey is not None else None
        if chunk is None:
            raise TerminalError(f"load {view.record.load_id} has no chunk {number}")
        try:
            content = ChunkContent.decode(self.store.objects.get(view.attempt.of_chunk("chunks", number)))
        except MissingObjectError:
            now = view_of(self.store.attempt(view.record.load_id))
            if now.ended or now.attempt.number != view.attempt.number:
                return
            raise
        (self._check if step == "check" else self._send)(view, chunk, content)

    def _check(self, view: LoadView, chunk: Chunk, content: ChunkContent) -> None:
        found = check_chunk(reader_of(self.around, view), chunk, content)
        self.store.objects.put(view.attempt.of_chunk("checked", chunk.number), found.to_json())

    def _send(self, view: LoadView, chunk: Chunk, content: ChunkContent) -> None:
        """Send accepted rows to the stream and rejected ones to the quarantine, and note it once both have them."""
        if view.state != "running":
            return
        reader = reader_of(self.around, view)
        sent, kept = 0, []
        with self.around.open_stream() as stream:
            for key, data in rows_to_send(reader, chunk, content):
                self.around.put_event(stream, data, key)
                sent += 1
            stream.flush()
        entries = []
        for _, entry in rows_to_quarantine(reader, chunk, content, view.record.received_at_us):
            entries.append(entry)
            kept.append(entry.quarantine_id)
            if len(entries) == QUARANTINED_AT_A_TIME:
                self.around.keep_rejected(reader.domain, entries)
                entries = []
        self.around.keep_rejected(reader.domain, entries)
        record = SentRecord(number=chunk.number, sent=sent, quarantine_ids=kept)
        self.store.objects.put(view.attempt.of_chunk("sent", chunk.number), record.encode())

    def _begins_again(self, view: LoadView) -> bool:
        """Begin a load again whose rules are not those of its plan any more: it was judged by what no longer holds."""
        record, plan, number = view.record, view.plan, view.attempt.number
        if record.domain is None or record.source is None or plan is None:
            return False
        rules = file_rules(self.around.rulesets, record.domain, record.source)
        if self.around.rules_digest(record.domain, rules) == plan.rules_digest:
            return False
        if number >= ATTEMPTS_MAX:
            raise TransientError(f"the rules changed {number} times while load {record.load_id} was done")
        self.store.again(record.load_id, number + 1, AgainRecord(because="rules", at=self._now()))
        return True

    def _plan(self, view: LoadView, dropped: DroppedObject | None) -> None:
        """Read the file once, cut it into chunks, and write the plan; a file that cannot be read fails."""
        around, record, attempt = self.around, view.record, view.attempt
        if record.domain is None or record.source is None:
            raise TerminalError(f"load {record.load_id} was refused, and has no rules to be read by")
        rules = file_rules(around.rulesets, record.domain, record.source)
        if record.object.sha256 is None and not around.reads_all:
            self._hand_over(view, rules)
            return
        put = self.store.objects.put
        try:
            found = survey(
                around.bucket.read(dropped or DroppedObject.of(record.object)),
                record.object.key,
                around.rulesets,
                record.domain,
                record.source,
                around.limits,
                lambda number, content: put(attempt.of_chunk("chunks", number), content),
            )
        except DropGoneError:
            said = "was removed or overwritten before it was read; deliver it again"
            self.fail(attempt, (file_reason("broken_file", "object", said),))
            return
        if record.object.sha256 not in (None, found.sha256):
            raise TransientError(f"the object of load {record.load_id} changed while it was read")
        is_small = around.queue is None or record.object.size_bytes <= around.limits.direct_bytes_max
        digest = around.rules_digest(record.domain, rules)
        put(attempt.name("survey.json"), found.to_json())
        plan = PlanRecord(route="direct" if is_small else "chunks", load=rules.load, rules_digest=digest)
        put(attempt.name("plan.json"), plan.encode())

    def _hand_over(self, view: LoadView, rules: FileRules) -> None:
        """Ask for a Spark job for a file that is too large to be read here."""
        around, record = self.around, view.record
        job = f"mdm-files-{record.load_id}-{view.attempt.number}"
        digest = around.rules_digest(record.domain or "", rules)
        request = FileJobRequest(
            job=job,
            load_id=record.load_id,
            attempt=view.attempt.number,
            domain=record.domain or "",
            source=record.source or "",
            object=record.object,
            as_of=record.as_of,
            load=rules.load,
            rules_digest=digest,
            loads_url=around.loads_url,
        )
        self.store.objects.put(f"jobs/{job}.json", request.model_dump_json().encode())
        around.notifier.request_job(request)
        plan = PlanRecord(route="spark", load=rules.load, rules_digest=digest, job=job)
        self.store.objects.put(view.attempt.name("plan.json"), plan.encode())

    def _now(self) -> str:
        return format_time_us(self.around.now_us())


def _read(message: Mapping[str, Any]) -> tuple[str, int, Step, int]:
    step = message.get("step")
    if step in ("check", "send"):
        try:
            return str(message["load"]), int(message["attempt"]), step, int(message["chunk"])
        except (KeyError, TypeError, ValueError):
            pass
    raise TerminalError("the message names no step of a load") from None
