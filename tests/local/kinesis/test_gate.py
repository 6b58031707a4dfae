"""Who the local AWS APIs answer: signed requests of its user's programs, and nothing else."""

from __future__ import annotations

import datetime as dt
import http.client
import io
import os
import socket
import time
from pathlib import Path

import orjson
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from mdm_stream.aws.loopback import (
    CONTROL_SERVICE,
    JSON_TYPE,
    PROOF_PATH,
    TRIM_PATH,
    LoopbackKeys,
    is_the_stack,
    loopback_client,
)
from mdm_stream.local.kinesis.gate import REQUEST_BYTES_MAX, Gate
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.local.kinesis.signature import CLOCK_SKEW_S_MAX

STREAM = "kept"
SHARD = "shardId-000000000000"
LIST = {"X-Amz-Target": "Kinesis_20131202.ListStreams", "Content-Type": "application/x-amz-json-1.1"}
TRIM = {"stream": STREAM, "through": {SHARD: "9"}, "keep_records": 0, "on_disk": True}


@pytest.fixture(scope="module")
def server():
    """An API with a stream of one record."""
    with KinesisServer() as running:
        running.client().create_stream(StreamName=STREAM, ShardCount=1)
        running.client().put_record(StreamName=STREAM, Data=b"secret", PartitionKey="k")
        yield running


@pytest.fixture(autouse=True)
def _nothing_happened(server):
    """Whatever a test sends, the record is still there afterwards, and alone."""
    yield
    iterator = server.client().get_shard_iterator(StreamName=STREAM, ShardId=SHARD, ShardIteratorType="TRIM_HORIZON")
    records = server.client().get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    assert [record["Data"] for record in records] == [b"secret"]


def signed(server, path="/", body=b"{}", headers=None, service="kinesis", keys=None, host=None, method="POST"):
    """The headers of a request as botocore signs it."""
    keys = keys or server.keys
    url = f"http://{host}" if host else server.endpoint_url
    request = AWSRequest(method, url + path, dict(LIST if headers is None else headers), body)
    auth = S3SigV4Auth if service == "s3" else SigV4Auth
    auth(Credentials(keys.access_key_id, keys.secret_access_key), service, "us-east-1").add_auth(request)
    return dict(request.headers.items()) | ({"Host": host} if host else {})


def answer(server, headers, path="/", body=b"{}", method="POST"):
    """Send a request as it is; return status, headers and body of the answer."""
    connection = http.client.HTTPConnection(server.endpoint_url.removeprefix("http://"), timeout=10)
    try:
        connection.request(method, path, body, headers)
        found = connection.getresponse()
        return found.status, {name.lower() for name in found.headers}, found.read()
    finally:
        connection.close()


def test_a_signed_request_is_answered_and_no_page_may_read_any_answer(server):
    """The owner's answer carries no permission for another origin, though moto gives one to all."""
    status, names, body = answer(server, signed(server))
    assert (status, orjson.loads(body)["StreamNames"]) == (200, [STREAM])
    assert not [name for name in names if name.startswith("access-control")]


@pytest.mark.parametrize(
    "extra",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Mode": "navigate"},
    ],
)
def test_what_a_browser_sends_is_refused_even_when_it_is_signed(server, extra):
    """A page has no keys; if it got them, its browser would still say where it comes from."""
    assert answer(server, signed(server) | extra)[0] == 403


def test_another_name_of_this_machine_is_refused(server):
    """A name that an attacker's DNS server points here does not make their page one of ours."""
    port = server.endpoint_url.rpartition(":")[2]
    for host in (f"evil.example:{port}", f"127.0.0.1.evil.example:{port}", "127.0.0.1", f"127.0.0.1:{int(port) + 1}"):
        assert answer(server, signed(server, host=host))[0] == 403, host
    assert answer(server, signed(server, host=f"localhost:{port}"))[0] == 200


