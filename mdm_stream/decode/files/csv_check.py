"""A CSV file judged before anything of it is used: its header against the rules, and how many of its rows fail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from mdm_stream.core.file_rules import REJECTED_SHARE_MAX
from mdm_stream.core.model import make_ref
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode.files.csv_rows import CsvFile
from mdm_stream.decode.sources import Route
from mdm_stream.errors import Reason, RejectedEventError

REASONS_SHOWN_MAX = 5
NAMES_SHOWN_MAX = 20
_NAME_CHARS_MAX = 64
_RESERVED = ("source", "record_id", "version", "event_time")


@dataclass(slots=True)
class RowReasons:
    """How many rows were rejected for one reason at one place, in which line the first of them is, and what it says."""

    reason: Reason
    line: int
    rows: int = 0


@dataclass(frozen=True, slots=True)
class HeaderFindings:
    """What a header lacks and has too much, by the rules of one source.

    Without a ``needed`` column no row can be read; ``wanted`` are the attributes of which the file has none. A
    ``missing`` column leaves its attribute empty in every record, and an ``unknown`` one is left behind; each has the
    name that was probably meant, or ``""``.
    """

    source: str
    needed: tuple[tuple[str, str], ...]
    missing: tuple[tuple[str, str], ...]
    unknown: tuple[tuple[str, str], ...]
    wanted: tuple[str, ...] = ()


@dataclass(slots=True)
class CsvReport:
    """What a file holds. ``seen`` are references of the records that its rows name, by domain and source, if asked for.

    ``unknown_records`` counts rejected rows of which not even the record can be told. ``fault`` says why the header
    cannot be read.
    """

    dialect: str = ""
    rows: int = 0
    rejected: int = 0
    unknown_records: int = 0
    fault: Reason | None = None
    headers: list[HeaderFindings] = field(default_factory=list)
    reasons: dict[tuple[str, str], RowReasons] = field(default_factory=dict)
    columns: frozenset[str] = frozenset()
    routes: tuple[Route, ...] = ()
    seen: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    @property
    def top_reasons(self) -> list[RowReasons]:
        """The reasons for which most rows were rejected, the most frequent first."""
        ordered = sorted(self.reasons.values(), key=lambda each: (-each.rows, each.line))
        return ordered[:REASONS_SHOWN_MAX]

    def refusal(self, rejected_share_max: float = REJECTED_SHARE_MAX) -> str | None:
        """Return why nothing of the file may be used, ``None`` if it may."""
        if self.fault is not None:
            return f"the header {self.fault.message}"
        needed = [each for each in self.headers if each.needed]
        if needed:
            return "; ".join(
                f"source {each.source} needs {_listed('column', each.needed)}, and the file has not" for each in needed
            )
        if wanting := [each for each in self.headers if each.wanted]:
            attributes = _listed("column", tuple((name, "") for name in wanting[0].wanted))
            return f"the file has no value of source {wanting[0].source}: none of the {attributes}"
        if self.rejected > rejected_share_max * self.rows:
            return f"{self.rejected:,} of {self.rows:,} rows cannot be read, and at most {rejected_share_max:.0%} may"
        return None

    def notes(self) -> list[str]:
        """Return what to tell of the header though the file may be used."""
        found = []
        for each in self.headers:
            if each.missing:
                said = _listed("column", each.missing)
                found.append(f"source {each.source} has {said} in its rules: empty in every record of this file")
            if each.unknown:
                found.append(
                    f"{_listed('column', each.unknown)} of the file in no rule of source {each.source}: ignored"
                )
        return found


def check_csv(
    pieces: Iterable[bytes],
    rulesets: Mapping[str, Ruleset],
    source: str | None,
    loaded_at_us: int,
    *,
    arriving_at_us: int | None = None,
    collect: bool = False,
) -> CsvReport:
    """Read a file to its end and report on it; ``collect`` keeps the record of every row, some 150 bytes each.

    With ``arriving_at_us`` rows are judged as the stream's consumer will judge them.
    """
    file = CsvFile(pieces, rulesets, source, loaded_at_us, arriving_at_us=arriving_at_us)
    report = CsvReport(dialect=str(file.dialect), columns=file.columns)
    if file.header_fault is not None:
        report.fault = file.header_fault.reasons[0]
        return report
    if file.table is None:
        report.fault = Reason("empty", "header", "is missing: the file is empty")
        return report
    if source is not None:
        try:
            report.headers.append(check_header(file.header, file.catalogue.by_source("csv", source)))
        except RejectedEventError as unknown:
            report.fault = Reason("unknown_source", "source", f"cannot be checked: source {source} {unknown}")
            return report
    elif "source" not in file.columns:
        said = "has no column 'source': add it, or name the source of the whole file with --source"
        report.fault = Reason("missing", "header", said)
        return report
    for row in file.rows():
        report.rows += 1
        if isinstance(row.outcome, RejectedEventError):
            report.rejected += 1
            report.unknown_records += row.record is None
            for reason in row.outcome.reasons:
                counted = report.reasons.setdefault((reason.code, reason.path), RowReasons(reason, row.line))
                counted.rows += 1
        if collect and row.record is not None:
            domain, name, record_id = row.record
            report.seen.setdefault((domain, name), set()).add(make_ref(name, record_id))
    report.routes = file.table.routes
    checked = {each.source for each in report.headers}
    report.headers += [check_header(file.header, route) for route in report.routes if route.source.name not in checked]
    return report


def check_header(header: Iterable[str], route: Route) -> HeaderFindings:
    """Compare the names of columns with those that the rules of a source use."""
    names = [name for name in header if name]
    source = route.source
    needed = list(source.key or ("record_id",))
    needed += [name for name in (source.version, source.event_time) if name is not None]
    if source.deletion is not None:
        needed.append(source.deletion.column)
    attributes = sorted(route.columns)
    known = {*needed, *attributes, *_RESERVED}
    absent = [name for name in dict.fromkeys(needed) if name not in names]
    missing = [name for name in attributes if name not in names and name not in needed] if source.columns else []
    unknown = [name for name in names if name not in known]
    has_values = source.deletion is not None or any(name in route.columns for name in names)
    return HeaderFindings(
        source.name,
        tuple((name, _nearest(name, unknown)) for name in absent),
        tuple((name, _nearest(name, unknown)) for name in missing),
        tuple((name, _nearest(name, [each for each in sorted(known) if each not in names])) for name in unknown),
        () if has_values else tuple(attributes),
    )


def _nearest(name: str, among: list[str]) -> str:
    if len(name) > _NAME_CHARS_MAX:
        return ""
    lowered = {each.lower(): each for each in among if len(each) <= _NAME_CHARS_MAX}
    close = get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.6)
    return lowered[close[0]] if close else ""


def _listed(what: str, names: tuple[tuple[str, str], ...]) -> str:
    shown = [f"{name} (near: {close})" if close else name for name, close in names[:NAMES_SHOWN_MAX]]
    more = f" and {len(names) - len(shown):,} more" if len(names) > len(shown) else ""
    return f"{what}{'' if len(names) == 1 else 's'} {', '.join(shown)}{more}"
