"""The text of a SELECT, and the place in its file where it is wrong: the line, and carets under the place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from features.kit.errors import BadInput
from features.sources.loader import open_source
from features.sources.query_text import Excerpt, QueryText, UnreadableText
from tests.kit.broken_sources import READ, USAGE, Case, broken, values


class TestPlace:
    """Where in its file a SELECT is wrong: the line, and carets under the place."""

    def excerpts(self, folder: Path, **tables: str) -> dict[str, tuple[str, str]]:
        (folder / "data 'ä").mkdir(parents=True)
        (folder / "data 'ä/usage.csv").write_text(USAGE)
        (folder / "source").mkdir()
        for name, text in tables.items():
            (folder / f"source/{name}.sql").write_bytes(text.encode())
        with pytest.raises(BadInput) as caught:
            open_source(str(folder / "source"), folder / "data 'ä")
        return {Path(f.where.split(", ")[0]).stem: (f.where.split(", ")[-1], f.excerpt) for f in caught.value.faults}

    def marked(self, excerpt: str) -> str:
        line, carets = excerpt.split("\n")
        return line[carets.index("^") : carets.rindex("^") + 1]

    def test_every_file_shows_its_line_with_a_caret(self, tmp_path: Path) -> None:
        found = self.excerpts(
            tmp_path,
            accounts="SELECT 'a' AS account_id,\n  at AS event_time\nFROM x",
            usage="-- Überschrift\r\nSELECT 'äöü${data}' AS feature, acount_id AS account_id,\r\n\tevent_time FROM read_csv('${data}/usage.csv')",
            tickets="SELECT *\n\nFROM nowhere",
            invoices="\n\n  SELECT 1 +\n 'x'::INT AS amount ;\n",
        )
        lines = {table: (where, self.marked(excerpt)) for table, (where, excerpt) in found.items()}
        assert lines == {
            "accounts": ("line 2", "AS"),
            "usage": ("line 2", "acount_id"),
            "tickets": ("line 3", "nowhere"),
            "invoices": ("line 4", "'x'::INT"),
        }

    def test_a_long_line_is_shown_around_the_place(self, tmp_path: Path) -> None:
        columns = ", ".join(f"{n} AS column_{n}" for n in range(60))
        found = self.excerpts(
            tmp_path,
            accounts=f"SELECT {columns}, nothing AS account_id, {columns} FROM read_csv('${{data}}/usage.csv')",
        )
        _, excerpt = found["accounts"]
        assert self.marked(excerpt) == "nothing"
        assert all(len(line) <= 74 for line in excerpt.split("\n"))

    def test_the_excerpt_stands_below_the_sentence(self, tmp_path: Path) -> None:
        (tmp_path / "accounts.sql").write_text("SELECT 'a' AS account_id,\n  at AS event_time")
        with pytest.raises(BadInput) as caught:
            open_source(str(tmp_path))
        assert re.search(
            r"accounts\.sql, line 2: syntax error .*\n      2 \|   at AS event_time\n        \|      \^\^$",
            str(caught.value),
        )

    def test_the_place_is_counted_in_the_file_and_not_in_the_text_that_is_run(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin: the place in the text that is run, where the folder stands for `${data}`."""
        select = "SELECT '${data}' AS feature, nothing AS account_id FROM read_csv('${data}/usage.csv')"
        assert self.marked(self.excerpts(tmp_path / "one", accounts=select)["accounts"][1]) == "nothing"
        monkeypatch.setattr(QueryText, "_place", lambda _self, position: position)
        assert self.marked(self.excerpts(tmp_path / "other", accounts=select)["accounts"][1]) != "nothing"

    def test_a_value_is_named_and_no_row(self, tmp_path: Path) -> None:
        case = Case(
            "",
            "",
            READ.replace("quantity", "quantity::INT AS quantity"),
            values("secret-id,2024-01-01,3", "secret-id,2024-01-01,many"),
        )
        source, data = broken(case, tmp_path)
        with pytest.raises(BadInput) as caught:
            open_source(str(source), data)
        assert "'many'" in str(caught.value)
        assert "secret-id" not in str(caught.value)


class TestText:
    def test_the_folder_stands_for_data_with_its_quotes_doubled(self, tmp_path: Path) -> None:
        (tmp_path / "usage.sql").write_text("\n SELECT * FROM '${data}/a.csv';\n")
        text = QueryText.read(tmp_path / "usage.sql", Path("/srv/it's"))
        assert text.run == "SELECT * FROM '/srv/it''s/a.csv'"

    def test_a_byte_order_mark_and_line_ends_of_windows_are_no_part_of_it(self, tmp_path: Path) -> None:
        (tmp_path / "usage.sql").write_bytes(b"\xef\xbb\xbfSELECT 1,\r\n 2")
        assert QueryText.read(tmp_path / "usage.sql", None).written == "SELECT 1,\n 2"

    @pytest.mark.parametrize(
        ("held", "why"),
        [("SELECT 'ü'".encode("latin-1"), "byte 8 is no UTF-8"), ("SELECT".encode("utf-16-le"), "byte 1 is NUL")],
    )
    def test_another_encoding_is_refused_with_its_place(self, tmp_path: Path, held: bytes, why: str) -> None:
        (tmp_path / "usage.sql").write_bytes(held)
        with pytest.raises(UnreadableText, match=why):
            QueryText.read(tmp_path / "usage.sql", None)

    @pytest.mark.parametrize(
        ("written", "alone"),
        [
            ("SELECT 1", "SELECT 1"),
            ("SELECT 1; -- all of it", "SELECT 1"),
            ("SELECT 1 -- a; b", "SELECT 1 -- a; b"),
            ("SELECT ';' AS a", "SELECT ';' AS a"),
            ("SELECT 1; /* done */ ", "SELECT 1"),
        ],
    )
    def test_what_follows_the_semicolon_is_cut_off_and_nothing_else(self, written: str, alone: str) -> None:
        assert QueryText(Path("usage.sql"), written).alone == alone


class TestAlias:
    @pytest.mark.parametrize(
        ("after", "alias"), [(" AS n, b", "n"), (" n", "n"), (' AS "n" FROM t', "n"), (" FROM t", None), (" + 1", None)]
    )
    def test_the_name_of_an_expression_follows_it(self, after: str, alias: str | None) -> None:
        assert Excerpt(1, f"SELECT a{after}", 7, 8).alias == alias

    @pytest.mark.parametrize(
        ("after", "alias"),
        [("(a, '%d') AS day", "day"), ("(a)::DATE AS day", "day"), ("(a)", None), ("(f(a)) AS day", None)],
    )
    def test_the_name_of_a_call_follows_its_brackets(self, after: str, alias: str | None) -> None:
        assert Excerpt(1, f"SELECT strptime{after}", 7, 15).alias_of_call == alias
