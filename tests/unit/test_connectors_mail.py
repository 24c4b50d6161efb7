"""E-mail: who is the customer, what reports say, and headers as they really come."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.compile import Own
from connectors.mail import messages
from connectors.mail_headers import addresses, moment, plain
from connectors.mail_message import documents
from tests.channel_tools import DATA, events, reasons


def mail(sender: str, to: str, *headers: str, body: str = "Hello") -> str:
    fields = [
        f"From: {sender}",
        f"To: {to}",
        "Date: Mon, 2 Mar 2026 10:00:00 +0100",
        "Message-ID: <m1@x.example>",
    ]
    return "\r\n".join([*fields, "Subject: Lamp", *headers, "", body, ""])


def test_a_mail_to_us_is_received_from_its_sender() -> None:
    (event,) = events("mail", mail("Ann Lee <ann@c.example>", "service@shop.example, bob@c.example"))
    assert (event["event_type"], event["direction"]) == ("email_received", "inbound")
    assert event["identifiers"] == ["email :ann@c.example"]
    assert event["traits"] == {"full_name": "Ann Lee"}
    assert event["event_id"] == "m1@x.example"


def test_a_mail_from_us_is_sent_to_each_recipient_with_that_ones_name() -> None:
    data = mail("Eve <eve@shop.example>", "Ann <ann@c.example>, boss@shop.example", "Cc: Bob <bob@c.example>")
    found = {event["identifiers"][0]: event for event in events("mail", data)}
    assert set(found) == {"email :ann@c.example", "email :bob@c.example"}
    assert {event["event_type"] for event in found.values()} == {"email_sent"}
    assert {event["traits"]["full_name"] for event in found.values()} == {"Ann", "Bob"}
    assert {event["agent"] for event in found.values()} == {"Eve"}
    assert len({event["event_id"] for event in found.values()}) == 2


def test_mail_among_ourselves_is_no_contact() -> None:
    data = mail("eve@shop.example", "boss@shop.example")
    assert events("mail", data) == []
    assert reasons("mail", data) == {"ignored:other_direction": 1}


def test_without_addresses_of_our_own_every_mail_is_received() -> None:
    (event,) = events("mail", mail("eve@shop.example", "ann@c.example"), own=Own())
    assert (event["event_type"], event["identifiers"]) == ("email_received", ["email :eve@shop.example"])


@pytest.mark.parametrize(
    ("headers", "outcome"),
    [
        (["Auto-Submitted: auto-replied"], "auto_reply"),
        (["X-Autoreply: yes"], "auto_reply"),
        (["Precedence: auto_reply"], "auto_reply"),
        (["Auto-Submitted: auto-generated"], "auto_generated"),
        (["Auto-Submitted: no"], None),
        (["List-Unsubscribe: <mailto:x@y.example>"], "bulk"),
        (["Precedence: bulk"], "bulk"),
    ],
)
def test_machines_are_told_from_people(headers: list[str], outcome: str | None) -> None:
    (event,) = events("mail", mail("ann@c.example", "service@shop.example", *headers))
    assert (event["event_type"], event.get("outcome")) == ("email_received", outcome)


def test_an_answer_belongs_to_the_thread_that_it_answers() -> None:
    (event,) = events(
        "mail",
        mail("a@c.example", "s@shop.example", "References: <root@x> <later@x>", "In-Reply-To: <later@x>"),
    )
    assert event["reference"] == "root@x"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "bounce.eml",
            [
                ("email_bounced", "gone@provider.example", "5.1.1"),
                ("email_bounced", "full@provider.example", "5.2.2"),
                ("email_deferred", "slow@provider.example", "4.4.1"),
            ],
        ),
        ("bounce-without-standard.eml", [("email_bounced", "nobody@old.example", "5.1.1")]),
        ("complaint.eml", [("email_complained", "angry@provider.example", None)]),
        ("read-receipt.eml", [("email_opened", "ann@customer.example", None)]),
    ],
)  # fmt: skip
def test_reports_are_events_of_the_recipients_they_speak_of(
    name: str, expected: list[tuple[str, str, str | None]]
) -> None:
    found = events("mail", (DATA / "mail" / name).read_bytes())
    assert [(e["event_type"], e["identifiers"][0][7:], e.get("outcome")) for e in found] == expected


def test_a_complaint_and_an_unsubscription_deny_consent() -> None:
    data = mail("ann@c.example", "news@shop.example").replace("Subject: Lamp", "Subject: Unsubscribe")
    (event,) = events("mail", data)
    assert (event["event_type"], event["consent_purpose"], event["consent_state"]) == (
        "email_unsubscribed",
        "marketing",
        "denied",
    )
    (complaint,) = events("mail", (DATA / "mail/complaint.eml").read_bytes())
    assert (complaint["consent_channel"], complaint["consent_state"]) == ("email", "denied")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe?= aus =?iso-8859-1?B?S/ZsbiE=?=", "Grüße aus Köln!"),
        ("=?UTF-8?B?44G+44G/44KA?=\r\n =?UTF-8?B?44KB44KC?=", "まみむめも"),
        ("=?utf-8?b?4pw=?= =?utf-8?b?kw==?=", "✓"),  # a character cut in two
        ("=?utf-8?b?b2s?= =?utf-8?b?4pyTI?=", "ok✓"),  # without padding, and with a letter too many
        ("=?iso-2022-jp?B?GyRCJV8lKyVzGyhC?=", "ミカン"),
        ("=?ks_c_5601-1987?B?vsiz5w==?=", "안녕"),
        ("=?x-no-such-charset?q?caf=E9?=", "café"),
        ("=?utf-8?q?broken", "=?utf-8?q?broken"),
        ("two\r\n lines\tand\x00control", "two lines and control"),
        ("", None),
        ("   ", None),
    ],
)
def test_header_text(raw: str, text: str | None) -> None:
    assert plain(raw) == text


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("ann@c.example", [(None, "ann@c.example")]),
        ("Ann Lee <ann@c.example>", [("Ann Lee", "ann@c.example")]),
        ('"Lee, Ann" <ann@c.example>', [("Lee, Ann", "ann@c.example")]),
        ("ann@c.example (Ann Lee)", [("Ann Lee", "ann@c.example")]),
        ("=?utf-8?q?Lee=2C_Ann?= <ann@c.example>", [("Lee, Ann", "ann@c.example")]),
        (
            "A <a@c.example>, B <b@c.example>; c@c.example",
            [("A", "a@c.example"), ("B", "b@c.example"), (None, "c@c.example")],
        ),
        ("friends: a@c.example, b@c.example;", [(None, "a@c.example"), (None, "b@c.example")]),
        ("undisclosed-recipients:;", []),
        ("ann@c.example <ann@c.example>", [(None, "ann@c.example")]),
        ('"O\\"Neil" <o@c.example>', [('O"Neil', "o@c.example")]),
        ("MAILER-DAEMON", []),
        ("<>", []),
        ("<mailto:ann@c.example>", [(None, "ann@c.example")]),
        ("", []),
    ],
)  # fmt: skip
def test_address_lists(raw: str, expected: list[tuple[str | None, str | None]]) -> None:
    assert addresses([raw]) == expected


@pytest.mark.parametrize(
    ("raw", "iso"),
    [
        ("Mon, 2 Mar 2026 10:00:00 +0100", "2026-03-02T10:00:00+01:00"),
        ("2 Mar 2026 10:00 EST", "2026-03-02T10:00:00-05:00"),
        ("Mon, 02 Mar 26 10:00:00 GMT", "2026-03-02T10:00:00+00:00"),
        ("Mon, 2 Mar 2026 10:00:00 -0000", "2026-03-02T10:00:00"),
        ("yesterday", None),
        ("Mon, 99 Mar 2026 10:00:00 +0100", None),
        ("Mon, 2 Mar 2026 10:00:00 +9999", None),
        (None, None),
    ],
)
def test_dates(raw: str | None, iso: str | None) -> None:
    assert moment(raw) == iso


def test_a_date_is_taken_from_where_there_is_one() -> None:
    message = "From: a@c.example\nTo: s@shop.example\nReceived: by x; Mon, 2 Mar 2026 08:06:00 +0000\n\nHi\n"
    (event,) = events("mail", message)
    assert (event["occurred_at"], event["properties"]["date_from"]) == (
        "2026-03-02T08:06:00+00:00",
        "received",
    )
    (event,) = events(
        "mail", "From a@c.example Mon Mar  2 08:00:00 2026\n" + message.replace("Received", "X-Was")
    )
    assert (event["occurred_at"], event["properties"]["date_from"]) == ("2026-03-02T08:00:00+00:00", "mbox")
    (event,) = events("mail", "From: a@c.example\nTo: s@shop.example\n\nHi\n")
    assert event["time_flag"] == "missing"


def test_an_mbox_is_split_at_its_lines_and_nowhere_else() -> None:
    data = (DATA / "mail/folder.mbox").read_bytes()
    found = list(messages(data))
    assert len(found) == 3
    assert b"nobody splits at prose" in found[0]
    assert b"Subject: inside" in found[1]
    assert b"".join(found).replace(b"\n", b"") == data.replace(b"\n", b"")


def test_a_wrong_content_length_swallows_nothing() -> None:
    one = b"From a@b Mon Mar  2 08:00:00 2026\nFrom: a@c.example\nContent-Length: 9999\n\nHi\n\n"
    assert len(list(messages(one * 3))) == 3
    assert len(list(messages(one.replace(b"9999", b"1") * 3))) == 3


def test_an_mbox_of_a_hundred_thousand_messages_is_split_quickly() -> None:
    one = b"From a@b Mon Mar  2 08:00:00 2026\nFrom: a@c.example\nSubject: x\n\nHi\n>From here\n\n"
    start = time.process_time()
    assert sum(1 for _ in messages(one * 100_000)) == 100_000
    assert time.process_time() - start < 5


def test_only_the_beginning_of_a_long_message_is_read() -> None:
    data = mail("ann@c.example", "service@shop.example", body="x" * 12_000_000).encode()
    start = time.process_time()
    assert len(documents(data)) == 2
    assert time.process_time() - start < 2


@pytest.mark.parametrize("data", [b"\x80" * 50, b'{"a": 1}', b"hello\nworld", b"PK\x03\x04"])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not_a_message"):
        documents(data)
    assert reasons("mail", data) == {"quarantined:not_a_message": 1}


def test_parts_nested_without_end_do_not_crash() -> None:
    head = "From: a@c.example\nTo: s@shop.example\nContent-Type: multipart/mixed; boundary=b0\n\n"
    nested = "".join(f"--b{n}\nContent-Type: multipart/mixed; boundary=b{n + 1}\n\n" for n in range(3_000))
    (event,) = events("mail", head + nested)
    assert event["event_type"] == "email_received"


@given(st.binary(max_size=300), st.sampled_from(sorted((DATA / "mail").glob("*.eml"))))
def test_a_message_with_any_bytes_in_it_is_read_or_refused(noise: bytes, path: Path) -> None:
    data = path.read_bytes()
    for at in (0, len(data) // 3, len(data) // 2, len(data)):
        try:
            assert documents(data[:at] + noise + data[at:])
        except ValueError as error:
            assert str(error) == "not_a_message"  # noqa: PT017 - both are allowed
