"""Names in Arabic, Hebrew, Japanese kana and Korean script spelled in Latin letters.

Kana and hangul say how they sound: modified Hepburn and the Revised Romanization of Korean, without the long
vowels that names in passports leave out, and surnames as their bearers usually write them. Arabic and Hebrew
write consonants: the vowels between them are guessed to be ``a``, which gives names that are alike and sound
alike, and the names that most people bear are spelled as they usually are.
"""

from __future__ import annotations

import re
import unicodedata

_ARABIC = {
    "ا": "a", "ب": "b", "ت": "t", "ث": "th", "ج": "j", "ح": "h", "خ": "kh", "د": "d", "ذ": "dh", "ر": "r",
    "ز": "z", "س": "s", "ش": "sh", "ص": "s", "ض": "d", "ط": "t", "ظ": "z", "ع": "'", "غ": "gh", "ف": "f",
    "ق": "q", "ك": "k", "ک": "k", "گ": "g", "ل": "l", "م": "m", "ن": "n", "ه": "h", "ة": "a", "ى": "a",
    "و": "u", "ؤ": "u", "ي": "i", "ی": "i", "ئ": "i", "ء": "'", "پ": "p", "چ": "ch", "ژ": "zh",
    "ہ": "h", "ھ": "h", "ے": "i", "ٹ": "t", "ڈ": "d", "ڑ": "r", "ں": "n",
}  # fmt: skip
_HEBREW = {
    "א": "'", "ב": "b", "ג": "g", "ד": "d", "ה": "h", "ו": "u", "ז": "z", "ח": "h", "ט": "t", "י": "i",
    "כ": "k", "ך": "kh", "ל": "l", "מ": "m", "ם": "m", "נ": "n", "ן": "n", "ס": "s", "ע": "'", "פ": "p",
    "ף": "f", "צ": "tz", "ץ": "tz", "ק": "k", "ר": "r", "ש": "sh", "ת": "t",
}  # fmt: skip
_KNOWN: dict[str, str] = dict(
    zip(*[iter(
        "محمد mohamed محمود mahmoud احمد ahmed علي ali حسن hassan حسين hussein عمر omar خالد khaled يوسف yusuf "
        "ابراهيم ibrahim اسماعيل ismail مصطفى mustafa عثمان othman طارق tariq مريم maryam فاطمة fatima "
        "عائشة aisha خديجة khadija زينب zainab ليلى layla سلمى salma هدى huda منى mona نادية nadia عادل adel "
        "هشام hisham صالح saleh ناصر nasser حمزة hamza موسى musa عيسى issa داود dawood سليمان suleiman "
        "رحمن rahman رحيم rahim عزيز aziz قادر qader كريم karim الله allah له lah "
        "משה moshe דוד david יוסף yosef יעקב yaakov אברהם avraham יצחק yitzhak שרה sarah רחל rachel רבקה rivka "
        "לאה leah מרים miriam חנה hannah אסתר esther כהן cohen לוי levi נתן natan דניאל daniel שלמה shlomo "
        "ישראל israel אהרון aharon יונתן yonatan מיכאל michael תמר tamar נועה noa יעל yael אבי avi".split()
    )] * 2, strict=True)
)  # fmt: skip
_BARE = str.maketrans(
    "أإآٱ", "اااا", "ـ" + "".join(map(chr, [*range(0x64B, 0x653), 0x670, *range(0x591, 0x5C8)]))
)
_KANA = dict(
    zip(
        "あいうえおかがきぎくぐけげこごさざしじすずせぜそぞただちぢつづてでとどなにぬねのはばぱひびぴふぶぷへべぺほぼぽ"
        "まみむめもやゆよらりるれろわゐゑをんゔ",
        "a i u e o ka ga ki gi ku gu ke ge ko go sa za shi ji su zu se ze so zo ta da chi ji tsu zu te de to do na "
        "ni nu ne no ha ba pa hi bi pi fu bu pu he be pe ho bo po ma mi mu me mo ya yu yo ra ri ru re ro wa i e o n "
        "vu".split(),
        strict=True,
    )
)
_SMALL = dict(zip("ぁぃぅぇぉゃゅょ", "a i u e o ya yu yo".split(), strict=True))
_LONG = re.compile(r"(?<=[ou])u(?![aeiou])|(?<=o)o")
_INITIALS = "g kk n d tt r m b pp s ss . j jj ch k t p h".split()
_VOWELS = "a ae ya yae eo e yeo ye o wa wae oe yo u wo we wi yu eu ui i".split()
_FINALS = ". k k k n n n t l k m l l l p l m p p t t ng t t k t p t".split()
_SURNAMES = dict(
    zip(
        "김이박최정강조윤임오신권안유노남문우구전백허심",
        "kim lee park choi jung kang cho yoon lim oh shin kwon ahn yoo noh nam moon woo koo jeon baek heo shim".split(),
        strict=True,
    )
)
_CONSONANTS, _SYLLABLES = "[\u0590-\u05ff\u0620-\u065f\u0670-\u06ef]+", "[\uac00-\ud7a3]+"
_WORD = re.compile(f"({_CONSONANTS})|({_SYLLABLES})|([\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff]+)")
_OTHERS = re.compile("[\u0590-\u06ff\u3041-\u30ff\uac00-\ud7a3\u1100-\u11ff\uff66-\uff9f]")
_SERVANT = re.compile(f"عبد\\s*ال({_CONSONANTS})")  # of God: one name, written as one word or two
_HALF_WIDTH = re.compile("[\uff66-\uff9f]+")
_KOREAN_NAME = re.compile(r"(남궁|황보|제갈|선우|독고|사공|[\uac00-\ud7a3])\s*([\uac00-\ud7a3]{1,2})")


