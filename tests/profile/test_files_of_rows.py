"""Files of rows of any form and dialect are read as one table, and counted exactly."""

from __future__ import annotations

import csv
import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from column_counts import counts_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from language_samples import RUSSIAN, RUSSIAN_MAKE, persons, write_csv, write_json

from mdm_stream.errors import ConfigurationError
from mdm_stream.profile.columns.counted import RowsCounted
from mdm_stream.profile.columns.encodings import encoding_of
from mdm_stream.profile.columns.table_files import read_table

ROWS = "id,given name,town\n1,Anna,Dornheim\n2,Petra,\n"


def table(tmp_path, content, name="people.csv"):
    """The table of a file with such content."""
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, tmp_path / "rows.csv")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", ROWS.encode()),
        ("a.csv", ROWS.replace(",", ";").encode("utf-16")),
        ("a.tsv", ROWS.replace(",", "\t").replace("\n", "\r\n").encode()),
        ("a.csv.gz", gzip.compress(ROWS.encode())),
        ("a.json", b'[{"id":1,"given name":"Anna","town":"Dornheim"},{"id":2,"given name":"Petra","town":null}]'),
        ("a.ndjson", b'{"id":1,"given name":"Anna","town":"Dornheim"}\n{"id":2,"given name":"Petra"}\n'),
    ],
    ids=["comma", "semicolon-utf-16", "tabs", "gzip", "json", "ndjson"],
)
def test_one_table_comes_of_every_form(tmp_path, name, content):
    """The same rows as CSV of several dialects, JSON and NDJSON are the same table."""
    found = table(tmp_path, content, name)
    assert (found.columns, found.rows, found.faulty) == (("id", "given name", "town"), 2, 0)
    assert found.rows_path.read_text("utf-8").replace('"', "") == "1,Anna,Dornheim\n2,Petra,\n"


def test_parquet_is_a_table(tmp_path):
    """A Parquet file's columns are those of its table."""
    pq.write_table(pa.table({"id": [1, 2], "town": ["Dornheim", None]}), tmp_path / "a.parquet")
    found = read_table(tmp_path / "a.parquet", tmp_path / "rows.csv")
    assert (found.form, found.columns, found.rows) == ("parquet", ("id", "town"), 2)


def test_a_file_without_a_header_is_read_with_names_of_places(tmp_path):
    """A first row of values is a row, and that the rules need a copy with names is said."""
    found = table(tmp_path, "17,anna@x.example,1980-04-03\n18,petra@x.example,1981-05-06\n")
    assert (found.columns, found.rows) == (("column_1", "column_2", "column_3"), 2)
    assert "first row" in found.needs_copy


def test_a_header_that_names_a_column_twice_is_read(tmp_path):
    """Columns of one name get one each, and that the rules need a copy is said."""
    found = table(tmp_path, "id,name,name\n1,a,b\n")
    assert len(set(found.columns)) == 3
    assert "twice" in found.needs_copy


def test_a_column_without_a_name_needs_a_copy_if_it_has_values(tmp_path):
    """Values under an empty header are not lost: the copy names the column. An empty one at the end is nothing."""
    assert "no name in its header" in table(tmp_path, "id,,town\n1,Anna,Dornheim\n").needs_copy
    assert table(tmp_path, "id,town,\n1,Dornheim,\n2,Ahaus,\n").needs_copy == ""


def test_a_header_that_is_in_the_file_again_is_no_record(tmp_path):
    """Files that were joined with their headers have rows alone; that `replay` needs a copy for it is said."""
    found = table(tmp_path, ROWS + ROWS.replace("1,", "3,").replace("2,", "4,"))
    assert (found.rows, found.faulty) == (4, 0)
    assert "header is in it again" in found.needs_copy


def test_why_a_header_cannot_be_read_is_said(tmp_path):
    """Too many columns are called that."""
    with pytest.raises(ConfigurationError, match="columns"):
        table(tmp_path, ",".join(f"c{place}" for place in range(5_000)) + "\n")


def test_codes_that_a_spreadsheet_wrote_as_formulas_are_read(tmp_path):
    """``="0001"`` is the text 0001, in a copy, for `replay` reads cells as they are; other formulas stay texts."""
    found = table(tmp_path, 'id,zip\n="0001",="01234"\n"=""0002""",=1+1\n')
    assert found.rows_path.read_text("utf-8") == '"0001","01234"\n"0002","=1+1"\n'
    assert "formulas" in found.needs_copy
    assert table(tmp_path, "id,zip\n1,=A1\n").needs_copy == ""


