"""The events API: what is accepted is found, what is not is refused for the consumer's reasons, by and to whom."""

from __future__ import annotations

import logging
from dataclasses import replace

import orjson
import pytest
from bad_events import bad_events
from events_api_world import ApiWorld, token, upsert

from mdm_stream.contracts.events_api import PROBLEM_TYPE
from mdm_stream.decode import Delivery
from mdm_stream.decode.authority import Authority, Grant, Policy, default_policy
from mdm_stream.errors import RejectedEventError
from producers.events_api.callers import sources_named
from producers.events_api.problems import ProblemError
from producers.events_api.routes import lambda_request, unrouted
from producers.events_api.service import Request


@pytest.fixture
def world(tmp_path):
    """An API with all that is behind it."""
    return ApiWorld(tmp_path)


def test_a_posted_event_is_found_golden(world):
    """202, then accepted, then applied with the golden id and the feed's sequence."""
    posted = world.post(upsert())
    assert (posted.status, posted.body["state"]) == (202, "accepted")
    assert posted.headers["location"] == f"/v1/events/{posted.body['id']}"
    assert world.outcome(posted.body["id"]).body["state"] == "accepted"
    world.consume()
    found = world.outcome(posted.body["id"]).body
    golden_id = world.index.golden_of(["crm/1"])["crm/1"]
    assert (found["state"], found["effect"]) == ("applied", "standing")
    assert found["golden"] == {"golden_id": golden_id, "epoch": 1, "sequence": world.index.position().sequence}


def test_the_same_event_has_the_same_id_and_another_has_another(world):
    """An id is a function of the event; one without a version is another event each time."""
    ids = [world.post(upsert()).body["id"] for _ in range(2)]
    other = world.post(upsert(version=2)).body["id"]
    placed = [world.post(upsert(source="log", version=None), authorization=log()).body["id"] for _ in range(2)]
    assert ids[0] == ids[1] != other
    assert len({ids[0], other, *placed}) == 4


def test_an_event_without_version_or_time_is_found(world):
    """Its place on the stream is its version, and the answer knows it."""
    first, second = (
        world.post(upsert(source="log", version=None, event_time=None), authorization=log()).body["id"]
        for _ in range(2)
    )
    world.consume()
    effects = [world.outcome(each, authorization=log()).body["effect"] for each in (first, second)]
    assert effects == ["superseded", "standing"]


@pytest.mark.parametrize(
    ("later", "effect"),
    [
        (upsert(version=2), "superseded"),
        (upsert(version=2, op="delete", attributes=None), "superseded"),
        (upsert(version=0), "standing"),
        (upsert(version=2, op="patch", attributes={"email": "a@b.example"}), "standing"),
    ],
)
def test_an_older_write_is_superseded_by_a_newer_one_alone(world, later, effect):
    """In whichever order they come; the record's golden record is told all the same."""
    posted = world.post(upsert()).body["id"]
    world.post(later)
    world.consume()
    found = world.outcome(posted).body
    assert (found["state"], found["effect"]) == ("applied", effect)
    assert "golden_id" in found["golden"]
    assert (found["golden"]["golden_id"] is None) == (later["op"] == "delete")


def test_a_patch_stands_while_one_of_its_columns_does(world):
    """And is superseded once all of them were written anew."""
    world.post(upsert())
    patch = world.post(upsert(version=2, op="patch", attributes={"email": "a@b.example", "family_name": "King"}))
    nothing = world.post(upsert(version=2, op="patch", attributes={"shoe": "42"}))
    world.post(upsert(version=3, op="patch", attributes={"email": "c@b.example"}))
    assert world.outcome(patch.body["id"]).body["state"] == "accepted"
    world.consume()
    assert world.outcome(patch.body["id"]).body["effect"] == "standing"
    assert world.outcome(nothing.body["id"]).body["effect"] == "none"
    world.post(upsert(version=4))
    world.consume()
    assert world.outcome(patch.body["id"]).body["effect"] == "superseded"


def test_an_event_of_an_erased_record_says_so(world):
    """It was accepted and counts for nothing."""
    posted = world.post(upsert()).body["id"]
    world.stream.put_records(
        StreamName="",
        Records=[{"PartitionKey": "1", "Data": orjson.dumps(upsert(op="erase", attributes=None, version=None))}],
    )
    world.consume()
    found = world.outcome(posted).body
    assert (found["effect"], found["golden"]["golden_id"]) == ("erased", None)


