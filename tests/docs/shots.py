"""Every page that docs/pages.md shows: its address, and what is done before its picture is taken.

A new page is a line in :data:`SHOTS`; then ``python -m tests.docs.screenshots`` takes its pictures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.pages_world import ADA, BUSY

if TYPE_CHECKING:
    from playwright.sync_api import Page


@dataclass(frozen=True)
class Shot:
    """A page in a state: its address, what a reader should see in it, and what is done before the picture."""

    name: str
    path: str
    title: str
    about: str
    prepare: Callable[[Page], object] | None = None
    scopes: tuple[str, ...] = ()
    demo: bool = False


def _to(selector: str) -> Callable[[Page], object]:
    """Scroll until an element is at the top."""
    return lambda page: page.locator(selector).evaluate("one => one.scrollIntoView({ block: 'start' })")


def _why_open(page: Page) -> None:
    page.locator("#why .section-name", has_text="The evidence").evaluate(
        "one => one.scrollIntoView({ block: 'start' })"
    )
    page.locator("#why li", has_text="Same surname, same postcode").get_by_text("How this weighs").click()


def _ask_to_join(page: Page) -> None:
    page.get_by_label("The other customer").fill(BUSY)
    page.locator("#join").get_by_role("button", name="Show what it does").click()
    page.locator("#what").wait_for()


def _search(page: Page) -> None:
    page.get_by_role("searchbox", name="Search customers").press_sequentially("jenifer obrien", delay=20)
    page.get_by_text("found, the best first").wait_for()


def _build(page: Page) -> None:
    page.get_by_role("textbox", name="Name", exact=True).fill("Keen gardeners")
    page.get_by_role("button", name="+ Attribute", exact=True).click()
    first = page.get_by_role("group", name="Condition 1")
    first.get_by_label("What to look at").select_option("channels")
    first.get_by_label(re.compile("How Channels")).select_option("includes")
    first.get_by_label(re.compile("Value of Channels")).select_option("web")
    page.get_by_role("button", name="+ Behaviour", exact=True).click()
    second = page.get_by_role("group", name="Condition 2")
    second.get_by_label("What they did").select_option("product_viewed")
    second.get_by_label("How many times").fill("3")
    second.get_by_label("How many days").fill("90")
    second.get_by_label("How many days").blur()
    page.get_by_text("Did: product viewed, at least 3 times, within the last 90 days").wait_for()


def _ask(page: Page) -> None:
    page.get_by_role("button", name="Run").click()
    page.wait_for_load_state("networkidle")
    page.get_by_role("cell").first.wait_for()


SEGMENTS: Final[Sequence[Mapping[str, Any]]] = (
    {
        "name": "Win back",
        "description": "Bought before, not seen for a month",
        "rule": {
            "all": [
                {"field": "order_count", "op": "at_least", "value": 1},
                {"not": {"did": "page_viewed", "at_least": 1, "within_days": 30}},
            ]
        },
    },
    {
        "name": "Ready for the autumn letter",
        "description": "May be written to, and looked at products",
        "rule": {
            "all": [
                {"field": "consent_marketing_email", "op": "is", "value": "granted"},
                {"did": "product_viewed", "at_least": 2, "within_days": 180},
            ]
        },
    },
)

SHOTS: Final[Sequence[Shot]] = (
    Shot(
        "sign-in", "/sign-in", "Signing in", "With the address that `cdp serve` prints, or with an API key."
    ),
    Shot(
        "overview",
        "/",
        "Overview",
        "What came in, from where, how fresh it is, and what needs attention.",
        demo=True,
    ),
    Shot("customers", "/customers", "Customers", "Search and lists.", demo=True),
    Shot(
        "search",
        "/customers",
        "Search",
        "By anything, with typos; never in the address.",
        _search,
        demo=True,
    ),
    Shot(
        "customer",
        f"/customers/{ADA}",
        "One customer",
        "Value, one history over all channels, and who it is: each value opens to say where it came from.",
    ),
    Shot(
        "customer-why",
        f"/customers/{ADA}",
        "Why these records are one person",
        "The records, the evidence that joins them, and the weakest link: what the profile hangs on.",
        _to("#why"),
    ),
    Shot(
        "customer-evidence",
        f"/customers/{ADA}",
        "The evidence, weighed",
        "What agrees and what does not, in words; on demand the weights.",
        _why_open,
    ),
    Shot(
        "customer-masked",
        f"/customers/{ADA}",
        "The same customer, masked",
        "What those see who lack the scope `read-pii`.",
        scopes=("read",),
    ),
    Shot(
        "customer-identity",
        f"/customers/{ADA}/identity",
        "Join or split",
        "For those with the scope `identity`.",
    ),
    Shot(
        "customer-confirm",
        f"/customers/{ADA}/identity",
        "Before it counts",
        "What a decision will do is said before it is made.",
        _ask_to_join,
    ),
    Shot("segments", "/segments", "Segments", "All segments, with their size.", demo=True),
    Shot(
        "segment-builder",
        "/segments/new",
        "The builder of segments",
        "The size follows as you go.",
        _build,
        demo=True,
    ),
    Shot(
        "segment",
        "/segments/win-back",
        "One segment",
        "Its rule in words, its size, who came and went.",
        demo=True,
    ),
    Shot("audiences", "/audiences", "Audiences", "What leaves for whom, and what has left.", demo=True),
    Shot("marketing", "/marketing", "Marketing", "Who buys, who is leaving, what reaches people.", demo=True),
    Shot("marketing-rfm", "/marketing/rfm", "RFM", "Recency, frequency, money.", demo=True),
    Shot(
        "marketing-lifecycle",
        "/marketing/lifecycle",
        "Lifecycle",
        "Leads, customers, those who lapse.",
        demo=True,
    ),
    Shot(
        "marketing-campaigns",
        "/marketing/campaigns",
        "Campaigns",
        "What was sent, what came of it.",
        demo=True,
    ),
    Shot(
        "marketing-channels",
        "/marketing/channels",
        "Channels",
        "Who answers how fast, they and we.",
        demo=True,
    ),
    Shot(
        "marketing-escalations",
        "/marketing/escalations",
        "Escalations",
        "By product and department.",
        demo=True,
    ),
    Shot(
        "marketing-profitability",
        "/marketing/profitability",
        "Profitability",
        "What serving costs.",
        demo=True,
    ),
    Shot(
        "sql", "/sql", "SQL", "For analysts, beside the dictionary of tables; it only reads.", _ask, demo=True
    ),
    Shot("quality", "/quality", "Data quality", "Whether what arrives is complete and on time.", demo=True),
    Shot("keys", "/keys", "Keys", "Who may do what, until when.", demo=True),
    Shot("audit", "/audit", "Audit log", "Who read and changed what.", demo=True),
)
