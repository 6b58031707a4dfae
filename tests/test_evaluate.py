"""Evaluation against truth."""

import gzip
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.errors import ConfigurationError
from mdm_stream.evaluate import evaluate, evaluate_files

REFS = st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from("0123456"))
LABELS = st.sampled_from(["x", "y", "z", "w"])


def by_brute_force(clusters, entities, cross_source):
    """The definitions, pair by pair and record by record."""
    refs = list(entities)
    cluster = {ref: clusters.get(ref, ref) for ref in refs}

    def counted(a, b):
        return not cross_source or a[0] != b[0]

    pairs = [(a, b) for a, b in itertools.combinations(refs, 2) if counted(a, b)]
    found = {p for p in pairs if cluster[p[0]] == cluster[p[1]]}
    true = {p for p in pairs if entities[p[0]] == entities[p[1]]}
    precisions, recalls = [], []
    for ref in refs:
        others = {other for other in refs if other == ref or counted(ref, other)}
        mine = {other for other in others if cluster[other] == cluster[ref]}
        right = {other for other in others if entities[other] == entities[ref]}
        precisions.append(len(mine & right) / len(mine))
        recalls.append(len(mine & right) / len(right))
    return (
        len(found & true) / len(found) if found else 1.0,
        len(found & true) / len(true) if true else 1.0,
        sum(precisions) / len(refs),
        sum(recalls) / len(refs),
    )


@given(st.dictionaries(REFS, LABELS), st.dictionaries(REFS, LABELS, min_size=1), st.booleans())
def test_contingency_tables_equal_the_definitions(clusters, entities, cross_source):
    """All four measures equal those counted pair by pair, with and without the restriction to different sources."""
    result = evaluate(clusters, entities, cross_source=cross_source)
    measured = (
        result.pairwise.precision,
        result.pairwise.recall,
        result.b_cubed.precision,
        result.b_cubed.recall,
    )
    assert measured == pytest.approx(by_brute_force(clusters, entities, cross_source))


@given(st.dictionaries(REFS, LABELS, min_size=1), st.booleans())
def test_the_truth_itself_is_perfect(entities, cross_source):
    """A crosswalk equal to the truth scores 1 everywhere."""
    result = evaluate(entities, entities, cross_source=cross_source)
    assert (result.pairwise.f1, result.b_cubed.f1) == pytest.approx((1.0, 1.0))


def test_records_on_one_side_only_are_counted_and_treated_as_documented():
    """Missing from the crosswalk counts as alone; missing from the truth is left out."""
    entities = {("a", "1"): "e", ("b", "1"): "e", ("b", "2"): "f"}
    result = evaluate({("a", "1"): "g", ("z", "9"): "g"}, entities)
    assert (result.missing_from_crosswalk, result.missing_from_truth) == (2, 1)
    assert (result.pairwise.precision, result.pairwise.recall, result.pairwise.f1) == (1.0, 0.0, 0.0)
    assert (result.records, result.entities, result.clusters) == (3, 2, 3)


def write(path, text):
    """Write a text file, gzipped if its name says so."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8") as file:
        file.write(text)
    return path


CROSSWALK = "domain,source,record_id,golden_id\np,a,1,g1\np,b,1,g1\np,b,2,g2\n"
TRUTH = "source,record_id,entity_id\na,1,e\nb,1,e\nb,2,e\n"


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_files_plain_and_gzipped(tmp_path, suffix):
    """Files give what their maps give, whatever order their columns are in."""
    crosswalk = write(tmp_path / f"c.csv{suffix}", CROSSWALK)
    truth = write(tmp_path / f"t.csv{suffix}", "entity_id,record_id,extra,source\ne,1,,a\ne,1,,b\ne,2,,b\n")
    result = evaluate_files(crosswalk, truth)
    assert (result.true_pairs, result.found_pairs, result.correct_pairs) == (3, 1, 1)
    assert evaluate_files(crosswalk, truth, cross_source=True).true_pairs == 2


@pytest.mark.parametrize(
    ("crosswalk", "truth", "said"),
    [
        ("", TRUTH, "is empty"),
        (CROSSWALK, "", "is empty"),
        (CROSSWALK, "source,record_id,entity_id\n", "no records"),
        ("source,record_id,golden_id\n", TRUTH, "no column domain"),
        (CROSSWALK, "source,id,entity\n", "no column record_id, entity_id"),
        (CROSSWALK + "p,a,1,g9\n", TRUTH, ":5: a record that came before"),
        (CROSSWALK, TRUTH + "b,3\n", ":5: 2 fields"),
        (CROSSWALK, TRUTH + 'b,"3\n', "not well-formed CSV"),
    ],
)
def test_unusable_files_are_explained(tmp_path, crosswalk, truth, said):
    """A file that cannot be used is named with what is wrong in it."""
    with pytest.raises(ConfigurationError, match=said):
        evaluate_files(write(tmp_path / "c.csv", crosswalk), write(tmp_path / "t.csv", truth))


def test_unreadable_files_are_explained(tmp_path):
    """A missing, binary or truncated file gives a sentence, not a vendor's exception."""
    good = write(tmp_path / "t.csv", TRUTH)
    with pytest.raises(ConfigurationError, match="cannot read"):
        evaluate_files(tmp_path / "absent.csv", good)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        evaluate_files(tmp_path / "binary.csv", good)
    whole = gzip.compress(CROSSWALK.encode() * 50)
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigurationError, match="cannot read"):
        evaluate_files(tmp_path / "cut.csv.gz", good)


def test_a_crosswalk_with_a_header_alone_leaves_every_record_alone(tmp_path):
    """No golden record at all is a legal, bad answer: recall 0."""
    crosswalk = write(tmp_path / "c.csv", "domain,source,record_id,golden_id\n")
    result = evaluate_files(crosswalk, write(tmp_path / "t.csv", TRUTH))
    assert (result.pairwise.precision, result.pairwise.recall) == (1.0, 0.0)
