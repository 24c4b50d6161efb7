"""Laws of the release and its exports: order-free, equal to a slow oracle, and feeds that can be applied.

An example builds one release or several: `make test` tries eight of each law, `make soak` eighty.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp.lake import Lake
from cdp.ledger import Ledger
from tests.conftest import examples
from tests.warehouse_tools import (
    NOW,
    START,
    built,
    event,
    publish_into,
    rows,
    table,
    table_of,
    value,
    world,
)
from warehouse.compare import equal
from warehouse.exports import Export, export
from warehouse.formats import unescaped
from warehouse.inputs import REDIRECTS

KEYS = ["web:1", "web:2", "mail:1", "shop:1", "shop:2", "crm:1"]
SLOW = settings(examples(2), suppress_health_check=[HealthCheck.too_slow])

customers = st.sampled_from(["C1", "C2", "C3"])
id_maps = st.fixed_dictionaries(dict.fromkeys(KEYS, customers))
texts = st.none() | st.sampled_from(["a", "b", "é", "=1+1", ""])


@st.composite
def events(draw, kinds=("page_viewed", "order_placed", "order_refunded", "ticket_opened", "ticket_solved")):
    """Events of all kinds; the shop's are grouped, so that ids may repeat."""
    made = []
    for number in range(draw(st.integers(0, 12))):
        key = draw(st.none() | st.sampled_from(KEYS))
        source = (key or draw(st.sampled_from(["web:", "shop:"]))).split(":")[0]
        kind = draw(st.sampled_from(kinds))
        money = kind.startswith("order") and draw(st.booleans())
        made.append(
            event(
                f"o{number % 4}" if source == "shop" else str(number),
                key,
                source=source,
                raw_row=number,
                at=draw(st.integers(0, 5)),
                event_type=kind,
                channel=draw(st.sampled_from(["web", "orders", "support"])),
                direction=draw(st.sampled_from([None, "inbound", "outbound"])),
                time_flag=draw(st.sampled_from([None, None, "ambiguous", "missing"])),
                subject=draw(texts),
                reference=draw(texts),
                amount=Decimal(draw(st.integers(-500, 500))) / 4 if money else None,
                currency=draw(st.sampled_from(["GBP", "EUR"])) if money else None,
                latitude=draw(st.none() | st.just(51.5)),
                longitude=draw(st.none() | st.just(-0.1)),
                consent_state=draw(st.sampled_from([None, None, "granted", "denied"])),
                consent_purpose=draw(st.sampled_from([None, "marketing", "analytics"])),
                consent_channel=draw(st.sampled_from([None, "email", "sms"])),
            )
        )
    return made


def split(draw, items, parts):
    places = [draw(st.integers(0, parts - 1)) for _ in items]
    return [
        [item for item, place in zip(items, places, strict=True) if place == part] for part in range(parts)
    ]


@SLOW
@given(st.data())
def test_how_events_are_spread_over_files_and_ordered_changes_nothing(data):
    made, id_map = data.draw(events()), data.draw(id_maps)
    # A group's parts keep their positions in their files; which file holds which part is free.
    shuffled = data.draw(st.permutations(made))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        more = {"grouped_sources": frozenset({"shop"})}
        whole = world(folder / "a", [made], id_map, **more)
        spread = world(folder / "b", split(data.draw, shuffled, 3), id_map, **more)
        reversed_files = replace(spread, event_files=spread.event_files[::-1])
        with built(whole, folder / "one"), built(reversed_files, folder / "other"):
            assert equal(folder / "one/cdp.duckdb", folder / "other/cdp.duckdb") == []


@SLOW
@given(events(), id_maps)
def test_events_add_up(made, id_map):
    with (
        tempfile.TemporaryDirectory() as name,
        built(world(Path(name), [made], id_map), Path(name) / "r") as release,
    ):
        served = rows(release, "SELECT customer_id, record_key, source, event_id FROM all_events")
        assert len(served) == len(made)
        assert all(row["customer_id"] == id_map.get(row["record_key"]) for row in served)
        counts = rows(release, "SELECT sum(event_count) AS n FROM customers")[0]["n"]
        assert counts == sum(row["record_key"] is not None for row in made)


def slow_consent(made, id_map, customer, purpose, channel):
    """The rule as DESIGN says it, word by word."""
    words = []
    for row in made:
        if row["record_key"] is None or id_map[row["record_key"]] != customer:
            continue
        state = row.get("consent_state")
        about = row.get("consent_purpose") in (None, purpose) and row.get("consent_channel") in (
            None,
            channel,
        )
        if state and about:
            sound = row.get("time_flag") in (None, "ambiguous")
            moment = row["occurred_at"] if sound or state == "denied" else START - timedelta(days=1)
            words.append((moment, state == "denied"))
        if row["event_type"] == "email_unsubscribed" and (purpose, channel) == ("marketing", "email"):
            words.append((row["occurred_at"], True))
    return "unknown" if not words else "denied" if max(words)[1] else "granted"


@SLOW
@given(events(kinds=("page_viewed", "consent_changed", "email_unsubscribed")), id_maps)
def test_consent_equals_the_rule_applied_slowly(made, id_map):
    with (
        tempfile.TemporaryDirectory() as name,
        built(world(Path(name), [made], id_map), Path(name) / "r") as release,
    ):
        for row in rows(release, "SELECT * FROM customers"):
            for channel in ("email", "sms", "phone"):
                expected = slow_consent(made, id_map, row["customer_id"], "marketing", channel)
                assert row[f"consent_marketing_{channel}"] == expected


