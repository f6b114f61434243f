"""The words of a column in every spelling that is understood."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.sources.overlay import overlay
from features.sources.vocabularies import WORDS, understood, words_of
from tests.kit.checked import account
from tests.kit.company import at, make_source


class TestWords:
    @pytest.mark.parametrize(("table", "column"), WORDS)
    def test_each_word_in_every_case(self, table: str, column: str) -> None:
        for word in words_of(table, column):
            shown = word.replace("_", " ")
            for written in (
                word,
                word.upper(),
                shown.title(),
                f" {shown}",
                shown.replace(" ", "-"),
                "".join(shown.title().split()),
            ):
                assert understood(table, column, written) == word, written

    def test_no_spelling_means_two_words(self) -> None:
        for place, words in WORDS.items():
            spelled = [s for word, others in words.items() for s in (word, *others)]
            assert len(spelled) == len(set(spelled)), place

    def test_sql_and_python_read_alike(self, tmp_path: Path) -> None:
        """CSV and Parquet go by the one, webhooks by the other."""
        written = [
            "Call",
            "MEETING",
            "Email Opened",
            "emailOpened",
            "phone-call",
            "fax",
            " call ",
            "Demo; follow-up",
            "",
            "é",
        ]
        rows = [{"account_id": "a", "event_time": at("2024-02-01"), "kind": word} for word in written]
        source = make_source(tmp_path, {"accounts": [account()], "touches": rows})
        held = sorted(row[0] for row in source.query("SELECT kind FROM touches"))
        assert held == sorted(understood("touches", "kind", word) for word in written)

    def test_a_webhook_is_read_as_a_file_is(self, tmp_path: Path) -> None:
        source = make_source(tmp_path, {"accounts": [account(kind="Customer")]})
        changed = overlay(source, "accounts", [{"account_id": "a", "event_time": at("2024-03-01"), "kind": "INTERNAL"}])
        assert sorted(changed.query("SELECT kind FROM accounts")) == [("customer",), ("internal",)]

    def test_signals_count_them(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from features.panel.build import build_panel

        rows = [{"account_id": "a", "event_time": at("2024-02-01"), "kind": "Meeting", "direction": "Inbound"}]
        source = make_source(tmp_path / "one", {"accounts": [account()], "touches": rows})
        assert build_panel(source, "account", [at("2024-02-02")], only=["talks_28d"])["talks_28d"].to_pylist() == [1.0]
        # The twin: words as they stand.
        monkeypatch.setattr("features.sources.casts.understood_sql", lambda table, column, text: text)
        source = make_source(tmp_path / "two", {"accounts": [account()], "touches": rows})
        assert build_panel(source, "account", [at("2024-02-02")], only=["talks_28d"])["talks_28d"].to_pylist() == [0.0]
