"""The pages of features/README.md, followed step by step: what they say works as they say it."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import features
from features.__main__ import app
from features.panel.build import build_panel
from features.signals import usage, usage_measures
from features.sources.loader import open_source
from tests.kit.company import at

PAGE = (Path(features.__path__[0]) / "README.md").read_text()


def section(title: str) -> str:
    return PAGE.split(f"## {title}\n")[1].split("\n## ")[0]


def blocks(text: str, language: str) -> list[str]:
    found = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return [re.sub(r"^ {3}", "", block, flags=re.MULTILINE) for block in found]


@pytest.fixture
def company(tmp_path: Path) -> Path:
    """Steps 1 and 2 of the page, with the files that its SELECTs read."""
    (tmp_path / "data").mkdir()
    (tmp_path / "my_company").mkdir()
    (tmp_path / "data/companies.csv").write_text("id,created_at,industry,employees\nc1,2025-01-01,retail,12\n")
    (tmp_path / "data/events.csv").write_text(
        "company,happened,person,screen\nc1,2025-12-20 10:00:00,p1,export\nc1,2025-12-21 10:00:00,p2,export\nc1,2025-12-22 09:00:00,p2,home\n"
    )
    names = re.findall(r"`my_company/(\w+)\.sql`", section("Add a source"))
    for name, select in zip(names, blocks(section("Add a source"), "sql"), strict=True):
        (tmp_path / "my_company" / f"{name}.sql").write_text(select)
    return tmp_path


class TestAddASource:
    def test_commands_as_written(self, company: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(company)
        commands = [
            c.replace("DIR", "data") for c in re.findall(r"`python -m features ([^`]*)`", section("Add a source"))
        ]
        assert [c.split()[0] for c in commands] == ["check", "query", "build", "audit"]
        for command in commands[:3]:
            done = CliRunner().invoke(app, command.split())
            assert done.exit_code == 0, done.output
        row = pq.read_table("panel.parquet").to_pylist()[0]
        assert (row["entity_id"], row["events_28d"], row["employees"]) == ("c1", 3.0, 12.0)


class TestAddASignal:
    def test_the_definition_as_written(self, company: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        measure, definition = blocks(section("Add a signal"), "python")
        space = {**vars(usage_measures), **vars(usage)}
        exec(measure, space)
        added = eval(definition, space)
        monkeypatch.setattr(usage, "DEFINITIONS", (*usage.DEFINITIONS, added))
        panel = build_panel(open_source(str(company / "my_company"), company / "data"), "account", [at("2026-01-01")])
        assert panel["exports_28d"].to_pylist() == [2.0]
