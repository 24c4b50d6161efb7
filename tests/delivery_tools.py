"""A few people with their consent, a destination that stands for a CRM, and deliveries to it."""

from __future__ import annotations

from cdp import suppression
from cdp.ledger import Ledger
from cdp.settings import DestinationSettings
from tests.receiver_tools import SECRET
from tests.warehouse_tools import NOW, customers_table, event, identifier, world
from warehouse.audiences.delivery import Clock, deliver
from warehouse.exports import Export
from warehouse.release import current

NAMES = {f"crm:{n}": f"Person {n}" for n in range(1, 8)}
PEOPLE = {key: key.replace("crm:", "C") for key in NAMES}


class Crash(BaseException):
    """The process dies here."""


class Ticks:
    """A clock that waits without waiting."""

    def __init__(self):
        self.passed, self.waits = 0.0, []

    def clock(self):
        return Clock(lambda: NOW, lambda: self.passed, self.sleep)

    def sleep(self, seconds):
        self.waits.append(seconds)
        self.passed += seconds


def granted(key, state="granted", at=1):
    return event(
        f"{key}{at}", key, at=at, event_type="consent_changed", consent_state=state,
        consent_purpose="marketing", consent_channel="email",
    )  # fmt: skip


def people(folder, names=NAMES, id_map=PEOPLE, denied=(), **more):
    words = [granted(key) for key in id_map]
    words += [granted(key, "denied", 2) for key in denied]
    mails = [identifier(key, "email", f"{key[4:]}@mail.example") for key in id_map]
    values = customers_table(names)
    return world(folder, [[*words, event("none", None)]], id_map, values=values, identifiers=mails, **more)


def to(server, **more):
    given = {"batch_rows": 2, "private_addresses": True, "timeout_seconds": 5.0, **more}
    destination = DestinationSettings(url=server.url, secret_env="CRM_SECRET", **given)
    return Export(
        "crm",
        formats=(),
        purpose="marketing",
        channel="email",
        columns=("full_name",),
        destination=destination,
    )


ENVIRONMENT = {"CRM_SECRET": SECRET, "DASHED": "Bearer \u2013x"}


def run(lake, wanted, ticks=None, **more):
    with Ledger(lake.ledger_path) as ledger:
        return deliver(
            lake, ledger, current(lake), wanted, now=NOW, caller="run", environment=ENVIRONMENT,
            clock=(ticks or Ticks()).clock(), **more,
        )  # fmt: skip


def suppress(lake, text):
    with Ledger(lake.ledger_path) as ledger:
        suppression.add(ledger, [suppression.parse(text, place="it", region="GB")], by="me", now=NOW)


def names_at(server):
    return {key: row["full_name"] for key, row in server.audience.items()}


ALL = {PEOPLE[key]: name for key, name in NAMES.items()}
