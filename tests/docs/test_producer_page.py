"""What docs/guide/write-a-producer.md shows works: its code runs, its events are accepted, its limits are ours."""

from __future__ import annotations

import re
import shlex
from typing import get_args

import boto3
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from source_tree import ROOT

from mdm_stream.aws.put_records import BYTES_PER_CALL_MAX, RECORD_BYTES_MAX, RECORDS_PER_CALL_MAX
from mdm_stream.contracts.change import ATTRIBUTES_MAX, LIST_ITEMS_MAX, TEXT_CHARS_MAX
from mdm_stream.contracts.kpl import USER_RECORDS_MAX
from mdm_stream.contracts.signature import SigningKey
from mdm_stream.decode.decoder import Decoder
from mdm_stream.decode.delivery import Delivery
from mdm_stream.decode.reasons import Code
from mdm_stream.rules import load_ruleset
from mdm_stream.testing import MemoryStream
from producers.partition_key import partition_key_of

PAGE = (ROOT / "docs" / "guide" / "write-a-producer.md").read_text("utf-8")
SENDING, SIGNING = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
(CURL,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
EVENTS = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)


def run(text, monkeypatch, stream):
    """Run code of the page with a stream in memory where it asks for a Kinesis client; return its names."""
    monkeypatch.setattr(boto3, "client", lambda *_names, **_options: stream)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    names: dict[str, object] = {}
    exec(compile(text, "write-a-producer.md", "exec"), names)
    return names


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    """The consumer's decoder, under rules that name the page's source."""
    path = tmp_path_factory.mktemp("rules") / "company.yaml"
    path.write_text("extends: person\nversion: 1\nsources:\n  web:\n    attributes: {given_name: first_name}\n")
    return Decoder({"person": load_ruleset(path)})


def test_what_is_sent_arrives(monkeypatch, decoder):
    """The event of the example is on the stream under the key of its record, and the consumer accepts it."""
    stream = MemoryStream()
    run(SENDING, monkeypatch, stream)
    (sent,) = stream.records
    assert sent.partition_key == "person/web/u-42"
    (event,) = decoder.decode(Delivery.from_row(sent.data, 1))
    assert (event.op, event.version) == ("delete", 19)


def test_what_is_refused_is_sent_again_and_only_that(monkeypatch):
    """Requests keep within the limits; a throttled record is sent again, and one that never gets in is returned."""
    stream = MemoryStream()
    send = run(SENDING, monkeypatch, stream)["send"]
    stream.records.clear()
    turns: dict[str, int] = {}

    def refuse(sent):
        turns[sent.partition_key] = turns.get(sent.partition_key, 0) + 1
        hopeless = sent.partition_key.endswith("/7")
        throttled = turns[sent.partition_key] == 1 and sent.partition_key.endswith("3")
        return "ProvisionedThroughputExceededException" if hopeless or throttled else None

    sizes = []
    put = stream.put_records

    def measured(**request):
        sizes.append(sum(len(each["Data"]) + len(each["PartitionKey"].encode()) for each in request["Records"]))
        return put(**request)

    stream.refuse, stream.put_records = refuse, measured
    filling = {"text": "x" * 20_000}
    events = [
        {"domain": "d", "source": "s", "record_id": str(number), "op": "patch", "attributes": filling}
        for number in range(1_100)
    ]
    assert send(stream, "changes", events) == [events[7]]
    arrived = [orjson.loads(sent.data) for sent in stream.records]
    assert sorted(int(each["record_id"]) for each in arrived) == [*range(7), *range(8, 1_100)]
    assert max(sizes) <= BYTES_PER_CALL_MAX
    assert len(sizes) > 1_100 * 20_000 // BYTES_PER_CALL_MAX


@pytest.fixture(scope="module")
def partition_key():
    """The page's function."""
    names: dict[str, object] = {}
    exec(compile(SENDING.partition("kinesis = boto3")[0], "write-a-producer.md", "exec"), names)
    return names["partition_key"]


@given(st.text(st.characters(codec="utf-8"), max_size=300))
def test_the_partition_key_is_that_of_the_publisher(partition_key, record_id):
    """A producer in another language and ours put the changes of one record into one shard, long keys included."""
    event = {"domain": "person", "source": "web", "record_id": record_id, "op": "upsert"}
    assert partition_key(event) == partition_key_of(event)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=10,
)


@pytest.fixture(scope="module")
def sign():
    """The page's function; running the page has compared it with the test vector."""
    names: dict[str, object] = {}
    exec(compile(SIGNING, "write-a-producer.md", "exec"), names)
    return names["sign"]


@given(st.dictionaries(st.sampled_from(["a", "b", "ä"]), values))
def test_signatures_are_those_that_the_consumer_makes(sign, event):
    """Whatever JSON can say is signed as the consumer verifies it."""
    key = SigningKey("k", b"0" * 32)
    assert sign(event, "k", key.secret)["signature"]["value"] == key.signature_of(event)


def test_the_events_shown_are_accepted(decoder):
    """That of the page, and what curl sends to the events API."""
    words = shlex.split(CURL.replace("\\\n", " "))
    assert words[0] == "curl"
    assert words[-1].endswith("/v1/events")
    assert len(EVENTS) == 1
    for text in (*EVENTS, words[words.index("--data") + 1]):
        (event,) = decoder.decode(Delivery.from_row(orjson.dumps(orjson.loads(text)), 1))
        assert event.record_id == "u-42"


def test_the_limits_are_ours():
    """Each number of the table is that of the code."""
    table = re.findall(r"^\| [^|]+ \| ([\d,]+) \|", PAGE, re.MULTILINE)
    limits = [RECORD_BYTES_MAX, RECORDS_PER_CALL_MAX, BYTES_PER_CALL_MAX]
    limits += [ATTRIBUTES_MAX, TEXT_CHARS_MAX, LIST_ITEMS_MAX, USER_RECORDS_MAX]
    assert [int(each.replace(",", "")) for each in table] == limits


def test_the_codes_are_ours():
    """Every code of the page is one that the decoder gives."""
    rows = PAGE.partition("| code | mostly because |")[2].splitlines()[2:]
    codes = {code for row in rows if row.startswith("|") for code in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert len(codes) > 10
    assert codes <= set(get_args(Code))
