"""Signatures that cdp.yaml describes (hmac), shared secrets in a header (token), and none."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.collector.signatures.hmac import SCHEME as HMAC
from connectors.collector.signatures.none import SCHEME as NONE
from connectors.collector.signatures.token import SCHEME as TOKEN
from connectors.collector.webhooks import Delivery, Keys
from tests.signature_tools import NOW, URL, delivery, flipped, flipped_text, keys, rfc2104, verdict

SECRET = "s3cret"
BODY = b'{"a": "\xff\x00 {timestamp}"}'  # no text, and with what looks like a placeholder
AT = f"{NOW:.0f}"

GITHUB = {"header": "X-Hub-Signature-256", "prefix": "sha256="}
SLACK = {
    "header": "X-Slack-Signature",
    "prefix": "v0=",
    "timestamp_header": "X-Slack-Request-Timestamp",
    "signed": "v0:{timestamp}:{body}",
}
CALENDLY = {
    "header": "Calendly-Webhook-Signature",
    "prefix": "v1=",
    "timestamp_header": "Calendly-Webhook-Signature",
    "signed": "{timestamp}.{body}",
}
HUBSPOT = {
    "header": "X-HubSpot-Signature-v3",
    "encoding": "base64",
    "timestamp_header": "X-HubSpot-Request-Timestamp",
    "signed": "{method}{url}{body}{timestamp}",
}
SQUARE = {"header": "X-Square-HmacSha256-Signature", "encoding": "base64", "signed": "{url}{body}"}
TRELLO = {"header": "X-Trello-Webhook", "algorithm": "sha1", "encoding": "base64", "signed": "{body}{url}"}


def mac(message: bytes, name: str = "sha256") -> bytes:
    return rfc2104(SECRET.encode(), message, name)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


SERVICES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "github": (GITHUB, {"X-Hub-Signature-256": "sha256=" + mac(BODY).hex()}),
    "slack": (
        SLACK,
        {
            "X-Slack-Signature": "v0=" + mac(f"v0:{AT}:".encode() + BODY).hex(),
            "X-Slack-Request-Timestamp": AT,
        },
    ),
    "calendly": (
        CALENDLY,
        {"Calendly-Webhook-Signature": f"t={AT},v1=" + mac(f"{AT}.".encode() + BODY).hex()},
    ),
    "hubspot": (
        HUBSPOT,
        {
            "X-HubSpot-Signature-v3": b64(mac(b"POST" + URL.encode() + BODY + f"{AT}000".encode())),
            "X-HubSpot-Request-Timestamp": f"{AT}000",
        },
    ),
    "square": (SQUARE, {"X-Square-HmacSha256-Signature": b64(mac(URL.encode() + BODY))}),
    "trello": (TRELLO, {"X-Trello-Webhook": b64(mac(BODY + URL.encode(), "sha1"))}),
    "plain": ({"header": "X-Signature", "algorithm": "sha512"}, {"X-Signature": mac(BODY, "sha512").hex()}),
}
NAMES = sorted(SERVICES)
TIMED = ["calendly", "hubspot", "slack"]


def asked(name: str, body: bytes = BODY, received: float = NOW, **headers: str) -> str | None:
    settings, signed = SERVICES[name]
    return verdict(HMAC, body, signed | headers, keys(SECRET, **settings), received)


@pytest.mark.parametrize("name", NAMES)
def test_the_forms_of_many_services_can_be_described(name: str) -> None:
    assert asked(name) is None
    settings, signed = SERVICES[name]
    assert verdict(HMAC, BODY, signed, keys("other", SECRET, **settings)) is None
    assert verdict(HMAC, BODY, signed, keys("other", **settings)) == "bad_signature"
    assert verdict(HMAC, BODY, signed, keys("", **settings)) == "missing_secret"
    assert verdict(HMAC, BODY, {}, keys(SECRET, **settings)) == "missing_signature"


def test_githubs_own_vector() -> None:
    """From docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries."""
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    given = keys("It's a Secret to Everybody", **GITHUB)
    assert verdict(HMAC, b"Hello, World!", {"X-Hub-Signature-256": signature}, given) is None


def test_slacks_own_vector() -> None:
    """From api.slack.com/authentication/verifying-requests-from-slack."""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    headers = {
        "X-Slack-Request-Timestamp": "1531420618",
        "X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    }
    given = keys("8f742231b10e8888abcd99yyyzzz85a5", **SLACK)
    assert verdict(HMAC, body, headers, given, received=1531420618.0) is None
    assert verdict(HMAC, body, headers, given) == "stale_timestamp"


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize(
    ("late", "wanted"), [(300, None), (301, "stale_timestamp"), (-301, "future_timestamp")]
)
def test_a_signed_time_that_is_too_far_off_is_a_replay(name: str, late: float, wanted: str | None) -> None:
    assert asked(name, received=NOW + late) == wanted


@pytest.mark.parametrize(
    ("timestamp", "wanted"),
    [("", "missing_timestamp"), ("soon", "bad_timestamp"), ("-1", "bad_timestamp"), ("²", "bad_timestamp"),
     ("9" * 400, "bad_timestamp"), (f"{NOW + 1:.0f}", "bad_signature")],
)  # fmt: skip
def test_a_time_must_be_there_and_be_the_signed_one(timestamp: str, wanted: str) -> None:
    assert asked("slack", **{"X-Slack-Request-Timestamp": timestamp}) == wanted


@pytest.mark.parametrize("name", NAMES)
@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_any_changed_byte_of_a_signed_delivery_is_refused(name: str, at: int, bit: int) -> None:
    assert asked(name, flipped(BODY, at, bit)) == "bad_signature"
    settings, signed = SERVICES[name]
    for header, value in signed.items():
        changed = flipped_text(value, at, bit)
        # Blanks part signatures, so one more at an end changes none.
        if changed.strip() != value.strip():
            assert verdict(HMAC, BODY, signed | {header: changed}, keys(SECRET, **settings)) is not None


@given(value=st.text(max_size=200), timestamp=st.text(max_size=20))
def test_a_strangers_headers_do_no_harm(value: str, timestamp: str) -> None:
    headers = {"X-Slack-Signature": value, "X-Slack-Request-Timestamp": timestamp}
    assert verdict(HMAC, BODY, headers, keys(SECRET, **SLACK)) is not None


def test_digits_may_be_large_but_not_mixed() -> None:
    settings, signed = SERVICES["plain"]
    large = signed["X-Signature"].upper()
    assert verdict(HMAC, BODY, {"X-Signature": large}, keys(SECRET, **settings)) is None
    mixed = large[:64] + large[64:].lower()
    assert verdict(HMAC, BODY, {"X-Signature": mixed}, keys(SECRET, **settings)) == "bad_signature"


def test_a_header_may_hold_several_signatures() -> None:
    good = SERVICES["github"][1]["X-Hub-Signature-256"]
    for header in (f"sha256={'0' * 64}, {good}", f"{good} sha1=00", f"sha1=00,{good}"):
        assert asked("github", **{"X-Hub-Signature-256": header}) is None
    assert asked("github", **{"X-Hub-Signature-256": ",".join(["sha256=00"] * 500)}) == "missing_signature"
    assert asked("github", **{"X-Hub-Signature-256": good.removeprefix("sha256=")}) == "missing_signature"


def test_a_placeholder_in_the_body_is_no_placeholder() -> None:
    settings = {"header": "X-Signature", "signed": "{url}.{body}"}
    body = b"{body}{url}{timestamp}"
    headers = {"X-Signature": mac(URL.encode() + b"." + body).hex()}
    assert verdict(HMAC, body, headers, keys(SECRET, **settings)) is None


def token(value: str | None) -> str | None:
    return verdict(TOKEN, BODY, {} if value is None else {"Authorization": value}, keys(SECRET))


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (f"Bearer {SECRET}", None),
        (f"bearer {SECRET}", None),
        (f"Bearer {SECRET}x", "bad_credentials"),
        (f"Basic {SECRET}", "missing_credentials"),
        (SECRET, "missing_credentials"),
        ("Bearer ", "missing_credentials"),
        ("Bearer é", "bad_credentials"),
        ("Bearer \udcff", "bad_credentials"),
        ("", "missing_credentials"),
        (None, "missing_credentials"),
    ],
)
def test_a_bearer_names_the_secret(value: str | None, wanted: str | None) -> None:
    assert token(value) == wanted


def test_a_secret_may_stand_in_a_header_of_its_own() -> None:
    assert verdict(TOKEN, BODY, {"X-Api-Key": SECRET}, keys(SECRET)) == "missing_credentials"
    own = keys("old", SECRET, header="X-Api-Key")
    assert verdict(TOKEN, BODY, {"X-Api-Key": SECRET}, own) is None
    assert verdict(TOKEN, BODY, {"X-Api-Key": f"Bearer {SECRET}"}, own) == "bad_credentials"
    assert verdict(TOKEN, BODY, {"Authorization": f"Bearer {SECRET}"}, own) == "missing_credentials"


def test_a_secret_may_stand_behind_a_word() -> None:
    own = keys(SECRET, header="Authorization", prefix="Token ")
    assert verdict(TOKEN, BODY, {"Authorization": f"Token {SECRET}"}, own) is None
    assert verdict(TOKEN, BODY, {"Authorization": f"Bearer {SECRET}"}, own) == "missing_credentials"


def test_a_secret_may_have_any_letters() -> None:
    sent = "gehört".encode().decode("latin-1")  # as a server reads the header
    assert verdict(TOKEN, BODY, {"X-Key": sent}, keys("gehört", header="X-Key")) is None
    assert verdict(TOKEN, BODY, {"X-Key": "gehört"}, keys("gehört", header="X-Key")) is None


def test_without_a_secret_no_token_is_known() -> None:
    assert verdict(TOKEN, BODY, {"Authorization": "Bearer x"}, keys("")) == "missing_secret"


@given(at=st.integers(0, 100), bit=st.integers(0, 7))
def test_any_changed_byte_of_a_token_is_refused(at: int, bit: int) -> None:
    changed = flipped_text(SECRET, at, bit)
    assert verdict(TOKEN, BODY, {"X-Key": changed}, keys(SECRET, header="X-Key")) is not None


def test_none_takes_everything_and_needs_no_secret() -> None:
    assert NONE.verify(delivery(b"anything", {}), Keys()) is None
    assert not NONE.needs_secret
    assert HMAC.needs_secret
    assert TOKEN.needs_secret


@given(
    body=st.binary(max_size=100),
    headers=st.dictionaries(st.text(max_size=20), st.text(max_size=50), max_size=4),
)
def test_none_takes_whatever_comes(body: bytes, headers: dict[str, str]) -> None:
    assert NONE.verify(Delivery("POST", URL, {}, headers, body, NOW), Keys()) is None
