"""Folding of text to comparable ASCII: case, accents, other scripts, punctuation.

Cyrillic and Greek letters are spelled out with one fixed table each, and the commonest Han characters
of personal names with their pinyin, so that one person written in two scripts can agree; for Arabic, Hebrew,
kana and hangul see ``scripts``. A script that has no table is kept as it is: equal stays equal, and nothing is
invented.
"""

from __future__ import annotations

import re
import unicodedata

from identity.normalise.scripts import spell

_LATIN = {
    "ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i",
    "ŋ": "n", "ħ": "h", "ĸ": "k", "ʻ": "", "ʼ": "", "’": "'", "‘": "'", "`": "'", "´": "'",
    "–": "-", "—": "-", "‐": "-", "\u00a0": " ",
}  # fmt: skip
_CYRILLIC = {
    "а": "a", "б": "b", "в": "v", "г": "g", "ґ": "g", "д": "d", "е": "e", "ё": "e", "є": "e", "ж": "zh",
    "з": "z", "и": "i", "і": "i", "ї": "i", "й": "y", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o",
    "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ў": "v", "ф": "f", "х": "kh", "ц": "ts", "ч": "ch",
    "ш": "sh", "щ": "shch", "ъ": "", "ы": "y", "ь": "", "э": "e", "ю": "yu", "я": "ya", "ђ": "dj",
    "ј": "j", "љ": "lj", "њ": "nj", "ћ": "c", "џ": "dz", "ѓ": "g", "ќ": "k", "ѕ": "dz",
}  # fmt: skip
_GREEK = {
    "α": "a", "β": "v", "γ": "g", "δ": "d", "ε": "e", "ζ": "z", "η": "i", "θ": "th", "ι": "i", "κ": "k",
    "λ": "l", "μ": "m", "ν": "n", "ξ": "x", "ο": "o", "π": "p", "ρ": "r", "σ": "s", "ς": "s", "τ": "t",
    "υ": "y", "φ": "f", "χ": "ch", "ψ": "ps", "ω": "o",
}  # fmt: skip
_HAN_WORDS = (
    "wang王 li李 zhang张張 liu刘劉 chen陈陳 yang杨楊 huang黄黃 "
    "zhao赵趙 wu吴吳武 zhou周 xu徐许許 sun孙孫 ma马馬 "
    "zhu朱 hu胡 guo郭国國 he何和 lin林琳 gao高 luo罗羅 "
    "zheng郑鄭正 liang梁 xie谢謝 song宋 tang唐汤湯 deng邓鄧 "
    "han韩韓 feng冯馮峰凤鳳 cao曹 peng彭鹏鵬 zeng曾 xiao肖萧小晓曉 "
    "tian田天 dong董东東 yuan袁媛 pan潘 yu于余玉宇雨 "
    "jiang蒋江 cai蔡 du杜 ye叶葉 cheng程成 su苏蘇 wei魏伟偉薇卫衛 "
    "lu吕陆鲁露 ding丁 ren任仁 shen沈 yao姚 jie杰洁 "
    "fang方芳 jing静敬晶 na娜 min敏 lei磊雷 qiang强強 "
    "jun军軍俊君 yan艳燕岩颜 yong勇 tao涛濤 ming明 chao超 "
    "xiu秀 ying英莹穎 xia霞夏 ping平萍 gang刚剛 gui桂贵 "
    "fei飞飛菲 hua华華花 bo波博 hui辉慧惠 jian建健 hong红紅宏洪 "
    "mei梅美 qing青清庆 bin斌彬 long龙龍 dan丹 ning宁寧 ting婷 "
    "hao浩豪 kai凯凱 xin新欣鑫心 xue雪学薛 yi一艺毅怡 zhi志智 "
    "guang光广 shu淑书树 zhen珍真振 lan兰蘭 cui崔翠 shi石史师 rong荣容蓉 "
    "da大 wen文 an安 ai爱 zi子紫 jia佳家嘉 "
)
_HAN = {
    ch: f" {word[: len(word) - len(chars)]} "
    for word in _HAN_WORDS.split()
    for chars in ["".join(c for c in word if ord(c) > 0x2E80)]
    for ch in chars
}
_TABLE = str.maketrans({**_HAN, **_LATIN, **_CYRILLIC, **_GREEK})
_NOT_WORD = re.compile(r"[^0-9a-z\u0080-\U0010ffff]+")
_MISSING = frozenset(
    "na n/a nan null none nil unknown unk undefined missing anonymous anon test tester testing xxx xx x "
    "tbd tba - . ? -- not available not applicable not known no name noname not provided "
    "notprovided guest".split()
) | {"not available", "not applicable", "not known", "no name", "not provided", "#n/a", "n.a."}


def fold(value: str) -> str:
    """Lower case, without accents, in Latin letters where a table exists; punctuation stays.

    >>> fold("Müllenkránz"), fold("ВАСИЛЬЕВ"), fold("王杰").split()
    ('mullenkranz', 'vasilev', ['wang', 'jie'])
    """
    if value.isascii():
        return value.lower()
    lowered = value.lower().replace("ου", "ou").replace("ού", "ou").translate(_TABLE)
    if lowered.isascii():
        return lowered
    lowered = spell(lowered)
    decomposed = unicodedata.normalize("NFKD", lowered)
    stripped = "".join(ch for ch in decomposed if not unicodedata.combining(ch))
    return unicodedata.normalize("NFC", stripped.translate(_TABLE))


def words(value: str) -> str:
    """Fold and keep only letters and digits, words separated by one blank.

    >>> words("  O'Hare & Söhne, Ltd. ")
    'o hare sohne ltd'
    """
    return _NOT_WORD.sub(" ", fold(value)).strip()


def is_missing(value: str) -> bool:
    """Say whether a text only stands for "no value".

    >>> is_missing("N/A"), is_missing("  "), is_missing("Nathan")
    (True, True, False)
    """
    text = value.strip().lower()
    return not text or text in _MISSING


def consonant_code(value: str) -> str:
    """Code a Latin word by sound: similar consonants share a digit, vowels and repeats fall away.

    The classes are those of Russell's Soundex (1918), with leading spellings of one sound joined and
    without the limit of four signs, which keeps long names apart.

    >>> consonant_code("knight"), consonant_code("night")
    ('n23', 'n23')
    """
    if not value:
        return ""
    word = value
    for written, spoken in _LEADING:
        if word.startswith(written):
            word = spoken + word[len(written) :]
            break
    code, last = [word[0]], _SOUND.get(word[0], "")
    for ch in word[1:]:
        sound = _SOUND.get(ch, "")
        if sound and sound != last:
            code.append(sound)
        if ch not in "hw":
            last = sound
    return "".join(code)


_LEADING = (("kn", "n"), ("gn", "n"), ("wr", "r"), ("ph", "f"), ("ps", "s"), ("wh", "w"), ("mc", "mac"),
            ("cz", "s"), ("c", "k"), ("q", "k"), ("x", "s"), ("z", "s"), ("j", "j"))  # fmt: skip
_SOUND = {
    **dict.fromkeys("bfpv", "1"), **dict.fromkeys("cgjkqsxz", "2"), **dict.fromkeys("dt", "3"),
    "l": "4", **dict.fromkeys("mn", "5"), "r": "6",
}  # fmt: skip
