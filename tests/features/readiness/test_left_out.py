"""What the SELECTs of a source leave out is counted by `check`."""

from __future__ import annotations

from pathlib import Path

from features.readiness.left_out import NAME, left_out_lines
from features.readiness.report import usability
from tests.kit.company import at, make_source

ACCOUNTS = [{"account_id": f"a{n}", "event_time": at("2024-01-01")} for n in range(3)]


class TestLeftOut:
    def test_a_reason_with_rows_is_a_line_of_the_report(self, tmp_path: Path) -> None:
        source = make_source(tmp_path, {"accounts": ACCOUNTS})
        assert list(left_out_lines(source)) == []
        (tmp_path / NAME).write_text(
            "SELECT 'accounts' AS \"table\", 'deleted' AS reason, 'nothing' AS next_step, count(*) AS rows FROM read_parquet('${data}/accounts.parquet')\n"
            "UNION ALL SELECT 'accounts', 'never', 'nothing', 0;"
        )
        lines = [line for line in usability(source, []) if line.found.startswith("left out")]
        assert [(x.severity, x.table, x.rows, x.found, x.what_to_do) for x in lines] == [
            ("info", "accounts", 3, "left out: deleted", "nothing")
        ]

    def test_one_that_cannot_be_run_is_told(self, tmp_path: Path) -> None:
        source = make_source(tmp_path, {"accounts": ACCOUNTS})
        (tmp_path / NAME).write_text("SELECT 1 FROM nowhere")
        (line,) = left_out_lines(source)
        assert (line.severity, "nowhere" in line.found) == ("weakens", True)
