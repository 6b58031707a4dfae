"""From files to rules: read, count, tell what columns mean, draft, measure, choose, and look at golden records."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from mdm_stream.core.ruleset import Ruleset
from mdm_stream.draft.golden_examples import LARGE_CLUSTER, FirstLook, first_look
from mdm_stream.draft.key_choice import KeyCandidate, KeyChoice, candidates, chosen_keys
from mdm_stream.draft.lowered import lowered_comparisons
from mdm_stream.draft.measured import Measured, Progress, RuledFile, measure
from mdm_stream.draft.planned import Doubt, DraftPlan, FileColumns, plan_of, source_name
from mdm_stream.draft.rule_text import DraftComparison, DraftedRules, SharedPlaceholder, attribute_types, rule_text
from mdm_stream.draft.source_keys import SourceKeys, source_keys
from mdm_stream.draft.subject import Subject, subject_of
from mdm_stream.draft.weights import DraftLevel, levels_of, prior_of
from mdm_stream.errors import ConfigurationError
from mdm_stream.profile.columns.column_facts import ColumnMeaning
from mdm_stream.profile.columns.counted import RowsCounted
from mdm_stream.profile.columns.meaning_types import TYPE_OF_MEANING
from mdm_stream.profile.columns.meanings import meanings_of
from mdm_stream.profile.columns.table_files import TableFile, read_table
from mdm_stream.profile.suspicion import SHARED_BY_MIN, suspicious_from
from mdm_stream.rules import load_ruleset
from mdm_stream.rules.extend import locate
from mdm_stream.rules.tree import plain, read_tree

RULES_FILE = "rules.yaml"
SHARED_LISTED_MAX = 20
"""Values of an attribute that are listed as placeholders; more are a matter of its source."""
_LISTED = frozenset({"identifier", "email", "phone"})
"""Types of which a value that suspiciously many rows share is listed; of others it is said."""
_COMPARED_EXTRAS = frozenset({"identifier"})
_NOT_COMPARED = frozenset({
    "birth_place", "nationality", "iban", "created_at", "date", "fax", "name_prefix", "name_suffix", "care_of",
    "unit", "key",
})  # fmt: skip
ORGANISATIONS_SHARE = 0.05
"""Names of persons that may end in a legal form before it is said that organisations are among them."""
CANDIDATES_MAX = 56
"""Expressions that are measured: a rule set has 64 keys at most."""
CODE_PAIRS_A_RECORD_MAX = 4
"""Pairs a record that share a code of a text: of more, codes are sizes (4x40) or words, and no model numbers."""
_FIRST_PRIOR = 0.0001


@dataclass(frozen=True, slots=True)
class ProfiledFile:
    """A file with the meanings of its columns, and what identifies its rows."""

    table: TableFile
    file: FileColumns
    keys: SourceKeys
    loaded_at_us: int
    shared: tuple[tuple[str, str, int], ...]
    """Values that suspiciously many rows share: column, value, rows."""

    @property
    def copy_name(self) -> str:
        """The name of the copy that the rules are about, or empty if they are about the file itself."""
        return f"{self.file.source}.csv" if self.keys.copy_because else ""


@dataclass(frozen=True, slots=True)
class Drafted:
    """A rule set for files: its text, the copies that it is about instead of files, and what was seen on the way."""

    text: str
    rules: Ruleset
    draft: DraftedRules
    files: tuple[ProfiledFile, ...]
    ruled: tuple[RuledFile, ...]
    measured: Measured
    look: FirstLook
    doubts: tuple[Doubt, ...]


def profile_files(
    paths: Sequence[Path], folder: Path, advance: Progress, sources: Sequence[str] = ()
) -> list[ProfiledFile]:
    """Read and count files, and tell what their columns mean. Rows of plain CSV are written into ``folder``.

    ``sources`` name them, one each; without, each is called as its file. ``ConfigurationError`` for a file that holds
    no rows, or two of one name.
    """
    found: list[ProfiledFile] = []
    for place, path in enumerate(paths):
        name = sources[place] if sources else source_name(_stem(path))
        if any(each.file.source == name for each in found):
            raise ConfigurationError(f"{path}: two files are called {name!r}; name the sources with --source")
        advance("files", place, len(paths))
        table = read_table(path, folder / f"rows-{place}.csv")
        found.append(_profiled(table, name, path.stat().st_mtime_ns // 1_000, advance))
    return found


def _stem(path: Path) -> str:
    name = path.name
    for _ in path.suffixes:
        bare, dot, suffix = name.rpartition(".")
        if not dot or not bare or len(suffix) > 8:
            break
        name = bare
    return name


def _profiled(table: TableFile, name: str, loaded_at_us: int, advance: Progress) -> ProfiledFile:
    with ExitStack() as stack:
        counted = RowsCounted(table.rows_path, table.columns)
        stack.callback(counted.close)
        columns = []
        for place in range(len(table.columns)):
            advance(f"columns of {name}", place, len(table.columns))
            columns.append(counted.column(place))
        meanings = meanings_of(columns)
        keys = source_keys(meanings, counted.distinct_of, counted.values, loaded_at_us)
        shared = tuple(_shared(counted, meanings))
    if table.form != "csv" or table.needs_copy:
        because = table.needs_copy or (
            "" if keys.copy_because else f"`replay` reads rows as CSV, and the file is {table.form}"
        )
        keys = replace(keys, copy_because="; ".join(filter(None, [because, keys.copy_because])))
    return ProfiledFile(table, FileColumns(name, tuple(meanings), keys.key), keys, loaded_at_us, shared)


def _shared(counted: RowsCounted, meanings: Sequence[ColumnMeaning]) -> Iterator[tuple[str, str, int]]:
    """Yield values that suspiciously many rows share, of columns whose type says that values are of one thing."""
    for place, column in enumerate(meanings):
        kind = TYPE_OF_MEANING.get(column.meaning, "")
        counts = column.facts.counts
        if kind not in SHARED_BY_MIN or column.meaning in ("code", "date", "created_at", "model_no", "key"):
            continue
        least = suspicious_from(kind, counts.values_by_records)
        for value, rows in counted.values_shared_by(place, least, SHARED_LISTED_MAX):
            yield column.name, value, rows


def draft_rules(
    files: Sequence[ProfiledFile], out: Path, scratch: Path, advance: Progress, domain: str | None = None
) -> Drafted:
    """Draft the rules for profiled files. Copies of files that need one are written into ``out``.

    The text is that of a rule set that loads; ``RulesError`` would be a fault of this code.
    """
    subject = subject_of(column for file in files for column in file.file.columns)
    plan = plan_of(subject, [each.file for each in files])
    doubts = [*plan.doubts, *_doubts_of_subjects(subject, files), *_doubts_of_files(files)]
    ruled = [_ruled(each, out) for each in files]
    types = attribute_types(plan.attributes)
    all_types = types | _filled(plan)
    options = candidates(all_types, _pack_keys(subject))[:CANDIDATES_MAX]
    if not options:
        options = [
            KeyCandidate("first_value", _first_attribute(plan), is_packs=False, why="the only attribute there is")
        ]
    draft = DraftedRules(
        domain=_domain_of(subject, domain), plan=replace(plan, doubts=()), source_keys=[each.keys for each in files],
        encodings=[None if each.keys.copy_because else each.table.encoding for each in files],
        placeholders=_placeholders(plan, files),
        candidates=options, keys=None, comparisons=_neutral(plan), prior=_FIRST_PRIOR, prior_said="", identical=(),
        records=0,
    )  # fmt: skip
    first = _loaded(rule_text(draft), scratch)
    found = measure(ruled, first, advance)
    choices = _chosen(options, first, found)
    comparisons = [*_lowered(subject, first, found), *_comparisons(plan, found)]
    doubts += _doubts_of_measures(found, choices)
    prior = prior_of(found.records)
    draft = replace(
        draft, keys=choices, comparisons=comparisons, records=found.records, prior=prior,
        prior_said=f"one other record of each thing, among {found.records:,}; the more records, the less likely",
        identical=_identical(plan, found),
    )  # fmt: skip
    rules = _loaded(rule_text(draft), scratch)
    advance("golden records", 0, 0)
    look = first_look(rules, found.looked_at)
    doubts += _doubts_of_look(look)
    draft = replace(draft, plan=replace(plan, doubts=tuple(doubts)))
    return Drafted(rule_text(draft), rules, draft, tuple(files), tuple(ruled), found, look, tuple(doubts))


def _loaded(text: str, folder: Path) -> Ruleset:
    path = folder / "draft.yaml"
    path.write_text(text, "utf-8")
    return load_ruleset(path)


def _domain_of(subject: Subject, domain: str | None) -> str:
    return subject.pack or domain or subject.name


def _filled(plan: DraftPlan) -> dict[str, str]:
    """Return the attributes that others fill: the parts of a whole name."""
    names = {each.meaning for each in plan.attributes}
    return (
        {"given_name": "name", "family_name": "name"} if "full_name" in names and plan.subject.pack == "person" else {}
    )


def _pack_keys(subject: Subject) -> list[tuple[str, str]]:
    """Return the names and expressions of the pack's keys, those of attributes that no file has, too."""
    if not subject.pack:
        return []
    tree = plain(read_tree(locate(subject.pack), subject.pack))
    keys = tree["blocking"]["keys"].items()
    return [(name, str(key["key"] if isinstance(key, dict) else key)) for name, key in keys]