@pytest.mark.parametrize(
    ("path", "method"),
    [("/", "POST"), ("/", "GET"), ("/", "OPTIONS"), ("/bucket/key", "PUT"), ("/bucket/key", "GET"),
     (TRIM_PATH, "POST"), (PROOF_PATH, "POST"), ("/moto-api/reset", "POST"), ("/moto-api/", "GET"),
     ("/latest/meta-data/", "GET")],
)  # fmt: skip
@pytest.mark.parametrize("credential", ["none", "those of before", "the right id alone", "another stack's"])
def test_without_the_keys_nothing_is_answered(server, path, method, credential):
    """Reading, writing, forgetting, resetting: 403 whatever is asked, and no hint for a page of another origin."""
    headers = LIST | {"Access-Control-Request-Method": "POST"}
    keys = {
        "those of before": LoopbackKeys("local", "local"),
        "the right id alone": LoopbackKeys(server.keys.access_key_id, "guessed"),
        "another stack's": LoopbackKeys.new(),
    }.get(credential)
    if keys is not None:
        headers = signed(server, path, orjson.dumps(TRIM), headers, keys=keys, method=method)
    status, names, body = answer(server, headers, path, orjson.dumps(TRIM), method)
    assert status == 403
    assert not [name for name in names if name.startswith("access-control")]
    assert b"secret" not in body


def test_the_emulators_own_api_is_closed_to_the_user_too(server):
    """Its reset would erase every stream under the journal; the dashboard shows what is in them."""
    for path, method in (("/moto-api/reset", "POST"), ("/moto-api/data.json", "GET"), ("/latest/meta-data/", "GET")):
        for service in ("kinesis", "s3", CONTROL_SERVICE, "sts"):
            headers = signed(server, path, b"", {"Content-Type": JSON_TYPE}, service, method=method)
            assert answer(server, headers, path, b"", method)[0] == 403, (path, service)


def test_queues_and_topics_are_served_and_nothing_else_under_their_names(server):
    """SQS at the root and at a queue, SNS as a form, EventBridge: each signed for itself."""
    json_type = {"Content-Type": "application/x-amz-json-1.0"}
    queues = json_type | {"X-Amz-Target": "AmazonSQS.ListQueues"}
    buses = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AWSEvents.ListEventBuses"}
    form = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    topics = b"Action=ListTopics&Version=2010-03-31"
    for service, path, headers, body, status in (
        ("sqs", "/", queues, b"{}", 200),
        ("sqs", "/moto-api/reset", queues, b"{}", 403),
        ("sqs", "/123456789012/a/b", queues, b"{}", 403),
        ("sqs", "/", LIST, b"{}", 403),
        ("events", "/", buses, b"{}", 200),
        ("events", "/", queues, b"{}", 403),
        ("events", "/bucket", buses, b"{}", 403),
        ("sns", "/", form, topics, 200),
        ("sns", "/moto-api/reset", form, topics, 403),
        ("sns", "/", json_type, topics, 403),
        ("sns", "/", form | LIST, topics, 403),
        ("sts", "/", form, b"Action=GetCallerIdentity&Version=2011-06-15", 403),
        ("kinesis", "/", queues, b"{}", 403),
    ):
        found = answer(server, signed(server, path, body, headers, service), path, body)
        assert found[0] == status, (service, path, found)


def test_orders_to_forget_need_a_type_that_no_form_can_send(server):
    """The three types that a page may send unasked are refused even with the keys."""
    body = orjson.dumps(TRIM | {"through": {}})
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        headers = signed(server, TRIM_PATH, body, {"Content-Type": kind}, CONTROL_SERVICE)
        assert answer(server, headers, TRIM_PATH, body)[0] == 403
    headers = signed(server, TRIM_PATH, body, {"Content-Type": JSON_TYPE}, CONTROL_SERVICE)
    assert answer(server, headers, TRIM_PATH, body)[0] == 200


def test_a_request_counts_for_what_was_signed_and_not_for_long(server):
    """Another body, another call, another path or an old date under the same signature is refused."""
    headers = signed(server)
    assert answer(server, headers, body=b'{"Limit":1}')[0] == 403
    assert answer(server, headers | {"X-Amz-Target": "Kinesis_20131202.DeleteStream"})[0] == 403
    assert answer(server, headers, path="/?x=1")[0] == 403
    old = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=CLOCK_SKEW_S_MAX + 60)
    assert answer(server, headers | {"X-Amz-Date": old.strftime("%Y%m%dT%H%M%SZ")})[0] == 403
    assert answer(server, headers)[0] == 200