def test_nested_values_are_left_out_by_name(tmp_path):
    """Which members of JSON and columns of Parquet hold objects or lists is known, so that it can be said."""
    found = table(tmp_path, '[{"id":1,"name":{"first":"Anna"},"town":"Ahaus"},{"id":2,"mails":["a"]}]', "a.json")
    assert found.left_out == ("mails", "name")
    pq.write_table(pa.table({"id": [1, 2], "tags": [["a"], []]}), tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet", tmp_path / "rows.csv").left_out == ("tags",)


@pytest.mark.parametrize("name", ["people.png", "people.csv"])
def test_what_is_no_text_is_refused(tmp_path, name):
    """An image is no table, whatever its name is; a few control characters in a text are no reason."""
    image = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
    with pytest.raises(ConfigurationError, match="no text"):
        table(tmp_path, image, name)
    assert table(tmp_path, "id,given name\n" + "1,Anna Dornheim\n" * 9 + "2,An\0na\n").rows == 10


@pytest.mark.parametrize("content", [b"", b"id,name\n", b"%PDF-1.7", b"PK\x03\x04"])
def test_what_holds_no_rows_is_refused(tmp_path, content):
    """An empty file, a header alone, a document and a workbook are refused with the file's name."""
    with pytest.raises(ConfigurationError, match="people"):
        table(tmp_path, content)


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r", "cp866"])
def test_cyrillic_encodings_are_told_apart(tmp_path, encoding):
    """Russian in three old encodings is read as what it says."""
    sample = persons("ru", RUSSIAN, RUSSIAN_MAKE, count=40)
    path = write_csv(tmp_path / "a.csv", sample, ";", encoding)
    found = read_table(path, tmp_path / "rows.csv")
    assert found.encoding == encoding
    assert found.columns == RUSSIAN


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1250", "Łukasz Dębski, Żaneta Głowacka, Jiří Dvořák, Zuzana Růžičková\n"),
        ("cp932", "佐藤 翔太 さくら株式会社 東京都港区\n"),
        ("cp932", "佐藤 翔太,サトウ ショウタ,１６０－００２３,東京都新宿区１－２－３\n"),  # noqa: RUF001
        ("gb18030", "王伟 上海市浦东新区 有限公司\n"),
        (None, "Müller, Gärtner, Ñuñez, Élodie Français\n"),
    ],
)
def test_letters_tell_the_encoding(encoding, text):
    """Words of Central Europe, Japan and China are told by their letters; Western Europe needs no telling."""
    assert encoding_of((text * 20).encode(encoding or "cp1252")) == encoding
    assert encoding_of((text * 20).encode("utf-8")) is None


def test_json_of_any_language_is_read(tmp_path):
    """Names of members in another script are names of columns."""
    sample = persons("ru", RUSSIAN, RUSSIAN_MAKE, count=10)
    assert read_table(write_json(tmp_path / "a.json", sample), tmp_path / "rows.csv").columns == RUSSIAN


CELLS = st.lists(
    st.one_of(st.just(""), st.sampled_from(["Anna", "Petra", "ö", "中村", "a,b", 'say "so"']), st.integers().map(str)),
    min_size=1,
    max_size=40,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(CELLS)
def test_counts_are_those_of_counting_by_hand(tmp_path, cells):
    """DuckDB's counts of a column are the slow and obvious ones."""
    path = tmp_path / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([cell, "x"] for cell in cells)
    counted = RowsCounted(path, ("town", "same"))
    try:
        assert counted.column(0) == counts_of("town", cells)
        assert counted.distinct_of([0, 1])[1] == sum(map(bool, cells))
    finally:
        counted.close()


TITLES = {
    "one line": "Report of 2024\n",
    "a comma in it": "Report, of 2024\nprinted on 1.2.2024\n\n",
    "cells of a spreadsheet": "Report of 2024;;\n;;\n",
    "groups of columns": "person;;\n",
}


@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_rows_above_the_header_are_no_header(tmp_path, title, delimiter):
    """A title, the date of a report or a line of groups is left out, and the rules are about a copy without it."""
    found = table(tmp_path, (TITLES[title] + ROWS.replace(",", ";")).replace(";", delimiter))
    assert (found.columns, found.rows, found.faulty) == (("id", "given name", "town"), 2, 0)
    assert "header stands below" in found.needs_copy


@pytest.mark.parametrize("content", [ROWS, "name\nAnna\nPetra\n", "name,town\nAnna,\nPetra,\n"])
def test_a_header_of_few_names_is_no_title(tmp_path, content):
    """A first row that names the columns stays the header, be there one column, or values in few cells."""
    found = table(tmp_path, content)
    assert found.columns[0] == content.split("\n")[0].split(",")[0]


@pytest.mark.parametrize(
    "content", ['{"data": [{"id": 1}, {"id": 2}]}', '{"total": 2, "rows": [{"id": 1}, {"id": 2}]}']
)
def test_records_in_a_list_of_one_object_are_said(tmp_path, content):
    """JSON whose records stand in a list below the top is refused, with how to get at them."""
    with pytest.raises(ConfigurationError, match=r"whose list '(data|rows)' holds the records.*jq -c"):
        table(tmp_path, content, "a.json")


EAST_ASIAN = {
    "euc-jp": [("顧客番号", "氏名", "住所"), ("佐藤太郎", "東京都新宿区西新宿"), ("鈴木花子", "東京都港区赤坂")],
    "cp932": [("顧客番号", "氏名", "住所"), ("高橋健一", "東京都渋谷区道玄坂"), ("田中直美", "大阪府大阪市北区")],
    "euc-kr": [("고객번호", "이름", "주소"), ("김철수", "서울특별시 강남구"), ("이영희", "부산광역시 해운대구")],
    "gb18030": [("编号", "姓名", "地址"), ("王小明", "北京市朝阳区建国路"), ("李芳", "上海市黄浦区南京东路")],
    "big5": [("編號", "姓名", "地址"), ("陳偉", "台北市信義區松仁路"), ("林小華", "高雄市前鎮區中山路")],
}


@pytest.mark.parametrize("encoding", EAST_ASIAN)
def test_encodings_of_one_range_of_codes_are_told_by_common_characters(encoding):
    """Japanese without kana, Korean and Chinese share their codes: common characters tell which it is."""
    header, *rows = EAST_ASIAN[encoding]
    lines = [",".join(header), *(f"{number},{','.join(row)}" for number, row in enumerate(rows * 4))]
    assert encoding_of("\n".join(lines).encode(encoding)) == encoding
