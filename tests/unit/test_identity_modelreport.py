"""The model report: the figures it shows are those of the model, the page needs nothing from outside."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
from click.testing import CliRunner

from cdp.cli.main import Context, cli
from cdp.errors import UsageError
from identity.evaluation.modelreport import probability, text, view
from identity.evaluation.modelreport_html import html
from identity.histogram import weight_histogram
from tests.identity_tools import settle


@pytest.fixture(scope="module")
def model():
    names = ["Ada Byron", "Carl Gauss", "Emmy Noether", "George Boole", "Hedy Lamarr", "Ivan Petrov"]
    people = {
        f"{source}:{i}": {
            "given_name": names[i % 6].split()[0],
            "surname": names[i % 5].split()[1] + "abcdefghijkl"[i % 12],
            "birth_date": f"{1950 + i % 40}-{1 + i % 12:02d}-{1 + i % 28:02d}",
            "<b>note": ["red", "green", "blue"][i % 3],
        }
        for i in range(60)
        for source in ("crm", "web")
    }
    rows = [(key, "email", f"person{key.partition(':')[2]}@mail.org") for key in people]
    return settle(people, rows).model


def test_a_histogram_counts_every_weight_once_in_its_bin():
    weights = np.array([-90_000, -250, 0, 499, 500, 12_345, 90_000])
    found = weight_histogram(weights)
    edges = [found["first"] + found["bin"] * i for i in range(len(found["counts"]))]
    filled = {edge: n for edge, n in zip(edges, found["counts"], strict=True) if n}
    assert filled == {-40.0: 1, -0.5: 1, 0.0: 2, 0.5: 1, 12.0: 1, 39.5: 1}
    expected = sum(probability(w / 1000) for w in weights)
    assert sum(found["matches"]) == pytest.approx(expected, abs=0.01)


def test_a_histogram_of_patterns_equals_that_of_their_pairs():
    weights, counts = np.array([-3_000, 4_200]), np.array([5, 2])
    assert weight_histogram(weights, counts) == weight_histogram(np.repeat(weights, counts))


def test_the_curve_at_the_threshold_equals_the_estimates_of_the_model(model):
    told = view(model)
    at = next(point for point in told.curve if point.threshold == told.threshold)
    assert at.precision == pytest.approx(model["pairs_estimated_precision"], abs=1e-3)
    assert at.recall == pytest.approx(model["estimated_recall"], abs=1e-3)
    assert [p.recall for p in told.curve] == sorted((p.recall for p in told.curve), reverse=True)


def test_every_pair_and_every_key_of_the_model_is_reported(model):
    told = view(model)
    assert sum(told.histogram.pairs) == told.pairs == 120 * 119 // 2
    keys = {key["key"]: key for key in told.blocking}
    assert keys["email"]["records"] == 120
    assert keys["email"]["values"] == 60
    assert keys["email"]["pairs"] == 60
    assert told.without_key == 0


def test_the_text_fits_a_terminal_and_names_every_level(model):
    lines = text(model).split("\n")
    assert max(map(len, lines)) <= 80
    for comparison in model["comparisons"]:
        assert any(line.startswith(comparison["comparison"][:20]) for line in lines)
        for level in comparison["levels"]:
            assert any(line.startswith(f"  {level[:25]}") for line in lines), level


class Outside(HTMLParser):
    """Collects what a page would fetch, and tags that are not closed."""

    def __init__(self):
        super().__init__()
        self.fetched, self.open = [], []

    def handle_starttag(self, tag, attributes):
        self.fetched += [value for name, value in attributes if name in ("src", "href", "xlink:href", "data")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_fetches_nothing(model):
    page = html(model)
    reader = Outside()
    reader.feed(page)
    assert reader.open == []
    assert reader.fetched == []
    assert not re.search(r"https?:|url\(|@import|<script", page)
    assert "<b>note" not in page
    assert "&lt;b&gt;note" in page


def test_every_drawing_is_well_formed_and_says_what_it_shows(model):
    drawings = re.findall(r"<svg.*?</svg>", html(model), re.DOTALL)
    assert len(drawings) == 2 + len(model["comparisons"])
    for drawing in drawings:
        root = ET.fromstring(drawing)
        assert root.find("title").text == root.get("aria-label")
        for shape in root.iter("rect"):
            assert float(shape.get("x")) >= 0
            assert float(shape.get("x")) + float(shape.get("width")) <= 860


def test_a_model_of_an_earlier_version_is_shown_as_far_as_it_goes(model):
    known = ("version", "prior_weight", "match_rate", "threshold", "comparisons")
    old = {name: model[name] for name in known}
    assert "Match weights" not in html(old)
    assert "Comparisons" in text(old)
    assert "\n.\n" not in text(old)


def test_each_heading_of_the_keys_stands_over_a_column(model):
    counted = [{**key, "first": 1} for key in model["blocking"]]
    without = [{name: n for name, n in key.items() if name != "first"} for key in model["blocking"]]
    for keys, columns in ((counted, 7), (without, 6)):
        page = html({**model, "blocking": keys})
        table = re.search(r'id="which-keys.*?<table.*?</table>', page, re.DOTALL)[0]
        assert table.count("<th>") == columns + len(keys)
        for row in re.findall(r"<tr><th>.*?</tr>", table.partition("<tbody>")[2]):
            assert row.count("<th>") + row.count("<td") == columns


def test_text_and_page_name_keys_that_are_left_out(model):
    left_out = {**model, "oversize_blocks": {"surname + city": 12_345}}
    assert "Too common even together, so left out: surname + city (12,345 records)." in text(left_out)
    assert "surname + city (12,345 records)" in html(left_out)


def test_estimates_are_named_by_what_they_are_of(model):
    assert f"precision {model['estimated_precision']:.1%} (inside customers)" in text(model)
    assert "pairs of records inside customers" in html(model)


def test_dedupe_writes_the_report_of_its_model(tmp_path):
    (tmp_path / "people.csv").write_text("no;First name;Surname\n1;Jane;Doe\n2;Jane;Doe\n3;Omar;Haddad\n")
    places = {name: str(tmp_path / name) for name in ("people.csv", "out.csv", "model.html", "model.txt")}
    wanted = ["dedupe", places["people.csv"], "--out", places["out.csv"], "--quiet"]
    done = CliRunner().invoke(cli, [*wanted, "--report", places["model.html"]], obj=Context())
    assert done.exit_code == 0, done.output
    page = (tmp_path / "model.html").read_text(encoding="utf-8")
    assert "Identity model of people.csv" in page
    assert "<h3>surname" in page
    with pytest.raises(UsageError, match=r"expected \.html"):
        CliRunner().invoke(
            cli, [*wanted, "--report", places["model.txt"]], obj=Context(), catch_exceptions=False
        )