def slow_value(made, id_map):
    """Revenue per customer: orders by reference, of one source each; one currency or none."""
    sums = defaultdict(list)
    for row in made:
        if row["record_key"] and row["event_type"] == "order_placed":
            item = row.get("reference")
            key = (id_map[row["record_key"]], row["event_id"] if item is None else item)
            sums[key].append(row)
    found = defaultdict(list)
    for (customer, _), group in sums.items():
        best = min((row["channel"] != "orders", row["source"]) for row in group)[1]
        found[customer] += [row for row in group if row["source"] == best]
    return found


@SLOW
@given(events(kinds=("order_placed", "page_viewed")), id_maps)
def test_revenue_equals_a_sum_by_hand(made, id_map):
    expected = slow_value(made, id_map)
    with tempfile.TemporaryDirectory() as name:
        inputs = world(Path(name), [made], id_map, base_currency=None)
        with built(inputs, Path(name) / "r") as release:
            for row in rows(release, "SELECT * FROM customers"):
                money = [r for r in expected[row["customer_id"]] if r["amount"] is not None]
                currencies = {r["currency"] for r in money}
                alone = len(currencies) == 1
                assert row["currency"] == (currencies.pop() if alone else None)
                assert row["revenue"] == (sum((r["amount"] for r in money), Decimal(0)) if alone else None)


@st.composite
def histories(draw):
    """Successive states of a small customer base: names, merges, splits, people who come and go."""
    states = []
    for _ in range(draw(st.integers(2, 4))):
        keys = draw(st.lists(st.sampled_from(KEYS), unique=True))
        states.append(
            {key: (draw(customers), draw(st.sampled_from(["Ann", "Bob", "+1", "'q"]))) for key in keys}
        )
    return states


def release_of(folder, state, retired):
    """Inputs of one state. A retired id redirects to some living one; there is none if nobody is left."""
    id_map = {key: customer for key, (customer, _) in state.items()}
    names = {}
    for key, (customer, name) in sorted(state.items()):
        names.setdefault(customer, value(key, "full_name", name))
    living = sorted(set(id_map.values()))
    redirects = [
        {"previous_customer_id": gone, "customer_id": living[0]}
        for gone in sorted(retired - set(living))
        if living
    ]
    return world(
        folder,
        [[event("1", None)]],
        id_map,
        values=list(names.values()),
        redirects=table(REDIRECTS, redirects),
    )


@SLOW
@given(
    histories(), st.sampled_from(["customers", "id_map"]), st.sampled_from([("parquet",), ("csv", "jsonl")])
)
def test_the_feed_applied_to_the_previous_export_gives_the_new_one(states, dataset, formats):
    key = {"customers": "customer_id", "id_map": "record_key"}[dataset]
    with tempfile.TemporaryDirectory() as name:
        lake = Lake(Path(name))
        held: dict[str, dict] = {}
        retired: set[str] = set()
        numbers: list[int] = []
        for step, state in enumerate(states):
            release = publish_into(lake, release_of(lake.root / f"in{step}", state, retired))
            retired |= {customer for customer, _ in state.values()}
            with Ledger(lake.ledger_path) as ledger:
                wanted = Export("e", dataset, formats)
                report = export(lake, ledger, release, wanted, now=NOW, run_id="r")
            new = {row[key]: row for row in read(report.folder, dataset)}
            changes = read(report.folder, "changes")
            for change in changes:
                if change["op"] in ("merge", "delete"):
                    assert change[key] in held
                    del held[change[key]]
                    assert (change["merged_into"] is not None) == (change["op"] == "merge")
                    assert change["merged_into"] is None or change["merged_into"] in new
                elif change["op"] == "insert":
                    assert change[key] not in held
                    held[change[key]] = new[change[key]]
                else:
                    before, after = held[change[key]], new[change[key]]
                    differing = {name for name in after if after[name] != before[name]}
                    assert set(change["changed_fields"]) == differing
                    held[change[key]] = after
            assert held == new
            numbers += [change["change_seq"] for change in changes]
        assert numbers == list(range(1, len(numbers) + 1))


def read(folder, stem):
    """Read an export in whichever format it has."""
    import json

    if (folder / f"{stem}.parquet").exists():
        return table_of(folder / f"{stem}.parquet")
    return [json.loads(text) for text in (folder / f"{stem}.jsonl").read_text(encoding="utf-8").splitlines()]


plain_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
risky_texts = st.builds(lambda mark, rest: mark + rest, st.sampled_from("=+-@\t\r\n＝＋－＠'"), plain_texts)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.none() | plain_texts | risky_texts, min_size=1))
def test_a_csv_cell_is_no_formula_and_gives_its_text_back(cells):
    import csv

    import pyarrow as pa

    from cdp import duck
    from warehouse.formats import write

    with tempfile.TemporaryDirectory() as name, duck.connect() as connection:
        connection.register(
            "given", pa.table({"place": range(len(cells)), "cell": pa.array(cells, pa.string())})
        )
        path = Path(name) / "out.csv"
        write(connection, "given", path, "csv", order=("place",))
        with path.open(encoding="utf-8", newline="") as handle:
            written = [row["cell"] for row in csv.DictReader(handle)]
    assert [unescaped(cell) for cell in written] == [cell or "" for cell in cells]
    assert not [cell for cell in written if cell[:1] in tuple("=+-@\t\r\n＝＋－＠")]
