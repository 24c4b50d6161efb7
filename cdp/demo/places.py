"""Countries of the demo: cities, streets, postcodes, telephone numbers, mailbox providers.

City names and dialling codes are facts of geography; streets, house numbers and postcodes are made
up in the right shape. Every number that :meth:`NumberPlan.number` gives is valid for the
``phonenumbers`` library (a test holds it to that), although nobody need own it. Mailbox providers end
in ``.example``, which can never receive mail.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

_LETTERS: Final = "ABDEFGHJLNPQRSTUWXYZ"


def fill(pattern: str, rng: Random) -> str:
    """Fill ``#`` with a digit and ``@`` with a capital letter.

    >>> fill("LS# #@@", Random(1))
    'LS1 8UG'
    """
    out = []
    for char in pattern:
        if char == "#":
            out.append("0123456789"[int(rng.random() * 10)])
        elif char == "@":
            out.append(_LETTERS[int(rng.random() * len(_LETTERS))])
        else:
            out.append(char)
    return "".join(out)


@dataclass(frozen=True, slots=True)
class NumberPlan:
    """Telephone numbers of one kind: prefixes after the country code, and the length of the rest."""

    country_code: str
    prefixes: tuple[str, ...]
    length: int

    def number(self, ordinal: int) -> str:
        """Return the E.164 number with this ordinal; different ordinals give different numbers.

        >>> plan = NumberPlan("44", ("7400", "7712"), 10)
        >>> plan.number(0), plan.number(1), plan.number(2)
        ('+447400600600', '+447712071328', '+447400220521')
        """
        turn, which = divmod(ordinal, len(self.prefixes))
        prefix = self.prefixes[which]
        free = self.length - len(prefix)
        mixed = (turn * 619_921 + int(prefix) * 7_919) % 10**free
        return f"+{self.country_code}{prefix}{mixed:0{free}d}"


@dataclass(frozen=True, slots=True)
class City:
    """A city: names, the pattern of its postcodes, and its dialling code with the first digits."""

    name: str
    region: str
    postcode: str
    landline: NumberPlan
    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Country:
    """What the generator needs to know of a country; ``share`` is its part of the households.

    ``spellings`` are ways to write its name, ``address`` is the order of street and house number.
    """

    code: str
    share: float
    language: str
    locale: str
    timezone: str
    currency: str
    spellings: tuple[str, ...]
    address: str
    streets: tuple[str, ...]
    mobile: NumberPlan
    cities: tuple[City, ...]
    mailboxes: tuple[str, ...]

    @property
    def surname_first(self) -> bool:
        """Whether people there give their surname first."""
        return self.language == "ja"


def _cities(country_code: str, length: int, text: str) -> tuple[City, ...]:
    found = []
    for line in text.strip().splitlines():
        name, region, postcode, prefix, digits, place = (part.strip() for part in line.split("|"))
        plan = NumberPlan(country_code, (prefix,), int(digits) if digits else length)
        latitude, longitude = place.split(",")
        found.append(City(name, region, postcode, plan, float(latitude), float(longitude)))
    return tuple(found)


def _streets(names: str, kinds: str, pattern: str = "{name} {kind}") -> tuple[str, ...]:
    pairs = [(name.replace("-", " "), kind) for name in names.split() for kind in kinds.split()]
    return tuple(pattern.format(name=name, kind=kind) for name, kind in pairs)


COUNTRIES: Final[tuple[Country, ...]] = (
    Country(
        "GB", 0.36, "en", "en-GB", "Europe/London", "GBP", ("GB", "United Kingdom", "UK"),
        "{number} {street}",
        _streets("Mill Church Station Orchard Victoria Chapel Manor Elm", "Road Lane Street Close"),
        NumberPlan("44", ("7400", "7411", "7452", "7500", "7712", "7725", "7803", "7890", "7955"), 10),
        _cities("44", 10, """
            London     | Greater London     | SE## #@@ | 2079   |  | 51.51,-0.13
            Leeds      | West Yorkshire     | LS# #@@  | 1132   |  | 53.80,-1.55
            Manchester | Greater Manchester | M## #@@  | 1612   |  | 53.48,-2.24
            Birmingham | West Midlands      | B## #@@  | 1214   |  | 52.48,-1.90
            Glasgow    | Scotland           | G## #@@  | 1413   |  | 55.86,-4.25
            Bristol    | Bristol            | BS# #@@  | 1179   |  | 51.45,-2.59
            Edinburgh  | Scotland           | EH# #@@  | 1312   |  | 55.95,-3.19
            Cardiff    | Wales              | CF## #@@ | 2920   |  | 51.48,-3.18
            Norwich    | Norfolk            | NR# #@@  | 160362 |  | 52.63,1.30
            York       | North Yorkshire    | YO## #@@ | 190462 |  | 53.96,-1.08
            """),
        ("inbox.example", "royalmailbox.example", "btpost.example"),
    ),
    Country(
        "US", 0.13, "en", "en-US", "America/New_York", "USD", ("US", "USA", "United States"),
        "{number} {street}",
        _streets("Maple Oak Cedar Lincoln Washington Lake Sunset Prairie Franklin", "St Ave Dr Blvd"),
        NumberPlan("1", tuple(a + e for e in ("23", "34", "46", "78") for a in
                              ("206", "312", "415", "512", "617", "702", "305", "404")), 10),
        _cities("1", 10, """
            Seattle | WA | 9810# | 20655 | | 47.61,-122.33
            Chicago | IL | 6061# | 31265 | | 41.88,-87.63
            Austin  | TX | 7870# | 51267 | | 30.27,-97.74
            Boston  | MA | 0211# | 61768 | | 42.36,-71.06
            Atlanta | GA | 3030# | 40487 | | 33.75,-84.39
            Miami   | FL | 3313# | 30586 | | 25.76,-80.19
            """),
        ("inbox.example", "bluemail.example", "letterbox.example"),
    ),
    Country(
        "DE", 0.12, "de", "de-DE", "Europe/Berlin", "EUR", ("DE", "Deutschland", "Germany"),
        "{street} {number}",
        _streets("Haupt Bahnhof Garten Linden Schiller Berg Rosen", "straße weg allee", "{name}{kind}"),
        NumberPlan("49", ("1511", "1522", "1575", "1601", "1701", "1721", "1762", "1791"), 11),
        _cities("49", 10, """
            Berlin    | Berlin     | 10### | 3024  | | 52.52,13.40
            Hamburg   | Hamburg    | 20### | 4035  | | 53.55,9.99
            München   | Bayern     | 80### | 8924  | | 48.14,11.58
            Köln      | Nordrhein-Westfalen | 50### | 22123 | | 50.94,6.96
            Leipzig   | Sachsen    | 04### | 34123 | | 51.34,12.37
            Stuttgart | Baden-Württemberg | 70### | 71122 | | 48.78,9.18
            Nürnberg  | Bayern     | 90### | 91123 | | 49.45,11.08
            """),
        ("postfach.example", "mailhaus.example"),
    ),
    Country(
        "FR", 0.09, "fr", "fr-FR", "Europe/Paris", "EUR", ("FR", "France"),
        "{number} {street}",
        _streets(
            "Victor-Hugo Moulin Voltaire Tilleuls Pasteur Fontaine", "rue avenue impasse", "{kind} {name}"
        ),
        NumberPlan("33", ("61", "62", "66", "67", "68", "75", "77", "78"), 9),
        _cities("33", 9, """
            Paris      | Île-de-France | 750## | 142 | | 48.86,2.35
            Lyon       | Auvergne-Rhône-Alpes | 6900# | 472 | | 45.76,4.84
            Toulouse   | Occitanie | 3100# | 561 | | 43.60,1.44
            Strasbourg | Grand Est | 6700# | 388 | | 48.58,7.75
            Orléans    | Centre    | 4500# | 256 | | 47.90,1.91
            Marseille  | Provence  | 1300# | 491 | | 43.30,5.37
            """),
        ("courrier.example", "boite.example"),
    ),
    Country(
        "PL", 0.08, "pl", "pl-PL", "Europe/Warsaw", "PLN", ("PL", "Polska", "Poland"),
        "{street} {number}",
        _streets(
            "Polna Leśna Słoneczna Krótka Kościuszki Mickiewicza Długa Ogrodowa", "ul.", "{kind} {name}"
        ),
        NumberPlan("48", ("501", "512", "600", "605", "660", "692", "781", "790", "880", "888"), 9),
        _cities("48", 9, """
            Warszawa | mazowieckie   | 00-### | 22620 | | 52.23,21.01
            Kraków   | małopolskie   | 31-### | 12421 | | 50.06,19.94
            Poznań   | wielkopolskie | 61-### | 61852 | | 52.41,16.93
            Wrocław  | dolnośląskie  | 50-### | 71344 | | 51.11,17.03
            Gdańsk   | pomorskie     | 80-### | 58301 | | 54.35,18.65
            Łódź     | łódzkie       | 90-### | 42636 | | 51.76,19.46
            """),
        ("poczta.example", "skrzynka.example"),
    ),
    Country(
        "ES", 0.07, "es", "es-ES", "Europe/Madrid", "EUR", ("ES", "España", "Spain"),
        "{street} {number}",
        _streets(
            "Mayor Cervantes Sol Alameda Gran-Vía Olivos Constitución", "Calle Avenida Plaza", "{kind} {name}"
        ),
        NumberPlan("34", ("610", "622", "635", "646", "655", "661", "677", "689", "699", "711"), 9),
        _cities("34", 9, """
            Madrid    | Madrid    | 280## | 915 | | 40.42,-3.70
            Barcelona | Cataluña  | 080## | 934 | | 41.39,2.17
            Sevilla   | Andalucía | 410## | 954 | | 37.39,-5.98
            Valencia  | Valencia  | 460## | 963 | | 39.47,-0.38
            Bilbao    | País Vasco | 480## | 944 | | 43.26,-2.93
            """),
        ("correo.example", "buzon.example"),
    ),
    Country(
        "BR", 0.06, "pt", "pt-BR", "America/Sao_Paulo", "BRL", ("BR", "Brasil", "Brazil"),
        "{street} {number}",
        _streets(
            "Palmeiras Flores Independência XV-de-Novembro Acácias", "Rua Avenida Travessa", "{kind} {name}"
        ),
        NumberPlan("55", tuple(a + x for x in ("98", "99", "97") for a in
                               ("11", "21", "31", "41", "51", "71", "81")), 11),
        _cities("55", 10, """
            São Paulo      | SP | 01###-### | 1132 | | -23.55,-46.63
            Rio de Janeiro | RJ | 20###-### | 2125 | | -22.91,-43.17
            Belo Horizonte | MG | 30###-### | 3132 | | -19.92,-43.94
            Curitiba       | PR | 80###-### | 4133 | | -25.43,-49.27
            Salvador       | BA | 40###-### | 7133 | | -12.97,-38.50
            """),
        ("caixa.example", "recado.example"),
    ),
    Country(
        "GR", 0.03, "el", "el-GR", "Europe/Athens", "EUR", ("GR", "Ελλάδα", "Greece"),
        "{street} {number}",
        _streets(
            "Ερμού Αθηνάς Σόλωνος Πανεπιστημίου Βενιζέλου Κοραή", "Οδός", "{kind} {name}"
        ),
        NumberPlan("30", ("690", "693", "694", "697", "698"), 10),
        _cities("30", 10, """
            Αθήνα       | Αττική    | 10# ## | 2103  | | 37.98,23.73
            Θεσσαλονίκη | Μακεδονία | 54# ## | 23102 | | 40.64,22.94
            Πάτρα       | Αχαΐα     | 26# ## | 26102 | | 38.25,21.73
            """),
        ("grammata.example",),
    ),
    Country(
        "UA", 0.03, "uk", "uk-UA", "Europe/Kyiv", "UAH", ("UA", "Україна", "Ukraine"),
        "{street} {number}",
        _streets(
            "Шевченка Франка Садова Соборна Лесі-Українки Хрещатик", "вул.", "{kind} {name}"
        ),
        NumberPlan("380", ("50", "63", "66", "67", "68", "93", "95", "96", "97", "98", "99"), 9),
        _cities("380", 9, """
            Київ   | Київ             | 01### | 442  | | 50.45,30.52
            Львів  | Львівська область | 79### | 3222 | | 49.84,24.03
            Одеса  | Одеська область  | 65### | 4872 | | 46.48,30.73
            Харків | Харківська область | 61### | 5775 | | 49.99,36.23
            """),
        ("poshta.example",),
    ),
    Country(
        "JP", 0.03, "ja", "ja-JP", "Asia/Tokyo", "JPY", ("JP", "日本", "Japan"),
        "{street} {number}",
        _streets("本町 桜ヶ丘 緑町 旭町 中央 栄町", "1丁目 2丁目 3丁目", "{name}{kind}"),
        NumberPlan("81", ("901", "802", "703", "804", "905", "908"), 10),
        _cities("81", 9, """
            東京都   | 東京   | 100-#### | 332 | | 35.68,139.69
            大阪市   | 大阪府 | 530-#### | 663 | | 34.69,135.50
            名古屋市 | 愛知県 | 460-#### | 527 | | 35.18,136.91
            京都市   | 京都府 | 600-#### | 753 | | 35.01,135.77
            札幌市   | 北海道 | 060-#### | 112 | | 43.06,141.35
            """),
        ("yubin.example",),
    ),
)  # fmt: skip