def _first_attribute(plan: DraftPlan) -> str:
    if not plan.attributes:
        raise ConfigurationError("the files have no column that could be compared; expected one beside their keys")
    return plan.attributes[0].name


def _chosen(options: Sequence[KeyCandidate], rules: Ruleset, found: Measured) -> list[KeyChoice]:
    by_text = {each.text.replace(" ", ""): found.keys[each.text] for each in rules.blocking}
    measured = [(each, by_text[text]) for each in options if (text := each.expression.replace(" ", "")) in by_text]
    return chosen_keys(measured, found.records)


def _neutral(plan: DraftPlan) -> list[DraftComparison]:
    """Return comparisons that weigh nothing, for the first draft, which is there to be measured."""
    if plan.subject.pack:
        return []
    levels = (DraftLevel("null", 0.0), DraftLevel("exact", 1.0), DraftLevel("else", 0.0))
    return [DraftComparison(plan.attributes[0].name, levels)] if plan.attributes else []


def _comparisons(plan: DraftPlan, found: Measured) -> list[DraftComparison]:
    made = []
    for each in plan.attributes:
        chance = found.chances[each.name]
        is_extra = bool(plan.subject.pack) and each.type not in _COMPARED_EXTRAS
        if each.is_packs or is_extra or each.meaning in _NOT_COMPARED or chance.present < 2:
            continue
        codes = found.keys.get(f"codes({each.name})")
        shared = codes is not None and (codes.suspended > 0 or codes.pairs > CODE_PAIRS_A_RECORD_MAX * found.records)
        levels = levels_of(each.name, each.type, each.meaning, chance, shares_codes=shared)
        if levels:
            said = f"{chance.distinct:,} different values in {chance.present:,} records"
            made.append(DraftComparison(each.name, tuple(levels), said))
    if not made and not plan.subject.pack:
        first = plan.attributes[0]
        made = [
            DraftComparison(first.name, _neutral(plan)[0].levels, "nothing tells records apart; look at the attributes")
        ]
    return made


