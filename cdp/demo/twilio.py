"""Calls and text messages as Twilio's REST API lists them: pages of resources.

The same resource shows up again in a later page when lists overlap, now and then with a later
status. Callers include soft phones (``client:alice``), withheld numbers (``anonymous``, ``+266696687``).
"""

from __future__ import annotations

from random import Random
from typing import Any, Final

import orjson

from cdp.demo.noise import national, pick
from cdp.demo.people import Person
from cdp.demo.sink import Channel, Spool
from cdp.demo.text import MESSAGES, TWILIO
from cdp.demo.when import moments, rfc2822

Resource = dict[str, Any]

_ACCOUNT: Final = "AC5e1f00d0c0ffee00d15ea5e0ba5eba11"
_PAGE_SIZE: Final = 1000
_NOBODIES: Final = ("client:alice", "anonymous", "+266696687", "Restricted")
_SMS: Final = (
    "Your order is on its way.",
    "Your parcel waits at the pick-up point.",
    "Harbour & Pine: 10% on all lamps until Sunday. Reply STOP to opt out.",
)


class _Pages:
    """Renders the resources of a file as one list page, or the pages of a longer list."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, items: list[bytes]) -> bytes:
        pages = [items[at : at + _PAGE_SIZE] for at in range(0, len(items), _PAGE_SIZE)]
        return b"\n".join(self._page(number, page, len(pages)) for number, page in enumerate(pages)) + b"\n"

    def _page(self, number: int, items: list[bytes], pages: int) -> bytes:
        path = f"/2010-04-01/Accounts/{_ACCOUNT}/{self.name.capitalize()}.json?PageSize={_PAGE_SIZE}&Page="
        frame = {
            "end": number * _PAGE_SIZE + len(items) - 1,
            "first_page_uri": f"{path}0",
            "next_page_uri": f"{path}{number + 1}" if number + 1 < pages else None,
            "page": number,
            "page_size": _PAGE_SIZE,
            "previous_page_uri": f"{path}{number - 1}" if number else None,
            "start": number * _PAGE_SIZE,
            "uri": f"{path}{number}",
        }
        head = f'{{"{self.name}":['.encode()
        return head + b",".join(items) + b"]," + orjson.dumps(frame)[1:]


class _Twilio:
    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.rng = channel.rng
        self.calls = Spool(channel, "calls-{date}.json", 7, _Pages("calls"))
        self.messages = Spool(channel, "messages-{date}.json", 7, _Pages("messages"))

    def write(self) -> None:
        people = self.channel.world.using("twilio")
        number = round(self.channel.target * 0.98) if people else 0
        for start in moments(self.channel.world, number, self.rng):
            self.calls.flush(start - 1)
            self.messages.flush(start - 1)
            person = pick(self.rng, people)
            if self.rng.random() < 0.6:
                self._message(person, start)
            else:
                self._call(person, start)
        self.calls.close()
        self.messages.close()
        self._cut()

    def _number(self, person: Person) -> str:
        """The mobile mostly; the landline where the CRM knows it, so that it can be told whose it is."""
        landline, contact = person.landline, person.contact
        known = landline is not None and (landline in self.channel.world.shared or _lists(person, landline))
        return landline if landline and contact and known and self.rng.random() < 0.15 else person.mobile

    def _call(self, person: Person, time: float) -> None:
        rng = self.rng
        inbound = rng.random() < 0.7
        nobody = inbound and rng.random() < 0.03
        customer = pick(rng, _NOBODIES) if nobody else self._number(person)
        if nobody:
            self.channel.tally.unattributed += 1
        else:
            self.channel.seen(customer, person)
        status = pick(rng, ("completed",) * 8 + ("busy", "no-answer", "canceled", "failed"))
        length = int(rng.expovariate(1 / 180.0)) if status == "completed" else 0
        call = _resource("CA", "Calls", time, rng)
        call |= {
            "annotation": None,
            "answered_by": pick(rng, (None, None, None, "human", "machine_start")),
            "caller_name": None,
            "direction": "inbound" if inbound else "outbound-api",
            "duration": str(length),
            "end_time": rfc2822(time + length),
            "forwarded_from": None,
            "from": customer if inbound else TWILIO,
            "from_formatted": _formatted(customer if inbound else TWILIO),
            "group_sid": None,
            "parent_call_sid": None,
            "phone_number_sid": "PN" + _ACCOUNT[2:],
            "price": f"-{0.0085 * (1 + length // 60):.5f}" if status == "completed" else None,
            "price_unit": "USD",
            "queue_time": "0",
            "start_time": rfc2822(time),
            "status": status,
            "to": TWILIO if inbound else customer,
            "to_formatted": _formatted(TWILIO if inbound else customer),
            "trunk_sid": "",
        }
        self._add(self.calls, call, time, "inbound call" if inbound else "outbound call")

    def _message(self, person: Person, time: float) -> None:
        rng = self.rng
        inbound = rng.random() < 0.35
        customer = person.mobile
        self.channel.seen(customer, person)
        body = pick(rng, MESSAGES[person.country.language]) if inbound else pick(rng, _SMS)
        status = "received" if inbound else pick(rng, ("delivered",) * 9 + ("undelivered", "failed", "sent"))
        failed = status in ("undelivered", "failed")
        message = _resource("SM", "Messages", time, rng)
        message |= {
            "body": "STOP" if inbound and rng.random() < 0.02 else body,
            "date_sent": rfc2822(time + 2),
            "direction": "inbound" if inbound else "outbound-api",
            "error_code": 30003 if failed else None,
            "error_message": "Unreachable destination handset" if failed else None,
            "from": customer if inbound else TWILIO,
            "messaging_service_sid": None,
            "num_media": "0",
            "num_segments": str(1 + len(body) // 70),
            "price": None if failed else "-0.00750",
            "price_unit": "USD",
            "status": status,
            "to": TWILIO if inbound else customer,
        }
        self._add(self.messages, message, time, "inbound message" if inbound else "outbound message")

    def _add(self, spool: Spool, resource: Resource, time: float, kind: str) -> None:
        tally, rng = self.channel.tally, self.rng
        item = orjson.dumps(resource)
        spool.add(time, item)
        tally.count(kind)
        later = min(time + 3600, self.channel.world.end - 1)
        roll = rng.random()
        if roll < 0.012:
            spool.add(later, item)
            tally.count(kind)
            tally.duplicates += 1
        elif roll < 0.02 and "body" in resource:
            spool.add(later, orjson.dumps(resource | {"body": "", "date_updated": rfc2822(later)}))
            tally.count(kind)
            tally.revisions += 1

    def _cut(self) -> None:
        """A page of which only the beginning was saved."""
        page = _Pages("calls")(
            [orjson.dumps(_resource("CA", "Calls", self.channel.world.end - 60, self.rng))]
        )
        self.channel.write(f"calls-{self.channel.date(self.channel.world.days - 1)}-cut.json", page[:200])
        self.channel.tally.reject("truncated file")


def _lists(person: Person, phone: str) -> bool:
    return person.contact is not None and person.contact.phone == phone


def _formatted(number: str) -> str:
    if number.startswith("+1") and len(number) == 12:
        digits = national(number, "US")
        return f"({digits[:3]}) {digits[3:6]}-{digits[6:]}"
    return number


def _resource(prefix: str, folder: str, time: float, rng: Random) -> Resource:
    sid = f"{prefix}{rng.getrandbits(128):032x}"
    return {
        "account_sid": _ACCOUNT,
        "api_version": "2010-04-01",
        "date_created": rfc2822(time),
        "date_updated": rfc2822(time + 3),
        "sid": sid,
        "subresource_uris": {"media": f"/2010-04-01/Accounts/{_ACCOUNT}/{folder}/{sid}/Media.json"},
        "uri": f"/2010-04-01/Accounts/{_ACCOUNT}/{folder}/{sid}.json",
    }


def write(channel: Channel) -> None:
    """Write the source ``twilio``."""
    _Twilio(channel).write()
