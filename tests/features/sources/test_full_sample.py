"""A later row of a CSV or JSON file is never rounded to what the first rows look like."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import duckdb
import pytest

from features.kit.errors import BadInput
from features.readiness.text_files import text_file_lines
from features.sources import full_sample, loader
from features.sources.full_sample import may_be_sampled, with_full_sample
from features.sources.loader import SHIPPED, open_source
from features.sources.source import Source

ROWS = 20_600
"""More than the 20,480 rows by which DuckDB settles a type."""
CONTRACTS = "subscription_id,account_id,event_time,status,mrr"
NAMED_RULE = "a type that a SELECT names holds every value of the file"
RULE = "the types of a CSV or JSON file are settled by all of its rows"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Contracts of 50 a month, days only; the last is 49.50, at half past five."""
    folder = tmp_path_factory.mktemp("files")
    rows = [f"{i},a,2025-01-01,active,50" for i in range(ROWS)] + ["0012,a,2025-12-01 17:30:00,active,49.50"]
    text = "\n".join([CONTRACTS, *rows, ""])
    (folder / "s.csv").write_text(text)
    (folder / "s.tsv").write_text(text.replace(",", "\t"))
    (folder / "s.csv.gz").write_bytes(gzip.compress(text.encode(), 1))
    named = [dict(zip(CONTRACTS.split(","), row.split(","), strict=True)) for row in rows]
    for each in named[:-1]:
        each["mrr"] = int(each["mrr"])  # type: ignore[assignment]  # a number in JSON
    named[-1]["mrr"] = 49.5  # type: ignore[assignment]
    for each in named:
        each["event_time"] = "2025-01-01 00:00:00"
    (folder / "s.jsonl").write_text("\n".join(map(json.dumps, named)))
    return folder


def opened(tmp_path: Path, data: Path, select: str) -> Source:
    (tmp_path / "accounts.sql").write_text("SELECT 'a' AS account_id, TIMESTAMP '2025-01-01' AS event_time")
    (tmp_path / "subscriptions.sql").write_text(select)
    return open_source(str(tmp_path), data)


def last_mrr(source: Source) -> list[tuple[int]]:
    return source.query("SELECT mrr FROM subscriptions WHERE subscription_id LIKE '%12' AND mrr <> 5000")


WAYS = [
    "SELECT * FROM read_csv('${data}/s.csv')",
    "SELECT * FROM READ_CSV('${data}/s.csv')",
    "SELECT * FROM read_csv_auto('${data}/s.csv')",
    "SELECT * FROM '${data}/s.csv'",
    "SELECT s.* FROM '${data}/s.csv'",
    'FROM "${data}/s.tsv"',
    "FROM '${data}/s.csv.gz' AS c SELECT c.*",
    "SELECT * FROM read_csv('${data}/s.cs*')",
    "SELECT * FROM read_csv(['${data}/s.csv', '${data}/s.csv.gz'], union_by_name = true)",
    "SELECT * FROM read_csv('${data}/s.csv', header = true, sample_size = 1000)",
    "SELECT * FROM read_csv('${data}/s.csv', sample_size := 20480)",
    "WITH c AS (SELECT * FROM read_csv('${data}/s.csv')) SELECT * REPLACE (trim(status) AS status) FROM c",
    "SELECT * FROM (SELECT * FROM read_csv('${data}/s.csv') WHERE mrr > 0) UNION ALL SELECT * FROM '${data}/s.csv' WHERE false",
    "SELECT s.* FROM read_csv('${data}/s.csv') s LEFT JOIN (SELECT account_id FROM '${data}/s.csv' LIMIT 1) USING (account_id)",
    "SELECT * REPLACE (CAST(event_time AS TIMESTAMP) AS event_time) FROM read_json('${data}/s.jsonl')",
    "SELECT * REPLACE (CAST(event_time AS TIMESTAMP) AS event_time) FROM read_ndjson_auto('${data}/s.jsonl')",
    "SELECT * REPLACE (CAST(event_time AS TIMESTAMP) AS event_time) FROM '${data}/s.jsonl'",
    "SELECT s.* FROM read_csv('${data}/s.csv') s JOIN (VALUES ('active', 'live'), ('ö)', '')) AS words(ours, theirs) ON status = ours",
    "WITH words(ours) AS (VALUES ('active')) SELECT s.* FROM '${data}/s.csv' JOIN words ON status = ours",
    "WITH words(ours) AS (VALUES ('ö')) SELECT c.* FROM \"${data}/s.csv\" c LEFT JOIN words ON status = ours",
    "SELECT * FROM /* ü */ READ_CSV ('${data}/s.csv' , header = true ) WHERE status ILIKE 'act%' ESCAPE '!'",
    "SELECT * FROM read_csv('${data}/s.csv', sample_size = -1)",
    "SELECT * FROM read_csv('${data}/s.csv', columns = {'subscription_id': 'VARCHAR', 'account_id': 'VARCHAR', "
    "'event_time': 'TIMESTAMP', 'status': 'VARCHAR', 'mrr': 'DOUBLE'})",
]


