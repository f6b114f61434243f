"""`make` in a folder whose name has a space, after an install that was interrupted, and with a variable that is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from features import __path__ as features_path

ROOT = Path(features_path[0]).parent


def make(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ACCOUNTSCORE_", "MAKE"))}
    command = ["make", f"PYTHON={sys.executable}", *words]
    return subprocess.run(command, cwd=folder, env=env | environment, capture_output=True, text=True, check=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The Makefile, with nothing to install."""
    folder = tmp_path / "my checkout"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("requirements-core.lock", "requirements.lock", "requirements-uv.lock"):
        (folder / name).touch()
    return folder


def test_an_environment_that_was_half_made_is_made_again(checkout: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", checkout / ".venv"], check=True)
    assert subprocess.run([checkout / ".venv/bin/python", "-m", "pip", "--version"], check=False).returncode == 1
    done = make(checkout, "INSTALLER=pip", ".venv/.core")
    assert done.returncode == 0, done.stderr
    assert "Installed requirements-core.lock into .venv" in done.stdout


@pytest.mark.slow
def test_an_environment_whose_interpreter_is_gone_is_made_again(checkout: Path) -> None:
    (checkout / ".venv/bin").mkdir(parents=True)
    (checkout / ".venv/bin/python").symlink_to(checkout / "python-of-last-year")
    done = make(checkout, "INSTALLER=pip", ".venv/.core")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("target", "home", "word"),
    [
        ("score", "", "--out '{folder}/var/scores'"),
        ("score", "/srv/our home", "--out '/srv/our home/scores'"),
        ("score", "our home", "--out '{folder}/our home/scores'"),
        ("mlflow", "our home", "'sqlite:///{folder}/our home/mlflow.db'"),
        ("notebooks", "our home", "mkdir -p '{folder}/our home/notebooks'"),
    ],
)
def test_a_path_may_have_spaces(checkout: Path, target: str, home: str, word: str) -> None:
    done = make(checkout, "-n", target, "AS_OF=2026-01-01", ACCOUNTSCORE_HOME=home)
    assert word.format(folder=checkout) in done.stdout
    assert word.format(folder=checkout) in make(checkout, "-n", target, f"ACCOUNTSCORE_HOME={home}").stdout


@pytest.mark.parametrize("target", ["demo", "train", "tune", "compare", "backtest", "monitor", "score"])
def test_a_source_and_its_files_may_have_spaces(checkout: Path, target: str) -> None:
    done = make(checkout, "-n", target, "SOURCE=our source", "DATA=our files", "AS_OF=2026-01-01")
    assert "--source 'our source'" in done.stdout
    assert "--data 'our files'" in done.stdout


@pytest.mark.parametrize("target", ["monitor", "score"])
def test_an_option_without_a_value_is_left_out(checkout: Path, target: str) -> None:
    """Otherwise the next word would be taken for the date."""
    assert "--as-of" not in make(checkout, "-n", target).stdout


def test_the_page_is_named_before_it_is_served(checkout: Path) -> None:
    for words, port in (((), "8000"), (("PORT=81",), "81")):
        said = make(checkout, "-n", "page", *words).stdout
        assert f"http://127.0.0.1:{port}/ui/" in said
        assert ("--port '81'" in said) == (port == "81")
