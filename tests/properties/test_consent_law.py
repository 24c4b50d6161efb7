"""The law of everything that leaves: without consent for its purpose nobody is in it, and who withdraws is taken back.

Ways out are read from the types that list them: file formats, formats of the API's streams, of downloads, of
batches. A new one is in the law at once, and fails here until somebody says how its people are found.
"""

from __future__ import annotations

import csv
import io
import json
import random
import typing
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cdp import suppression
from cdp.ledger import Ledger
from cdp.settings import DestinationSettings
from cdp.settings.exporting import DatasetName, FileFormat
from tests.receiver_tools import receiving
from tests.serve_tools import Served
from tests.warehouse_tools import NOW, event, identifier, publish_into, value, world
from warehouse.api.exports import StreamAs
from warehouse.audiences import normalise
from warehouse.audiences.delivery import deliver
from warehouse.audiences.download import FORMS
from warehouse.audiences.selection import Audience
from warehouse.exports import Export, export
from warehouse.release import current
from warehouse.segments import files as segment_files
from warehouse.segments import history
from warehouse.segments.fields import known_fields

PEOPLE = [f"C{n}" for n in range(1, 13)]
SEGMENT = "leeds"
BODIES = typing.get_args(DestinationSettings.model_fields["body"].annotation)


def mail(customer):
    return f"{customer.lower()}@mail.example"


HASHES = {normalise.sha256(mail(customer)): customer for customer in PEOPLE}


@dataclass(frozen=True)
class World:
    """What was said, and who is who. ``words``: (customer, purpose, channel, state, day); ``homes``: their phones."""

    words: list[tuple]
    listed: set[str]
    unsure: set[str]
    members: set[str]
    homes: dict[str, str]

    def may_leave(self, audience):
        """The law once more, person by person, in plain Python."""
        return {c for c in PEOPLE if self.is_member(c, audience) and self.is_free(c, audience)}

    def is_member(self, customer, audience):
        return audience.segment is None or customer in self.members

    def is_free(self, customer, audience):
        if audience.min_probability > 0.8 and customer in self.unsure:
            return False
        if audience.purpose == "internal":
            return True
        if customer in self.listed:
            return False
        states = self.states(customer, audience)
        house = [c for c in PEOPLE if c != customer and self.homes.get(c, c) == self.homes.get(customer)]
        is_refused_there = any("denied" in self.states(other, audience) for other in house)
        return "granted" in states and "denied" not in states and not is_refused_there

    def states(self, customer, audience):
        """What somebody said to a purpose: on its channel, or on each that they spoke of."""
        words = [w for w in self.words if w[0] == customer and w[1] in (None, audience.purpose)]
        channels = {audience.channel} if audience.channel else {w[2] for w in words}
        return {self.newest(words, channel) for channel in channels}

    @staticmethod
    def newest(words, channel):
        heard = [(w[4], w[3] == "denied", w[3]) for w in words if w[2] in (None, channel)]
        return max(heard)[2] if heard else None


def draw(chance):
    words = [
        (
            customer,
            chance.choice(["marketing", "marketing", "marketing", "analytics", None]),
            chance.choice(["email", "email", "sms", None]),
            chance.choice(["granted", "granted", "denied"]),
            chance.randrange(1, 6),
        )
        for customer in PEOPLE
        for _ in range(chance.randrange(4))
    ]
    some = lambda share: {c for c in PEOPLE if chance.random() < share}  # noqa: E731
    homes = {c: f"020 7946 00{chance.randrange(10, 13)}" for c in some(0.6)}
    return World(words, some(0.2), some(0.3), some(0.6), homes)


def publish(lake, given, folder):
    events = [
        event(
            f"w{n}", f"crm:{c}", at=day, event_type="consent_changed", consent_state=state, consent_purpose=purpose,
            consent_channel=channel,
        )
        for n, (c, purpose, channel, state, day) in enumerate(given.words)
    ]  # fmt: skip
    id_map = {f"crm:{c}": c for c in PEOPLE}
    owners = [
        one
        for c in PEOPLE
        for one in (
            identifier(f"crm:{c}", "email", mail(c)),
            identifier(f"crm:{c}", "user_id", c, namespace="crm"),
        )
    ]
    # One number may be written in several ways, and be an identifier of one and a trait of another.
    said = [value(f"crm:{c}", "phone", number) for c, number in given.homes.items() if c not in given.unsure]
    owners += [
        identifier(f"crm:{c}", "phone", "+44" + number[1:].replace(" ", ""))
        for c, number in given.homes.items()
        if c in given.unsure
    ]
    towns = [value(f"crm:{c}", "city", "Leeds" if c in given.members else "York") for c in PEOPLE]
    with Ledger(lake.ledger_path) as ledger:
        segments = history.inputs(lake, ledger)
    seen = [event(f"v{c}", f"crm:{c}") for c in PEOPLE]
    inputs = world(
        folder, [[*events, *seen]], id_map, identifiers=owners, values=[*towns, *said], segments=segments,
        probabilities={f"crm:{c}": 0.7 if c in given.unsure else 0.99 for c in PEOPLE},
    )  # fmt: skip
    return publish_into(lake, inputs)


def suppress(lake, customers):
    with Ledger(lake.ledger_path) as ledger:
        entries = [suppression.parse(f"email:{mail(c)}", place="it", region="GB") for c in sorted(customers)]
        suppression.add(ledger, entries, by="me", now=NOW)


def customers_of_csv(text):
    rows = list(csv.reader(io.StringIO(text)))
    header, cells = rows[0], rows[1:]
    if "customer_id" in header:
        return {row[header.index("customer_id")] for row in cells}
    return {HASHES[row[0]] for row in cells}


def customers_of_arrow(data):
    return set(pa.ipc.open_stream(data).read_all()["customer_id"].to_pylist())