class TestEveryWayToNameATextFile:
    @pytest.mark.parametrize("select", WAYS)
    def test_a_late_decimal_is_kept(self, files: Path, select: str) -> None:
        with duckdb.connect() as connection:
            whole = with_full_sample(connection, select.replace("${data}", str(files)))
            found = connection.execute(f"SELECT DISTINCT mrr FROM ({whole}) WHERE mrr <> 50").fetchall()
            assert found == [(49.5,)]
            assert not may_be_sampled(connection, whole)

    def test_a_late_time_of_day_and_an_id_with_zeros(self, tmp_path: Path, files: Path) -> None:
        source = opened(tmp_path, files, "SELECT * FROM read_csv('${data}/s.csv')")
        late = source.query(
            "SELECT subscription_id, strftime(make_timestamp(event_us), '%H:%M') FROM subscriptions WHERE mrr = 4950"
        )
        assert late == [("0012", "17:30")]

    def test_the_twin_that_samples_rounds_money(
        self, tmp_path: Path, files: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The twin: the SELECT as it is written."""
        monkeypatch.setattr(loader, "with_full_sample", lambda connection, text: text)
        source = opened(tmp_path, files, "SELECT * FROM read_csv('${data}/s.csv')")
        assert last_mrr(source) == []
        assert source.is_sampled("subscriptions"), "and check says so"

    def test_the_twin_that_only_writes_the_tree_rounds_beside_values(
        self, tmp_path: Path, files: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(full_sample, "_edited", lambda text, tree: text)
        select = "SELECT s.* FROM '${data}/s.csv' s JOIN (VALUES ('active')) AS words(ours) ON status = ours"
        source = opened(tmp_path, files, select)
        assert last_mrr(source) == []


class TestWhatCannotBeRewritten:
    PIVOTED = (
        "SELECT subscription_id, 'a' AS account_id, TIMESTAMP '2025-01-01' AS event_time, 'active' AS status, active AS mrr "
        "FROM (PIVOT {file} ON status USING sum(mrr) GROUP BY subscription_id)"
    )

    def test_check_names_a_sampled_table_and_its_advice_works(self, tmp_path: Path, files: Path) -> None:
        source = opened(tmp_path, files, self.PIVOTED.format(file="read_csv('${data}/s.csv')"))
        line = next(line for line in text_file_lines(source, "subscriptions") if line.rule == RULE)
        assert (line.severity, line.table) == ("weakens", "subscriptions")
        assert "sample_size = -1" in line.what_to_do
        source = opened(tmp_path, files, self.PIVOTED.format(file="read_csv('${data}/s.csv', sample_size = -1)"))
        assert [line for line in text_file_lines(source, "subscriptions") if line.rule == RULE] == []
        assert last_mrr(source) == [(4950,)]

    def test_a_line_with_too_few_fields_is_named(self, tmp_path: Path) -> None:
        rows = "\n".join(f"{i},a,2025-01-01,active,50" for i in range(ROWS))
        (tmp_path / "s.csv").write_text(f"{CONTRACTS}\n{rows}\nx,a,2025-01-01\n{rows}\n")
        with pytest.raises(BadInput, match=f"line {ROWS + 2}: 3 fields where the header has 5"):
            opened(tmp_path, tmp_path, "SELECT * FROM read_csv('${data}/s.csv')")

    def test_a_file_without_one_form_is_read_as_the_select_says(self, tmp_path: Path) -> None:
        """Read as the SELECT says, with a word; naming the columns, as the word says, ends it."""
        rows = "\n".join(f"{i},a,2025-01-01,active,50" for i in range(ROWS))
        (tmp_path / "s.csv").write_text(f"{CONTRACTS}\n{rows}\nx,a,2025-01-01\n{rows}\n")
        read = "SELECT * FROM read_csv('${data}/s.csv', ignore_errors = true"
        source = opened(tmp_path, tmp_path, f"{read})")
        if source.is_sampled("subscriptions"):
            assert any(line.rule == RULE for line in text_file_lines(source, "subscriptions"))
        types = "'subscription_id': 'VARCHAR', 'account_id': 'VARCHAR', 'event_time': 'DATE', 'status': 'VARCHAR', 'mrr': 'DOUBLE'"
        source = opened(tmp_path, tmp_path, f"{read}, columns = {{{types}}})")
        assert not source.is_sampled("subscriptions")

    def test_a_query_inside_a_text_is_reported_as_sampled(self, tmp_path: Path, files: Path) -> None:
        source = opened(tmp_path, files, "SELECT * FROM query('SELECT * FROM read_csv(''${data}/s.csv'')')")
        assert source.is_sampled("subscriptions")
        source = opened(
            tmp_path, files, "SELECT * FROM query('SELECT * FROM read_csv(''${data}/s.csv'', sample_size = -1)')"
        )
        assert not source.is_sampled("subscriptions")


class TestTypesThatTheSelectNames:
    @pytest.mark.parametrize(
        ("named", "column"),
        [
            ("types = {'mrr': 'BIGINT'}", "mrr"),
            ("dtypes = {'mrr': 'INTEGER'}", "mrr"),
            ("types = {'event_time': 'DATE'}", "event_time"),
            (
                "columns = {'subscription_id': 'VARCHAR', 'account_id': 'VARCHAR', 'event_time': 'TIMESTAMP', 'status': 'VARCHAR', "
                "'mrr': 'INTEGER'}",
                "mrr",
            ),
        ],
    )
    def test_values_cut_by_a_named_type_are_reported_and_the_advice_works(
        self, tmp_path: Path, files: Path, named: str, column: str
    ) -> None:
        read = "SELECT * FROM read_csv('${{data}}/s.csv', {})"
        source = opened(tmp_path, files, read.format(named))
        (line,) = [line for line in text_file_lines(source, "subscriptions") if line.rule == NAMED_RULE]
        assert (line.severity, line.table, line.column, line.rows) == ("weakens", "subscriptions", column, 1)
        step = re.fullmatch(r"write (.*) in the place of (.*)", line.what_to_do)
        assert step
        source = opened(tmp_path, files, read.format(named.replace(step[2], step[1])))
        assert [line for line in text_file_lines(source, "subscriptions") if line.rule == NAMED_RULE] == []
        assert (4950,) in last_mrr(source)


class TestQueries:
    @pytest.mark.parametrize("path", sorted(SHIPPED.glob("*/*.sql")), ids=lambda p: f"{p.parent.name}/{p.stem}")
    def test_shipped_queries_read_all_rows_by_themselves(self, path: Path) -> None:
        assert not may_be_sampled(duckdb.connect(), path.read_text())

    @pytest.mark.parametrize(
        "text",
        [
            "SELECT * FROM read_parquet('a.parquet')",
            "SELECT * FROM 'a.parquet'",
            "SELECT 'read_csv(' AS word",
            "WITH csv AS (SELECT 1) SELECT * FROM csv",
            "SELEKT",
            "SELECT * FROM read_csv('a.csv', sample_size = -1)",
        ],
    )
    def test_other_queries_are_left_unchanged(self, text: str) -> None:
        assert with_full_sample(duckdb.connect(), text) == text
