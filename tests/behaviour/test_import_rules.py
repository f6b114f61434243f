"""The import rules of `pyproject.toml` hold, and each of them notices an import that it forbids."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("features", "models", "training", "serving")
FORBIDDEN = {
    "features <- models <- training": ("models/scorer/bins.py", "import training.splits"),
    "rooms of features": ("features/signals/signal.py", "import features.panel.build"),
    "the sample company is data": ("features/kit/memory.py", "import features.simulate.base"),
    "rooms of serving": ("serving/outbox/echo_ledger.py", "import serving.inbox.repository"),
    "rooms of an API process": ("serving/keys/repository.py", "import serving.scoring.service"),
    "an API process is small": ("serving/scoring/trend.py", "def late() -> None:\n    import pandas"),
    "no circles": ("serving/vendors/calls.py", "import serving.vendors.outbound"),
}
"""The beginning of a rule's name -> a file, and what it must not say. One in a function is an import too."""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def verdicts(checkout: Path) -> dict[str, bool]:
    """Name of each rule, and whether it is kept."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    env = {**os.environ, "PYTHONPATH": str(checkout), "COLUMNS": "200"}
    done = subprocess.run(command, cwd=checkout, env=env, capture_output=True, text=True, check=False)
    found = re.findall(r"^(.+?) (KEPT|BROKEN)\b", done.stdout, re.MULTILINE)
    assert found, done.stdout + done.stderr
    return {name: said == "KEPT" for name, said in found}


def test_every_rule_is_kept_and_each_notices_what_it_forbids(checkout: Path) -> None:
    kept = verdicts(checkout)
    assert all(kept.values()), kept
    assert {next(n for n in FORBIDDEN if name.startswith(n)) for name in kept} == set(FORBIDDEN)
    for file, line in FORBIDDEN.values():
        path = checkout / file
        path.write_text(f"{path.read_text()}\n\n{line}\n")
    assert not any(verdicts(checkout).values())
