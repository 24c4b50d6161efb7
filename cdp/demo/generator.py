"""Puts the demo together; see :func:`generate`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

from cdp.demo import (
    calls,
    contacts,
    instagram,
    mail,
    mastodon,
    orders,
    sendgrid,
    tickets,
    twilio,
    web,
    whatsapp,
)
from cdp.demo.config import config_yaml
from cdp.demo.households import make_world
from cdp.demo.people import World
from cdp.demo.report import DemoReport, SourceReport, write_truth
from cdp.demo.sink import Channel, Truth
from cdp.errors import UsageError

_WRITERS: Final[dict[str, tuple[Callable[[Channel], None], float]]] = {
    "web": (web.write, 0.560),
    "sendgrid": (sendgrid.write, 0.165),
    "mail": (mail.write, 0.022),
    "twilio": (twilio.write, 0.042),
    "calls": (calls.write, 0.037),
    "whatsapp": (whatsapp.write, 0.048),
    "instagram": (instagram.write, 0.016),
    "mastodon": (mastodon.write, 0.008),
    "orders": (orders.write, 0.084),
    "tickets": (tickets.write, 0.018),
}
"""Writers and their parts of the items that are not contacts."""


def generate(
    into: Path,
    *,
    people: int = 3000,
    events: int = 50_000,
    seed: int = 1,
    now: datetime,
    days: int = 42,
) -> DemoReport:
    """Write a made-up shop's data as a workspace: its sources' files, ``cdp.yaml`` and the truth.

    ``into`` gets ``cdp.yaml``, ``inbox/<source>/...``, ``truth.parquet`` and ``expected.json``. Equal
    arguments give equal bytes. Events happen on the ``days`` whole days (UTC) before ``now``; each file
    has the date of the last day that it holds in its name, so files can be landed day by day.
    ``events`` is met within some percent; ``people`` bound the contacts below.

    **Truth.** ``truth.parquet`` has (record_key, person_id). A record is one source's view of one
    person: ``source:key``, key being the first present of user_id, external id, anonymous_id, e-mail
    (in lower case, a sub-address kept), phone (E.164) and handle. Left out are records that do not
    belong to exactly one person: traffic without a name on a household's e-mail address or landline,
    on a device that several people use, on junk such as test@test.com, and contacts that stand for
    nobody. Visitors who never say who they are, are persons of their own (``v...``).

    ``expected.json`` holds the counts of the returned report.

    Raises ``UsageError`` for a time without zone, numbers below 1 (``days``: 7), or a folder that has
    an inbox already.
    """
    _check(into, people, events, days, now)
    end = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = (end - timedelta(days=days)).timestamp()
    world = make_world(people=people, seed=seed, start=start, days=days, year=end.year)
    truth = Truth(world.shared)
    crm = _channel("contacts", into, world, truth, 0)
    contacts.write(crm)
    rest = max(events - crm.tally.items, events // 4)
    total = sum(share for _, share in _WRITERS.values())
    channels = [crm]
    for source, (write, share) in _WRITERS.items():
        channel = _channel(source, into, world, truth, max(1, round(rest * share / total)))
        write(channel)
        channels.append(channel)
    (into / "cdp.yaml").write_text(config_yaml(), encoding="utf-8")
    report = DemoReport(
        into=into,
        seed=seed,
        people=people,
        records=write_truth(truth, into / "truth.parquet"),
        sources={channel.source: SourceReport.of(channel.tally) for channel in channels},
    )
    (into / "expected.json").write_text(report.as_json(), encoding="utf-8")
    return report


def _channel(source: str, into: Path, world: World, truth: Truth, target: int) -> Channel:
    dice = Random(f"{source}-{world.seed}")
    return Channel(source, world, into / "inbox" / source, target, dice, truth)


def _check(into: Path, people: int, events: int, days: int, now: datetime) -> None:
    if now.tzinfo is None:
        raise UsageError("`now` has no time zone.", hint="Pass datetime.now(UTC).")
    if people < 1 or events < 1 or days < 7:
        raise UsageError(
            f"people={people}, events={events}, days={days}: people and events start at 1, days at 7."
        )
    if (into / "inbox").is_dir() and any((into / "inbox").iterdir()):
        raise UsageError(f"{into.name}/inbox holds files already.", hint="Choose an empty folder.")
