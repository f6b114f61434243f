"""A process that serves imports nothing heavy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from models import champion_pointer
from tests.kit.running import Home
from tests.kit.scorers import make_scorer

MODEL = "churn-risk"
BODY = {"records": [{"signals": {"number_0": 1.0, "word_0": "gamma"}}], "reasons": 3}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scorers 1 and 2 of churn-risk, which give other numbers, and one of lead-fit."""
    folder = tmp_path_factory.mktemp("scorers")
    for number in (1, 2):
        make_scorer(folder / str(number), n=500, seed=number)
    make_scorer(folder / "lead-fit", model="lead-fit", n=500)
    return folder


def put(home: Path, made: Path, version: int) -> None:
    with champion_pointer.locked(home, MODEL):
        champion_pointer.put_live(home, MODEL, made / str(version), version)


def new_home(folder: Path, made: Path, *versions: int) -> Home:
    home = Home(folder / "home", folder)
    for version in versions:
        put(home.path, made, version)
    return home


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
print(*sorted(set(HEAVY) & set(sys.modules)))
"""


class TestWhatIsImported:
    def imported(self, home: Home, before: str = "") -> str:
        code = f"{before}\nBODY, HEAVY = {BODY!r}, {HEAVY!r}\n{ASK}"
        env = home.environment({"PYTHONPATH": os.getcwd()})
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def test_a_serving_process_loads_nothing_heavy(self, tmp_path: Path, made: Path) -> None:
        home = new_home(tmp_path, made, 1)
        assert home.run("serving", "migrate").returncode == 0
        assert self.imported(home) == ""
        # The sabotaged twin: one import of pandas is seen.
        assert "pandas" in self.imported(home, "import pandas").split()
