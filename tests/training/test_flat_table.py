"""A flat table is enough: columns become signals or say why not, and what is wrong is said all at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features.audit.table import audit_table
from features.kit.clock import DAY_US
from features.kit.errors import UserMistake
from features.kit.flat_files.kinds import settle
from features.kit.flat_files.reading import read_file
from tests.kit.flat_tables import leads, learnt_from, weekly_accounts
from training.errors import TrainingRefused
from training.flat_table import Ask, as_unit, flat_rows, moments

pytestmark = pytest.mark.usefixtures("no_pictures")


def column(*values: object) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(list(values))])


class TestSignals:
    def test_what_becomes_a_signal_and_what_does_not(self) -> None:
        flat = flat_rows(pa.Table.from_pandas(leads()), Ask("won", time="created"))
        units = {s.name: s.unit for s in flat.rows.signals}
        assert units == {"size": "points", "plan": "category", "trial": "flag", "as text": "points"}
        why = dict(flat.left_out)
        assert "an identifier" in why["id"]
        assert "a running number" in why["row"]
        assert why["empty"] == "it has no value in any row"

    def test_a_running_number_is_one_in_every_type(self) -> None:
        numbers = [1.0, None, *map(float, range(3, 201))]
        assert "a running number" in as_unit(settle(column(*numbers)))
        assert as_unit(settle(column(*(v and v + 0.25 for v in numbers)))) == "points"

    def test_dates_are_refused_with_the_next_step(self) -> None:
        assert "give the days" in as_unit(settle(pa.chunked_array([pa.array(pd.date_range("2024-01-01", periods=30))])))

    def test_infinite_numbers_are_missing(self) -> None:
        found = settle(column(1.0, float("inf"), 2.0))
        assert found.kind == "number"
        assert found.values.null_count == found.unreadable == 1

    def test_rows_without_a_label_are_left_out(self) -> None:
        frame = leads()
        frame.loc[:9, "won"] = None
        flat = flat_rows(pa.Table.from_pandas(frame), Ask("won"))
        assert flat.unlabelled == 10
        assert len(flat.rows) == 590

    def test_times_as_text_numbers_and_dates_have_one_order(self) -> None:
        days = pd.date_range("2024-01-01", periods=5)
        for values in (days, [d.isoformat() for d in days], [1.5, 2.0, 7.0, 8.0, 9.0]):
            assert (np.diff(moments(settle(pa.chunked_array([pa.array(list(values))])), "t")) > 0).all()


class TestSnapshots:
    def test_a_horizon_is_a_gap_and_without_one_accounts_stay_on_one_side(self) -> None:
        frame = weekly_accounts()
        flat = learnt_from(frame, horizon_days=90)
        time = flat.rows.time
        assert time is not None
        assert time[flat.split.before_test].max() + 90 * DAY_US <= time[flat.split.test].min()
        assert time[flat.split.train].max() + 90 * DAY_US <= time[flat.split.calibrate].min()
        assert "The gap is 90 days" in " ".join(flat.notes)
        flat = learnt_from(frame)
        group, split = flat.rows.group, flat.split
        assert time[split.before_test].max() + 90 * DAY_US > time[split.test].min(), "there is none"
        assert not set(group[split.before_test]) & set(group[split.test])
        assert "there is no gap" in " ".join(flat.notes)

    @pytest.mark.parametrize("more", [{"horizon_days": 90}, {}, {"horizon_days": 90, "group": "account"}])
    def test_the_number_of_an_account_is_no_input_and_intervals_go_by_account(self, more: dict[str, Any]) -> None:
        frame = weekly_accounts()
        flat = learnt_from(frame, **more)
        assert [s.name for s in flat.rows.signals] == ["age", "size", "noise", "mood"]
        assert flat.entities.column == "account"
        assert len(np.unique(flat.rows.group)) == 240
        assert "intervals are by account" in " ".join(flat.notes)

    def test_rows_without_a_group_are_not_one_group(self) -> None:
        frame = leads()
        frame["firm"] = [f"f{i // 4}" if i % 3 else None for i in range(len(frame))]
        flat = flat_rows(pa.Table.from_pandas(frame), Ask("won", group="firm"))
        alone = flat.rows.group[frame["firm"].isna().to_numpy()]
        assert len(np.unique(alone)) == len(alone) == 200

    def test_without_a_time_folds_go_by_account(self) -> None:
        frame = weekly_accounts().drop(columns=["snapshot"])
        flat = flat_rows(pa.Table.from_pandas(frame, preserve_index=False), Ask("left"))
        assert all(not set(flat.rows.group[a]) & set(flat.rows.group[b]) for a, b in flat.split.folds)
        assert len(np.unique(flat.rows.group)) == 240


class TestOutcome:
    @pytest.mark.parametrize(("chosen", "value"), [(None, "Yes"), ("No", "No"), ("yes", "Yes")])
    def test_the_outcome_value_is_chosen_and_reported(self, chosen: str | None, value: str) -> None:
        frame = leads()
        flat = flat_rows(pa.Table.from_pandas(frame), Ask("won", chosen))
        assert flat.outcome == {
            "column": "won",
            "value": value,
            "other": "No" if value == "Yes" else "Yes",
            "rows": int((frame["won"] == value).sum()),
        }
        assert flat.rows.y.sum() == (frame["won"] == value).sum()
        assert any(f"The outcome is won = {value}" in note for note in flat.notes)

    @pytest.mark.parametrize("values", [(0, 1), (0.0, 1.0), (False, True), ("0", "1")])
    def test_numbers_and_flags_by_what_is_written(self, values: tuple[object, object]) -> None:
        frame = leads()
        frame["won"] = [values[v == "Yes"] for v in frame["won"]]
        written = {"False": "false"}.get(str(values[0]), "0")
        flat = flat_rows(pa.Table.from_pandas(frame), Ask("won", written))
        assert flat.rows.y.sum() == (frame["won"] == values[0]).sum()

    @pytest.mark.parametrize("chosen", [None, "won", "lost"])
    def test_cases_that_are_still_open_are_no_label_as_in_the_audit(self, chosen: str | None) -> None:
        frame = leads()
        frame["won"] = np.where(frame["won"] == "Yes", "Won", "lost")
        frame.loc[:49, "won"] = "Negotiation"
        frame.loc[50:59, "won"] = ""
        flat = flat_rows(pa.Table.from_pandas(frame), Ask("won", chosen))
        assert len(flat.rows) == 540
        assert flat.unlabelled == 60
        assert flat.outcome["value"] == ("lost" if chosen == "lost" else "Won")
        said = "Rows that are not learnt from: 10 without a value in won; 50 that are still open (Negotiation)."
        assert said in flat.notes
        audit_table(frame.replace("", None), "won")  # takes the same label

    @pytest.mark.parametrize(
        ("values", "next_step"),
        [
            (["gold", "silver", "bronze"], "write each other value as one of the two, or empty"),
            (["gold", None, None], "write the other value where it is empty and the case is closed"),
            (list(pd.date_range("2024-01-01", periods=200).astype("str")), "write yes where this one is filled in"),
        ],
    )
    def test_a_label_of_other_kinds_is_told_what_to_write(self, values: list[str | None], next_step: str) -> None:
        frame = leads().assign(won=(values * 600)[:600])  # type: ignore[arg-type]
        with pytest.raises(UserMistake, match=rf"a label has two.*{next_step}"):
            flat_rows(pa.Table.from_pandas(frame), Ask("won"))

    def test_an_outcome_value_that_no_row_has_is_refused(self) -> None:
        with pytest.raises(UserMistake, match="--outcome maybe is not a value of 'won': choose No or Yes"):
            flat_rows(pa.Table.from_pandas(leads()), Ask("won", "maybe"))


class TestRefusals:
    def test_every_missing_column_at_once(self) -> None:
        with pytest.raises(TrainingRefused) as refused:
            flat_rows(pa.Table.from_pandas(leads()), Ask("converted", time="when", group="firm"))
        assert [f.where for f in refused.value.faults] == ["--label converted", "--time when", "--group firm"]

    @pytest.mark.parametrize(
        ("ask", "faults"),
        [
            (Ask("won", time="won", id_column="won"), ["--time won", "--id won"]),
            (Ask("won", group="won"), ["--group won"]),
            (Ask("won", time="created", id_column="created"), ["--id created"]),
        ],
    )
    def test_a_column_that_cannot_be_both(self, ask: Ask, faults: list[str]) -> None:
        with pytest.raises(TrainingRefused) as refused:
            flat_rows(pa.Table.from_pandas(leads()), ask)
        assert [f.where for f in refused.value.faults] == faults

    @pytest.mark.parametrize(("name", "why"), [("size", "fractions"), ("trial", "flags"), ("empty", "no value")])
    def test_a_column_that_can_be_no_id_is_refused(self, name: str, why: str) -> None:
        with pytest.raises(TrainingRefused, match=f"--id {name}: it h(as|olds) .*{why.rsplit(maxsplit=1)[-1]}"):
            flat_rows(pa.Table.from_pandas(leads()), Ask("won", id_column=name))

    @pytest.mark.parametrize("option", ["label", "group"])
    def test_a_column_of_lists_is_refused(self, option: str) -> None:
        rows = pa.Table.from_pandas(leads()).append_column("lists", pa.array([["a"], ["b"]] * 300))
        ask = Ask("lists") if option == "label" else Ask("won", group="lists")
        with pytest.raises(TrainingRefused, match=f"--{option} lists: its type is list"):
            flat_rows(rows, ask)

    def test_a_label_with_one_value_is_refused(self) -> None:
        frame = leads().assign(won="No")
        with pytest.raises(UserMistake, match="column 'won' holds 1 different values"):
            flat_rows(pa.Table.from_pandas(frame), Ask("won"))

    def test_too_few_rows_with_the_outcome_are_refused(self) -> None:
        frame = leads()
        frame["won"] = np.arange(len(frame)) < 7
        with pytest.raises(TrainingRefused, match=r"7 of 600.*at least 20.*about 3 times the history"):
            flat_rows(pa.Table.from_pandas(frame), Ask("won"))

    def test_a_text_that_is_no_time_is_refused(self) -> None:
        frame = leads().assign(when=["2024-01-01"] * 599 + ["soon"])
        with pytest.raises(TrainingRefused, match="'soon'"):
            flat_rows(pa.Table.from_pandas(frame), Ask("won", time="when"))

    def test_a_file_that_is_missing_or_of_another_kind_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UserMistake, match="no file"):
            read_file(tmp_path / "nothing.csv")
        (tmp_path / "a.xlsx").write_text("x")
        with pytest.raises(UserMistake, match=r"neither \.parquet nor \.csv"):
            read_file(tmp_path / "a.xlsx")
