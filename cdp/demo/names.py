"""Given names and surnames, by country, in the script of the country and in Latin letters.

The lists are written for this project. Surnames are mostly put together from parts (``Stein`` +
``bach``), which gives many different ones from short lists.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import product

_SPECIAL = str.maketrans(
    {
        "ß": "ss",
        "ł": "l",
        "Ł": "L",
        "ı": "i",
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "Ä": "Ae",
        "Ö": "Oe",
        "Ü": "Ue",
    }
)


def fold(text: str) -> str:
    """Return Latin text without accents, as people type it on a keyboard that has none.

    >>> fold("Müller-Łącki, Ángela")
    'Mueller-Lacki, Angela'
    """
    plain = unicodedata.normalize("NFKD", text.translate(_SPECIAL))
    return "".join(c for c in plain if not unicodedata.combining(c))


@dataclass(frozen=True, slots=True)
class Name:
    """One name: as its owner writes it, in plain Latin letters, and its short forms (given names)."""

    native: str
    latin: str
    short: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Surname:
    """A surname in its masculine and feminine form (equal in most countries)."""

    male: Name
    female: Name

    def of(self, sex: str) -> Name:
        """Return the form of a sex (``f`` or ``m``)."""
        return self.female if sex == "f" else self.male


GIVEN: dict[str, dict[str, str]] = {
    "en": {
        "m": "James:Jim,Jamie William:Will,Bill Thomas:Tom John:Jack,Johnny Robert:Rob,Bob George:Geo "
        "Edward:Ed,Ted Richard:Rick,Dick Charles:Charlie Henry:Harry Michael:Mike,Mick David:Dave "
        "Andrew:Andy,Drew Daniel:Dan Samuel:Sam Benjamin:Ben Alexander:Alex,Sandy Joseph:Joe "
        "Matthew:Matt Christopher:Chris Nicholas:Nick Anthony:Tony Stephen:Steve Peter:Pete "
        "Philip:Phil Timothy:Tim Gregory:Greg Kenneth:Ken Oliver:Ollie Frederick:Fred Arthur:Art "
        "Leonard:Len Patrick:Paddy,Pat Simon Ian Neil Owen Callum Ravi Imran Kwame Marcus Tyrone "
        "Diego Omar Winston Malik Trevor",
        "f": "Elizabeth:Liz,Beth,Lizzie Margaret:Maggie,Peggy Catherine:Cathy,Kate Susan:Sue "
        "Patricia:Pat,Trish Jennifer:Jen,Jenny Rebecca:Becky Victoria:Vicky Alexandra:Alex,Sandra "
        "Deborah:Debbie Christine:Chris Katherine:Kate,Kathy Jessica:Jess Samantha:Sam Amanda:Mandy "
        "Charlotte:Lottie Eleanor:Ellie,Nell Josephine:Jo Theresa:Tess Pamela:Pam Abigail:Abby "
        "Isabella:Bella Olivia:Liv Emily:Em Sophie Grace Hannah Lucy Ruth Helen Alice Fiona Moira "
        "Bronwen Priya Aisha Ngozi Latoya Rosa Naomi Shanice Heather Harriet:Hattie Penelope:Penny",
    },
    "de": {
        "m": "Johannes:Hannes,Hans Friedrich:Fritz Maximilian:Max Alexander:Alex Sebastian:Basti "
        "Andreas:Andi Matthias:Matze Christian:Chris Tobias:Tobi Stefan Jürgen Günter Wolfgang:Wolf "
        "Lukas Jonas Florian:Flo Felix Moritz Jörg Heinz Karl-Heinz Rainer Uwe Björn Emre Niklas:Nik",
        "f": "Katharina:Kathi,Käthe Elisabeth:Lisa,Sissi Susanne:Susi Gabriele:Gabi Margarete:Gretel "
        "Johanna:Hanna Stefanie:Steffi Christine:Tine Sabine:Bine Anneliese:Anne Ursula:Uschi Petra "
        "Jana Lena Leonie Franziska:Franzi Käthe Jördis Heike Silke Birgit Antje Aylin Theresa:Resi",
    },
    "fr": {
        "m": "Jean-Pierre:JP François:Fran Frédéric:Fred Philippe:Phil Alexandre:Alex Benoît:Ben "
        "Jérôme Stéphane:Steph Nicolas:Nico Laurent:Lolo Mathieu:Mat Rémi Étienne Thierry Gilles "
        "Hugo Lucas Théo Antoine:Toine Guillaume:Guigui Loïc Mehdi Baptiste:Bap Sébastien:Seb",
        "f": "Françoise:Fanfan Catherine:Cathy Élisabeth:Babeth Stéphanie:Steph Véronique:Véro "
        "Dominique:Dom Geneviève Hélène Céline Amélie Chloé Léa Manon Inès Anaïs Mathilde Margaux "
        "Aurélie Noémie Joséphine:José Marie-Claire Agnès Brigitte Fatou Sandrine",
    },
    "pl": {
        "m": "Aleksander:Olek Jan:Janek Stanisław:Staszek Andrzej:Jędrek Krzysztof:Krzysiek "
        "Tomasz:Tomek Paweł:Pawełek Michał:Misiek Łukasz:Łuki Grzegorz:Grzesiek Wojciech:Wojtek "
        "Zbigniew:Zbyszek Jakub:Kuba Mateusz Bartosz:Bartek Dariusz:Darek Józef:Józek Rafał Kacper",
        "f": "Katarzyna:Kasia Małgorzata:Gosia Agnieszka:Aga Joanna:Asia Barbara:Basia Ewa:Ewka "
        "Krystyna:Krysia Magdalena:Magda Aleksandra:Ola Zofia:Zosia Jadwiga:Jadzia Elżbieta:Ela "
        "Teresa:Tereska Natalia Weronika Łucja Beata Danuta:Danka Halina Iwona Żaneta",
    },
    "es": {
        "m": "José:Pepe Francisco:Paco Manuel:Manolo Antonio:Toni Jesús:Chus Ignacio:Nacho Rafael:Rafa "
        "Enrique:Quique Alejandro:Álex Guillermo:Guille Javier:Javi Andrés Álvaro Raúl Iván Óscar "
        "Sergio Pablo Diego Adrián Rubén Martín Gonzalo Íñigo Santiago:Santi",
        "f": "María Dolores:Lola Concepción:Concha Josefa:Pepa Francisca:Paqui Mercedes:Merche "
        "Rosario:Charo Isabel:Isa Inmaculada:Inma Montserrat:Montse Lucía Sofía Andrea Noelia Begoña "
        "Rocío Ángeles:Geles Verónica:Vero Núria Itziar Beatriz:Bea Teresa:Tere Pilar Elena",
    },
    "pt": {
        "m": "José:Zé João:Joãozinho Antônio:Toninho Francisco:Chico Luís:Lula Eduardo:Dudu Carlos:Carlinhos "
        "Gabriel:Biel Rafael:Rafa Felipe:Lipe Thiago:Ti Márcio Sérgio Cauã Vinícius:Vini Otávio Heitor "
        "Rodrigo:Digo Marcelo Flávio Emílio Caetano Augusto:Guto",
        "f": "Maria Ana Luíza:Lu Fernanda:Nanda Gabriela:Gabi Beatriz:Bia Letícia:Lê Juliana:Ju "
        "Adriana:Dri Patrícia:Pati Vitória:Vivi Isabela:Isa Conceição:Ceição Tânia Mônica Cláudia "
        "Débora Flávia Rosângela Yasmin Aparecida:Cida Lívia Simone Renata",
    },
    "el": {
        "m": "Γεώργιος=Georgios:Γιώργος Κωνσταντίνος=Konstantinos:Κώστας Ιωάννης=Ioannis:Γιάννης "
        "Δημήτριος=Dimitrios:Δημήτρης Νικόλαος=Nikolaos:Νίκος Παναγιώτης=Panagiotis:Πάνος "
        "Βασίλειος=Vasileios:Βασίλης Χρήστος=Christos Αθανάσιος=Athanasios:Θανάσης Σπύρος=Spyros "
        "Ελευθέριος=Eleftherios:Λευτέρης Αλέξανδρος=Alexandros:Αλέκος Στέφανος=Stefanos",
        "f": "Μαρία=Maria Ελένη=Eleni Αικατερίνη=Aikaterini:Κατερίνα Βασιλική=Vasiliki:Βάσω "
        "Σοφία=Sofia Γεωργία=Georgia Αγγελική=Angeliki:Αγγέλα Δήμητρα=Dimitra Ιωάννα=Ioanna "
        "Παρασκευή=Paraskevi:Βούλα Χριστίνα=Christina Ευαγγελία=Evangelia:Λίτσα Αναστασία=Anastasia",
    },
    "uk": {
        "m": "Олександр=Oleksandr:Сашко Сергій=Serhii:Сергійко Володимир=Volodymyr:Вова Андрій=Andrii "
        "Микола=Mykola:Коля Іван=Ivan Юрій=Yurii:Юра Михайло=Mykhailo:Миша Дмитро=Dmytro:Діма "
        "Тарас=Taras Богдан=Bohdan Олексій=Oleksii:Льоша Ярослав=Yaroslav:Славко Євген=Yevhen:Женя",
        "f": "Олена=Olena Наталія=Nataliia:Наталка Ірина=Iryna:Іра Оксана=Oksana Тетяна=Tetiana:Таня "
        "Людмила=Liudmyla:Люда Катерина=Kateryna:Катя Марія=Mariia Юлія=Yuliia:Юля Галина=Halyna "
        "Світлана=Svitlana:Світлана Ганна=Hanna Соломія=Solomiia Зоряна=Zoriana",
    },
    "ja": {
        "m": "太郎=Taro 健一=Kenichi:健ちゃん 大輔=Daisuke 翔太=Shota 拓也=Takuya 直樹=Naoki 和也=Kazuya "
        "誠=Makoto 隆=Takashi 浩二=Koji 悠斗=Yuto 蓮=Ren 修=Osamu 亮=Ryo 雄一郎=Yuichiro",
        "f": "花子=Hanako 美咲=Misaki 由美=Yumi 陽子=Yoko さくら=Sakura 葵=Aoi 恵子=Keiko 真由美=Mayumi "
        "優子=Yuko 結衣=Yui 千尋=Chihiro 香織=Kaori 明美=Akemi 舞=Mai 久美子=Kumiko",
    },
}

_EN_PLAIN = (
    "Smith Jones Taylor Brown Wilson Evans Walker Wright Hall Green Wood Clarke Hughes Edwards Hill Moore "
    "Cooper Ward Turner Carter Parker Bell Baker Kelly Murphy O'Brien MacDonald McKenzie Campbell Fraser "
    "Patel Khan Singh Ahmed Okafor Mensah Nguyen Garcia Lopez Rivera Cohen Novak Rossi Chen Kim "
    "Smith-Jones Armitage Pryce Llewellyn Fitzgerald"
)
_EN_PARTS = (
    "Ash Whit Thorn Brad Hart Nor Lang Mar Hol Kings Stan Wel Ald Cran Pem Red Wake Har Bux Sel",
    "ford ley worth ton combe well field brook wick den bury more",
)
_DE_PLAIN = (
    "Müller Schmidt Schneider Fischer Weber Meyer Maier Wagner Becker Schulz Hoffmann Koch Richter Klein "
    "Schröder Neumann Zimmermann Krüger Köhler Weiß Groß Jäger Böhm Öztürk Yılmaz Kowalski Lehmann Voß"
)
_DE_PARTS = (
    "Stein Linden Wald Eichen Roten Alten Ober Rosen Birken Falken Hohen Kirch Lauter Schön Winter Grün",
    "bach berg mann feld meier hoff stein burg thal bauer",
)
_FR_PLAIN = (
    "Martin Bernard Dubois Petit Moreau Laurent Lefèvre Leroy Roux Girard Bonnet Lambert Fontaine Mercier "
    "Guérin Faure Lévêque Benoît Gauthier Chevalier Diallo Benali Nguyen Le-Goff Périer Étienne"
)
_FR_PARTS = (
    "Beau Mont La Char Bel Roche Fon Ville Clair Val Grand Malle",
    "bois champ lier fort court pré roche rive vaux taine mont nay",
)
_PL_PLAIN = "Nowak Wójcik Kowalczyk Woźniak Mazur Krawczyk Kaczmarek Zając Król Wieczorek Stępień Duda Gąsior"
_PL_STEMS = (
    "Kowal Zieliń Wiśniew Dąbrow Lewandow Jankow Piotrow Grabow Pawłow Michal Jabłoń Majew Olszew Malinow "
    "Wróblew Sikor Rutkow Ostrow Tomaszew Zalew Borkow Sokołow Makow Lipow Brzozow Sosnow Górec Jasiń"
)
_ES_PARTS = (
    "García Martínez López Sánchez Pérez Gómez Ruiz Díaz Moreno Muñoz Álvarez Romero Navarro Torres Ramos "
    "Gil Serrano Molina Ortega Delgado Castro Rubio Marín Iglesias Núñez Peña Vidal Ibáñez Echeverría Puig"
)
_PT_PARTS = (
    "Silva Santos Oliveira Souza Rodrigues Ferreira Alves Pereira Lima Gomes Costa Ribeiro Martins Carvalho "
    "Almeida Araújo Barbosa Cardoso Conceição Teixeira Moura Freitas Batista Magalhães Nakamura"
)
_EL_STEMS = (
    "Παπαδ=Papad Δημητρ=Dimitr Νικολ=Nikol Αντων=Anton Σταυρ=Stavr Αναγνωστ=Anagnost Θεοδωρ=Theodor "
    "Αθανασ=Athanas Γιαννακ=Giannak Βασιλ=Vasil Μιχαηλ=Michail Πετρ=Petr Μαρκ=Mark Σπυρ=Spyr Χριστ=Christ"
)
_EL_ENDINGS = "όπουλος/οπούλου=opoulos/opoulou ίδης/ίδου=idis/idou άκης/άκη=akis/aki"
_UK_STEMS = (
    "Бондар=Bondar Ткач=Tkach Кравч=Kravch Мороз=Moroz Лис=Lys Петр=Petr Савч=Savch Павл=Pavl Марч=March "
    "Гонч=Honch Васил=Vasyl Клим=Klym Яким=Yakym Захар=Zakhar Федор=Fedor Литвин=Lytvyn Тимош=Tymosh"
)
_UK_ENDINGS = "енко/енко=enko/enko ук/ук=uk/uk івський/івська=ivskyi/ivska"
_JA_FIRST = (
    "山=Yama 中=Naka 村=Mura 石=Ishi 高=Taka 松=Matsu 藤=Fuji 西=Nishi 北=Kita 大=O 小=Ko 森=Mori 岡=Oka "
    "長=Naga 吉=Yoshi 青=Ao 黒=Kuro 竹=Take 上=Ue 前=Mae"
)
_JA_LAST = "田=da 村=mura 川=kawa 本=moto 野=no 原=hara 島=shima 井=i 木=ki 沢=sawa 山=yama 崎=saki"


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(native, latin) for native, latin in (word.split("=") for word in text.split())]


def _same(names: list[str]) -> tuple[Surname, ...]:
    forms = [Name(name, fold(name)) for name in names]
    return tuple(Surname(form, form) for form in forms)


def _joined(plain: str, parts: tuple[str, str]) -> list[str]:
    return plain.split() + [first + last for first, last in product(parts[0].split(), parts[1].split())]


def _polish() -> tuple[Surname, ...]:
    gendered = tuple(
        Surname(Name(f"{stem}ski", fold(f"{stem}ski")), Name(f"{stem}ska", fold(f"{stem}ska")))
        for stem in _PL_STEMS.split()
    )
    return _same(_PL_PLAIN.split()) + gendered


def _inflected(stems: str, endings: str) -> tuple[Surname, ...]:
    found = []
    for (stem, stem_latin), (ending, ending_latin) in product(_pairs(stems), _pairs(endings)):
        male, female = ending.split("/")
        male_latin, female_latin = ending_latin.split("/")
        found.append(
            Surname(
                Name(stem + male, stem_latin + male_latin), Name(stem + female, stem_latin + female_latin)
            )
        )
    return tuple(found)


def _japanese() -> tuple[Surname, ...]:
    names = [
        Name(first + last, first_latin + last_latin)
        for (first, first_latin), (last, last_latin) in product(_pairs(_JA_FIRST), _pairs(_JA_LAST))
        if first != last
    ]
    return tuple(Surname(name, name) for name in names)


@cache
def surnames(language: str) -> tuple[Surname, ...]:
    """Return the surnames of a language; Spanish and Portuguese ones are pairs of family names."""
    return _SURNAMES[language]()


def _given(word: str) -> Name:
    head, _, short = word.partition(":")
    native, _, latin = head.partition("=")
    return Name(native, latin or fold(native), tuple(short.split(",")) if short else ())


@cache
def given_names(language: str, sex: str) -> tuple[Name, ...]:
    """Return the given names of a language and a sex (``f`` or ``m``)."""
    return tuple(_given(word) for word in GIVEN[language][sex].split())


def _two_families(parts: str) -> tuple[Surname, ...]:
    names = parts.split()
    return _same([f"{first} {last}" for first, last in product(names, names) if first != last])


_SURNAMES: dict[str, Callable[[], tuple[Surname, ...]]] = {
    "en": lambda: _same(_joined(_EN_PLAIN, _EN_PARTS)),
    "de": lambda: _same(_joined(_DE_PLAIN, _DE_PARTS)),
    "fr": lambda: _same(_joined(_FR_PLAIN, _FR_PARTS)),
    "pl": _polish,
    "es": lambda: _two_families(_ES_PARTS),
    "pt": lambda: _two_families(_PT_PARTS),
    "el": lambda: _inflected(_EL_STEMS, _EL_ENDINGS),
    "uk": lambda: _inflected(_UK_STEMS, _UK_ENDINGS),
    "ja": _japanese,
}
