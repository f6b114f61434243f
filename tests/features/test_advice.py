"""Each message about a source says a next step, and the step works: it is followed to the letter, and the source opens."""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.kit.clock import DAY_US, to_us
from features.kit.errors import BadInput, TrainingRefused, UserMistake
from features.outcomes.read import read_outcomes
from features.readiness import labelled_rows
from features.readiness.labelled_rows import observation_dates
from features.readiness.periods import is_split
from features.sources import cast_advice, cast_faults, loader, name_advice
from features.sources.loader import open_source
from features.sources.query_text import QueryText
from features.sources.schema import Type
from features.sources.source import Source
from models.catalog import MODELS
from models.definition import Model
from tests.kit.advice import follow
from tests.kit.company import at, make_source, random_company


def pq_bytes(table: pa.Table) -> bytes:
    held = io.BytesIO()
    pq.write_table(table, held)
    return held.getvalue()


ACCOUNTS = "SELECT 'a' AS account_id, TIMESTAMP '2024-01-01' AS event_time"
USAGE = "account_id,event_time,quantity\na,2024-01-01 10:00:00,3\na,2024-01-02 10:00:00,5\n"
PARQUET = pq_bytes(
    pa.table({"account_id": ["a", "b"], "event_time": [dt.datetime(2024, 1, 1)] * 2, "quantity": [1, 2]})
)
READ = "SELECT account_id, event_time, quantity FROM read_csv('${data}/usage.csv')"


@dataclass(frozen=True)
class Case:
    """A source with one broken table, the words that its message must have, and what the table holds once it is mended."""

    name: str
    said: str
    usage: str | bytes
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    held: str = "count(*)"
    is_: object = 2
    table: str = "usage"


def values(*lines: str) -> dict[str, str]:
    return {"usage.csv": "account_id,event_time,quantity\n" + "".join(f"{line}\n" for line in lines)}


