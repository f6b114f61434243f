"""A release says what it is: one version, in one place, with what users notice and must do."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from pathlib import Path

import pytest

import accountscore

PROJECT = tomllib.loads(Path("pyproject.toml").read_text())["project"]
CHANGELOG = Path("CHANGELOG.md").read_text()
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
"""Of Keep a Changelog 1.1.0."""


def releases(changelog: str) -> list[tuple[str, str]]:
    """Version and text of each heading, newest first, "Unreleased" too."""
    parts = re.split(r"^## \[(.+)\](?: - (\S+))?$", changelog, flags=re.M)
    return list(zip(parts[1::3], parts[3::3], strict=True))


def test_the_newest_release_of_the_changelog_is_the_version() -> None:
    versions = [version for version, _ in releases(CHANGELOG)]
    assert versions[0] == "Unreleased"
    assert versions[1] == PROJECT["version"]
    numbers = [tuple(map(int, version.split("."))) for version in versions[1:]]
    assert numbers == sorted(numbers, reverse=True)


def test_every_release_has_a_day_and_the_kinds_of_the_form() -> None:
    days = re.findall(r"^## \[\d.*\] - (\S+)$", CHANGELOG, re.M)
    assert len(days) == len(releases(CHANGELOG)) - 1
    assert [dt.date.fromisoformat(day) for day in days] == sorted(map(dt.date.fromisoformat, days), reverse=True)
    for version, told in releases(CHANGELOG):
        assert set(re.findall(r"^### (.+)$", told, re.M)) <= KINDS, version


def test_the_version_stands_in_one_place_and_the_command_says_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["accountscore", "--version"])
    accountscore.main()
    assert capsys.readouterr().out.strip() == PROJECT["version"]
    elsewhere = [
        str(p)
        for room in ("features", "models", "training", "serving", "deploy")
        for p in Path(room).rglob("*")
        if p.suffix in (".py", ".yaml", ".toml", ".service") and f'"{PROJECT["version"]}"' in p.read_text()
    ]
    assert elsewhere == []
