"""`check` on a terminal of 80 columns: a paragraph per fault, the worst first, nothing cut, what is well behind `-v`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from features.__main__ import app
from features.readiness import console
from tests.kit.company import at, make_source

ACCOUNTS = "SELECT 'a' AS account_id, TIMESTAMP '2024-01-01' AS event_time"


def check(folder: Path, *options: str, columns: int = 80) -> Result:
    return CliRunner().invoke(
        app, ["check", "--source", str(folder), "--data", str(folder), *options], env={"COLUMNS": str(columns)}
    )


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """40 faults and one that is very long."""
    (tmp_path / "accounts.sql").write_text(ACCOUNTS)
    (tmp_path / "usage.sql").write_text("SELECT 'a' AS account_id,\n  at AS event_time")
    twice = ", ".join(f'{n} AS "Deal size {n}", {n} AS deal_size_{n}' for n in range(37))
    (tmp_path / "contacts.sql").write_text(f"SELECT 'c' AS contact_id, TIMESTAMP '2024-01-01' AS event_time, {twice}")
    names = ", ".join(f"{n} AS a_column_with_a_rather_long_name_{n}" for n in range(300))
    (tmp_path / "touches.sql").write_text(f"SELECT * FROM (SELECT {names})")
    return tmp_path


class TestParagraphs:
    @pytest.mark.parametrize("columns", [40, 80, 100])
    def test_wrapped_on_words_and_never_cut(self, faulty: Path, columns: int) -> None:
        shown = check(faulty, columns=columns).stdout
        told = json.loads(check(faulty, "--json").stdout)["lines"]
        long = [line for line in shown.splitlines() if len(line) > columns and " | " not in line]
        assert [line for line in long if len(line.split()) > 1] == []
        assert len(told) >= 40
        for line in told:
            if line["severity"] != "info":
                for part in ("found", "rule", "what_to_do"):
                    assert words(line[part]) in words(shown)

    def test_cut_words_are_noticed(self, faulty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin: a table of eight columns cuts words."""
        monkeypatch.setattr(console, "wrapped", lambda text, *_: "\n".join(re.findall(".{1,8}", text)))
        shown = check(faulty).stdout
        assert "wherever it is a name" not in words(shown)

    def test_the_worst_first_and_a_verdict_at_both_ends(self, faulty: Path) -> None:
        paragraphs = check(faulty).stdout.strip().split("\n\n")
        assert re.match(r"source \S+: 4\d things that block", words(paragraphs[0]))
        grave = [p.split()[0] for p in paragraphs if p.split()[0] in ("blocks", "weakens", "info")]
        assert grave == sorted(grave, key=["blocks", "weakens", "info"].index)
        assert "info" not in grave
        assert paragraphs[-1].startswith("churn-risk: not yet: ")

    def test_the_place_in_the_select_is_shown(self, faulty: Path) -> None:
        assert "\n    2 |   at AS event_time\n      |      ^^\n" in check(faulty).stdout


class TestVerbose:
    def test_facts_about_the_source_are_shown_with_v_only(self, tmp_path: Path) -> None:
        rows = [
            {"account_id": f"a{n}", "event_time": at("2024-01-01"), "Tier": "gold" if n % 2 else "tin"}
            for n in range(30)
        ]
        make_source(tmp_path, {"accounts": rows})
        short, long = check(tmp_path).stdout, check(tmp_path, "-v").stdout
        for said in (
            "table accounts: 30 rows",
            "custom signal tier of accounts",
            "observed from 2024-01-01",
            "info accounts",
        ):
            assert said in long
            assert said not in short
        assert "add -v" in short
        assert "add -v" not in long