SUBSCRIPTION = (
    "SELECT 's' AS subscription_id, 'a' AS account_id, TIMESTAMP '2024-01-01' AS event_time, 'active' AS status, {0}"
)
CASES = [
    # Words of SQL, names of columns, tables, functions and files.
    Case("a word of SQL", 'line 1: syntax error at or near "AS"', "SELECT account_id, at AS event_time FROM (SELECT account_id, event_time AS at FROM read_csv('${data}/usage.csv'))", {"usage.csv": USAGE}),
    Case("a text compared with a number", "'x' is no INT64", READ + " WHERE quantity = 'x'", {"usage.csv": USAGE}, is_=0),
    Case("a text in a list of numbers", "'x' is no INT", READ + " WHERE quantity IN ('3', 'x')", {"usage.csv": USAGE}, is_=1),
    Case("a time compared in another order", "'13.01.2024' is no", READ + " WHERE event_time < '13.01.2024'", {"usage.csv": USAGE}),
    Case("a join of two types", "'a' is no", READ.replace("SELECT ", "SELECT u.") + " u LEFT JOIN (SELECT 5 AS number) n ON n.number = u.account_id", {"usage.csv": USAGE}),
    Case("a misspelt word", "SELEKT", READ.replace("SELECT", "SELEKT"), {"usage.csv": USAGE}),
    Case("an open quote", "unterminated", READ + " WHERE account_id <> 'b", {"usage.csv": USAGE}),
    Case("a misspelt column", 'column "acount_id" not found', READ.replace("account_id", "acount_id AS account_id"), {"usage.csv": USAGE}),
    Case("a column with blanks", "Acount Id", 'SELECT "Acount Id" AS account_id, event_time FROM read_csv(\'${data}/u.csv\')', {"u.csv": "Account Id,event_time\na,2024-01-01\nb,2024-01-02\n"}),
    Case("a table that is a file", "usage_events does not exist", "SELECT account_id, event_time FROM usage_events", {"usage_events.csv": USAGE}),
    Case("a misspelt function", "strftim", READ.replace("quantity", "CAST(strftim(event_time, '%d') AS INTEGER) AS quantity"), {"usage.csv": USAGE}, "sum(quantity)", 3),
    Case("a misspelt file", "No files found", READ, {"usages.csv": USAGE}),
    Case("a file in a folder", "No files found", READ, {"exports/usage.csv": USAGE}),
    Case("a misspelt table", "no canonical table", READ, {"usage.csv": USAGE}, table="usages"),
    Case("not in the GROUP BY", "GROUP BY", "SELECT account_id, event_time FROM read_csv('${data}/usage.csv') GROUP BY account_id", {"usage.csv": USAGE}, is_=1),
    Case("a SELECT in Latin-1", "byte 8 is no UTF-8", "SELECT 'ü' AS feature, account_id, event_time FROM read_csv('${data}/usage.csv')".encode("latin-1"), {"usage.csv": USAGE}),
    Case("a SELECT in UTF-16", "UTF-8", READ.encode("utf-16"), {"usage.csv": USAGE}),
    # Files.
    Case("a file in Latin-1", "usage.csv, line 2: it is not UTF-8", READ, {"usage.csv": "account_id,event_time,quantity\nMüller,2024-01-01,1\nb,2024-01-01,2\n".encode("latin-1")}, "max(account_id)", "b"),
    Case("a file in CP1252", "it is not UTF-8", READ, {"usage.csv": "account_id,event_time,quantity\n€,2024-01-01,1\nb,2024-01-01,2\n".encode("cp1252")}, "max(account_id)", "€"),
    Case("a file in UTF-16", "it is not UTF-8", READ, {"usage.csv": USAGE.encode("utf-16")}),
    Case("lines of too many fields", "other fields than its header", READ, {"usage.csv": USAGE + "b,2024-01-01,3,4,5\n"}),
    Case("the same with all columns", "other fields than its header", "SELECT * FROM read_csv('${data}/usage.csv')", {"usage.csv": USAGE + "b,2024-01-01,3,4,5\n"}),
    Case("one empty file of several", "1.csv (0 bytes)", "SELECT account_id, event_time FROM read_csv('${data}/days/*.csv')", {"days/1.csv": "", "days/2.csv": USAGE}),
    Case("an empty file beside another", "b.csv (0 bytes)", READ + " AS a JOIN read_csv('${data}/b.csv') AS b USING (account_id)", {"usage.csv": USAGE, "b.csv": ""}, is_=0),
    # Values.
    Case("a cast of a number", "column quantity: 'many' is no BIGINT", READ.replace("quantity", "CAST(quantity AS BIGINT) AS quantity"), values("a,2024-01-01,3", "b,2024-01-01,many"), "sum(quantity)", 3),
    Case("the short form of a cast", "column quantity: 'many' is no", READ.replace("quantity", "quantity::INT AS quantity"), values("a,2024-01-01,3", "b,2024-01-01,many"), "sum(quantity)", 3),
    Case("a cast of a range", "usage.csv, line 3, column quantity: '51-200'", READ.replace("quantity", "CAST(quantity AS BIGINT) AS quantity"), values("a,2024-01-01,3", "b,2024-01-01,51-200"), "sum(quantity)", 54),
    Case("a cast in Parquet or a subquery", "column n: '51-200' is no", "SELECT account_id, event_time, CAST(n AS BIGINT) AS quantity FROM (SELECT 'a' AS account_id, DATE '2024-01-01' AS event_time, unnest(['3', '51-200']) AS n)", {}, "sum(quantity)", 54),
    Case("a cast of a time that may not be null", "'2024-13-01' is no TIMESTAMP", READ.replace("event_time", "CAST(event_time AS TIMESTAMP) AS event_time"), values("a,2024-01-01,3", "b,2024-13-01,3"), "min(account_id)", "a"),
    Case("strptime", "column event_time: '2024-13-01' is not written as '%Y-%m-%d'", READ.replace("event_time", "strptime(event_time, '%Y-%m-%d') AS event_time"), values("a,2024-01-01,3", "b,2024-13-01,3"), "min(account_id)", "a"),
    Case("a type that the reader is told", "'51-200' is no BIGINT", READ.replace("csv')", "csv', types = {'quantity': 'BIGINT'})"), values("a,2024-01-01,3", "b,2024-01-01,51-200"), "sum(quantity)", 54),
    Case("a fixed column of numbers", "its type is VARCHAR", READ, values("a,2024-01-01,3", "b,2024-01-01,many"), "sum(quantity)", 3),
    Case("days of another order", "event_time is time", READ.replace("csv')", "csv', all_varchar = true)").replace("quantity", "1 AS quantity"), values("a,03.04.2024,3", "b,13.04.2024,3"), "max(event_us)", 1_712_966_400_000_000),
    Case("seconds since 1970", "its type is BIGINT", READ, values("a,1700000000,3", "b,1700000001,3"), "max(event_us)", 1_700_000_001_000_000),
    Case("days of a spreadsheet", "its type is BIGINT", READ, values("a,45000,3", "b,45001,3"), "min(event_us)", 1_678_838_400_000_000),
    Case("ids that became floats", "its type is DOUBLE", READ.replace("account_id", "CAST(account_id AS DOUBLE) AS account_id"), values("100057,2024-01-01,3", "8,2024-01-01,3"), "min(account_id)", "100057"),
    Case("a null where none may be", "1 rows where it is null", READ, values("a,2024-01-01,3", ",2024-01-01,3"), is_=1),
    Case("a time that cannot be", "before 1971-01-01", READ, values("a,2024-01-01,3", "b,9999-12-31,3"), is_=1),
    Case("more than 64 bits", "too large", READ, values("a,2024-01-01,3", "b,2024-01-01,99999999999999999999"), "sum(quantity)", 3),
    Case("dollars", "mrr is money", SUBSCRIPTION.format("unnest(['$1,049.00', '$9']) AS mrr"), {}, "max(mrr)", 104_900, "subscriptions"),
    Case("a decimal comma", "mrr is money", SUBSCRIPTION.format("unnest(['1.049,50 €', '9,00 €']) AS mrr"), {}, "max(mrr)", 104_950, "subscriptions"),
    Case("per cent", "discount is number", SUBSCRIPTION.format("9 AS mrr, unnest(['12 %', '5%']) AS discount"), {}, "max(discount)", 0.12, "subscriptions"),
    Case("a flag in German", "auto_renew is boolean", SUBSCRIPTION.format("9 AS mrr, unnest(['Nein', 'Ja']) AS auto_renew"), {}, "count(*) FILTER (WHERE auto_renew)", 1, "subscriptions"),
    Case("words for a number", "seats is integer", SUBSCRIPTION.format("9 AS mrr, unnest(['few', 'many']) AS seats"), {}, table="subscriptions"),
    Case("an optional time that cannot be", "before 1971-01-01", SUBSCRIPTION.format("9 AS mrr, unnest([DATE '9999-12-31', DATE '2024-01-01']) AS term_end"), {}, "count(term_end_us)", 1, "subscriptions"),
    Case("a cast of money", "'$1,049.00' is no DOUBLE", SUBSCRIPTION.format("CAST(x AS DOUBLE) AS mrr FROM (VALUES ('$1,049.00'), ('9')) t(x)"), {}, "max(mrr)", 104_900, "subscriptions"),
    Case("a cast of a flag", "'Ja' is no BOOLEAN", SUBSCRIPTION.format("9 AS mrr, x::BOOLEAN AS auto_renew FROM (VALUES ('Ja'), ('Nein')) t(x)"), {}, "count(*) FILTER (WHERE auto_renew)", 1, "subscriptions"),
    Case("a cast of an expression", "'03.04.2024' is no TIMESTAMP", "SELECT 'a' AS account_id, CAST(trim(x) AS TIMESTAMP) AS event_time FROM (VALUES ('03.04.2024'), ('13.04.2024')) t(x)", {}, "max(event_us)", 1_712_966_400_000_000),
    Case("a cast in a WITH", "'x' is no BIGINT", "WITH e AS (\n  SELECT account_id, event_time, CAST(quantity AS BIGINT) AS quantity FROM read_csv('${data}/usage.csv')\n) SELECT * FROM e", values("a,2024-01-01,3", "b,2024-01-01,x"), "sum(quantity)", 3),
    Case("an ambiguous column", "Ambiguous reference", "SELECT account_id, a.event_time FROM read_csv('${data}/usage.csv') a JOIN read_csv('${data}/usage.csv') b USING (event_time)", {"usage.csv": USAGE}),
    Case("a bracket that is open", "syntax error", READ[:-1], {"usage.csv": USAGE}),
    Case("a comma that lacks", "write a comma before event_time", READ.replace("account_id, event_time, quantity", "account_id AS account_id event_time"), {"usage.csv": USAGE}),
    Case("a type that is none", "STRINGG does not exist", READ.replace("account_id", "account_id::STRINGG AS account_id"), {"usage.csv": USAGE}),
    Case("a misspelt reader", "read_cs does not exist", READ.replace("read_csv", "read_cs"), {"usage.csv": USAGE}),
    Case("the folder without its sign", "No files found", READ.replace("${data}", "{data}"), {"usage.csv": USAGE}),
    Case("what stands behind the semicolon", '"acount_id" not found', READ.replace("account_id", "acount_id AS account_id") + "; -- all of it", {"usage.csv": USAGE}),
    Case("text for Parquet", "No magic bytes", READ.replace("read_csv", "read_parquet"), {"usage.csv": USAGE}),
    Case("Parquet for text", "it is a Parquet file", READ, {"usage.csv": PARQUET}),
    Case("what is not packed", "not a GZIP stream", READ.replace(".csv'", ".csv.gz'"), {"usage.csv.gz": USAGE}),
    Case("half of a line of JSON", "Malformed JSON", READ.replace("read_csv('${data}/usage.csv')", "read_json('${data}/usage.json')"), {"usage.json": '{"account_id": "a", "event_time": "2024-01-01", "quantity": 1}\n{"account_id": "b", "ev'}, is_=1),
    Case("two columns of one name", "which is taken", READ.replace("quantity", '1 AS "Deal Size", 2 AS deal_size'), {"usage.csv": USAGE}),
]  # fmt: skip


