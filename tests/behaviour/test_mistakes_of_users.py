"""A user's mistake is one message with the next step, exit code 2 and no stack trace, at every command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.running import Home


class TestAUsersMistake:
    @pytest.mark.parametrize(
        ("package", "arguments", "said"),
        [
            ("training", ["fit", "lifetime-value", "--source", "sample"], ["lifetime-value", "churn-risk", "lead-fit"]),
            ("training", ["promote", "churn_risk"], ["churn-risk", "training fit"]),
            ("features", ["check", "--source", "nowhere"], ["nowhere", "ravenstack"]),
            (
                "serving",
                ["batch", "--source", "sample", "--as-of", "2026-02-30", "--out", "x"],
                ["2026-02-30", "YYYY-MM-DD"],
            ),
            (
                "features",
                ["build", "--source", "sample", "--entity", "account", "--as-of", "today", "--out", "x.parquet"],
                ["today", "YYYY-MM-DD"],
            ),
            ("features", ["check", "--source", "sample", "--data", "/no/such/folder"], ["/no/such/folder"]),
        ],
    )
    def test_one_message_exit_2_and_no_stack_trace(
        self, tmp_path: Path, package: str, arguments: list[str], said: list[str]
    ) -> None:
        done = Home(tmp_path / "home", tmp_path).run(package, *arguments)
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        assert all(text in done.stderr for text in said), done.stderr

    def test_a_source_with_no_outcome_is_told_what_is_needed(self, tmp_path: Path) -> None:
        folder = tmp_path / "mine"
        folder.mkdir()
        (folder / "accounts.sql").write_text(
            "SELECT 'a' || i AS account_id, TIMESTAMP '2024-01-01' AS event_time FROM range(50) t(i)"
        )
        done = Home(tmp_path / "home", tmp_path).run("training", "fit", "churn-risk", "--source", str(folder))
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert "subscriptions" in done.stderr
        assert "churn_labels" in done.stderr
