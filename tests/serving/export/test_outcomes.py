"""Outcomes of the star, as they ripen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from features.sources.source import Source
from tests.kit.published import bytes_of_folder
from tests.kit.star import RIPE


class TestOutcomes:
    def test_outcomes_come_when_the_window_and_the_time_to_return_are_over(
        self, ask: duckdb.DuckDBPyConnection
    ) -> None:
        told = dict(
            ask.execute(
                "SELECT DISTINCT as_of::DATE::VARCHAR || ' ' || model, window_end::DATE::VARCHAR FROM outcome_fact"
            ).fetchall()
        )
        assert told == {f"{RIPE} churn-risk": "2025-11-12", f"{RIPE} lead-fit": "2025-10-13"}
        scored = ask.execute(
            f"SELECT count(*) FROM score_fact WHERE as_of = '{RIPE}' AND probability IS NOT NULL"
        ).fetchone()
        assert ask.execute("SELECT count(*) FROM outcome_fact JOIN score_fact USING (score_key)").fetchone() == scored

    def test_outcomes_are_what_the_contracts_say(self, source: Source, ask: duckdb.DuckDBPyConnection) -> None:
        """By another way than the labels': no paid contract at some moment of the window, and none within 30 days after it."""
        found = ask.execute(
            "SELECT entity_id, epoch_us(happened_at), epoch_us(window_end), epoch_us(as_of) FROM outcome_fact WHERE model = 'churn-risk' AND happened"
        ).fetchall()
        assert len(found) >= 5
        for account, us, end, as_of in found:
            assert as_of <= us < end
            paid = (
                "SELECT count(*) FROM subscriptions WHERE account_id = '{}' AND status IN ('active', 'notice') AND mrr > 0 "
                "AND event_us {} {} AND event_us <= {}"
            )
            after = source.query(paid.format(account, ">=", us, us + 30 * 86_400_000_000))
            before = source.query(paid.format(account, ">=", 0, us))
            assert (after, before[0][0] > 0) == ([(0,)], True)

    def test_outcomes_are_more_frequent_at_higher_probability(self, ask: duckdb.DuckDBPyConnection) -> None:
        likely, others = ask.execute(
            "SELECT avg(happened::INT) FILTER (WHERE band = 'high'), avg(happened::INT) FILTER (WHERE band = 'low') "
            "FROM score_fact JOIN outcome_fact USING (score_key)"
        ).fetchone()  # type: ignore[misc]
        assert likely > others

    def test_outcomes_are_filled_in_once_the_source_is_given(
        self, nights: dict[str, Path], add: Any, star: Path, tmp_path: Path
    ) -> None:
        add(nights["ripe"], tmp_path, source=None)
        assert not (tmp_path / "outcome_fact").exists()
        done = add(nights["first"], tmp_path)
        assert done.ripened.rows == pd.read_parquet(star / "outcome_fact")["model"].value_counts().to_dict()
        assert done.ripened.waiting == 2
        assert bytes_of_folder(tmp_path / "outcome_fact") == bytes_of_folder(star / "outcome_fact")

    def test_the_twin_that_counts_open_windows_is_seen(
        self, nights: dict[str, Path], add: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin: not waiting writes outcomes of open windows, and nothing in them is known."""
        from serving.export import outcomes

        monkeypatch.setattr(outcomes, "ripe", lambda *_: True)
        add(nights["second"], tmp_path)
        assert pd.read_parquet(tmp_path / "outcome_fact")["happened"].isna().all()