def test_an_old_signature_is_refused_as_it_was_made(server):
    """One that was overheard is worth nothing after a quarter of an hour."""
    said = signed(server)
    environ = {
        "REQUEST_METHOD": "POST", "REQUEST_URI": "/", "PATH_INFO": "/", "QUERY_STRING": "", "CONTENT_LENGTH": "2",
        "CONTENT_TYPE": said["Content-Type"], "HTTP_X_AMZ_TARGET": said["X-Amz-Target"],
        "HTTP_X_AMZ_DATE": said["X-Amz-Date"], "HTTP_AUTHORIZATION": said["Authorization"],
        "HTTP_HOST": server.endpoint_url.removeprefix("http://"), "SERVER_PORT": server.endpoint_url.rpartition(":")[2],
    }  # fmt: skip
    for later_s, expected in (
        (0, "200"),
        (CLOCK_SKEW_S_MAX + 5, "403"),
        (-CLOCK_SKEW_S_MAX - 5, "403"),
    ):
        statuses = []

        def reached(_environ, start_response):
            start_response("200 OK", [])
            return []

        gate = Gate(reached, server.keys, clock=lambda later_s=later_s: time.time() + later_s)
        gate(environ | {"wsgi.input": io.BytesIO(b"{}")}, lambda status, *_, said=statuses: said.append(status[:3]))
        assert statuses == [expected]


def test_a_refusal_waits_for_no_body_and_a_body_has_a_bound(server):
    """What has no keys cannot make the server read; what has them cannot make it read without end."""
    host, _, port = server.endpoint_url.removeprefix("http://").partition(":")
    keyed = "".join(f"{name}: {value}\r\n" for name, value in signed(server).items() if name != "Content-Length")
    for headers, expected in (
        ("Content-Length: 99999999999\r\n", b"403"),
        ("Transfer-Encoding: chunked\r\n", b"403"),
        (f"Content-Length: {REQUEST_BYTES_MAX + 1}\r\n{keyed}", b"413"),
        (f"Transfer-Encoding: chunked\r\n{keyed}", b"413"),
        (f"Content-Length: -1\r\n{keyed}", b"413"),
    ):
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(f"POST / HTTP/1.1\r\nHost: {host}:{port}\r\n{headers}\r\n".encode())
            assert connection.recv(100).split()[1] == expected, headers


def test_names_and_bodies_of_s3_are_signed_as_its_clients_sign_them(server):
    """Whatever SDKs do to a path, a query and a body on their way, the signature is still understood."""
    s3 = server.client("s3")
    s3.create_bucket(Bucket="odd")
    for key in ("a b/é+~&=%25", "x//y", "(1)*'!"):
        s3.put_object(Bucket="odd", Key=key, Body=key.encode())
        assert s3.get_object(Bucket="odd", Key=key)["Body"].read() == key.encode()
    found = s3.list_objects_v2(Bucket="odd", Prefix="a b/é+", Delimiter="/", StartAfter="A ")
    assert [each["Key"] for each in found["Contents"]] == ["a b/é+~&=%25"]
    s3.upload_fileobj(io.BytesIO(b"x" * 100_000), "odd", "streamed")
    assert s3.head_object(Bucket="odd", Key="streamed")["ContentLength"] == 100_000


def test_other_keys_get_an_error_that_an_sdk_can_read(server):
    """It names the command that has the right ones."""
    stranger = loopback_client("kinesis", server.endpoint_url, LoopbackKeys.new())
    with pytest.raises(ClientError, match="mdm-stream env") as caught:
        stranger.list_streams()
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    assert is_the_stack(server.endpoint_url, server.keys, 10)
    assert not is_the_stack(server.endpoint_url, LoopbackKeys.new(), 10)


def test_keys_of_the_environment_are_used_for_the_endpoint_that_they_belong_to(server, monkeypatch):
    """A shell that `mdm-stream env` has prepared meets its own stack, and shows its keys to no other program."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.keys.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.keys.secret_access_key)
    assert loopback_client("kinesis", server.endpoint_url).list_streams()["StreamNames"] == [STREAM]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(ClientError, match="AccessDenied"):
        loopback_client("kinesis", server.endpoint_url).list_streams()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="command lines are read from the process table of Linux")
def test_keys_are_on_no_command_line(server):
    """Every user sees those."""
    line = Path(f"/proc/{server.pid}/cmdline").read_bytes()
    assert b"kinesis" in line
    assert server.keys.secret_access_key.encode() not in line
    assert server.keys.access_key_id.encode() not in line
    assert os.stat(f"/proc/{server.pid}/environ").st_mode & 0o077 == 0  # noqa: PTH116
