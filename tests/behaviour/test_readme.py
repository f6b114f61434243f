"""The front page is whole: every setting, every command, every `make` target that it names."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from features import __path__ as features_path

ROOT = Path(features_path[0]).parent
PAGE = (ROOT / "README.md").read_text()
PACKAGES = ("features", "models", "training", "serving")


def settings_read() -> set[str]:
    """The environment variables that the code asks for."""
    asked = re.compile(r"""["'](ACCOUNTSCORE_[A-Z_]+)["']""")
    texts = (path.read_text() for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return {name for text in texts for name in asked.findall(text)}


def settings_told(page: str) -> set[str]:
    table = page.partition("## Settings")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `(ACCOUNTSCORE_\w+)` \|", table, flags=re.MULTILINE))


def commands_told(page: str, package: str) -> set[str]:
    listed = page.partition("## Commands")[2].partition("```")[2].partition("```")[0]
    return set(re.findall(r"[a-z-]+", listed.partition(f"python -m {package} ")[2].partition("python -m")[0]))


def commands_there(package: str) -> set[str]:
    app = importlib.import_module(f"{package}.__main__").app
    named = {c.name or c.callback.__name__.replace("_", "-") for c in app.registered_commands}
    return named | {group.name for group in app.registered_groups}


def test_tells_every_setting() -> None:
    assert settings_told(PAGE) == settings_read()


@pytest.mark.parametrize("package", ["features", "training", "serving"])
def test_tells_every_command(package: str) -> None:
    assert commands_told(PAGE, package) == commands_there(package)


def test_names_only_targets_that_there_are() -> None:
    there = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z][\w-]*)", PAGE)) <= there


def test_a_page_that_lacks_one_is_noticed() -> None:
    assert settings_told(PAGE.replace("| `ACCOUNTSCORE_CURRENCY` |", "")) != settings_read()
    assert commands_told(PAGE.replace("| backfill", ""), "serving") != commands_there("serving")