def _lowered(subject: Subject, rules: Ruleset, found: Measured) -> list[DraftComparison]:
    """Return the comparisons of the pack whose weights are too high for what the records share."""
    if not subject.pack:
        return []
    tree = plain(read_tree(locate(subject.pack), subject.pack))
    types = {each.name: each.type for each in rules.attributes}
    return lowered_comparisons(tree["match"]["comparisons"], types, found.strangers)


def _identical(plan: DraftPlan, found: Measured) -> list[tuple[str, str]]:
    """Return the rules by which an article number and a title that is much alike decide at once."""
    names = {each.meaning: each.name for each in plan.attributes}
    if plan.subject.pack or "gtin" not in names or "title" not in names:
        return []
    if found.chances[names["gtin"]].distinctness < 0.3:
        return []
    return [("same_article_number", f"{names['gtin']}: exact, {names['title']}: {{token_set: 0.6}}")]


def _placeholders(plan: DraftPlan, files: Sequence[ProfiledFile]) -> list[SharedPlaceholder]:
    types = attribute_types(plan.attributes)
    found: dict[str, dict[str, int]] = {}
    for file, source in zip(files, plan.sources, strict=True):
        by_column = {column: name for name, columns in source.columns.items() for column in columns}
        for column, value, rows in file.shared:
            name = by_column.get(column)
            if name is not None and types[name] in _LISTED and value.strip() and len(value) <= 200:
                found.setdefault(name, {})[value] = found.get(name, {}).get(value, 0) + rows
    return [SharedPlaceholder(name, tuple(values.items())) for name, values in found.items()]


