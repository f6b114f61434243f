"""How strong one column is alone, and what counts as a date or a proof."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from features.audit.finding import AuditedTable, Finding, as_dates, auc_of, codes, is_date, strength


class TestStrength:
    def test_an_identifier_says_nothing(self) -> None:
        y = np.tile([0, 1], 500)
        assert strength(pd.Series([f"k{n}" for n in range(1_000)]), y) == pytest.approx(0.5, abs=0.05)

    def test_the_outcome_in_other_words_says_everything_whichever_way_it_points(self) -> None:
        y = np.tile([0, 1], 500)
        assert strength(pd.Series(np.where(y == 1, "gone", "kept")), y) == 1.0
        assert strength(pd.Series(-y.astype(float)), y) == 1.0

    def test_missing_is_a_value_of_its_own(self) -> None:
        y = np.tile([0, 1], 500)
        assert strength(pd.Series(np.where(y == 1, 3.0, np.nan)), y) == 1.0


class TestAuc:
    def test_is_that_of_scikit_learn_with_ties(self) -> None:
        rng = np.random.default_rng(0)
        y, score = rng.integers(0, 2, 400), rng.integers(0, 9, 400).astype(float)
        assert auc_of(y, score) == pytest.approx(roc_auc_score(y, score), abs=1e-12)

    def test_one_score_for_all_is_a_half(self) -> None:
        assert auc_of(np.array([0, 1, 1]), np.zeros(3)) == 0.5


class TestCodes:
    def test_texts_have_one_each_and_missing_is_0(self) -> None:
        assert codes(pd.Series(["b", None, "a", "b"])).tolist() == [1, 0, 2, 1]

    def test_numbers_are_binned_and_a_value_that_many_share_is_apart(self) -> None:
        column = pd.Series([*np.arange(1.0, 91.0), *[0.0] * 9, np.nan])
        found = codes(column)
        assert len(set(found[90:99])) == 1
        assert not set(found[90:99]) & set(found[:90])
        assert found[99] == 0
        assert (np.diff(found[:90]) >= 0).all()


class TestIsDate:
    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            (["2024-01-31", "2024-02-01"], True),
            (["1/2/2024", "2/2/2024"], True),
            (["01.02.2024", "31.01.2024"], True),
            (["1/31/2024", "2/1/2024"], True),
            (["31/1/2024", "1/31/2024"], False),  # of two orders: half of them is not a date in either
            (["2024", "2025"], False),
            ([20240131, 20240201], False),
            ([], False),
        ],
    )
    def test_goes_by_how_it_is_written(self, values: list[object], expected: bool) -> None:
        assert is_date(pd.Series(values, dtype=object if values and isinstance(values[0], str) else None)) is expected

    def test_times_are_dates(self) -> None:
        assert is_date(pd.Series(pd.date_range("2024-01-01", periods=3)))


class TestAsDates:
    @pytest.mark.parametrize(
        ("texts", "expected"),
        [
            (["01.02.2024", "31.01.2024"], ["2024-02-01", "2024-01-31"]),
            (["1/2/2024", "1/31/2024"], ["2024-01-02", "2024-01-31"]),
            (["1/2/2024", "31/1/2024"], ["2024-02-01", "2024-01-31"]),
            (["2024-02-01", "soon"], ["2024-02-01", None]),
        ],
    )
    def test_the_day_comes_first_with_dots_or_when_a_first_number_is_no_month(
        self, texts: list[str], expected: list[str | None]
    ) -> None:
        found = as_dates(pd.Series(texts))
        assert [None if pd.isna(each) else f"{each:%Y-%m-%d}" for each in found] == expected

    def test_times_of_a_zone_are_taken_to_utc(self) -> None:
        times = pd.Series(pd.to_datetime(["2024-02-01 00:30:00+01:00"]))
        assert as_dates(times).tolist() == [pd.Timestamp("2024-01-31 23:30:00")]


def test_a_proof_is_told_by_its_code() -> None:
    assert Finding("copy_of_outcome", "high", ("a",), "", "").is_proof
    assert not Finding("too_good", "high", ("a",), "", "").is_proof


def test_a_table_knows_its_columns_and_its_base_rate() -> None:
    table = AuditedTable(pd.DataFrame({"a": [1, 2], 3: [4, 5]}), np.array([0, 1]), np.arange(2), False)
    assert (table.names, table.base_rate) == (["a", "3"], 0.5)
