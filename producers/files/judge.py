"""All checks of a file together: whether its load may run, waits for a person, or fails, and the manifest's numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mdm_stream.contracts.file_manifest import AttributeProfile, FileWarning, RejectedRows
from mdm_stream.contracts.reason import QuarantineReason
from mdm_stream.core.file_rules import FileRules
from mdm_stream.core.times import format_time_us
from mdm_stream.decode.files.csv_check import HeaderFindings
from mdm_stream.decode.files.file_faults import file_reason
from mdm_stream.errors import Reason
from producers.files.chunks import ChunkFindings
from producers.files.digests import Digests
from producers.files.profile import attribute_profiles, drift, merged
from producers.files.survey import Survey

REASONS_LISTED_MAX = 50
"""Reasons for which rows were rejected that a manifest lists, the most frequent first."""
NAMES_LISTED_MAX = 20

Decision = Literal["run", "held", "failed"]


@dataclass(frozen=True, slots=True)
class Absences:
    """What a full load would delete: of ``live`` records of the source those ``absent`` from it.

    ``versioned`` tells whether a record that is absent has a version by which it can be deleted.
    """

    live: int
    absent: int
    versioned: bool = True


@dataclass(frozen=True, slots=True)
class LoadTimes:
    """When a load is of, when it arrived, and of when the latest other load of its source is, in microseconds.

    ``returned``: its content was loaded before, another load came between, and no time was declared.
    """

    as_of_us: int
    received_at_us: int
    latest_other_us: int | None = None
    returned: bool = False


@dataclass(frozen=True, slots=True)
class LoadVerdict:
    """Whether a load runs, with its reasons if it does not, and what the manifest says of its rows."""

    decision: Decision
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[FileWarning, ...] = ()
    rows: int = 0
    accepted: int = 0
    rejected: int = 0
    skipped: int = 0
    unknown_records: int = 0
    rejected_rows: tuple[RejectedRows, ...] = ()
    profile: tuple[AttributeProfile, ...] = field(default=())


def judge_survey(survey: Survey) -> LoadVerdict | None:
    """Return that a file fails whatever its rows are, ``None`` if they are to be checked."""
    if survey.fault is not None:
        return LoadVerdict("failed", (survey.fault,))
    header = survey.findings
    if header is not None and header.needed:
        said = f"are missing, and without them no row can be read: {_names([name for name, _ in header.needed])}"
        return LoadVerdict("failed", (file_reason("columns", "header", said),))
    if header is not None and header.wanted:
        said = f"are none that source {header.source} has a value in"
        return LoadVerdict("failed", (file_reason("columns", "header", said),))
    return None


def judge_load(
    survey: Survey,
    findings: Iterable[ChunkFindings],
    rules: FileRules,
    times: LoadTimes,
    *,
    absences: Absences | None = None,
    earlier: Sequence[Sequence[AttributeProfile]] = (),
) -> LoadVerdict:
    """Return the verdict on a load whose chunks were all checked; ``findings`` may come one at a time.

    ``absences`` are those of a full load, ``earlier`` the profiles of earlier loads of the source.
    """
    failed = judge_survey(survey)
    if failed is not None:
        return failed
    sums = _Sums()
    for each in findings:
        sums.add(each)
    profile = attribute_profiles(merged(sums.profiles))
    reasons = [
        *_about_header(survey, rules), *_about_rows(sums, rules), *_about_deletions(sums, rules, absences)
    ]  # fmt: skip
    warnings = [
        *_header_warnings(survey), *_time_warnings(times, rules), *drift(profile, earlier, rules.drift_max)
    ]  # fmt: skip
    return LoadVerdict(
        decision="held" if reasons else "run",
        reasons=tuple(reasons),
        warnings=tuple(warnings),
        rows=sums.rows,
        accepted=sums.accepted,
        rejected=sums.rejected,
        skipped=sums.skipped,
        unknown_records=sums.unknown,
        rejected_rows=sums.rejected_rows(),
        profile=tuple(profile),
    )


class _Sums:
    """The sums of all findings."""

    def __init__(self) -> None:
        self.rows = self.accepted = self.rejected = self.skipped = self.unknown = 0
        self.profiles: list[dict[str, dict[str, object]]] = []
        self.unique: dict[str, list[bytes]] = {}
        self._reasons: dict[tuple[str, str], tuple[Reason, int, int]] = {}

    def add(self, found: ChunkFindings) -> None:
        """Take the findings of one chunk."""
        self.rows += found.rows
        self.accepted += found.accepted
        self.skipped += found.skipped
        self.rejected += len(found.rejected)
        self.unknown += found.unknown_records
        self.profiles = [merged([*self.profiles, found.profile])]
        for column, digests in found.unique.items():
            self.unique.setdefault(column, []).append(digests)
        for row in found.rejected:
            for reason in row.reasons:
                known = self._reasons.get((reason.code, reason.path))
                if known is None:
                    self._reasons[reason.code, reason.path] = (reason, 1, row.row)
                elif row.row < known[2]:
                    self._reasons[reason.code, reason.path] = (reason, known[1] + 1, row.row)
                else:
                    self._reasons[reason.code, reason.path] = (known[0], known[1] + 1, known[2])

    def rejected_rows(self) -> tuple[RejectedRows, ...]:
        """Return how many rows were rejected for which reason, the most frequent first."""
        ordered = sorted(self._reasons.values(), key=lambda each: (-each[1], each[2], each[0].code, each[0].path))
        return tuple(
            RejectedRows(
                reason=QuarantineReason(code=reason.code, path=reason.path, message=reason.message),
                rows=rows,
                first_row=first,
            )
            for reason, rows, first in ordered[:REASONS_LISTED_MAX]
        )


def _about_header(survey: Survey, rules: FileRules) -> list[Reason]:
    have = {name for name in survey.found if name}
    reasons = []
    missing = [name for name in dict.fromkeys((*rules.columns, *rules.required)) if name not in have]
    if missing:
        said = f"lacks columns that the rules expect: {_names(missing)}"
        reasons.append(file_reason("columns", "header", said))
    if rules.columns_exact:
        others = len(have.difference(rules.columns))
        if others:
            said = f"has {others:,} columns that are none of those expected; add them to 'columns', or drop them"
            reasons.append(file_reason("columns", "header", said))
    return reasons


def _about_rows(sums: _Sums, rules: FileRules) -> list[Reason]:
    reasons = []
    if sums.rows < rules.rows_min:
        said = f"has {sums.rows:,} rows, and at least {rules.rows_min:,} are expected"
        reasons.append(file_reason("rows", "file", said))
    if rules.rows_max is not None and sums.rows > rules.rows_max:
        said = f"has {sums.rows:,} rows, and at most {rules.rows_max:,} are expected"
        reasons.append(file_reason("rows", "file", said))
    if sums.rejected > rules.rejected_share_max * sums.rows:
        said = f"has {sums.rows:,} rows, of which {sums.rejected:,} cannot be read; at most "
        reasons.append(file_reason("rejected_share", "file", f"{said}{rules.rejected_share_max:.0%} may"))
    for column, digests in sums.unique.items():
        repeated = Digests(digests).repeated
        if repeated:
            said = f"is to be unique, and in {repeated:,} rows has a value that another row has"
            reasons.append(file_reason("not_unique", column, said))
    return reasons


def _about_deletions(sums: _Sums, rules: FileRules, absences: Absences | None) -> list[Reason]:
    if rules.load != "full":
        return []
    reasons = []
    if sums.unknown:
        said = f"has {sums.unknown:,} rejected rows whose record is unknown, and it would be deleted"
        reasons.append(file_reason("unknown_records", "file", said))
    if absences is not None and not absences.versioned:
        said = "brings versions of a counter or texts, of which a record that is absent has none: it cannot be full"
        reasons.append(file_reason("no_deletions", "file", said))
    if absences is not None and absences.absent > rules.deleted_share_max * absences.live:
        said = f"lacks {absences.absent:,} of {absences.live:,} live records, which would be deleted; at most "
        reasons.append(file_reason("deleted_share", "file", f"{said}{rules.deleted_share_max:.0%} may"))
    return reasons


def _header_warnings(survey: Survey) -> list[FileWarning]:
    warnings = []
    header: HeaderFindings | None = survey.findings
    if header is not None and header.missing:
        absent = _names([name for name, _ in header.missing])
        said = f"columns of the rules that the file has not, empty in each record: {absent}"
        warnings.append(FileWarning(code="missing_columns", path="header", message=said))
    if header is not None and header.unknown:
        said = f"{len(header.unknown):,} columns of the file are in no rule of the source, and ignored"
        meant = sorted({near for _, near in header.unknown if near})
        said += f"; perhaps meant: {_names(meant)}" if meant else ""
        warnings.append(FileWarning(code="unknown_columns", path="header", message=said))
    if survey.late_members:
        said = f"{survey.late_members:,} rows have members that are in none of the first rows nor in the rules: ignored"
        warnings.append(FileWarning(code="late_members", path="header", message=said))
    return warnings


def _time_warnings(times: LoadTimes, rules: FileRules) -> list[FileWarning]:
    warnings = []
    if rules.late_after_us is not None and times.received_at_us - times.as_of_us > rules.late_after_us:
        said = f"the load is as of {format_time_us(times.as_of_us)}, and arrived later than the rules expect"
        warnings.append(FileWarning(code="late", path="as_of", message=said))
    if times.latest_other_us is not None and times.as_of_us < times.latest_other_us:
        said = f"a load as of {format_time_us(times.latest_other_us)} came before this one, and supersedes what it says"
        warnings.append(FileWarning(code="out_of_order", path="as_of", message=said))
    if times.returned:
        said = "the same content was loaded before the latest load; it changes nothing unless a time is declared for it"
        warnings.append(FileWarning(code="returned", path="as_of", message=said))
    return warnings


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_LISTED_MAX} more" if len(names) > NAMES_LISTED_MAX else ""
    return ", ".join(names[:NAMES_LISTED_MAX]) + more
