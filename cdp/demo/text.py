"""What is sold, what is said, and who answers: the words of the demo's shop, Harbour & Pine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SHOP: Final = "Harbour & Pine"
DOMAIN: Final = "shop.example"
SERVICE: Final = "service@shop.example"
PHONE: Final = "+442071234567"
TWILIO: Final = "+442071234568"
WHATSAPP: Final = "442071234569"
INSTAGRAM: Final = "17841405822304914"
MASTODON: Final = "shop@social.shop.example"


@dataclass(frozen=True, slots=True)
class Product:
    """An article: price in pounds; other currencies by ``RATES``."""

    sku: str
    name: str
    category: str
    price: float


@dataclass(frozen=True, slots=True)
class Agent:
    """Somebody who works for the shop."""

    agent_id: str
    name: str
    extension: str
    team: str


RATES: Final = {"GBP": 1.0, "USD": 1.27, "EUR": 1.17, "PLN": 5.05, "BRL": 6.9, "UAH": 52.0, "JPY": 190.0}

_CATALOGUE: Final = """
LAMP-01 Brass desk lamp|lighting|49.5
LAMP-02 Linen floor lamp|lighting|129
LAMP-03 Paper pendant|lighting|24
CHAIR-01 Oak dining chair|furniture|145
CHAIR-02 Reading chair|furniture|320
TABLE-01 Pine side table|furniture|89
TABLE-02 Extending table|furniture|540
SHELF-01 Wall shelf|furniture|39
RUG-01 Wool runner|textiles|110
RUG-02 Jute round rug|textiles|75
BLANKET-01 Lambswool throw|textiles|64.9
CUSHION-01 Velvet cushion|textiles|22.5
TOWEL-01 Bath towel|textiles|18
MUG-01 Stoneware mug|kitchen|12.5
MUG-02 Enamel mug|kitchen|9.9
PAN-01 Cast-iron pan|kitchen|58
KNIFE-01 Bread knife|kitchen|31
BOARD-01 Beech board|kitchen|27
POT-01 Terracotta pot|garden|14
POT-02 Zinc planter|garden|36
SEED-01 Meadow seeds|garden|4.5
TOOL-01 Hand trowel|garden|16.8
LAMP-04 Garden lantern|garden|33
CANDLE-01 Beeswax candles|home|11
CLOCK-01 Station clock|home|72
MIRROR-01 Round mirror|home|98
FRAME-01 Oak frame A3|home|29
SOAP-01 Olive soap|home|6.5
CARD-01 Gift card|gifts|25
BOX-01 Gift box|gifts|8
"""


def _products() -> tuple[Product, ...]:
    found = []
    for line in _CATALOGUE.strip().splitlines():
        head, category, price = line.split("|")
        sku, _, name = head.partition(" ")
        found.append(Product(sku, name, category, float(price)))
    return tuple(found)


PRODUCTS: Final = _products()

AGENTS: Final = (
    Agent("a1", "Clara Whitfield", "8001", "service"),
    Agent("a2", "Tomasz Zieliński", "8002", "service"),
    Agent("a3", "Amara Okafor", "8003", "returns"),
    Agent("a4", "Jonas Feldmann", "8004", "returns"),
    Agent("a5", "Rhian Prosser", "8005", "technical"),
    Agent("a6", "Léa Montfort", "8006", "technical"),
)

CAMPAIGNS: Final = (
    ("Spring lights", "newsletter", "email"),
    ("Garden week", "newsletter", "email"),
    ("Member days", "newsletter", "email"),
    ("Brass desk lamp", "google", "cpc"),
    ("Table talk", "instagram", "paid_social"),
    ("Bring a friend", "partner", "affiliate"),
)

MESSAGES: Final[dict[str, tuple[str, ...]]] = {
    "en": (
        "Hello, where is my order? It should have been here on Monday.",
        "Is the oak chair back in stock?",
        "The lamp arrived with a broken shade. Can you send a new one?",
        "Thanks a lot, that was quick!",
        "I would like to return the rug, it's too big for our hall.",
        "Can I still change the delivery address?",
    ),
    "de": (
        "Guten Tag, wann kommt meine Bestellung an?",
        "Die Lampe ist leider beschädigt angekommen.",
        "Vielen Dank für die schnelle Hilfe!",
        "Kann ich die Lieferadresse noch ändern?",
    ),
    "fr": (
        "Bonjour, où en est ma commande ?",
        "La lampe est arrivée cassée, que dois-je faire ?",
        "Merci beaucoup, c'est parfait.",
        "Puis-je encore changer l'adresse de livraison ?",
    ),
    "pl": (
        "Dzień dobry, gdzie jest moje zamówienie?",
        "Lampa przyszła uszkodzona. Proszę o wymianę.",
        "Dziękuję za szybką odpowiedź!",
    ),
    "es": (
        "Hola, ¿dónde está mi pedido?",
        "La lámpara ha llegado rota.",
        "¡Muchas gracias por la ayuda!",
    ),
    "pt": (
        "Olá, onde está o meu pedido?",
        "A luminária chegou quebrada, como faço a troca?",
        "Muito obrigada, já resolvi.",
    ),
    "el": ("Καλησπέρα, πού βρίσκεται η παραγγελία μου;", "Το φωτιστικό ήρθε σπασμένο.", "Ευχαριστώ πολύ!"),
    "uk": ("Добрий день, де моє замовлення?", "Лампа прийшла пошкоджена.", "Дуже дякую за допомогу!"),
    "ja": ("注文した商品はいつ届きますか？", "ランプが割れていました。", "ありがとうございます。"),
}

SUBJECTS: Final[dict[str, tuple[str, ...]]] = {
    "en": ("Where is my order?", "Broken lamp", "Question about delivery", "Return of a rug"),
    "de": ("Frage zur Lieferung", "Beschädigte Ware", "Rückgabe"),
    "fr": ("Où est ma commande ?", "Article cassé", "Échange"),
    "pl": ("Gdzie jest zamówienie?", "Reklamacja"),
    "es": ("¿Dónde está mi pedido?", "Devolución"),
    "pt": ("Troca de produto", "Prazo de entrega"),
    "el": ("Ερώτηση για την παραγγελία",),
    "uk": ("Питання про замовлення",),
    "ja": ("注文について", "商品の返品"),
}

_WEBKIT: Final = "AppleWebKit/537.36 (KHTML, like Gecko)"
USER_AGENTS: Final = (
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/141.0.0.0 Safari/537.36",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_WEBKIT} Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {_WEBKIT} Mobile/15E148",
    f"Mozilla/5.0 (Linux; Android 15; Pixel 8) {_WEBKIT} Chrome/141.0.0.0 Mobile Safari/537.36",
)


def price_in(product: Product, currency: str) -> float:
    """Return a price in another currency, rounded to what a shop would ask."""
    amount = product.price * RATES[currency]
    return float(round(amount)) if currency == "JPY" else round(amount * 2) / 2