def _ruled(file: ProfiledFile, folder: Path) -> RuledFile:
    """Return the file as the rules read it: itself, or a copy in plain CSV with a header of its own.

    Its source is one of those that its rows name, where they do: a file whose source no rule set names is refused.
    """
    source = file.keys.parts[0] if file.keys.parts else file.file.source
    if not file.copy_name:
        return RuledFile(file.table.path, source, file.loaded_at_us)
    path = folder / file.copy_name
    renamed = dict(file.keys.renamed)
    header = [renamed.get(name, name) for name in file.table.columns]
    numbered = file.keys.key == ("record_id",) and "record_id" not in header
    with (
        file.table.rows_path.open(encoding="utf-8", newline="") as rows,
        path.open("w", encoding="utf-8", newline="") as copy,
    ):
        written = csv.writer(copy, lineterminator="\n")
        written.writerow([*(["record_id"] if numbered else []), *header])
        for number, row in enumerate(csv.reader(rows), 1):
            written.writerow([*([str(number)] if numbered else []), *row])
    return RuledFile(path, source, file.loaded_at_us)


def _doubts_of_subjects(subject: Subject, files: Sequence[ProfiledFile]) -> Iterator[Doubt]:
    """Yield the files whose own columns say that their records are of something else than those of all files."""
    for each in files:
        own = subject_of(each.file.columns)
        if own.is_sure and own.name not in (subject.name, "record"):
            said = (
                f"its records look like {own.name}s, those of all files like {subject.name}s: draft rules for it alone"
            )
            yield Doubt(each.file.source, "", said)


def _doubts_of_files(files: Sequence[ProfiledFile]) -> Iterator[Doubt]:
    for each in files:
        if each.keys.copy_because:
            yield Doubt(
                each.file.source, "", f"the rules are about a copy of the file in this folder: {each.keys.copy_because}"
            )
        if each.table.faulty:
            yield Doubt(each.file.source, "", f"{each.table.faulty:,} rows could not be read")
        for column in each.table.left_out:
            yield Doubt(each.file.source, column, "has objects or lists, which are left out; flatten them into columns")
        for named in each.file.columns:
            share = named.facts.share("organisation")
            if named.meaning == "full_name" and share >= ORGANISATIONS_SHARE:
                said = f"has a legal form in {share:.0%} of its names: organisations are no persons; split the file"
                yield Doubt(each.file.source, named.name, said)
        for column, said in each.keys.doubts:
            yield Doubt(each.file.source, column, said)
        told = {"birth_date", "street", "url"}
        meanings = {column.name: column.meaning for column in each.file.columns}
        counts = [column for column, _, _ in each.shared if meanings.get(column) in told]
        for column in dict.fromkeys(counts):
            said = f"has {counts.count(column)} values that suspiciously many rows share; `profile --shared` lists them"
            yield Doubt(each.file.source, column, said)


def _doubts_of_measures(found: Measured, choices: Sequence[KeyChoice]) -> Iterator[Doubt]:
    if found.rows.rejected:
        listed = ", ".join(f"{count:,} {reason}" for reason, count in found.rows.reasons.most_common(3))
        yield Doubt("", "", f"{found.rows.rejected:,} rows cannot be read under these rules: {listed}")
    chosen = [each for each in choices if each.is_chosen]
    if len(chosen) < 3:
        yield Doubt(
            "", "", f"{len(chosen)} blocking keys are all that is selective: pairs with a slip there are not found"
        )


def _doubts_of_look(look: FirstLook) -> Iterator[Doubt]:
    if not look.merged:
        yield Doubt(
            "",
            "",
            f"no two of the {look.records:,} records that were resolved are one: is there a duplicate among them?",
        )
    if look.largest > LARGE_CLUSTER:
        yield Doubt(
            "", "", f"one golden record is made of {look.largest:,} records: look at the values that they share"
        )
    if look.reviews > look.records / 5:
        yield Doubt(
            "", "", f"{look.reviews:,} pairs would go to review: `rules train` or a look at the weights may settle most"
        )
