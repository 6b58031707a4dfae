"""The counts of columns, by DuckDB: what is there, how often, how long. Exact, in time linear in the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

SAMPLE_MAX = 1_000
"""Different values of a column whose form is looked at: those with the least digests, so the same ones each time."""
MOST_SHOWN = 20
DUCKDB_MEMORY = "1GB"
_ROW_BYTES_MAX = 16_000_000


@dataclass(frozen=True, slots=True)
class ColumnCounts:
    """The counts of one column of a file.

    ``present`` rows have a value; there are ``distinct`` different ones, ``unique`` of them in one row each. ``most``
    are the most frequent with their rows. ``lengths`` are least, quartiles and greatest number of characters;
    ``outliers`` the rows whose length lies outside of Tukey's fences. ``agreement`` is the probability that two of the
    rows with a value have the same one. ``values_by_records``: rows -> how many values so many rows have.
    """

    name: str
    rows: int
    present: int
    distinct: int
    unique: int
    most: tuple[tuple[str, int], ...]
    lengths: tuple[int, int, int, int, int]
    outliers: int
    agreement: float
    values_by_records: Mapping[int, int]
    sample: tuple[str, ...]

    @property
    def completeness(self) -> float:
        """The share of the rows that have a value."""
        return self.present / self.rows if self.rows else 0.0

    @property
    def distinctness(self) -> float:
        """Different values of those that are there."""
        return self.distinct / self.present if self.present else 0.0

    @property
    def is_key(self) -> bool:
        """Whether every row has a value of its own."""
        return self.rows > 0 and self.distinct == self.rows


class RowsCounted:
    """The rows of a file in DuckDB's memory, which spills to disk. Close it after use."""

    def __init__(self, rows_path: Path, columns: Sequence[str]) -> None:
        """Load a file of plain CSV without a header (see :func:`mdm_stream.profile.columns.table_files.read_table`)."""
        self.columns = tuple(columns)
        self._database = duckdb.connect(":memory:", config={"memory_limit": DUCKDB_MEMORY, "threads": 1})
        self._database.execute(f"SET temp_directory = '{_quoted(str(rows_path.parent))}'")
        names = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(len(columns)))
        form = "header = false, delim = ',', quote = '\"', escape = '\"', nullstr = '', auto_detect = false"
        size = f"max_line_size = {_ROW_BYTES_MAX}, columns = {{{names}}}"
        path = _quoted(str(rows_path))
        self._database.execute(f"CREATE TABLE cells AS SELECT * FROM read_csv('{path}', {form}, {size})")  # noqa: S608 - quoted
        (self.rows,) = self._one("SELECT count(*) FROM cells")

    def close(self) -> None:
        """Give memory and disk back."""
        self._database.close()

    def column(self, place: int) -> ColumnCounts:
        """Return the counts of one column."""
        self._look_at(place)
        self._database.execute("CREATE OR REPLACE TEMP TABLE found AS SELECT value, count(*) AS n FROM cell GROUP BY 1")
        present, distinct, unique, squares = self._one(
            "SELECT coalesce(sum(n), 0)::BIGINT, count(*), count(*) FILTER (n = 1), "
            "coalesce(sum(n::DOUBLE * (n - 1)), 0) FROM found"
        )
        lengths = self._one(
            "SELECT min(l), quantile_disc(l, 0.25), quantile_disc(l, 0.5), quantile_disc(l, 0.75), max(l) "
            "FROM (SELECT length(value) AS l FROM cell)"
        )
        least, low, middle, high, greatest = (int(each or 0) for each in lengths)
        fence = 1.5 * (high - low)
        (outliers,) = self._one(
            "SELECT coalesce(sum(n), 0)::BIGINT FROM found WHERE length(value) < ? OR length(value) > ?",
            (low - fence, high + fence),
        )
        return ColumnCounts(
            name=self.columns[place],
            rows=self.rows,
            present=present,
            distinct=distinct,
            unique=unique,
            most=tuple(self._all("SELECT value, n FROM found ORDER BY n DESC, value LIMIT ?", (MOST_SHOWN,))),
            lengths=(least, low, middle, high, greatest),
            outliers=outliers if high > low else 0,
            agreement=squares / (present * (present - 1)) if present > 1 else 0.0,
            values_by_records=dict(self._all("SELECT n, count(*) FROM found GROUP BY 1 ORDER BY 1")),
            sample=self._texts("SELECT value FROM found ORDER BY md5(value), value LIMIT ?", (SAMPLE_MAX,)),
        )

    def values_shared_by(self, place: int, rows_min: int, limit: int) -> list[tuple[str, int]]:
        """Return the values that at least so many rows have, most rows first."""
        self._look_at(place)
        statement = "SELECT value, count(*) AS n FROM cell GROUP BY 1 HAVING n >= ? ORDER BY n DESC, 1 LIMIT ?"
        return self._all(statement, (rows_min, limit))

    def distinct_of(self, places: Sequence[int]) -> tuple[int, int]:
        """Return how many different combinations of values of some columns there are, and how many rows have all."""
        listed = ", ".join(f"c{int(place)}" for place in places)
        complete = " AND ".join(f"c{int(place)} IS NOT NULL" for place in places)
        groups = f"SELECT count(*) AS n FROM cells WHERE {complete} GROUP BY {listed}"  # noqa: S608 - made of numbers
        found: tuple[int, int] = self._one(f"SELECT count(*), coalesce(sum(n), 0)::BIGINT FROM ({groups})")  # noqa: S608
        return found

    def values(self, place: int) -> list[str]:
        """Return the different values of a column, in order."""
        self._look_at(place)
        return list(self._texts("SELECT DISTINCT value FROM cell ORDER BY 1"))

    def _look_at(self, place: int) -> None:
        view = f"SELECT c{int(place)} AS value FROM cells WHERE c{int(place)} IS NOT NULL"  # noqa: S608 - a number
        self._database.execute(f"CREATE OR REPLACE TEMP VIEW cell AS {view}")

    def _one(self, statement: str, values: Sequence[object] = ()) -> Any:
        return self._database.execute(statement, list(values)).fetchone()

    def _all(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        return self._database.execute(statement, list(values)).fetchall()

    def _texts(self, statement: str, values: Sequence[object] = ()) -> tuple[str, ...]:
        return tuple(text for (text,) in self._all(statement, values))


def _quoted(text: str) -> str:
    return text.replace("'", "''")