@pytest.mark.parametrize(
    "event", [upsert(), upsert(source="log", version=None), upsert(source="log", version=None, event_time=None)]
)
def test_what_the_consumer_rejects_after_all_is_found_with_its_reasons(world, event):
    """As it was: the consumer has another policy by then. Events without version or time are found too."""
    posted = world.post(event, authorization=f"Bearer {token('crm', 'log')}").body["id"]
    closed = Authority(Policy({"*": Grant(frozenset(), frozenset({"upsert"}))}, {}))
    world.consume(replace(world.intake, authority=closed))
    found = world.outcome(posted, authorization=f"Bearer {token('crm', 'log')}").body
    assert (found["state"], [each["code"] for each in found["reasons"]]) == ("rejected", ["not_authorised"])


def test_an_answer_is_the_reasons_of_the_consumer(world):
    """For every kind of bad event: the very codes, places and sentences that would stand in the quarantine."""
    decoder = world.intake.decoder
    compared = 0
    for name, bad in bad_events().items():
        try:
            decoder.decode(Delivery(bad.raw, "0" * 64, 1_767_225_600_000_000, "changes/shard:0"))
        except RejectedEventError as error:
            if len(bad.raw) > world.settings.api_event_bytes_max or error.reasons[0].code in (
                "unknown_shape",
                "ambiguous_shape",
                "unknown_table",
            ):
                continue
            reply = world.post(bad.raw, authorization=f"Bearer {token('*')}")
            told = [(each["code"], each["path"], each["message"]) for each in reply.body["reasons"]]
            own = [(each.code, each.path, each.message) for each in error.reasons]
            assert told == own or told[0][0] in ("not_authorised", "unknown_shape"), name
            compared += told == own
    assert compared >= 10


def test_a_caller_of_another_source_is_refused(world):
    """With one event, in a batch, with an event that is wrong besides, and when it asks for an outcome."""
    posted = world.post(upsert()).body["id"]
    other = {"authorization": f"Bearer {token('erp')}"}
    assert [world.post(each, **other).status for each in (upsert(), upsert(version=None), upsert(op="shout"))] == [
        403
    ] * 3
    batch = world.batch([upsert(), upsert(source="erp")], **other)
    assert (batch.status, [item["status"] for item in batch.body["items"]]) == (207, [403, 202])
    assert world.outcome(posted, **other).status == 403
    assert len(world.stream.records) == 2


@pytest.mark.parametrize("op", ["verdict", "override", "override_expired", "erase"])
def test_what_stewards_say_is_refused_with_where_to_say_it(world, op):
    """Whether it is whole or not, and whatever the caller may write."""
    reply = world.post(upsert(op=op), authorization=f"Bearer {token('*')}")
    assert reply.status == 403
    assert "steward stream" in reply.body["reasons"][0]["message"]


def test_each_event_of_a_batch_is_judged_for_itself(world):
    """The good ones go on the stream in their order, the others are told why not."""
    reply = world.batch([upsert("1"), upsert("2", op="shout"), upsert("3"), "text", upsert("4", domain="none")])
    assert (reply.status, reply.body["accepted"], reply.body["refused"]) == (207, 2, 3)
    assert [item["status"] for item in reply.body["items"]] == [202, 422, 202, 400, 422]
    assert [orjson.loads(sent.data)["record_id"] for sent in world.stream.records] == ["1", "3"]
    assert world.batch([upsert("1"), upsert("5")]).status == 202


def test_numbers_of_a_batch_keep_their_digits(world):
    """An event goes on the stream by its own bytes, as if it had been posted alone."""
    one = b'{"domain":"person", "source":"crm","record_id":"1","op":"upsert","version":1,'
    one += b'"event_time":"2026-01-01T00:00:00Z","attributes":{"email":12345678901234567890123.10}}'
    reply = world.call("POST", "/v1/events:batch", b' { "events" : [ ' + one + b" , " + one + b" ] } ")
    assert reply.status == 202
    assert [sent.data for sent in world.stream.records] == [one, one]
    assert world.post(one).body["id"] == reply.body["items"][0]["id"]


