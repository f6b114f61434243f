"""Each message about a SELECT says a next step, and the step works: it is followed to the letter, and the source opens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from features.kit.errors import BadInput
from features.sources import cast_faults, loader, name_advice
from features.sources.loader import open_source
from tests.kit.broken_sources import PARQUET, READ, SUBSCRIPTION, USAGE, Case, broken, followed, values

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
