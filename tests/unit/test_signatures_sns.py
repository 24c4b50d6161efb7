"""Amazon SNS: genuine messages in both versions, and all the ways in which one is not."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp.settings.collecting import SignatureSettings
from connectors.collector.signatures.sns import SCHEME, FetchedCertificates, read_message
from connectors.collector.webhooks import Answer, Delivery, Keys
from tests.sns_tools import CERTIFICATE_URL, HOST, NOW, TOPIC, body, confirmation, message, pem

AT = NOW.timestamp()
SIGNED = ("Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sns.pem").write_bytes(pem())
    return tmp_path


def delivery(given: bytes | dict[str, Any], received: float = AT + 1) -> Delivery:
    data = given if isinstance(given, bytes) else body(given)
    headers = {"x-amz-sns-message-type": "Notification"}
    return Delivery("POST", "https://shop.example/hooks/ses", {}, headers, data, received)


def keys(folder: Path, **more: Any) -> Keys:
    return Keys((), SignatureSettings(**({"certificates": ["sns.pem"]} | more)), folder=folder)


def verdict(folder: Path, given: bytes | dict[str, Any], received: float = AT + 1, **more: Any) -> str | None:
    return SCHEME.verify(delivery(given, received), keys(folder, **more))


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("more", [{}, {"Subject": None}, {"Message": "plain text\nof two lines"}])
def test_a_notification_that_amazon_signed_is_genuine(
    folder: Path, version: str, more: dict[str, Any]
) -> None:
    assert verdict(folder, message(version, **more)) is None


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_confirmations_have_other_members_and_are_genuine_too(folder: Path, version: str, kind: str) -> None:
    assert verdict(folder, confirmation(version, Type=kind)) is None


@pytest.mark.parametrize("name", SIGNED)
@pytest.mark.parametrize("version", ["1", "2"])
def test_no_signed_member_can_be_changed_or_taken_away(folder: Path, name: str, version: str) -> None:
    genuine = message(version)
    without = {key: value for key, value in genuine.items() if key != name}
    assert verdict(folder, genuine | {name: genuine[name] + " "}) is not None
    assert verdict(folder, genuine | {name: None}) is not None
    assert verdict(folder, without) is not None


@pytest.mark.parametrize("name", ["Token", "SubscribeURL"])
def test_the_address_of_a_confirmation_cannot_be_changed(folder: Path, name: str) -> None:
    genuine = confirmation()
    assert verdict(folder, genuine | {name: genuine[name] + "x"}) == "bad_signature"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"Signature": "no base64"}, "bad_signature"),
        ({"Signature": ""}, "bad_signature"),
        ({"Signature": "é"}, "bad_signature"),
        ({"Signature": 7}, "missing_signature"),
        ({"SignatureVersion": "3"}, "unknown_signature_version"),
        ({"SignatureVersion": "2"}, "bad_signature"),
        ({"SigningCertURL": CERTIFICATE_URL.replace("https", "http")}, "bad_certificate_url"),
        (
            {"SigningCertURL": "https://eve.example/SimpleNotificationService-00.pem"},
            "bad_certificate_url",
        ),
        (
            {"SigningCertURL": CERTIFICATE_URL.replace(HOST, f"{HOST}.eve.example")},
            "bad_certificate_url",
        ),
        (
            {"SigningCertURL": CERTIFICATE_URL.replace(HOST, f"{HOST}@eve.example")},
            "bad_certificate_url",
        ),
        (
            {"SigningCertURL": CERTIFICATE_URL.replace(HOST, "s3.eu-west-1.amazonaws.com")},
            "bad_certificate_url",
        ),
        ({"SigningCertURL": f"https://{HOST}/?Action=x#/a.pem"}, "bad_certificate_url"),
        ({"SigningCertURL": CERTIFICATE_URL + "\n"}, "bad_certificate_url"),
        ({"SigningCertURL": None}, "bad_certificate_url"),
        ({"Type": "Other"}, "unknown_message_type"),
        ({"Type": 1}, "unknown_message_type"),
        ({"Message": {"a": 1}}, "malformed_message"),
        ({"Message": "\ud800"}, "malformed_message"),
        ({"Subject": 5}, "malformed_message"),
        ({"Timestamp": "yesterday"}, "bad_timestamp"),
        ({"Timestamp": "2026-03-02T10:00:00+00:00"}, "bad_timestamp"),
        ({"UnsubscribeURL": "https://eve.example"}, None),  # is not signed, and not read
    ],
)
def test_each_flaw_has_its_word(folder: Path, change: dict[str, Any], reason: str | None) -> None:
    assert verdict(folder, message() | change) == reason


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"null", b"{", b"\xff", b"[" * 100_000, b"NaN", b"Hello", b'{"Type": 1e999}']
)
def test_what_is_no_message_is_refused(folder: Path, data: bytes) -> None:
    assert verdict(folder, data) in ("malformed_message", "unknown_message_type")


def test_a_member_that_stands_twice_is_refused_as_readers_take_one_or_the_other(folder: Path) -> None:
    genuine = body(message())
    forged = b'{"Message": "{\\"eventType\\": \\"Bounce\\"}",' + genuine[1:]
    assert json.loads(forged) == json.loads(genuine)
    assert verdict(folder, forged) == "malformed_message"


def test_chinas_regions_have_a_host_of_their_own(folder: Path) -> None:
    url = "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-00.pem"
    assert verdict(folder, message(SigningCertURL=url)) is None


@pytest.mark.parametrize(
    ("age", "tolerance", "reason"),
    [
        (3600 + 300, None, None),
        (3600 + 301, None, "stale_timestamp"),
        (3600, "5m", "stale_timestamp"),
        (299, "5m", None),
        (86_000, "24h", None),
        (-299, None, None),
        (-302, None, "future_timestamp"),
    ],
)
def test_sns_tries_for_an_hour_and_so_long_a_message_is_taken(
    folder: Path, age: float, tolerance: str | None, reason: str | None
) -> None:
    more = {"tolerance": tolerance} if tolerance else {}
    assert verdict(folder, message(), AT + age, **more) == reason


def test_only_the_topics_that_are_named_may_deliver(folder: Path) -> None:
    assert verdict(folder, message(), topics=[TOPIC]) is None
    assert verdict(folder, message(), topics=["arn:aws:sns:eu-west-1:1:other"]) == "wrong_topic"
    assert verdict(folder, message(TopicArn=f"{TOPIC}2"), topics=[TOPIC]) == "wrong_topic"


def test_any_of_several_certificates_may_have_signed(folder: Path) -> None:
    (folder / "both.pem").write_bytes(pem(1) + pem())
    assert verdict(folder, message(), certificates=["both.pem"]) is None
    assert verdict(folder, message(number=1), certificates=["sns.pem", "both.pem"]) is None
    assert verdict(folder, message(number=1)) == "bad_signature"


def test_a_certificate_counts_for_its_time_only(folder: Path) -> None:
    (folder / "old.pem").write_bytes(pem(days=30, start=NOW - timedelta(days=31)))
    (folder / "new.pem").write_bytes(pem(start=NOW + timedelta(days=1)))
    for name in ("old.pem", "new.pem"):
        assert verdict(folder, message(), certificates=[name]) == "expired_certificate"
    assert verdict(folder, message(), certificates=["old.pem", "sns.pem"]) is None


@pytest.mark.parametrize(
    "content", [None, b"", b"no PEM", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_without_a_readable_certificate_nothing_is_genuine(folder: Path, content: bytes | None) -> None:
    if content is not None:
        (folder / "other.pem").write_bytes(content)
    assert verdict(folder, message(), certificates=["other.pem"]) == "no_certificate"
    assert verdict(folder, message(), certificates=[]) == "no_certificate"


def test_a_certificate_that_is_replaced_counts_at_once(folder: Path) -> None:
    assert verdict(folder, message(number=1)) == "bad_signature"
    (folder / "sns.pem").write_bytes(pem(1) + b"\n")
    assert verdict(folder, message(number=1)) is None


def test_nothing_is_fetched_and_nothing_confirmed_unless_it_is_allowed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*args: object, **more: object) -> None:
        raise AssertionError(f"a connection: {args} {more}")

    monkeypatch.setattr("socket.create_connection", forbidden)
    assert verdict(folder, message(), certificates=[]) == "no_certificate"
    assert SCHEME.greet(delivery(confirmation()), keys(folder, topics=[TOPIC])) is None
    assert verdict(folder, confirmation()) is None


@pytest.mark.parametrize(
    ("given", "more"),
    [
        (confirmation(), {"topics": []}),  # Amazon signs such requests for anybody's topic
        (confirmation(), {"topics": ["arn:aws:sns:eu-west-1:1:other"]}),
        (confirmation(SubscribeURL="https://eve.example/?Action=ConfirmSubscription&Token=1"), {}),
        (confirmation(SubscribeURL=f"https://{HOST}/?Action=Publish&Token=1"), {}),
        (confirmation() | {"Token": "x"}, {}),
        (message(Message="SubscriptionConfirmation"), {}),
        (confirmation(Type="UnsubscribeConfirmation"), {}),
        (b"SubscriptionConfirmation", {}),
    ],
)
def test_what_is_no_genuine_request_for_one_of_our_topics_is_not_confirmed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, given: bytes | dict[str, Any], more: dict[str, Any]
) -> None:
    def forbidden(*args: object, **given: object) -> None:
        raise AssertionError(f"a connection: {args} {given}")

    monkeypatch.setattr("socket.create_connection", forbidden)
    allowed = keys(folder, **({"topics": [TOPIC], "confirm_subscriptions": True} | more))
    assert SCHEME.greet(delivery(given), allowed) is None


BODY = body(message("2"))
SHARED_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@SHARED_FOLDER
@given(at=st.integers(0, len(BODY) - 1), other=st.integers(0, 255))
def test_a_changed_byte_is_refused_unless_nothing_that_is_signed_changes(
    folder: Path, at: int, other: int
) -> None:
    changed = BODY[:at] + bytes([other]) + BODY[at + 1 :]
    before, after = read_message(BODY), read_message(changed)
    assert isinstance(before, dict)
    same = isinstance(after, dict) and all(
        after.get(name) == before.get(name) for name in (*SIGNED, "Signature", "SignatureVersion")
    )
    # The address of the certificate is no part of what is signed; it must lie on Amazon's host all the same.
    assert (verdict(folder, changed) in (None, "bad_certificate_url")) == same


@SHARED_FOLDER
@given(data=st.data())
def test_every_changed_character_of_a_signature_is_refused(folder: Path, data: st.DataObject) -> None:
    genuine = message()
    value = genuine["Signature"]
    at = data.draw(st.integers(0, len(value) - 1))
    other = data.draw(st.characters(max_codepoint=255).filter(lambda character: character != value[at]))
    changed = genuine | {"Signature": value[:at] + other + value[at + 1 :]}
    assert verdict(folder, changed) == "bad_signature"


TEXTS = st.sampled_from(["Notification", "SubscriptionConfirmation", "1", "2", CERTIFICATE_URL]) | st.text(
    max_size=9
)
MEMBERS = st.sampled_from(
    [*SIGNED, "Signature", "SignatureVersion", "SigningCertURL", "Token", "SubscribeURL"]
)


@SHARED_FOLDER
@given(
    st.binary(max_size=200)
    | st.dictionaries(MEMBERS, TEXTS | st.integers() | st.none()).map(
        lambda given: json.dumps(given).encode()
    )
)
def test_strangers_are_refused_whatever_they_send(folder: Path, data: bytes) -> None:
    assert verdict(folder, data) is not None
    asked = keys(folder, topics=[TOPIC], confirm_subscriptions=True)
    assert SCHEME.greet(delivery(data), asked) is None


def test_after_a_failure_nothing_is_fetched_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []

    def fails(*args: object, **more: object) -> None:
        tried.append((args, more))
        raise OSError

    monkeypatch.setattr("socket.create_connection", fails)
    fetched = FetchedCertificates()
    for number in range(50):
        assert fetched.read(CERTIFICATE_URL.replace("0123", f"{number:04d}")) == ()
    assert len(tried) == 1


def test_the_answers_are_those_of_the_contract() -> None:
    assert SCHEME.answer == Answer(200)
    assert not SCHEME.needs_secret