def customers_of_lines(text):
    return {json.loads(line)["customer_id"] for line in text.splitlines()}


READ_FILE = {
    "parquet": lambda folder, dataset: set(
        pq.read_table(folder / f"{dataset}.parquet")["customer_id"].to_pylist()
    ),
    "csv": lambda folder, dataset: customers_of_csv((folder / f"{dataset}.csv").read_text(encoding="utf-8")),
    "jsonl": lambda folder, dataset: customers_of_lines(
        (folder / f"{dataset}.jsonl").read_text(encoding="utf-8")
    ),
    "google": lambda folder, _: customers_of_csv((folder / "google.csv").read_text(encoding="utf-8")),
    "meta": lambda folder, _: customers_of_csv((folder / "meta.csv").read_text(encoding="utf-8")),
}
READ_STREAM = {
    "csv": lambda answer: customers_of_csv(answer.text),
    "ndjson": lambda answer: customers_of_lines(answer.text),
    "arrow": lambda answer: customers_of_arrow(answer.content),
}


class Ways:
    """Every way out of a workspace, and who left by it."""

    def __init__(self, lake, servers):
        self.lake, self.servers = lake, servers

    def out(self, audience):
        """Yield the name of each way and the customers that it let out."""
        yield from self.files(audience)
        yield from self.deliveries(audience)
        served = Served(self.lake)
        yield from self.streams(served.with_key("segments", "read-pii"), audience)
        yield from self.downloads(served, audience)
        served.close()

    def files(self, audience):
        release = current(self.lake)
        for dataset in typing.get_args(DatasetName):
            formats = typing.get_args(FileFormat)
            if dataset != "customers" or audience.internal:
                formats = tuple(one for one in formats if one not in ("google", "meta"))
            wanted = Export(f"f-{dataset}", dataset, formats, **vars(audience))
            with Ledger(self.lake.ledger_path) as ledger:
                report = export(self.lake, ledger, release, wanted, now=NOW, run_id="r")
            for into in formats:
                yield f"file {into} of {dataset}", READ_FILE[into](report.folder, dataset)

    def deliveries(self, audience):
        for body in BODIES:
            server = self.servers[body]
            destination = DestinationSettings(url=server.url, body=body, private_addresses=True)
            wanted = Export(f"h-{body}", formats=(), destination=destination, **vars(audience))
            with Ledger(self.lake.ledger_path) as ledger:
                report = deliver(
                    self.lake, ledger, current(self.lake), wanted, now=NOW, caller="r", environment={}
                )
            assert report.complete
            yield f"http {body}", set(server.audience)

    def streams(self, key, audience):
        asked = {name: given for name, given in vars(audience).items() if given is not None}
        for dataset in typing.get_args(DatasetName):
            for into in typing.get_args(StreamAs):
                answer = key.get(f"/api/v1/exports/{dataset}", params={**asked, "format": into})
                assert answer.status_code == 200, answer.text
                yield f"stream {into} of {dataset}", READ_STREAM[into](answer)

    def downloads(self, served, audience):
        browser = served.signed_in("segments", "read-pii")
        for form in FORMS:
            if audience.internal and form != "csv":
                continue
            asked = {
                "segment": audience.segment or "", "purpose": audience.purpose, "channel": audience.channel or "",
                "least": str(audience.min_probability), "form": form,
                "csrf_token": served.csrf(browser),
            }  # fmt: skip
            answer = browser.post("/audiences/download", data=asked)
            assert answer.status_code == 200, answer.text
            yield f"download {form}", customers_of_csv(answer.text)


AUDIENCES = (
    Audience("marketing"),
    Audience("marketing", "email"),
    Audience("analytics", None, 0.9),
    Audience("marketing", "sms", 0.9, SEGMENT),
    Audience("marketing", None, 0.0, SEGMENT),
    Audience("internal", None, 0.9, SEGMENT),
)
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 25))]


def check(ways, given, audience):
    expected = given.may_leave(audience)
    seen = 0
    for way, customers in ways.out(audience):
        # Words about consent are rows only of those who said something: fewer than may leave, nobody else.
        whole = "consents" not in way
        assert customers == expected if whole else customers <= expected, (way, audience)
        seen += 1
    return seen


@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_leaves_without_consent_by_any_way_and_who_withdraws_is_taken_back(tmp_path, seed):
    from cdp.lake import Lake

    chance = random.Random(seed)
    given = draw(chance)
    lake = Lake(tmp_path / "workspace")
    lake.root.mkdir()
    rule = {"field": "city", "op": "is", "value": "Leeds"}
    segment_files.save(
        lake, known_fields(), segment_files.Draft(SEGMENT, "Leeds", rule, None, "me"), after=0, now=NOW
    )
    publish(lake, given, tmp_path / "a")
    suppress(lake, given.listed)
    with receiving() as lines, receiving() as array:
        ways = Ways(lake, dict(zip(BODIES, (lines, array), strict=True)))
        for audience in AUDIENCES[:2] if seed == 0 else AUDIENCES:
            assert check(ways, given, audience) > 20
        audience = chance.choice(AUDIENCES[:5])
        check(ways, given, audience)
        # Somebody comes on the list: no new release is needed.
        leaving = sorted(given.may_leave(audience)) or PEOPLE
        given = replace(given, listed=given.listed | {leaving[0]})
        suppress(lake, {leaving[0]})
        check(ways, given, audience)
        # Others withdraw, for everything, and a release says so.
        gone = {customer for customer in PEOPLE if chance.random() < 0.4}
        given = replace(given, words=[*given.words, *((c, None, None, "denied", 9) for c in gone)])
        publish(lake, given, tmp_path / "b")
        check(ways, given, audience)
        check(ways, given, AUDIENCES[-1])
