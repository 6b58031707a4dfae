"""How good a crosswalk is, measured against the truth: pairwise and B-cubed precision, recall and F1.

Pairwise: of the pairs of records that the crosswalk puts together, how many belong together (precision), and of the
pairs that belong together, how many it puts together (recall). B-cubed (Bagga and Baldwin, 1998): the same asked of
each record about its own cluster, and averaged over records, so that one big cluster does not drown the rest.

Both come from a contingency table of (cluster, entity), in time and memory linear in the records; no pair is listed.

``cross_source`` counts only pairs of records of different sources. A record's B-cubed score then looks at itself and
the records of other sources.

What is asked of nothing is answered with 1: precision where nothing was put together, recall where nothing belongs
together. F1 is 0 where precision and recall both are.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from mdm_stream.errors import ConfigurationError
from mdm_stream.files import cell_text

RecordRef = tuple[str, str]
"""(source, record_id)"""

CROSSWALK_COLUMNS = ("domain", "source", "record_id", "golden_id")
TRUTH_COLUMNS = ("source", "record_id", "entity_id")
FIELD_CHARS_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Score:
    """Precision and recall in 0..1."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of the two."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The measures, and what they were taken over.

    ``records`` are the records of the truth, over which all is measured. Those ``missing_from_crosswalk`` count as
    alone in a cluster. Those only in the crosswalk, ``missing_from_truth``, are left out: nothing is known of them.
    """

    pairwise: Score
    b_cubed: Score
    records: int
    entities: int
    clusters: int
    true_pairs: int
    found_pairs: int
    correct_pairs: int
    missing_from_crosswalk: int
    missing_from_truth: int
    cross_source: bool

    def as_dict(self) -> dict[str, object]:
        """Return the evaluation as a JSON object."""
        scores = {
            name: {"precision": score.precision, "recall": score.recall, "f1": score.f1}
            for name, score in (("pairwise", self.pairwise), ("b_cubed", self.b_cubed))
        }
        counts = ("records", "entities", "clusters", "true_pairs", "found_pairs", "correct_pairs")
        rest = ("missing_from_crosswalk", "missing_from_truth", "cross_source")
        return {**scores, **{name: getattr(self, name) for name in (*counts, *rest)}}


def evaluate_files(crosswalk: Path | str, truth: Path | str, *, cross_source: bool = False) -> Evaluation:
    """Evaluate a crosswalk file, with ``CROSSWALK_COLUMNS``, against a truth file, with ``TRUTH_COLUMNS``.

    Both are CSV with a header, plain or ``.gz``; other columns are ignored. Raises ``ConfigurationError`` for a file
    that is missing, empty, lacks a column, is not UTF-8 CSV, or names a record twice. An empty crosswalk with a header
    is legal (every record alone); a truth without records is not.
    """
    entities = read_truth(truth)
    return evaluate(read_crosswalk(crosswalk), entities, cross_source=cross_source)


def read_truth(truth: Path | str) -> dict[RecordRef, str]:
    """Return the entity of each record of a truth file; raises what ``evaluate_files`` does of one."""
    entities = {(row[0], row[1]): row[2] for row in _unique_rows(Path(truth), TRUTH_COLUMNS, key=slice(0, 2))}
    if not entities:
        raise ConfigurationError(f"{truth} has no records: there is nothing to measure against; check the file")
    return entities


def read_crosswalk(crosswalk: Path | str) -> dict[RecordRef, str]:
    """Return the cluster of each record of a crosswalk file; raises what ``evaluate_files`` does of one."""
    rows = _unique_rows(Path(crosswalk), CROSSWALK_COLUMNS, key=slice(1, 3))
    return {(row[1], row[2]): f"{row[0]}/{row[3]}" for row in rows}


def evaluate(
    clusters: Mapping[RecordRef, str], entities: Mapping[RecordRef, str], *, cross_source: bool = False
) -> Evaluation:
    """Evaluate ``clusters`` (record -> cluster) against ``entities`` (record -> entity); see :class:`Evaluation`."""
    table: Counter[tuple[object, str, str]] = Counter()
    missing = 0
    for ref, entity in entities.items():
        cluster: object = clusters.get(ref)
        if cluster is None:
            missing += 1
            cluster = ref  # a tuple, so it can be no other record's cluster
        table[cluster, entity, ref[0]] += 1
    by_cluster = _Groups((cluster, source, n) for (cluster, _entity, source), n in table.items())
    by_entity = _Groups((entity, source, n) for (_cluster, entity, source), n in table.items())
    by_both = _Groups(((cluster, entity), source, n) for (cluster, entity, source), n in table.items())
    found, true, correct = (groups.pairs(cross_source) for groups in (by_cluster, by_entity, by_both))
    precision = recall = 0.0
    for (cluster, entity, source), n in table.items():
        together = by_both.seen_from((cluster, entity), source, cross_source)
        precision += n * together / by_cluster.seen_from(cluster, source, cross_source)
        recall += n * together / by_entity.seen_from(entity, source, cross_source)
    records = len(entities)
    return Evaluation(
        pairwise=Score(correct / found if found else 1.0, correct / true if true else 1.0),
        b_cubed=Score(precision / records, recall / records) if records else Score(1.0, 1.0),
        records=records,
        entities=len(by_entity.sizes),
        clusters=len(by_cluster.sizes),
        true_pairs=true,
        found_pairs=found,
        correct_pairs=correct,
        missing_from_crosswalk=missing,
        missing_from_truth=sum(1 for ref in clusters if ref not in entities),
        cross_source=cross_source,
    )


class _Groups:
    """The sizes of groups of records, in all and by source."""

    def __init__(self, cells: Iterable[tuple[object, str, int]]) -> None:
        self.sizes: Counter[object] = Counter()
        self.sizes_by_source: Counter[tuple[object, str]] = Counter()
        for group, source, count in cells:
            self.sizes[group] += count
            self.sizes_by_source[group, source] += count

    def pairs(self, cross_source: bool) -> int:
        """Return how many pairs share a group."""
        pairs = sum(n * (n - 1) // 2 for n in self.sizes.values())
        if cross_source:
            pairs -= sum(n * (n - 1) // 2 for n in self.sizes_by_source.values())
        return pairs

    def seen_from(self, group: object, source: str, cross_source: bool) -> int:
        """Return the size of ``group`` as one of its records of ``source`` sees it: itself included, never 0."""
        if not cross_source:
            return self.sizes[group]
        return 1 + self.sizes[group] - self.sizes_by_source[group, source]


def _unique_rows(path: Path, columns: tuple[str, ...], key: slice) -> Iterator[tuple[str, ...]]:
    """Yield the named columns of each row, cells as ``spreadsheet_cell`` writes them; refuse a record twice."""
    seen: set[tuple[str, ...]] = set()
    with _opened(path) as file:
        # The limit is the csv module's own for all readers; an id longer than this is no id.
        csv.field_size_limit(max(csv.field_size_limit(), FIELD_CHARS_MAX))
        reader = csv.reader(file, strict=True)
        header = [name.strip() for name in next(reader, [])]
        if not header:
            raise ConfigurationError(f"{path} is empty; expected CSV with the columns {', '.join(columns)}")
        absent = [name for name in columns if name not in header]
        if absent:
            raise ConfigurationError(
                f"{path}:1: no column {', '.join(absent)}; expected a header with the columns {', '.join(columns)}"
            )
        at = [header.index(name) for name in columns]
        width = max(at) + 1
        for row in reader:
            if not row:
                continue
            if len(row) < width:
                raise ConfigurationError(
                    f"{path}:{reader.line_num}: {len(row)} fields; expected {len(header)} as in the header"
                )
            picked = tuple(cell_text(row[index]) for index in at)
            if picked[key] in seen:
                raise ConfigurationError(
                    f"{path}:{reader.line_num}: a record that came before; expected each (source, record_id) once"
                )
            seen.add(picked[key])
            yield picked


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """Open a text file, plain or gzipped, and translate what goes wrong while it is read."""
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            yield file
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigurationError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 text; expected a CSV file") from error
    except csv.Error as error:
        raise ConfigurationError(f"{path} is not well-formed CSV ({error})") from error