def broken(case: Case, folder: Path) -> tuple[Path, Path]:
    source, data = folder / "source", folder / "data"
    for made in (source, data):
        made.mkdir()
    (source / "accounts.sql").write_text(ACCOUNTS)
    for name, held in case.files.items():
        (data / name).parent.mkdir(exist_ok=True)
        (data / name).write_bytes(held if isinstance(held, bytes) else held.encode())
    text = case.usage if isinstance(case.usage, bytes) else case.usage.encode()
    (source / f"{case.table}.sql").write_bytes(text)
    return source, data


def followed(source: Path, data: Path) -> Source:
    """The source once every fault's step is followed, once."""
    with pytest.raises(BadInput) as caught:
        open_source(str(source), data)
    for fault in caught.value.faults:
        follow(fault, data)
    return open_source(str(source), data)


class TestAdvice:
    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    def test_followed_to_the_letter_the_source_opens(self, case: Case, tmp_path: Path) -> None:
        source, data = broken(case, tmp_path)
        with pytest.raises(BadInput) as caught:
            open_source(str(source), data)
        assert case.said in str(caught.value)
        opened = followed(source, data)
        table = "usage" if case.table == "usages" else case.table
        assert opened.query(f"SELECT {case.held} FROM {table}")[0][0] == case.is_

    def test_several_faults_are_followed_together(self, tmp_path: Path) -> None:
        case = Case("", "", READ, values("a,03.04.2024,51-200", "b,13.04.2024,7"))
        assert followed(*broken(case, tmp_path)).query("SELECT sum(quantity) FROM usage") == [(58,)]

    TWO = 'SELECT account_id, at AS event_time FROM (SELECT account_id, event_time AS "at" FROM read_csv(\'${data}/usage.csv\')) WHERE "at" IS NOT NUL'

    @pytest.mark.parametrize(("other", "opens"), [("upper(account_id)", False), ("account_id", True)])
    def test_a_canonical_column_that_is_there_twice(self, other: str, opens: bool, tmp_path: Path) -> None:
        select = f"SELECT *, {other} AS account_id FROM read_csv('${{data}}/usage.csv')"
        source, data = broken(Case("", "", select, {"usage.csv": USAGE}), tmp_path)
        if not opens:
            with pytest.raises(BadInput, match="2 columns have this name, and their values differ in 2 rows") as caught:
                open_source(str(source), data)
            found = re.search(r"write (SELECT \* EXCLUDE \(\w+\)), ", caught.value.faults[0].next_step)
            assert found is not None
            (source / "usage.sql").write_text(select.replace("SELECT *", found[1]))
        held = open_source(str(source), data).query("SELECT DISTINCT account_id FROM usage")
        assert held == [("a" if opens else "A",)]

    def test_the_twin_that_takes_the_first_of_two_is_silent(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(loader, "_twice", lambda *_: [])
        select = "SELECT *, upper(account_id) AS account_id FROM read_csv('${data}/usage.csv')"
        folder, data = broken(Case("", "", select, {"usage.csv": USAGE}), tmp_path)
        assert open_source(str(folder), data).query("SELECT DISTINCT account_id FROM usage") == [("a",)]

    def test_an_empty_folder_is_not_said_to_be_absent(self, tmp_path: Path) -> None:
        source, data = broken(Case("", "", READ.replace("usage.csv", "exports")), tmp_path)
        (data / "exports").mkdir()
        with pytest.raises(BadInput, match=r"put the files into '.*exports', which is a folder"):
            open_source(str(source), data)
        (data / "exports/usage.csv").write_text(USAGE)
        assert open_source(str(source), data).query("SELECT count(*) FROM usage") == [(2,)]

    def test_a_word_of_sql_is_named_before_another_fault(self, tmp_path: Path) -> None:
        source, data = broken(Case("", "", self.TWO, {"usage.csv": USAGE}), tmp_path)
        with pytest.raises(BadInput, match="NULL in the place of NUL"):
            followed(source, data)
        assert followed(source, data).query("SELECT count(*) FROM usage") == [(2,)]

    def test_the_twin_that_asks_for_a_whole_parse_has_no_advice_for_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(name_advice, "_gets_further", lambda run, tried: name_advice._parses(tried))
        with pytest.raises(AssertionError, match="nothing to follow in: mend the SELECT at the caret"):
            followed(*broken(Case("", "", self.TWO, {"usage.csv": USAGE}), tmp_path))

    def test_the_twin_that_knows_casts_alone_fails_on_a_comparison(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            cast_faults, "_made_alike", lambda *_: "write TRY_CAST(... AS type) in the place of CAST(...)"
        )
        case = next(case for case in CASES if case.name == "a text compared with a number")
        with pytest.raises((BadInput, AssertionError)):
            followed(*broken(case, tmp_path))

    def test_advice_that_was_not_tried_fails_in_the_next_round(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin: the cast is named by the type of the column alone."""
        monkeypatch.setattr(
            "features.sources.validation.cast_advice",
            lambda _connection, _select, column, _kind: (
                f"wrap it: SELECT * REPLACE (CAST({column.name} AS BIGINT) AS {column.name}) FROM (THIS SELECT)"
            ),
        )
        case = Case("", "", READ, values("a,2024-01-01,51-200", "b,2024-01-01,7"))
        with pytest.raises(BadInput, match="51-200"):
            followed(*broken(case, tmp_path))


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

    def test_all_files_at_once_with_line_and_caret(self, tmp_path: Path) -> None:
        found = self.excerpts(
            tmp_path,
            accounts="SELECT 'a' AS account_id,\n  at AS event_time\nFROM x",
            usage="-- Überschrift\r\nSELECT 'äöü${data}' AS feature, acount_id AS account_id,\r\n\tevent_time FROM read_csv('${data}/usage.csv')",
            tickets="SELECT *\n\nFROM nowhere",
            invoices="\n\n  SELECT 1 +\n 'x'::INT AS amount ;\n",
        )
        lines = {table: (where, self.marked(excerpt)) for table, (where, excerpt) in found.items()}
        assert lines == {
            "accounts": ("line 2", "AS"), "usage": ("line 2", "acount_id"), "tickets": ("line 3", "nowhere"),
            "invoices": ("line 4", "'x'::INT"),
        }  # fmt: skip

    def test_a_long_line_is_shown_around_the_place(self, tmp_path: Path) -> None:
        columns = ", ".join(f"{n} AS column_{n}" for n in range(60))
        found = self.excerpts(
            tmp_path,
            accounts=f"SELECT {columns}, nothing AS account_id, {columns} FROM read_csv('${{data}}/usage.csv')",
        )
        _, excerpt = found["accounts"]
        assert self.marked(excerpt) == "nothing"
        assert all(len(line) <= 74 for line in excerpt.split("\n"))

    def test_the_message_shows_them_below_its_line(self, tmp_path: Path) -> None:
        (tmp_path / "accounts.sql").write_text("SELECT 'a' AS account_id,\n  at AS event_time")
        with pytest.raises(BadInput) as caught:
            open_source(str(tmp_path))
        assert re.search(
            r"accounts\.sql, line 2: syntax error .*\n      2 \|   at AS event_time\n        \|      \^\^$",
            str(caught.value),
        )

    def test_the_place_is_that_in_the_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


class TestReading:
    """Which SELECT reads a column, tried on its values."""

    @pytest.mark.parametrize(
        ("kind", "values", "read"),
        [
            ("money", ["$1,049.00", "USD 9", "-7.5", "£3", "5 kr"], [1049.0, 9.0, -7.5, 3.0, 5.0]),
            ("money", ["1.049,00 €", "9,50", "CHF 1'000,25"], [1049.0, 9.5, 1000.25]),
            ("money", ["word1", "word2"], None),
            ("integer", ["word1", "word2"], None),
            ("integer", ["51-200", "10,000+", "> 500", "20 people"], [51, 10_000, 500, 20]),
            ("integer", ["1.234", "2.345"], [1234, 2345]),
            ("number", ["12 %", "5,5%"], [0.12, 0.055]),
            ("time", ["2024-01-01T10:00:00Z", "2024-01-01 12:00:00+02"], ["2024-01-01 10:00:00"] * 2),
            ("time", ["03/04/2024 10:15 PM", "12/31/2024 09:00 AM"], ["2024-03-04 22:15:00", "2024-12-31 09:00:00"]),
            ("time", ["Jan 3, 2024"], ["2024-01-03 00:00:00"]),
            ("time", ["1700000000000"], ["2023-11-14 22:13:20"]),
            ("time", ["20240103"], ["2024-01-03 00:00:00"]),
            ("time", ["p1", "p2"], None),
            ("boolean", ["Ja", "Nein"], [True, False]),
        ],
    )
    def test_the_best_way(self, kind: Type, values: list[str], read: list[object] | None) -> None:
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.register("given", pa.table({"n": range(len(values)), "v": values}))
            found = cast_advice.reading(connection, "SELECT * FROM given", "v", kind, "VARCHAR")
            if read is None:
                assert found is None
                return
            assert found is not None
            item = f"CAST(CAST({found.expression} AS TIMESTAMP) AS VARCHAR)" if kind == "time" else found.expression
            rows = connection.execute(f"SELECT {item} FROM given ORDER BY n").fetchall()
            assert (
                [row[0] for row in rows] == pytest.approx(read)
                if kind in ("money", "number")
                else [row[0] for row in rows] == read
            )

    def test_what_could_be_read_otherwise_is_said(self) -> None:
        with duckdb.connect() as connection:
            for kind, value, said in (("time", "03/04/2024", "%m/%d/%Y"), ("money", "1,234", "thousands")):
                select = f"SELECT '{value}' AS v"
                found = cast_advice.reading(connection, select, "v", kind, "VARCHAR")  # type: ignore[arg-type]  # one of Type
                assert found is not None
                assert said in found.remark


class TestPython:
    """A source's own Python file, and the line of it that raised."""

    @pytest.mark.parametrize(
        ("text", "where", "said"),
        [
            ("def rows(data):\n    return 1 +\n", "line 2", "SyntaxError"),
            ("import pyarrow\n\ndef rows(data):\n    return {}['a key']\n", "line 4", "KeyError: 'a key'"),
            ("def table(data): ...\n", None, "write a function rows"),
            ("def rows(data):\n    return [{'account_id': 'a'}]\n", None, "returned a list"),
        ],
    )
    def test_what_it_raised_and_where(self, tmp_path: Path, text: str, where: str | None, said: str) -> None:
        (tmp_path / "accounts.sql").write_text(ACCOUNTS)
        (tmp_path / "usage.py").write_text(text)
        with pytest.raises(BadInput) as caught:
            open_source(str(tmp_path))
        (fault,) = caught.value.faults
        assert said in str(fault)
        assert fault.where == str(tmp_path / "usage.py") + (f", {where}" if where else "")

    def test_a_data_frame_is_taken(self, tmp_path: Path) -> None:
        (tmp_path / "accounts.sql").write_text(ACCOUNTS)
        frame = "pd.DataFrame({'account_id': ['a'], 'event_time': [pd.Timestamp('2024-01-01').as_unit('us')]})"
        (tmp_path / "usage.py").write_text(f"import pandas as pd\ndef rows(data):\n    return {frame}\n")
        assert open_source(str(tmp_path)).rows("usage") == 1


class TestOpening:
    """What is said before a table is read."""

    def test_the_folder_of_the_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("ACCOUNTSCORE_DATA", raising=False)
        source, data = broken(Case("", "", READ, {"usage.csv": USAGE}), tmp_path)
        with pytest.raises(UserMistake, match=r"pass --data DIR .* or set ACCOUNTSCORE_DATA"):
            open_source(str(source))
        assert open_source(str(source), data).rows("usage") == 2
        monkeypatch.setenv("ACCOUNTSCORE_DATA", str(data))
        assert open_source(str(source)).rows("usage") == 2

    def test_a_folder_that_is_taken_for_that_of_the_source(self, tmp_path: Path) -> None:
        source, data = broken(
            Case("", "", READ, {"usage.csv": USAGE, "source_of_last_year/usage_old.csv": USAGE}), tmp_path
        )
        with pytest.raises(BadInput, match="rename the folder 'source_of_last_year'"):
            open_source(str(source), data)
        (data / "source_of_last_year").rename(data / "last_year")
        assert open_source(str(source), data).rows("usage") == 2

    def test_a_source_without_an_entity(self, tmp_path: Path) -> None:
        (tmp_path / "usage.sql").write_text("SELECT 'a' AS account_id, DATE '2024-01-01' AS event_time")
        with pytest.raises(BadInput, match=r"add accounts\.sql or leads\.sql"):
            open_source(str(tmp_path))
        (tmp_path / "accounts.sql").write_text(ACCOUNTS)
        assert open_source(str(tmp_path)).rows("usage") == 1

    def test_a_file_that_is_no_table(self, tmp_path: Path) -> None:
        (tmp_path / "accounts.sql").write_text(ACCOUNTS)
        (tmp_path / "notes.sql").write_text("SELECT 1")
        with pytest.raises(BadInput, match=r"_notes\.sql, which is not read") as caught:
            open_source(str(tmp_path))
        (fault,) = caught.value.faults
        Path(fault.where).rename(tmp_path / "_notes.sql")
        assert open_source(str(tmp_path)).tables == ("accounts",)

    def test_data_of_another_time(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "accounts.sql").write_text(ACCOUNTS)
        monkeypatch.setenv("ACCOUNTSCORE_NOW", "2020-01-01")
        with pytest.raises(UserMistake, match="set ACCOUNTSCORE_NOW"):
            _ = open_source(str(tmp_path)).span
        monkeypatch.setenv("ACCOUNTSCORE_NOW", "2024-02-01")
        assert open_source(str(tmp_path)).span[1] == at("2024-01-01")


class TestHorizon:
    """A history that is too short for the horizon: the one that is advised leaves three periods."""

    @staticmethod
    def advised(source: Source, question: Model) -> int | None:
        with pytest.raises(TrainingRefused) as caught:
            observation_dates(source, question, read_outcomes(source, question.outcome), None)
        found = re.search(r"a horizon of at most (\d+) days would work", caught.value.faults[0].next_step)
        return int(found[1]) if found else None

    @pytest.mark.parametrize("days", [150, 175, 200])
    def test_with_it_there_are_dates_enough(self, tmp_path: Path, days: int) -> None:
        source, question = make_source(tmp_path, random_company(1, days=days)), MODELS["lead-fit"]
        horizon = self.advised(source, question)
        if days == 150:  # a third of what is there after the warm-up is less than a step: no horizon works
            assert horizon is None
            return
        assert horizon is not None
        shorter = replace(question, horizon_days=horizon)
        dates = observation_dates(source, shorter, read_outcomes(source, question.outcome), None)
        assert is_split(np.array([to_us(date) for date in dates]), horizon * DAY_US)

    def test_without_trying_it_is_refused_again(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin."""
        monkeypatch.setattr(labelled_rows, "_is_enough", lambda *_: True)
        source, question = make_source(tmp_path, random_company(1, days=150)), MODELS["lead-fit"]
        horizon = self.advised(source, question)
        assert horizon is not None
        self.advised(source, replace(question, horizon_days=horizon))  # which is refused
