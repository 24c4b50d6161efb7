"""CPU-milliseconds of searches and lists of customers over a big release (benchmarks.serving_data makes one).

    python -m benchmarks.serving_search --workspace FOLDER [--queries 200]

Queries are drawn from the release with a fixed seed: whole names, names with an edit, beginnings as they are
typed, e-mail addresses with an edit, last digits, town and name, strangers. Lists: filters in combinations.
"""

from __future__ import annotations

import argparse
import random
import string
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cdp.lake import Lake
from warehouse import customer_finder, release, search
from warehouse.customer_finder import Question
from warehouse.customer_list import ORDERS, Filters
from warehouse.serve.releases import Reader

if TYPE_CHECKING:
    import duckdb

_SAMPLE: Final = (
    "SELECT given_name || ' ' || surname, given_name, surname, email, phone, city FROM customers "
    "WHERE given_name IS NOT NULL AND surname IS NOT NULL USING SAMPLE reservoir({} ROWS) REPEATABLE (7)"
)
_Row = Sequence[Any]


def edited(text: str, draw: random.Random) -> str:
    """Return a text with one edit: a letter more, less, another one, or two swapped."""
    at = draw.randrange(len(text))
    letter = draw.choice(string.ascii_lowercase)
    return draw.choice((
        text[:at] + letter + text[at:],
        text[:at] + text[at + 1 :],
        text[:at] + letter + text[at + 1 :],
        text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :],
    ))  # fmt: skip


KINDS: Final[dict[str, Callable[[_Row, random.Random], str | None]]] = {
    "whole name": lambda row, _: row[0],
    "name with an edit": lambda row, draw: edited(row[0].lower(), draw),
    "name being typed": lambda row, draw: row[0][: draw.randint(2, len(row[0]))],
    "surname": lambda row, _: row[2],
    "e-mail": lambda row, _: row[3],
    "e-mail with an edit": lambda row, draw: edited(row[3], draw) if row[3] else None,
    "phone": lambda row, _: row[4],
    "last digits": lambda row, draw: row[4][-draw.randint(4, 8) :] if row[4] else None,
    "town and name": lambda row, _: f"{row[5]} {row[1]}" if row[5] else None,
    "stranger": lambda _, draw: "".join(draw.choices(string.ascii_lowercase, k=draw.randint(5, 12))),
}
LISTS: Final = {
    "all": Filters(),
    "channel": Filters(channel="email"),
    "source": Filters(source="web"),
    "source, channel, country, seen, known": Filters(
        source="web", channel="email", country="GB", seen_days=90, anonymous=False
    ),
    "consent and tickets": Filters(consent="marketing_email", open_tickets=True),
}


def cpu(work: Callable[[], object]) -> float:
    """Return the CPU-milliseconds of some work, threads of the database included."""
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1e3


def told(name: str, figures: Sequence[float]) -> None:
    """Print the middle, the 95th percentile and the worst."""
    ordered = sorted(figures)
    middle, late = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
    print(f"{name:45} {middle:8.1f} {late:8.1f} {ordered[-1]:8.1f}")


def searches(connection: duckdb.DuckDBPyConnection, queries: int) -> None:
    """Measure searches; say how often whoever was drawn is on the first page."""
    draw = random.Random(7)
    rows = connection.execute(_SAMPLE.format(queries)).fetchall()
    every: list[float] = []
    for name, make in KINDS.items():
        texts = [text for row in rows if (text := make(row, draw))]
        figures = [cpu(lambda text=text: search.search(connection, text, limit=50)) for text in texts]  # type: ignore[misc]
        told(f"{name} ({len(texts)})", figures)
        every += figures
    told("all searches", every)


def lists(reader: Reader, connection: duckdb.DuckDBPyConnection) -> None:
    """Measure pages of lists: rows and count, first and second page, in every order."""
    known = customer_finder.facets(reader, connection)
    for name, filters in LISTS.items():
        figures = []
        for order in ORDERS:
            first = Question(filters=filters, order=order, personal=True)
            found = customer_finder.find(connection, known, first)
            second = Question(filters=filters, order=order, personal=True, cursor=found.cursor)
            figures += [
                cpu(lambda one=one: customer_finder.find(connection, known, one)) for one in (first, second)
            ]  # type: ignore[misc]
        told(f"list: {name}", figures)


def main() -> None:
    """Measure a workspace."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=200)
    given = parser.parse_args()
    reader = Reader(release.current(Lake(given.workspace)))
    print(f"{'CPU-milliseconds':45} {'median':>8} {'p95':>8} {'worst':>8}")
    with reader.connection() as connection:
        print(f"filters of the release, once: {cpu(lambda: customer_finder.facets(reader, connection)):.0f}")
        searches(connection, given.queries)
        lists(reader, connection)


if __name__ == "__main__":
    main()
