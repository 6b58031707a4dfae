"""The page and the picture of a pair: whole, harmless whatever the values are, and readable without colour."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from small_world import small_rules

from mdm_stream.core.model import RecordEvent, VerdictEvent
from mdm_stream.engine.batch import Engine
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.steward.inspect import explain_names
from mdm_stream.steward.pair_page import pair_page, pair_picture
from mdm_stream.steward.waterfall_svg import svg_file

EVIL = "<script>alert(1)</script>\x1b[2J\u202e\u200b\uffff\"'&<img src=x onerror=alert(1)>"
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\uffff]")
RULES = small_rules()
OF_THE_PAGE = "html|head|meta|title|style|body|h1|h2|p|ul|li|table|thead|tbody|tr|th|td|mark|bdi"
OF_THE_PICTURE = "svg|desc|defs|pattern|rect|g|text|line"
ELEMENTS = {*OF_THE_PAGE.split("|"), *OF_THE_PICTURE.split("|")}


class Elements(HTMLParser):
    """Collects the names of elements and of attributes."""

    def __init__(self):
        super().__init__()
        self.elements, self.attributes = set(), set()

    def handle_starttag(self, tag, attrs):
        """Note one."""
        self.elements.add(tag)
        self.attributes.update(attrs)


@pytest.fixture(scope="module")
def document():
    """Why two records full of hostile text are apart."""
    index = MemoryIndex(RULES)
    names = {"given_name": f"Ann{EVIL}", "family_name": "Lee", "birth_date": "1980-01-01"}
    one = RecordEvent("person", "crm", f"1{EVIL}", "upsert", 1, 0, names)
    other = RecordEvent("person", "erp", f"2{EVIL}", "upsert", 1, 0, {**names, "given_name": f"Anne{EVIL}"})
    apart = VerdictEvent("person", f"crm/1{EVIL}", f"erp/2{EVIL}", "separate", 7, 9, f"steward{EVIL}")
    assert not Engine(RULES, index).process([one, other, apart]).failed
    return explain_names(index, RULES, (f"crm/1{EVIL}", f"erp/2{EVIL}"), values=True).document()


def test_a_page_is_harmless_and_needs_nothing_else(document):
    """No script, no element or address from a value, no control or bidi character; the policy forbids all else."""
    page = pair_page(document)
    found = Elements()
    found.feed(page)
    assert found.elements <= ELEMENTS
    assert not UNSAFE.search(page)
    assert not [name for name, _ in found.attributes if name.startswith("on") or name in ("src", "href", "srcset")]
    policies = [value for name, value in found.attributes if name == "content" and "default-src" in value]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"]
    assert "url(http" not in page
    assert "&lt;script&gt;" in page


def test_a_page_says_all_of_it(document):
    """Conclusion, verdict, that the evidence did not count, both values with the difference marked, keys."""
    page = pair_page(document)
    for said in (
        "a steward&#x27;s verdict separates them",
        "version 7",
        "the evidence below did not count",
        "given_name: near",
        "<mark>e</mark>",
        "x differs",
        "= same",
        "soundex(family_name)",
    ):
        assert said in page, said


def test_a_picture_is_one_xml_document_that_reads_without_colour(document):
    """It parses, names every figure in its description, and hatches what speaks against."""
    tree = ET.fromstring(svg_file(pair_picture(document)))
    namespace = "{http://www.w3.org/2000/svg}"
    described = tree.find(f"{namespace}desc").text
    assert described.startswith(
        "prior -3.17; birth_date: exact +4.00; family_name: exact +3.00; given_name: near +1.50"
    )
    assert described.endswith("total +5.33")
    assert {each.tag.removeprefix(namespace) for each in tree.iter()} <= ELEMENTS
    texts = {each.text for each in tree.iter(f"{namespace}text")}
    assert {"review from -1.22", "link from 2.50", "+4.00", "total"} <= texts
    assert tree.get("role") == "img"


def test_without_evidence_there_is_a_page_and_no_picture(document):
    """A record that is not live was not compared: the page says so without a waterfall."""
    bare = {**document, "score": None, "balance": None, "conclusion": "not_live", "path": [], "shared_keys": []}
    assert pair_picture(bare) is None
    assert "<svg" not in pair_page(bare)
    assert "belongs to no golden record" in pair_page(bare)
