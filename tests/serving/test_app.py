"""A process that serves imports nothing heavy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from models import champion_pointer
from tests.kit.running import Home
from tests.kit.scorers import copy_scorer
from tests.kit.stores import new_store

BODY = {"records": [{"signals": {"number_0": 1.0, "word_0": "gamma"}}], "reasons": 3}
HEAVY = (
    "mlflow",
    "pandas",
    "duckdb",
    "sklearn",
    "scipy",
    "numba",
    "alembic",
    "lightgbm",
    "pyspark",
    "matplotlib",
    "optuna",
    "features.panel",
)
ASK = """
import asyncio, sys
import httpx
from serving.app import create_app
from serving.settings import ServingSettings

async def main():
    door, app = create_app(ServingSettings.from_env(), open_on_loopback=True)
    async with app.router.lifespan_context(app):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://127.0.0.1") as client:
            for path in ("/readyz", "/metrics", "/openapi.json"):
                assert (await client.get(path)).status_code == 200, path
            answer = await client.post("/v1/churn-risk/score", json=BODY)
            assert answer.status_code == 200, answer.text

asyncio.run(main())
import serving.server
"""
TELL = "import sys; print(*sorted(set(HEAVY) & set(sys.modules)))"


class TestWhatIsImported:
    def imported(self, home: Home, work: str) -> list[str]:
        """Which heavy modules a process has loaded after some work."""
        code = f"BODY, HEAVY = {BODY!r}, {HEAVY!r}\n{work}\n{TELL}"
        env = home.environment({"PYTHONPATH": os.getcwd()})
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    def test_a_process_that_serves_loads_nothing_heavy(self, tmp_path: Path) -> None:
        home = Home(tmp_path / "home", tmp_path)
        copy_scorer(tmp_path / "made")
        with champion_pointer.locked(home.path, "churn-risk"):
            champion_pointer.put_live(home.path, "churn-risk", tmp_path / "made", 1)
        new_store(home.path).close()
        assert self.imported(home, ASK) == []

    def test_one_import_of_pandas_would_be_seen(self, tmp_path: Path) -> None:
        """The sabotaged twin."""
        assert "pandas" in self.imported(Home(tmp_path, tmp_path), "import pandas")
