"""What is said of a flat file that cannot be read is followed to the letter, and the file is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from features.kit.errors import UserMistake
from features.kit.flat_files import headers
from features.kit.flat_files.reading import read_file

GOOD = "lead,amount\na,1\nb,2\n"


def saved_as_utf8(file: Path) -> None:
    file.write_text(file.read_bytes().replace(b"\x00", b"").decode("latin-1"))


def written(text: str) -> Callable[[Path], None]:
    return lambda file: file.write_text(text) and None


@pytest.mark.parametrize(
    ("held", "said", "mend"),
    [
        (b"", "its first line has the column names, the rows follow", written(GOOD)),
        (b"lead,amount\na,1,2\nb,2\n", "quote values that hold the delimiter", written('lead,amount\na,"1,2"\nb,2\n')),
        (b"lead,amount\na,1\nb,2\nTotal\n", "delete it if it is a total or a footer", written(GOOD)),
        (b"All leads\nMay 2026\n\nlead,amount\na,1\nb,2\n", "has 1 value, the rows have 2 from line 4 on: the first line has the column names, so delete the lines above", written(GOOD)),
        (b"lead,amount\na,1,\nb,2,\n", "add the name that lacks", written("lead,amount,note\na,1,\nb,2,\n")),
        (b"lead,amount,note\na,1\nb,2\n", "delete the names of which the rows have no value", written(GOOD)),
        (b"lead,amount,lead\na,1,x\nb,2,y\n", "rename or leave out all but one", written("lead,amount,other\na,1,x\nb,2,y\n")),
        (GOOD.encode().replace(b"a,", b"\x00a,"), "save the table as CSV UTF-8", saved_as_utf8),
        (GOOD.encode().replace(b"a,", b"M\x81ller,"), "save it as UTF-8", saved_as_utf8),
    ],
)  # fmt: skip
def test_followed_it_is_read(tmp_path: Path, held: bytes, said: str, mend: Callable[[Path], None]) -> None:
    file = tmp_path / "leads.csv"
    file.write_bytes(held)
    with pytest.raises(UserMistake) as caught:
        read_file(file)
    assert said in str(caught.value)
    mend(file)
    assert read_file(file).table.num_rows == 2


def test_an_encoding_that_is_named(tmp_path: Path) -> None:
    file = tmp_path / "leads.csv"
    file.write_bytes(GOOD.encode().replace(b"a,", b"M\x81ller,"))
    with pytest.raises(UserMistake, match="name its encoding with --encoding"):
        read_file(file)
    assert read_file(file, "cp437").table.num_rows == 2


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "leads.csv"
    with pytest.raises(UserMistake, match=r"give a \.parquet or \.csv file with one row per lead or account"):
        read_file(file)
    file.write_text(GOOD)
    assert read_file(file).table.num_rows == 2


def test_the_twin_that_takes_any_first_line_blames_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers, "ALIKE_SHARE", 100.0)
    file = tmp_path / "leads.csv"
    file.write_text("All leads\nMay 2026\nlead,amount\na,1\nb,2\n")
    with pytest.raises(UserMistake, match="1, one for each column name of the first line"):
        read_file(file)


@pytest.mark.parametrize("text", ["\n\n" + GOOD, GOOD.replace("\nb", "\n\n\nb"), "\r\n" + GOOD.replace("\n", "\r\n")])
def test_empty_lines_are_no_rows_and_no_names(text: str, tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_bytes(text.encode())
    assert read_file(tmp_path / "leads.csv").table.to_pydict() == {"lead": ["a", "b"], "amount": ["1", "2"]}


@pytest.mark.parametrize("text", ["lead,amount", "lead,amount\n", "lead,amount\r\n\r\n"])
def test_names_alone_are_a_file_without_rows(text: str, tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_bytes(text.encode())
    assert read_file(tmp_path / "leads.csv").table.to_pydict() == {"lead": [], "amount": []}
