"""Whom rows are about: found by name or by how values come again, and measures are not taken for names."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features.kit.flat_files.kinds import settle_table
from training.entity_column import find_entities, is_steady


def snapshots(accounts: int = 60, weeks: int = 30, seed: int = 0) -> pd.DataFrame:
    """Weekly rows per account, with facts of the account, and a measure of each week; numbers of accounts are scattered."""
    rng = np.random.default_rng(seed)
    number = rng.choice(900_000, accounts, replace=False) + 100_000
    employees = rng.lognormal(4, 1, accounts).astype(int)
    who, week = np.repeat(np.arange(accounts), weeks), np.tile(np.arange(weeks), accounts)
    return pd.DataFrame(
        {
            "x": number[who],
            "employees": employees[who],
            "calls": rng.poisson(30, len(who)),
            "snapshot": pd.Timestamp("2024-01-01") + pd.to_timedelta(7 * week, unit="D"),
        }
    )


def found(frame: pd.DataFrame, time: str | None = "snapshot", given: str | None = None) -> tuple[str | None, set[str]]:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    order = None if time is None else frame[time].astype("int64").to_numpy()
    entities = find_entities(settle_table(table), order, {time or ""}, given)
    return entities.column, set(entities.ids)


class TestByHowItComesAgain:
    @pytest.mark.parametrize(
        "write",
        [
            lambda x: x,
            lambda x: x.astype(float),  # as a CSV with gaps is read
            lambda x: x.astype(str),
            lambda x: pd.factorize(x)[0],  # 0, 1, 2, ...
        ],
    )
    def test_a_name_that_says_nothing(self, write: object) -> None:
        frame = snapshots()
        assert found(frame.assign(x=write(frame["x"]))) == ("x", {"x"})  # type: ignore[operator]

    def test_an_id_of_few_accounts_is_found(self) -> None:
        assert found(snapshots(accounts=8, weeks=80)) == ("x", {"x"})

    def test_every_account_on_its_own_weekday(self) -> None:
        frame = snapshots()
        frame["snapshot"] += pd.to_timedelta(pd.factorize(frame["x"])[0] * 3571, unit="min")
        assert found(frame) == ("x", {"x"})

    def test_an_id_with_gaps_in_its_rows_is_found(self) -> None:
        frame = snapshots()
        assert found(frame[np.random.default_rng(1).random(len(frame)) < 0.8]) == ("x", {"x"})

    def test_shuffled_values_are_no_id(self) -> None:
        """The twin: the same values, no more where they were."""
        frame = snapshots()
        frame["x"] = np.random.default_rng(1).permutation(frame["x"])
        assert found(frame) == (None, set())


class TestMeasures:
    def test_leads_with_counts_codes_and_kinds_keep_them(self) -> None:
        rng = np.random.default_rng(0)
        n = 3_000
        frame = pd.DataFrame(
            {
                "created": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 200, n), unit="D"),
                "tenure": rng.integers(0, 73, n),
                "visits": rng.poisson(8, n),
                "contract": rng.choice(["monthly", "yearly"], n),
                "customer": rng.choice(["yes", "no"], n),
                "household": rng.integers(1, 7, n),
                "employees_number": rng.lognormal(4, 1, n).astype(int),
                "number of contacts": rng.integers(0, 60, n),
                "revenue": rng.lognormal(12, 1, n).astype(int),
                "plan_id": rng.integers(1, 6, n),
            }
        )
        assert found(frame, "created") == (None, set())
        assert found(frame.sort_values("created"), None) == (None, set())

    @pytest.mark.parametrize("every", ["h", "7D"])
    def test_kinds_with_gaps_on_a_regular_grid_of_times(self, every: str) -> None:
        """One row per moment: no two rows of a value are nearer than the grid lets them be."""
        rng = np.random.default_rng(0)
        plan = rng.choice(np.array(["basic", "pro", None], dtype=object), 600)
        team = rng.choice(list("abcdefghijkl"), 600)
        frame = pd.DataFrame(
            {"created": pd.date_range("2024-01-01", periods=600, freq=every), "plan": plan, "team": team}
        )
        assert found(frame, "created") == (None, set())


class TestByName:
    @pytest.mark.parametrize(
        ("name", "is_one"),
        [
            ("account", True), ("AccountID", True), ("customer no", True), ("Lead Number", True), ("org_uuid", True),
            ("campaign_id", True), ("employees", False), ("no_of_leads", False), ("contract", False), ("ideas", False),
        ],
    )  # fmt: skip  # a table: one case beside the other
    def test_whole_numbers_that_come_again_at_any_time(self, name: str, is_one: bool) -> None:
        rng = np.random.default_rng(0)
        frame = pd.DataFrame({name: rng.integers(0, 300, 2_000), "at": rng.integers(0, 10**9, 2_000)})
        assert found(frame, None)[1] == ({name} if is_one else set())
        entity = name if is_one and name != "campaign_id" else None
        assert found(frame, None)[0] == entity, "a campaign is not whom a row is about"

    def test_a_given_id_column_is_taken(self) -> None:
        frame = snapshots().assign(parent=lambda f: f["x"] % 7)
        assert found(frame) == ("x", {"x"})
        assert found(frame, given="parent") == ("parent", {"parent"})

    def test_a_named_id_goes_before_a_measure_that_comes_again_like_one(self) -> None:
        frame = snapshots().rename(columns={"x": "account"}).assign(a=lambda f: f["account"] * 3)
        assert found(frame[["a", "account", "snapshot"]]) == ("account", {"account"})


def test_missing_ids_are_not_one_account() -> None:
    frame = snapshots().astype({"x": object})
    frame.loc[::50, "x"] = None
    entities = find_entities(
        settle_table(pa.Table.from_pandas(frame)), frame["snapshot"].astype("int64").to_numpy(), {"snapshot"}
    )
    assert entities.column == "x"
    assert entities.count == 60 + frame["x"].isna().sum()


def test_two_rows_each_are_enough_where_moments_are_shared() -> None:
    who, week = np.repeat(np.arange(400), 2), np.tile([0, 1], 400)
    assert is_steady(who, week)
    assert not is_steady(np.random.default_rng(0).permutation(who), week)
