"""Files as people have them: encodings, delimiters, names, and what is wrong with a file in a line."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.kit.errors import BadInput, UserMistake
from features.kit.flat_files import reading
from features.kit.flat_files.reading import read_file

TEXT = "firm,city\nacme,München\nbeta,Köln\n"


def read(folder: Path, content: bytes, name: str = "leads.csv", encoding: str | None = None) -> reading.FlatFile:
    (folder / name).write_bytes(content)
    return read_file(folder / name, encoding)


class TestEncodings:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
    def test_the_texts_are_the_same(self, tmp_path: Path, encoding: str) -> None:
        assert read(tmp_path, TEXT.encode(encoding)).table.to_pydict() == {
            "firm": ["acme", "beta"],
            "city": ["München", "Köln"],
        }

    def test_an_assumed_encoding_is_reported(self, tmp_path: Path) -> None:
        said = read(tmp_path, TEXT.encode("cp1252")).dialect.said()
        assert said == (
            "read as CSV: comma between columns, encoding cp1252 (not UTF-8: byte 0xfc in line 2; --encoding names another)"
        )

    def test_a_named_encoding_is_used(self, tmp_path: Path) -> None:
        file = read(tmp_path, "firm,city\nacme,Łódź\n".encode("cp1250"), encoding="cp1250")
        assert file.table["city"].to_pylist() == ["Łódź"]

    def test_a_wrong_or_unknown_encoding_is_refused_with_the_next_step(self, tmp_path: Path) -> None:
        with pytest.raises(UserMistake, match="byte 0xff in line 2, nor cp1252: name its encoding with --encoding"):
            read(tmp_path, b"a,b\n\xff\x81,2\n")
        with pytest.raises(UserMistake, match="not a known encoding"):
            read(tmp_path, b"a,b\n1,2\n", encoding="klingon")
        with pytest.raises(UserMistake, match="not written in utf-8"):
            read(tmp_path, TEXT.encode("cp1252"), encoding="utf-8")


class TestDelimiters:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_the_delimiter_is_detected(self, tmp_path: Path, delimiter: str) -> None:
        rows = [["name", "note", "arr"], ["a", '"x, y; z | t"', "6"], ["b", '"two\nlines"', "7"]]
        content = "\n".join(delimiter.join(row) for row in rows)
        assert read(tmp_path, content.encode()).table.to_pydict() == {
            "name": ["a", "b"],
            "note": ["x, y; z | t", "two\nlines"],
            "arr": ["6", "7"],
        }

    def test_decimal_commas_are_no_columns(self, tmp_path: Path) -> None:
        assert read(tmp_path, b"a;b\n1,5;2,5\n3,5;4,5\n").table.column_names == ["a", "b"]

    def test_excels_first_line_that_names_the_separator_is_understood(self, tmp_path: Path) -> None:
        assert read(tmp_path, b"sep=;\r\na;b\r\n1;2\r\n").table.to_pydict() == {"a": ["1"], "b": ["2"]}

    def test_a_compressed_file_is_read(self, tmp_path: Path) -> None:
        assert read(tmp_path, gzip.compress(b"a;b\n1;2\n"), "leads.csv.gz").table.to_pydict() == {
            "a": ["1"],
            "b": ["2"],
        }


class TestLetters:
    def test_values_stay_as_they_stand(self, tmp_path: Path) -> None:
        values = ["000123", "12e4", "NULL", "NA", "None", "", " x ", "1.50", "True", "2024-01-01"]
        assert read(tmp_path, ("v,w\n" + "".join(f"{v},1\n" for v in values)).encode()).table["v"].to_pylist() == values

    def test_names_with_dots_quotes_and_sql_words(self, tmp_path: Path) -> None:
        names = ["a.b", 'say "x"', "select", "score", "naïve", ""]
        header = ",".join('"' + n.replace('"', '""') + '"' for n in names)
        assert read(tmp_path, f"{header}\n1,2,3,4,5,6\n".encode()).table.column_names == names


class TestFaults:
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "is an empty file"),
            (b"  \n \n", "is an empty file"),
            (b"a,b\n1,2\0\n", "NUL characters"),
            (b'a,b\n"x,2\n3,4\n', "row 2: 1 values"),
        ],
    )
    def test_an_unreadable_file_is_refused_in_one_line(self, tmp_path: Path, content: bytes, said: str) -> None:
        with pytest.raises((UserMistake, BadInput), match=said):
            read(tmp_path, content)

    def test_rows_of_another_length_are_numbered_and_not_shown(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput) as refused:
            read(tmp_path, b"a,b\n1,2\nsecret\n1,2\nsecret,2,3\n")
        assert [(f.where, f.found) for f in refused.value.faults] == [("row 3", "1 values"), ("row 5", "3 values")]
        assert "secret" not in str(refused.value)

    @pytest.mark.parametrize("suffix", [".csv", ".parquet"])
    def test_every_repeated_name_at_once(self, tmp_path: Path, suffix: str) -> None:
        table = pa.table([[1], [2], [3], [4], [5]], names=["a", "a", "b", "c", "c"])
        path = tmp_path / f"leads{suffix}"
        if suffix == ".csv":
            path.write_text("a,a,b,c,c\n1,2,3,4,5\n")
        else:
            pq.write_table(table, path)
        with pytest.raises(BadInput) as refused:
            read_file(path)
        assert [f.where for f in refused.value.faults] == ["column 'a'", "column 'c'"]

    def test_a_file_that_is_no_parquet(self, tmp_path: Path) -> None:
        with pytest.raises(UserMistake, match="cannot be read as Parquet"):
            read(tmp_path, b"PAR1 and no more", "leads.parquet")
        with pytest.raises(UserMistake, match="neither"):
            read(tmp_path, b"", "leads.xlsx")


GOOD = "lead,amount\na,1\nb,2\n"


def saved_as_utf8(file: Path) -> None:
    file.write_text(file.read_bytes().replace(b"\x00", b"").decode("latin-1"))


def written(text: str) -> Callable[[Path], object]:
    return lambda file: file.write_text(text)


@pytest.mark.parametrize(
    ("held", "said", "mend"),
    [
        (b"", "its first line has the column names, the rows follow", written(GOOD)),
        (b"lead,amount\na,1,2\nb,2\n", "quote values that hold the delimiter", written('lead,amount\na,"1,2"\nb,2\n')),
        (b"lead,amount\na,1\nb,2\nTotal\n", "delete it if it is a total or a footer", written(GOOD)),
        (
            b"All leads\nMay 2026\n\nlead,amount\na,1\nb,2\n",
            "has 1 value, the rows have 2 from line 4 on: the first line has the column names, so delete the lines above",
            written(GOOD),
        ),
        (b"lead,amount\na,1,\nb,2,\n", "add the name that lacks", written("lead,amount,note\na,1,\nb,2,\n")),
        (b"lead,amount,note\na,1\nb,2\n", "delete the names of which the rows have no value", written(GOOD)),
        (
            b"lead,amount,lead\na,1,x\nb,2,y\n",
            "rename or leave out all but one",
            written("lead,amount,other\na,1,x\nb,2,y\n"),
        ),
        (GOOD.encode().replace(b"a,", b"\x00a,"), "save the table as CSV UTF-8", saved_as_utf8),
        (GOOD.encode().replace(b"a,", b"M\x81ller,"), "save it as UTF-8", saved_as_utf8),
    ],
)
def test_a_file_mended_as_the_message_says_is_read(
    tmp_path: Path, held: bytes, said: str, mend: Callable[[Path], object]
) -> None:
    file = tmp_path / "leads.csv"
    file.write_bytes(held)
    with pytest.raises(UserMistake) as caught:
        read_file(file)
    assert said in str(caught.value)
    mend(file)
    assert read_file(file).table.num_rows == 2


def test_a_file_is_read_once_its_encoding_is_named(tmp_path: Path) -> None:
    file = tmp_path / "leads.csv"
    file.write_bytes(GOOD.encode().replace(b"a,", b"M\x81ller,"))
    with pytest.raises(UserMistake, match="name its encoding with --encoding"):
        read_file(file)
    assert read_file(file, "cp437").table.num_rows == 2


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "leads.csv"
    with pytest.raises(UserMistake, match=r"give a \.parquet or \.csv file with one row per lead or account"):
        read_file(file)
    file.write_text(GOOD)
    assert read_file(file).table.num_rows == 2


@pytest.mark.parametrize("text", ["\n\n" + GOOD, GOOD.replace("\nb", "\n\n\nb"), "\r\n" + GOOD.replace("\n", "\r\n")])
def test_empty_lines_are_no_rows_and_no_names(text: str, tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_bytes(text.encode())
    assert read_file(tmp_path / "leads.csv").table.to_pydict() == {"lead": ["a", "b"], "amount": ["1", "2"]}


@pytest.mark.parametrize("text", ["lead,amount", "lead,amount\n", "lead,amount\r\n\r\n"])
def test_names_alone_are_a_file_without_rows(text: str, tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_bytes(text.encode())
    assert read_file(tmp_path / "leads.csv").table.to_pydict() == {"lead": [], "amount": []}
