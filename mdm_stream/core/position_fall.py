"""Positions that fall while time goes on: the sign of a new history that the rules do not declare.

Of two writes of one record the one with the greater version wins. If that is the earlier one, by the source's own time,
version and time contradict each other: the source has begun to count anew, or its clock is wrong. Such writes are
counted, and told with the line of the rules that would declare the new history. They change nothing by being told.
"""

from __future__ import annotations

from dataclasses import dataclass

from mdm_stream.core.model import History, LogPlace
from mdm_stream.core.times import format_time_us

_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two writes of a record: the later one, made at ``from_us``, lost to the earlier one, of ``after_us``.

    ``history`` and ``place`` are those of the write that lost; of one that had been applied before no place is known.
    """

    after_us: int
    from_us: int
    history: int
    place: LogPlace

    @property
    def by_us(self) -> int:
        """How much later the write that lost was made."""
        return self.from_us - self.after_us


@dataclass(slots=True)
class PositionFall:
    """Contradictions of one source that one new history would explain. What is empty its events did not name.

    ``after_us`` is the latest write that won, ``from_us`` the earliest that lost: the old history went on until the
    one at least, and the new one had begun by the other. Of a row that a column of its own dates ``from_us`` is the
    log's time, which a declared history goes by.
    """

    source: str
    history: int
    server_id: str
    gtid_source: str
    timeline: str
    count: int
    after_us: int
    from_us: int

    @classmethod
    def of(cls, source: str, found: Contradiction) -> PositionFall:
        """Return that of one contradiction."""
        place = found.place
        return cls(
            source,
            found.history,
            place.server_id,
            place.gtid_source,
            place.timeline,
            1,
            found.after_us,
            place.time_in(found.from_us),
        )

    @property
    def key(self) -> str:
        """What it is counted under: source, history, and the names of the log."""
        return " ".join((self.source, str(self.history), self.server_id, self.gtid_source, self.timeline))

    def add(self, other: PositionFall) -> None:
        """Add the contradictions of another one of the same key."""
        self.count += other.count
        self.after_us = max(self.after_us, other.after_us)
        self.from_us = min(self.from_us, other.from_us)

    @property
    def begins_us(self) -> int:
        """When the new history is supposed to have begun.

        A log that names itself wrote nothing before what it is in conflict with was over. Of one that does not, nothing
        is surer than the first write that was lost.
        """
        whole_second = (self.after_us // _SECOND_US + 1) * _SECOND_US
        if self._named and whole_second <= self.from_us:
            return whole_second
        floored = self.from_us // _SECOND_US * _SECOND_US
        return floored if floored > self.after_us else self.from_us

    @property
    def line(self) -> str:
        """The item of the source's ``histories`` that would declare the new history."""
        named = "".join(f"{name}: {value}, " for name, value in self._named.items())
        return f"- {{{named}from: {_shown(self.begins_us)}}}"

    @property
    def place(self) -> LogPlace:
        """What its events say of their log."""
        return LogPlace(self.server_id, self.gtid_source, self.timeline)

    def is_declared(self, histories: tuple[History, ...]) -> bool:
        """Tell whether rules give what was lost a later history than it had when it was lost."""
        return any(each.holds(self.place, self.from_us) for each in histories[self.history :])

    @property
    def _named(self) -> dict[str, str]:
        """The one name that tells its log from others."""
        named = self.place.named()
        return dict(list(named.items())[:1])


def told(fall: PositionFall, domain: str) -> str:
    """Return what people are told of a fall, with the line that would declare the new history."""
    writes = "1 write" if fall.count == 1 else f"{fall.count:,} writes"
    return (
        f"positions of source {fall.source} fall while its time goes on: {writes} from {_shown(fall.from_us)} on lost "
        f"to earlier ones of {_shown(fall.after_us)} and before; if a failover, restore or reload began a new history, "
        f"add '{fall.line}' at the end of 'histories' of source {fall.source} in the rules of domain {domain}, and "
        f"run: mdm-stream rebuild --domain {domain}"
    )


def _shown(time_us: int) -> str:
    return format_time_us(time_us).replace(".000000Z", "Z")
