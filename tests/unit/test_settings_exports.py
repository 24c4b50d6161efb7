"""Exports in cdp.yaml: what they may say, what is wrong and where."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cdp.errors import ConfigError
from cdp.settings import parse
from warehouse.audiences import addresses
from warehouse.audiences.times import next_time
from warehouse.exports import configured

HEAD = "version: 1\nworkspace: {name: shop}\nexports:\n"


def exports(line):
    return parse(f"{HEAD}  {line}\n").exports


def test_an_export_says_who_what_when_and_where():
    text = """
  crm:
    segment: vips
    columns: [email]
    purpose: marketing
    channel: email
    schedule: "0 6 * * mon-fri"
    destination: {url: "https://crm.example/in?list=7", header_env: {Authorization: CRM_TOKEN}, secret_env: CRM_SECRET}
"""
    settings = parse(HEAD + text)
    found = settings.exports["crm"]
    assert (found.files, found.cron) == ((), "0 6 * * mon-fri")
    export = configured(settings)["crm"]
    assert (export.segment, export.channel, export.columns) == ("vips", "email", ("email",))
    assert export.destination == found.destination


def test_one_format_or_several():
    assert exports("a: {format: google, purpose: marketing}")["a"].files == ("google",)
    assert exports("a: {formats: [csv, meta], purpose: marketing}")["a"].files == ("csv", "meta")
    assert exports("a: {purpose: marketing}")["a"].files == ("parquet",)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("a: {format: csv}", "the key 'purpose' is missing"),
        ("a: {purpose: x, format: csv, formats: [csv]}", "either 'format' or 'formats'"),
        ("a: {purpose: x, formats: [exel]}", "expected one of"),
        ("../up: {purpose: x}", "'../up' is no name of an export"),
        ("a.b: {purpose: x}", "is no name of an export"),
        ("a: {purpose: x, channel: e-mail}", "Did you mean 'email'"),
        ("a: {purpose: internal, format: meta}", "'meta' is a list for an advertiser's network"),
        ("a: {purpose: x, format: google, dataset: consents}", "expected customers for 'google'"),
        ("a: {purpose: x, schedule: daily}", "'daily' is no cron expression"),
        ("a: {purpose: x, min_probability: 1.5}", "at most 1"),
        ("a: {purpose: x, destination: {url: 'ftp://x/y'}}", "an address such as"),
        ("a: {purpose: x, destination: {url: 'https://me:pw@x/y'}}", "an address such as"),
        ("a: {purpose: x, destination: {url: 'http://x/y'}}", "in the clear"),
        ("a: {purpose: x, format: csv, destination: {url: 'https://x'}}", "writes no files"),
        ("a: {purpose: x, dataset: contact_history, destination: {url: 'https://x'}}", "no key"),
        (
            "a: {purpose: x, destination: {url: 'https://x', headers: {Authorization: y}}}",
            "do not belong in this file",
        ),
        ("a: {purpose: x, destination: {url: 'https://x', headers: {Host: y}}}", "is set by cdp itself"),
        ("a: {purpose: x, destination: {url: 'https://x', headers: {'X Y': y}}}", "no name of a header"),
        ('a: {purpose: x, destination: {url: "https://x", headers: {A: "b\\r\\nC: d"}}}', "no header may"),
        (
            "a: {purpose: x, destination: {url: 'https://x', headers: {A: b}, header_env: {a: B}}}",
            "there twice",
        ),
        ("a: {purpose: x, destination: {url: 'https://x', secret_env: hunter2}}", "environment variable"),
        ("a: {purpose: x, destination: {url: 'https://x', retries: 3}}", "unknown key"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(line, says):
    with pytest.raises(ConfigError) as error:
        exports(line)
    assert says in str(error.value)
    assert "line 4" in str(error.value)


NOW = datetime(2026, 3, 28, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "zone", "expected"),
    [
        ("31 12 * * *", "UTC", "2026-03-28T12:31"),
        ("30 12 * * *", "UTC", "2026-03-29T12:30"),
        ("0 6 * * 1", "Europe/London", "2026-03-30T05:00"),
        ("0 6 * * MON-FRI", "America/New_York", "2026-03-30T10:00"),
        ("*/15 0 1 1,7 *", "UTC", "2026-07-01T00:00"),
        ("0 0 13 * 5", "UTC", "2026-04-03T00:00"),
        ("0 0 * * 7", "UTC", "2026-03-29T00:00"),
        ("0 0 29 2 *", "UTC", "2028-02-29T00:00"),
        ("0 0 30 2 *", "UTC", None),
        ("nonsense", "UTC", None),
    ],
)
def test_the_next_time_of_a_cron(cron, zone, expected):
    found = next_time(cron, zone, NOW)
    assert (found and f"{found:%Y-%m-%dT%H:%M}") == expected


@pytest.mark.parametrize(
    ("host", "private", "allowed"),
    [
        ("127.0.0.1", False, False),
        ("127.0.0.1", True, True),
        ("::1", False, False),
        ("::ffff:10.0.0.1", False, False),
        ("10.1.2.3", False, False),
        ("192.168.0.1", True, True),
        ("100.64.0.1", False, False),
        ("169.254.169.254", True, False),
        ("fe80::1", True, False),
        ("::ffff:169.254.169.254", True, False),
        ("0.0.0.0", True, False),
        ("2130706433", False, False),
        ("0x7f.1", False, False),
        ("64:ff9b::7f00:1", False, False),
        ("64:ff9b::a9fe:a9fe", True, False),
        ("2002:7f00:1::", False, False),
        ("::127.0.0.1", False, False),
        ("64:ff9b::5db8:d822", False, True),
        ("93.184.216.34", False, True),
    ],
)
def test_addresses_of_this_machine_and_of_private_networks_are_refused(host, private, allowed):
    try:
        addresses.resolve(host, 443, private=private)
        refused = False
    except addresses.AddressRefusedError:
        refused = True
    assert refused is not allowed
