"""The search index of a release: every word by which a customer may be looked for, and who has it.

Words are folded the same way here and in a query (:func:`fold`): case, accents and apostrophes make no
difference. ``customer_no`` counts customers from the one who was seen last, so the newest of equal hits come
first without another look. A telephone number is one word, its digits backwards behind ``#``: a search by its
last digits is one by a prefix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import duckdb

LONGEST_WORD: Final = 40
PHONE: Final = "#"
# The fields of a posting are a sum of these.
FIELDS: Final = {"name": 1, "email": 2, "company": 4, "city": 8, "postcode": 16, "handle": 32, "phone": 64}
SHARED: Final = 1 + 4 + 8 + 16
"""Fields whose words are words: of a mailbox or a handle they may be anything."""


def fold(text: str) -> str:
    """Return the SQL of a text as it is compared: without accents, case and apostrophes."""
    plain = f"translate(lower(strip_accents({text})), 'øłđðıħŧ''’ʼ`´', 'olddiht')"
    return f"replace(replace(replace(replace({plain}, 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th')"


def words(text: str) -> str:
    """Return the SQL of the folded words of a text, a list."""
    return f"regexp_extract_all({fold(text)}, '[\\p{{L}}\\p{{N}}]+')"


def sound(word: str) -> str:
    """Return the SQL of how a folded word sounds, roughly: consonants in classes, vowels left out."""
    rest = f"translate(replace(substr({word}, 2), 'ph', 'f'), 'vzcqdbg', 'fskktpk')"
    return f"left({word}, 1) || regexp_replace({rest}, '[aeiouyhw]', '', 'g')"


LETTERS: Final = "bit_or(1::BIGINT << (unicode(letter) % 61))"
"""SQL: the set of a word's letters, a bit each: one edit changes two of them at most."""

_NUMBERS: Final = """
INSERT INTO search_customers BY NAME
SELECT row_number() OVER (ORDER BY last_seen_at DESC NULLS LAST, customer_id)::INTEGER AS customer_no, customer_id
FROM customers ORDER BY customer_no
"""

# Of a domain the last label says nothing. Names in scripts without spaces are found from any character on.
_TEXTS: Final = f"""
CREATE TEMP TABLE search_texts AS
WITH texts AS (
    SELECT customer_id, 1 AS field, concat_ws(' ', full_name, given_name, surname) AS text FROM customers
    UNION ALL SELECT customer_id, 4, company FROM customers
    UNION ALL SELECT customer_id, 8, city FROM customers
    UNION ALL SELECT customer_id, 16, postcode FROM customers
    UNION ALL SELECT customer_id, 2, regexp_replace(email, '\\.[^.@]*$', '') FROM customers
    UNION ALL SELECT DISTINCT customer_id, 2, regexp_replace(value, '\\.[^.@]*$', '') FROM customer_identifiers
        WHERE type = 'email'
    UNION ALL SELECT DISTINCT customer_id, 32, value FROM customer_identifiers WHERE type = 'handle'),
words AS (
    SELECT customer_id, field, left(unnest({words("text")}), {LONGEST_WORD}) AS word
    FROM texts WHERE text <> ''
    UNION ALL
    SELECT DISTINCT customer_id, 64, '{PHONE}' || reverse(regexp_replace(value, '[^0-9]', '', 'g'))
    FROM (SELECT customer_id, value FROM customer_identifiers WHERE type = 'phone'
        UNION ALL SELECT customer_id, phone FROM customers WHERE phone <> ''))
SELECT n.customer_no, w.word, bit_or(w.field)::UTINYINT AS fields
FROM words AS w JOIN search_customers AS n USING (customer_id) GROUP BY ALL;

INSERT INTO search_texts
SELECT customer_no, substr(word, place, {LONGEST_WORD}) AS word, fields
FROM search_texts, unnest(range(2, length(word) + 1)) AS places(place)
WHERE regexp_matches(word, '[\\p{{Han}}\\p{{Hiragana}}\\p{{Katakana}}\\p{{Hangul}}\\p{{Thai}}]')
"""

_TABLES: Final = f"""
CREATE TEMP TABLE search_distinct AS
SELECT word, count(DISTINCT customer_no)::INTEGER AS customers, bit_or(fields) AS fields,
    row_number() OVER (ORDER BY word)::INTEGER AS word_no
FROM search_texts GROUP BY word;

INSERT INTO search_words BY NAME
SELECT word_no, word, customers FROM search_distinct ORDER BY word_no;

INSERT INTO search_spellings BY NAME
SELECT d.fields & {SHARED} = 0 AND d.customers = 1 AS is_rare, length(d.word)::UTINYINT AS length, l.letters,
    {sound("d.word")} AS sound, d.word_no, d.word
FROM search_distinct AS d JOIN (
    SELECT word_no, {LETTERS} AS letters
    FROM (SELECT word_no, unnest(string_split(word, '')) AS letter FROM search_distinct) GROUP BY word_no
) AS l USING (word_no)
WHERE NOT starts_with(d.word, '{PHONE}') ORDER BY is_rare, length, d.word_no;

INSERT INTO search_postings BY NAME
SELECT d.word_no, t.customer_no, bit_or(t.fields)::UTINYINT AS fields
FROM search_texts AS t JOIN search_distinct AS d USING (word)
GROUP BY d.word_no, t.customer_no ORDER BY d.word_no, t.customer_no;

DROP TABLE search_texts;
DROP TABLE search_distinct
"""


def fill(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill the search tables of a release from its customers and their identifiers."""
    for statements in (_NUMBERS, _TEXTS, _TABLES):
        connection.execute(statements)
