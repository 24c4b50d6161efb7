"""Orders as CSV, a line per article: refunds, equal lines, sales to nobody known, prices that are none."""

from __future__ import annotations

import csv
import io
from random import Random
from typing import Final

from cdp.demo.noise import pick
from cdp.demo.people import Person
from cdp.demo.sink import Channel, Spool
from cdp.demo.text import PRODUCTS, price_in
from cdp.demo.when import local, moments

ZONE: Final = "Europe/London"
COLUMNS: Final = tuple(
    "order_no order_time customer_no email sku description quantity unit_price currency".split()
)

_EVERY: Final = 7
_LINES_PER_ORDER: Final = 2.53


def _csv_line(cells: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue().encode()


def _with_header(items: list[bytes]) -> bytes:
    return b"\n".join([",".join(COLUMNS).encode(), *items]) + b"\n"


class _Till:
    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.rng = channel.rng
        self.spool = Spool(channel, "orders-{date}.csv", _EVERY, _with_header)
        self.number = 500_000

    def write(self) -> None:
        self._damage()
        people = self.channel.world.using("orders")
        orders = max(1, round(self.channel.target / _LINES_PER_ORDER)) if people else 0
        for time in moments(self.channel.world, orders, self.rng):
            self.spool.flush(time - 1)
            self.number += 1
            self._order(pick(self.rng, people), time)
        self.spool.close()

    def _order(self, person: Person, time: float) -> None:
        rng, tally = self.rng, self.channel.tally
        customer, email = self._customer(person, time)
        lines = [
            self._line(f"O{self.number}", time, customer, email, person.country.currency, rng)
            for _ in range(1 + min(int(rng.expovariate(1 / 1.6)), 9))
        ]
        if rng.random() < 0.03:
            lines.append(lines[0])
        self._add(lines, time, "order line")
        tally.kinds["orders"] += 1
        if rng.random() < 0.04:
            back = min(time + rng.random() * 86_400 * 6, self.channel.world.end - 3600)
            cells = lines[0].copy()
            cells[0], cells[1] = f"R{self.number}", local(back, ZONE)
            cells[6] = f"-{cells[6]}"
            self._add([cells], back, "refund line")
            tally.kinds["refunds"] += 1
        if rng.random() < 0.012:
            later = min(time + 86_400 * _EVERY, self.channel.world.end - 1800)
            if int((later - self.channel.world.start) // (86_400 * _EVERY)) > self._period(time):
                self._add(lines, later, "order line", again=True)
                tally.duplicates += len(lines)

    def _period(self, time: float) -> int:
        return int((time - self.channel.world.start) // (86_400 * _EVERY))

    def _customer(self, person: Person, time: float) -> tuple[str, str]:
        """Return customer number and e-mail of an order, either of which may be empty."""
        rng, contact, email = self.rng, person.contact, person.email_at(time) or ""
        if rng.random() < 0.04:
            return "", ""
        if contact is not None and (rng.random() < 0.9 or not email):
            number = contact.contact_id
            if contact.duplicate_id and rng.random() < 0.3:
                number = contact.duplicate_id
            self.channel.seen(number, person)
            return number, email if rng.random() < 0.6 else ""
        if email:
            self.channel.seen(email, person)
        return "", email

    def _line(
        self, number: str, time: float, customer: str, email: str, currency: str, rng: Random
    ) -> list[str]:
        product = pick(rng, PRODUCTS)
        quantity = 1 + int(rng.random() ** 3 * 6)
        price = f"{price_in(product, currency):.2f}"
        when = local(time, ZONE)
        return [number, when, customer, email, product.sku, product.name, str(quantity), price, currency]

    def _add(self, lines: list[list[str]], time: float, kind: str, *, again: bool = False) -> None:
        for cells in lines:
            self.spool.add(time, _csv_line(cells))
        self.channel.tally.count(kind, len(lines))
        if not again and not lines[0][2] and not lines[0][3]:
            self.channel.tally.unattributed += len(lines)

    def _damage(self) -> None:
        """Two prices that are no numbers, and a line that was cut off."""
        tally = self.channel.tally
        for time in moments(self.channel.world, 2, self.rng):
            self.number += 1
            cells = self._line(f"O{self.number}", time, "", "guest@inbox.example", "GBP", self.rng)
            cells[7] = "n/a"
            self.spool.add(time, _csv_line(cells))
        self.spool.add(self.channel.world.end - 2000, b"O999999,2026-01-01 10:00")
        tally.reject("bad amount", 2)
        tally.reject("too few cells")


def write(channel: Channel) -> None:
    """Write the source ``orders``."""
    _Till(channel).write()
