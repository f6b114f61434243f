"""`features simulate`: the sample company from the command line, and the sizes that it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from features.__main__ import app
from features.kit.errors import BadInput
from features.simulate import simulate
from features.simulate.company import tables_written
from features.sources.loader import open_source


class TestCommand:
    def test_the_command_writes_a_company_and_says_what(self, tmp_path: Path) -> None:
        result = CliRunner().invoke(
            app, ["simulate", "--out", str(tmp_path), "--accounts", "5", "--leads", "5", "--days", "60"]
        )
        assert result.exit_code == 0
        assert "truth" in result.stdout
        assert open_source("sample", tmp_path).tables == tables_written()

    def test_names_all_faults_of_the_sizes_at_once(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput) as caught:
            simulate(tmp_path / "none", accounts=0, leads=-1, days=5)
        assert len(caught.value.faults) == 3
        assert not (tmp_path / "none").exists()

    @pytest.mark.parametrize(
        "sizes",
        [{"accounts": 1, "leads": 0}, {"accounts": 2, "leads": 200}, {"accounts": 9, "leads": 9, "usage_events": 0}],
    )
    def test_the_smallest_companies_are_sources_too(self, tmp_path: Path, sizes: dict[str, Any]) -> None:
        simulate(tmp_path, **{"days": 56, **sizes})
        assert open_source("sample", tmp_path).tables == tables_written()
