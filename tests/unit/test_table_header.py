"""A file without a header keeps its first record; a header is never taken for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdp.cli.table_csv import read_csv

PEOPLE = ["Bob Ray,bob@x.com,Leeds", "Ann Lee,ann@x.com,York", "Carl Gauss,,Leeds"]
RECORDS = {
    "an e-mail address": ["Ann Lee,ann@x.com,London", *PEOPLE],
    "an e-mail address alone": ["ann@x.com", "bob@x.com", "ann@x.com"],
    "one record alone": ["Ann Lee,ann@x.com,London"],
    "an e-mail address where others have none": ["Xi,xi@x.com,", "Bob Ray,,Leeds", "Ann Lee,,York"],
    "a date": ["Xyla,1980-01-31,a", "Bob,1977-12-01,b", "Ann,1966-05-07,c"],
    "a date of another country": ["Xyla;31.01.1980", "Bob;01.12.1977", "Ann;07.05.1966"],
    "a date with a month in words": ["Xyla;3 août 1980", "Bob;1 mars 1977", "Ann;7 mai 1966"],
    "a telephone number": ["Xyla,+44 20 7946 0958", "Bob,020 7946 0111", "Ann,(020) 7946 0222"],
    "telephone numbers alone": ["5835735431", "5835735432", "7035735431"],
    "a telephone number and gaps": [",Xyla,583-573-5431", "1,Bob,583-573-5432", "2,Ann,"],
    "a postcode": ["Xyla Quux,10115", "Bob Ray,80999", "Ann Lee,20095"],
    "a number, a name": ["1,Ann Lee,London", "2,Bob Ray,Leeds", "3,Mary Moss,York"],
    "a name, a street": ["Ann Lee;12 Moss Street", "Bob Ray;3 Kiln Lane", "Mary Moss;1600 Oak Ave"],
    "names alone": ["Ann Lee", "Bob Ray", "Mary Moss"],
    "streets alone": ["12 Moss Street", "3 Kiln Lane", "1600 Oak Ave"],
    "a name and a postcode of letters": ["Ann Lee,LS1 4DY", "Bob Ray,YO1 7HH", "Mary Moss,EH1 1BB"],
    "a name and a sex": ["Ann Lee,f", "Bob Ray,m", "Mary Moss,f"],
    "organisations": ["Acme Widgets Inc.,1 Elm Road", "Blue Ocean Ltd,2 Oak Street", "Moss GmbH,3 Kiln Lane"],
}
HEADERS = {
    "english": "name,email,city",
    "german": "Vorname,E-Mail,Wohnort",
    "french": "prénom,courriel,ville",
    "spanish": "Nombre,Correo,Ciudad",
    "polish": "imię,poczta,miasto",
    "turkish": "ad,eposta,şehir",
    "japanese": "氏名,メール,市",
    "arabic": "الاسم,البريد,المدينة",
    "russian": "Имя,Почта,Город",
    "letters": "a,b,c",
    "numbers of columns": "0,1,2",
    "blank names": ",,",
    "names that say little": "x1,x2,x3",
    "a name with an at sign": "name,mail@home,city",
}
OTHERS = {
    "one column of names": ["name", "Ann Lee", "Bob Ray"],
    "one column of names, not known": ["who is it", "Ann Lee", "Bob Ray"],
    "one column of addresses": ["contact", "ann@x.com", "bob@x.com"],
    "a word above numbers": ["imię,numer", "Ann,5835735431", "Bob,5835735432"],
    "to bill": ["Bill To,Amount", "Ann Lee,20", "Bob Ray,30"],
    "to bill alone": ["Bill To", "Ann Lee", "Bob Ray"],
    "dean and guy": ["Dean,Faculty", "Ann Lee,Arts", "Bob Ray,Law"],
    "a street in a name": ["Owner,Street Address", "Ann Lee,12 Moss Street", "Bob Ray,3 Kiln Lane"],
    "years": ["client,2019,2020", "Ann Lee,125000,130000", "Bob Ray,10,20"],
    "years alone": ["2019,2020", "125000,130000", "10000,20000"],
    "pairs of years": ["Konto;2019/2020;2020/2021", "4400;125000;130000", "4500;225000;230000"],
    "months": ["Konto,202001,202002", "4400,125000,130000", "4500,225000,230000"],
    "days": ["plan,2020-01-31,2020-02-29", "gold,125.5,130", "silver,225,230"],
    "days above texts": ["name,2020-01-31", "Ann Lee,here", "Bob Ray,ill"],
    "days of people": ["customer,2020-01-31", "Ann Lee,2021-01-01", "Bob Ray,2021-01-02"],
    "groups of hotels": ["Hotel Group", "Marriott International Hotels", "Blue Ocean Inn Group"],
    "numbers of questions": ["name,q10001,q10002", "Ann Lee,1,2", "Bob Ray,2,1"],
    "nothing below": ["name,email"],
}


def read(tmp_path: Path, lines: list[str]) -> tuple[list[str], list[dict[str, str]], tuple[str, ...]]:
    data = ("\n".join(lines) + "\n").encode()
    table, _, notes = read_csv(tmp_path / "in.csv", data)
    return table.column_names, table.to_pylist(), notes


@pytest.mark.parametrize("case", RECORDS)
def test_a_first_line_that_is_a_record_is_kept(tmp_path: Path, case: str) -> None:
    lines = RECORDS[case]
    names, rows, notes = read(tmp_path, lines)
    mark = ";" if ";" in lines[0] else ","
    assert [mark.join(row.values()) for row in rows] == lines
    assert names == [f"column_{place}" for place in range(1, len(names) + 1)]
    assert notes == ("no header: the first line is a record, columns are named by their place",)


@pytest.mark.parametrize("case", HEADERS)
@pytest.mark.parametrize("size", [1, 3])
def test_a_header_in_any_language_stays_one(tmp_path: Path, case: str, size: int) -> None:
    _, rows, notes = read(tmp_path, [HEADERS[case], *PEOPLE[:size]])
    assert len(rows) == size
    assert not any(note.startswith("no header") for note in notes)


@pytest.mark.parametrize("case", OTHERS)
def test_a_header_that_looks_like_values_stays_one(tmp_path: Path, case: str) -> None:
    lines = OTHERS[case]
    if len(lines) == 1:
        lines = [*lines, ",".join([""] * (lines[0].count(",") + 1))]
    names, rows, notes = read(tmp_path, lines)
    assert len(rows) == len(lines) - 1
    assert names == lines[0].split(";" if ";" in lines[0] else ",")
    assert notes == ()


def test_a_broken_row_is_named_by_its_line_without_a_header_too(tmp_path: Path) -> None:
    from cdp.errors import UsageError

    with pytest.raises(UsageError, match="line 3: 2 cells, the first line has 3"):
        read(tmp_path, ["Ann Lee,ann@x.com,London", PEOPLE[0], "Bob,b@x.com"])
