"""`python -m features check`: its JSON and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from features.__main__ import app
from tests.kit.company import at, make_source


class TestCommand:
    def test_json_names_tables_and_custom_signals_and_a_fault_ends_with_2(self, tmp_path: Path) -> None:
        rows: list[dict[str, Any]] = [
            {"account_id": f"a{i}", "event_time": at("2024-01-01"), "Tier": "gold" if i % 2 else "tin"}
            for i in range(30)
        ]
        make_source(tmp_path, {"accounts": rows})
        done = CliRunner().invoke(app, ["check", "--source", str(tmp_path), "--data", str(tmp_path), "--json"])
        said = json.loads(done.stdout)
        assert done.exit_code == 0
        assert said["custom_signals"] == [{"table": "accounts", "signal": "tier", "type": "text, a vocabulary"}]
        assert said["tables"] == {"accounts": 30}
        (tmp_path / "usage.sql").write_text("SELEKT")
        done = CliRunner().invoke(app, ["check", "--source", str(tmp_path), "--data", str(tmp_path)])
        assert done.exit_code == 2
        assert "usage" in done.stdout

    @pytest.mark.parametrize(
        ("source", "said"),
        [
            ("ravenstack", {"churn-risk": "not yet: 1 thing to mend", "expansion": "ready"}),
            ("x_education", {"lead-fit": "ready"}),
        ],
    )
    def test_shipped_sources_are_as_ready_as_their_labels(
        self, source: str, said: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import os

        if not os.environ.get("ACCOUNTSCORE_DATA"):
            pytest.skip("ACCOUNTSCORE_DATA is not set: the public datasets are needed")
        done = CliRunner().invoke(app, ["check", "--source", source, "--json"])
        assert json.loads(done.stdout)["models"] == said
