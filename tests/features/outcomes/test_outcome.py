"""An outcome says which tables tell it, and what a source lacks that cannot."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from features.outcomes.churn import CHURN
from features.outcomes.conversion import CONVERSION
from features.sources.source import Source
from tests.kit.company import at, make_source

WHEN = at("2024-01-01")
ROWS: dict[str, list[dict[str, Any]]] = {
    "accounts": [{"account_id": "a", "event_time": WHEN}],
    "subscriptions": [{"subscription_id": "s", "account_id": "a", "event_time": WHEN, "status": "active", "mrr": 1.0}],
    "churn_labels": [{"account_id": "a", "churned": False}],
}


def source_of(folder: Path, *tables: str) -> Source:
    return make_source(folder, {name: ROWS[name] for name in tables})


class TestToldBy:
    def test_ready_labels_alone_tell_it_where_there_are_any(self, tmp_path: Path) -> None:
        assert CHURN.told_by(source_of(tmp_path / "1", "accounts", "subscriptions")) == ("subscriptions",)
        assert CHURN.told_by(source_of(tmp_path / "2", *ROWS)) == ("churn_labels",)


class TestLacking:
    @pytest.mark.parametrize(
        ("tables", "lacks"),
        [
            (("accounts", "subscriptions"), None),
            (("accounts",), "none of the tables churn_labels, subscriptions, which record the outcome"),
        ],
    )
    def test_says_what_is_missing(self, tmp_path: Path, tables: tuple[str, ...], lacks: str | None) -> None:
        assert CHURN.lacking(source_of(tmp_path, *tables)) == lacks
        assert CONVERSION.lacking(source_of(tmp_path, *tables)) == "no table leads"


def test_its_entities_are_called_as_their_table_unless_it_says_otherwise() -> None:
    assert (CHURN.crowd, CONVERSION.crowd) == ("accounts", "leads")
    assert replace(CHURN, crowd="customers").crowd == "customers"


def test_a_copy_is_the_outcome_itself() -> None:
    assert copy.deepcopy({"outcome": CHURN})["outcome"] is CHURN
