"""The description of a signal: its topic, and which columns of a panel are signals."""

from __future__ import annotations

from dataclasses import replace

import pytest

from features.signals.signal import Phrase, Signal, is_signal_column, topic_of

SIGNAL = Signal(
    "active_users_28d", "usage", "count", "[as_of - 28 d, as_of)", "never", "active users", Phrase("{value}.")
)


class TestTopic:
    @pytest.mark.parametrize(
        ("name", "topic"),
        [
            ("active_users_28d", "active_users"),
            ("Logins_last_30_days", "logins"),
            ("l3m_spend", "spend"),
            ("spend_12_months_total", "spend_total"),
            ("top_10", "top_10"),
            ("q3_result", "q3_result"),
            ("28d", "28d"),
        ],
    )
    def test_is_the_name_without_its_window(self, name: str, topic: str) -> None:
        assert topic_of(name) == topic

    def test_a_topic_that_is_given_wins(self) -> None:
        assert SIGNAL.about == "active_users"
        assert replace(SIGNAL, topic="usage_level").about == "usage_level"


def test_a_category_is_told_by_its_unit() -> None:
    assert not SIGNAL.is_category
    assert replace(SIGNAL, unit="category").is_category


@pytest.mark.parametrize("name", ["entity_id", "as_of", "eligibility", "value", "eligibility:expansion"])
def test_the_fixed_columns_of_a_panel_are_no_signals(name: str) -> None:
    assert not is_signal_column(name)
    assert is_signal_column(f"my_{name}")