def test_events_of_one_record_keep_their_order_when_the_stream_is_throttled(world):
    """What follows an event that the stream did not take is not sent, and both may be sent again."""
    refused = []

    def refuse(sent):
        record_id = orjson.loads(sent.data)["record_id"]
        if record_id == "1" and len(refused) < 3:
            refused.append(sent)
            return "ProvisionedThroughputExceededException"
        return None

    world.stream.refuse = refuse
    reply = world.batch([upsert("1", version=1), upsert("2"), upsert("1", version=2)])
    assert [item["status"] for item in reply.body["items"]] == [429, 202, 429]
    assert reply.headers["retry-after"] == "2"
    assert len(world.stream.records) == 1


def test_a_throttled_stream_says_when_to_come_again(world):
    """After some attempts of its own; a refusal that no attempt can mend is 503."""
    world.stream.refuse = lambda _: "ProvisionedThroughputExceededException"
    throttled = world.post(upsert())
    world.stream.refuse = lambda _: "AccessDeniedException"
    closed = world.post(upsert())
    assert [(each.status, each.headers["retry-after"]) for each in (throttled, closed)] == [(429, "2"), (503, "2")]


def test_a_request_under_its_key_is_done_once(world):
    """The second gets the first one's answer; another body or another caller's key is another matter."""
    first, second = (world.post(upsert(), idempotency_key="one") for _ in range(2))
    assert (first.body, first.headers["location"]) == (second.body, second.headers["location"])
    assert len(world.stream.records) == 1
    reused = world.post(upsert(version=2), idempotency_key='"one"')
    assert (reused.status, reused.body["code"]) == (422, "idempotency_key_reused")
    assert world.post(upsert(), idempotency_key="one", authorization=f"Bearer {token(sub='other')}").status == 202
    assert world.post(upsert(), idempotency_key="one", authorization=f"Bearer {token('crm', 'erp')}").status == 202
    assert world.batch([upsert()], idempotency_key="one").status == 202
    assert len(world.stream.records) == 4


def test_an_answer_that_may_change_is_not_kept_under_its_key(world):
    """Who was throttled sends the same request again, and it is done then; so is one that was refused."""
    world.stream.refuse = lambda _: "ProvisionedThroughputExceededException"
    assert world.post(upsert(), idempotency_key="one").status == 429
    assert world.batch([upsert()], idempotency_key="one").status == 207
    world.stream.refuse = lambda _: None
    assert world.post(upsert(op="shout"), idempotency_key="two").status == 422
    again = world.post(upsert(), idempotency_key="one"), world.post(upsert(), idempotency_key="two")
    assert [each.status for each in (*again, world.batch([upsert()], idempotency_key="one"))] == [202] * 3


def test_a_key_in_use_is_a_conflict(world):
    """A request that is under way holds its key."""
    caller = world.api.callers.identify({}, {"authorization": f"Bearer {token()}"})
    seen = []

    def meanwhile():
        seen.append(world.post(upsert(), idempotency_key="one"))
        raise ProblemError("fault", "over")

    with pytest.raises(ProblemError, match="fault"):
        world.api.idempotency.once("_post_one one", caller.name, orjson.dumps(upsert()), meanwhile)
    assert [(each.status, each.body["code"]) for each in seen] == [(409, "idempotency_key_in_use")]


def test_events_are_taken_while_the_cache_is_down_but_under_no_key(world):
    """Redis is needed for keys and outcomes, and not to accept an event."""
    world.cache.set = world.cache.get = lambda *_args, **_named: 1 / 0
    assert (world.post(upsert()).status, world.post(upsert(), idempotency_key="one").status) == (202, 503)


def test_more_requests_than_it_works_on_are_asked_to_come_later(tmp_path):
    """One more than the limit is 503 at once."""
    world = ApiWorld(tmp_path, api_in_flight_max=1)
    world.app._under_way = 1
    reply = world.post(upsert())
    assert (reply.status, reply.headers["retry-after"], reply.body["code"]) == (503, "2", "unavailable")
    world.app._under_way = 0
    assert world.post(upsert()).status == 202


