"""The command of the nightly run as a scheduler sees it: exit codes, summary, metrics."""

from __future__ import annotations

import json
from pathlib import Path

from serving import manifest
from serving.manifest import read_manifest
from tests.kit.running import Home


class TestScheduler:
    def test_a_command_that_is_refused_makes_no_folder(self, home: Home, tmp_path: Path) -> None:
        done = home.run("serving", "batch", *home.source, "--as-of", "2026-02-30", "--out", str(tmp_path / "out"))
        assert done.returncode == 2
        assert not (tmp_path / "out").exists()

    def test_stale_input_has_its_own_exit_code(self, home: Home, tmp_path: Path) -> None:
        done = home.run(
            "serving",
            "batch",
            *home.source,
            "--as-of",
            "2026-03-01",
            "--out",
            str(tmp_path),
            "--max-age",
            "2d",
            env={"ACCOUNTSCORE_NOW": "2026-03-01T06:00:00Z"},
        )
        assert done.returncode == 6
        assert "--max-age" in done.stderr
        assert not (tmp_path / manifest.MANIFEST).exists()

    def test_a_summary_and_prometheus_metrics(self, night: Path) -> None:
        summary = json.loads((night / "last_run.json").read_text())
        manifest = read_manifest(night)
        assert (summary["exit_code"], summary["run_id"]) == (0, manifest["run_id"])
        rows = manifest["models"]["lead-fit"]["rows"]
        assert summary["rows"]["lead-fit"] == rows
        lines = (night / "new/batch.prom").read_text().splitlines()
        assert f'accountscore_batch_rows{{model="lead-fit"}} {float(rows)}' in lines
        assert "accountscore_batch_exit_code 0.0" in lines