def spell(text: str) -> str:
    """Spell the words of these scripts in Latin letters; everything else stays.

    >>> spell("محمد علي"), spell("やまだ ヤマダ さとう"), spell("김 민수"), spell("משה כהן")
    ('mohamed ali', 'yamada yamada sato', 'kim minsu', 'moshe cohen')
    """
    if not _OTHERS.search(text):
        return text
    text = _SERVANT.sub(lambda found: "abdul" + _with_vowels(found[1].translate(_BARE)), text)
    text = _HALF_WIDTH.sub(
        lambda found: unicodedata.normalize("NFKC", found[0]), unicodedata.normalize("NFC", text)
    )
    return _WORD.sub(_spelled, text)


def korean_name(value: str) -> str:
    """A whole Korean name as "surname, given name", which is its order; any other text as it is.

    >>> korean_name("김민수"), korean_name("남궁 민"), korean_name("Kim Minsu")
    ('김, 민수', '남궁, 민', 'Kim Minsu')
    """
    found = _KOREAN_NAME.fullmatch(value.strip())
    return f"{found[1]}, {found[2]}" if found else value


def _spelled(found: re.Match[str]) -> str:
    if found[1]:
        return _with_vowels(found[1].translate(_BARE) or found[1])
    return _korean(found[2]) if found[2] else _japanese(found[3])


def _with_vowels(word: str) -> str:
    """A word of consonants; the article and "servant of" are told from the name."""
    if word in _KNOWN:
        return _KNOWN[word]
    if word.startswith("ال") and len(word) > 4:
        return f"al {_with_vowels(word[2:])}"
    table = _HEBREW if "\u0590" <= word[0] <= "\u05ff" else _ARABIC
    sounds = [sound for sign in word if (sound := table.get(sign))]
    made = ""
    for place, sound in enumerate(sounds):
        near = [*sounds[max(place - 1, 0) : place], *sounds[place + 1 : place + 2]]
        before = made[-1:] in ("a", "i", "u")
        if sound in ("u", "i") and (place == 0 or not {"a", "u", "i"}.isdisjoint(near)):
            made += "y" if sound == "i" else "w" if table is _ARABIC else "v"
        elif sound == "'":
            made += "" if before else "a"
        else:
            made += sound if place == 0 or before or sound in ("a", "u", "i") else f"a{sound}"
    return made or word


def _japanese(word: str) -> str:
    made, doubled = "", False
    for written in word:
        sign = chr(ord(written) - 0x60) if "ァ" <= written <= "ヶ" else written
        small = _SMALL.get(sign, "")
        if small and len(small) == 2 and made.endswith(("shi", "chi", "ji")):
            made = made[:-1] + small[1]
        elif small:
            made = made[:-1] + small if made[-1:] in ("i", "u", "e", "o") and len(made) > 1 else made + small
        elif sign == "っ":
            doubled = True
        else:
            sound = _KANA.get(sign, "")
            made, doubled = made + (sound[:1] if doubled else "") + sound, False
    return _LONG.sub("", made) or word


def _korean(word: str) -> str:
    if len(word) == 1 and word in _SURNAMES:
        return _SURNAMES[word]
    made = ""
    for sign in word:
        rest, final = divmod(ord(sign) - 0xAC00, len(_FINALS))
        initial, vowel = divmod(rest, len(_VOWELS))
        made += _INITIALS[initial].strip(".") + _VOWELS[vowel] + _FINALS[final].strip(".")
    return made