def test_api_gateway_says_who_calls(tmp_path):
    """A JWT authorizer's claims, a Lambda authorizer's context, Cognito's claims, an ARN: each names sources."""
    arn = "arn:aws:sts::123456789012:assumed-role/crm-writer"
    grant = Grant(frozenset({"crm"}), frozenset({"upsert"}))
    policy = replace(
        default_policy("steward"), callers={f"{arn}/*": grant, "arn:aws:sts::1*": Grant(frozenset(), frozenset())}
    )
    api = ApiWorld(tmp_path, policy).api
    body = orjson.dumps(upsert())
    contexts = [
        {"authorizer": {"jwt": {"claims": {"mdm_sources": "[crm shop]", "sub": "a"}}}},
        {"authorizer": {"claims": {"mdm_sources": "crm"}}},
        {"authorizer": {"mdm_sources": '["crm"]', "principalId": "a"}},
        {"identity": {"userArn": f"{arn}/session"}},
        {"authorizer": {"iam": {"userArn": f"{arn}/session"}}},
    ]
    answers = [api.post_event(Request({"content-type": "application/json"}, body, each)) for each in contexts]
    assert [each.status for each in answers] == [202] * len(contexts)
    delete = orjson.dumps(upsert(op="delete", attributes=None))
    assert api.post_event(Request({"content-type": "application/json"}, delete, contexts[3])).status == 403
    for other in ({"identity": {"userArn": "arn:aws:iam::9:user/x"}}, {"authorizer": {"claims": {"sub": "a"}}}):
        assert api.post_event(Request({"content-type": "application/json"}, body, other)).status == 403


@pytest.mark.parametrize(
    ("claim", "sources"),
    [
        (["crm", "shop"], ["crm", "shop"]),
        ("crm shop", ["crm", "shop"]),
        ("crm,shop", ["crm", "shop"]),
        ("[crm shop]", ["crm", "shop"]),
        ('["crm"]', ["crm"]),
        ("*", ["*"]),
        (["crm", 5, "a/b", ""], ["crm"]),
        ({"crm": True}, []),
        (None, []),
    ],
)
def test_a_claim_lists_sources_in_whatever_form_an_authorizer_hands_over(claim, sources):
    """What is no name of a source is no source."""
    assert sources_named(claim) == sources


def test_lambda_hands_over_the_bytes_that_were_sent():
    """Text and base64; what API Gateway has not written is refused as binary, not raised."""
    told = lambda_request(
        {"body": "eyJhIjoxfQ==", "isBase64Encoded": True, "headers": {"X-A": "b"}, "requestContext": {}}
    )
    assert (told.body, told.headers) == (b'{"a":1}', {"x-a": "b"})
    assert lambda_request({"body": "é", "headers": None}).body == "é".encode()
    assert lambda_request({"body": "%", "isBase64Encoded": True}).body == b"\0"


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/v1/events", "method_not_allowed"),
        ("PUT", "/v1/events:batch", "method_not_allowed"),
        ("POST", "/v1/events/id", "method_not_allowed"),
        ("GET", "/v1/events/<>", "unknown_event"),
        ("GET", "/v1/events/", "not_found"),
        ("GET", "/v1/events/a/b", "not_found"),
        ("GET", "/", "not_found"),
    ],
)
def test_a_wrong_method_is_told_from_a_wrong_path(method, path, code):
    """405 says which method the route takes."""
    problem = unrouted(method, path)
    assert problem.code == code
    assert ("Allow" in problem.headers) == (code == "method_not_allowed")


def test_no_log_repeats_a_value(world, caplog):
    """Whatever is posted, and whatever becomes of it."""
    caplog.set_level(logging.DEBUG)
    world.post(upsert("secret-id", attributes={"given_name": "Secretname"}), idempotency_key="one")
    world.post(upsert("secret-id", op="Secretname"))
    world.post(upsert("secret-id", source="Secretname"))
    world.batch([upsert("secret-id", attributes={"given_name": "Secretname"}), "Secretname"])
    world.api.gate._decoder = None
    faulty = world.post(upsert("secret-id"))
    assert faulty.status == 500
    (told,) = [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]
    assert faulty.body["request_id"] in told
    assert "AttributeError at producers.events_api.gate" in told
    logged = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    assert "secret-id" not in logged.replace("'", "")
    assert "Secretname" not in logged


def test_a_problem_is_as_rfc_9457_has_it(world):
    """Type, title, status, detail; and the id under which an operator finds it in the log."""
    reply = world.post(b"{")
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.body["type"] == PROBLEM_TYPE + reply.body["code"]
    assert reply.body["status"] == reply.status == 400
    assert reply.body["reasons"][0]["code"] == "truncated_json"
    assert reply.body["title"]
    assert reply.body["detail"]
    assert reply.body["request_id"]


def log() -> str:
    """The token of a caller that writes a source without versions."""
    return f"Bearer {token('log')}"
