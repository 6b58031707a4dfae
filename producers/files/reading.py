"""A load as its chunks are read: what its survey, the rules and its time make of the rows of a chunk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mdm_stream.contracts.change import EVENT_BYTES_MAX
from mdm_stream.core.file_rules import FileRules
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode.files.csv_rows import CsvPart, CsvRow
from mdm_stream.decode.reasons import rejection
from mdm_stream.decode.sources import SourceCatalogue
from mdm_stream.errors import ConfigurationError, RejectedEventError
from producers.files.chunks import Chunk, ChunkContent
from producers.files.row_messages import row_message
from producers.files.survey import Survey

REASONS_OF_ROW_MAX = 3
"""Empty required columns of a row that are named. A file of nothing but keys lacks all of them in each row: a chunk's
findings are in memory whole, and as JSON.
"""
_OTHER_BYTES = 4_096
"""What an event has beside its values."""


class LoadReader:
    """Reads the chunks of one load. Equal arguments read the same.

    ``name`` is the file's, as quarantined rows are to name it. ``loaded_at_us`` is the time of the load, and
    ``arriving_at_us`` the time at which rows are taken to arrive at the consumer: when the file was received.
    ``event_bytes_max`` is the largest event that may be made of a row, partition key included.
    """

    def __init__(
        self,
        survey: Survey,
        rulesets: Mapping[str, Ruleset],
        domain: str,
        source: str,
        name: str,
        loaded_at_us: int,
        arriving_at_us: int,
        *,
        event_bytes_max: int = EVENT_BYTES_MAX,
    ) -> None:
        """Take what is known of the load; ``ConfigurationError`` if the rules know no such source."""
        try:
            own = {domain: rulesets[domain]}
            self.route = SourceCatalogue(own).by_source("csv", source)
        except (KeyError, RejectedEventError) as error:
            said = f"the rules have no source {source} of domain {domain}, of which a load is to be read"
            raise ConfigurationError(said) from error
        self.rules: FileRules = self.route.source.files or FileRules(f"{domain}/{source}/")
        self.ruleset = own[domain]
        self.survey = survey
        self.name = name
        self.domain, self.source = domain, source
        self.loaded_at_us = loaded_at_us
        self._event_bytes_max = event_bytes_max
        self.part = CsvPart(survey.dialect, survey.header, SourceCatalogue(own), source, loaded_at_us, arriving_at_us)
        self.required = tuple(column for column in self.rules.required if column in survey.header)
        self._missing = {
            name: rejection("missing", f"row.{name}", "is empty, and the rules require it").reasons[0]
            for name in self.required
        }
        # A row of so many bytes is never too large as an event, whatever its characters become in JSON.
        self._large = (
            event_bytes_max // 4 - _OTHER_BYTES - sum(2 * len(column.encode()) + 8 for column in survey.header)
        )

    def rows(self, chunk: Chunk, content: ChunkContent) -> Iterator[CsvRow]:
        """Yield the rows of a chunk that can be read and are not skipped, each judged as the consumer will judge it.

        A row of another source, without a required value, or too large for the stream is rejected here.
        """
        unreadable = {each.row for each in content.unreadable}
        numbers = (row for row in range(chunk.first_row, chunk.first_row + chunk.rows) if row not in unreadable)
        is_csv = self.survey.format == "csv"
        for row in self.part.rows(content.rows, chunk.first_line, numbers):
            if not chunk.skips_row(row.number):
                judged = self._judged(row)
                yield judged if is_csv else judged._replace(line=row.number)

    def _judged(self, row: CsvRow) -> CsvRow:
        if row.record is not None and row.record[:2] != (self.domain, self.source):
            why = rejection(
                "not_authorised", "source", "is another source than the one whose files these are; correct the column"
            )
            return row._replace(outcome=why, record=None)
        if isinstance(row.outcome, RejectedEventError):
            return row
        if self.required and row.outcome.op != "delete":
            cells = row.cells or {}
            if empty := [column for column in self.required if cells.get(column) is None]:
                reasons = tuple(self._missing[name] for name in empty[:REASONS_OF_ROW_MAX])
                return row._replace(outcome=RejectedEventError(reasons))
        if len(row.raw) > self._large:
            key, data, _ = row_message(self.part, row, self.name, self.source, self.loaded_at_us)
            if len(data) + len(key.encode()) > self._event_bytes_max:
                said = f"is larger than {self._event_bytes_max:,} bytes as an event, which the stream does not take"
                return row._replace(outcome=rejection("too_large", "", said))
        return row
