"""Why a score moved: the parts sum to the whole, and each is what it says."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.signal import Phrase, Signal
from models.scorer import Scorer
from serving.change.many import split_many
from serving.change.split import Split, moved_by_clock, split
from tests.scorers import WORDS, make_scorer, make_signals

DAY = 86_400_000_000
AGE, LAST, WINDOW = "age_days", "days_since_visit", "visits_28d"


def signals() -> list[Signal]:
    def number(name: str, unit: str, window: str) -> Signal:
        return Signal(
            name, "usage", unit, window, "never", name, Phrase("It is {value}."), by_clock=True  # type: ignore[arg-type]
        )  # fmt: skip

    clocked = [
        number(AGE, "days", "before as_of"),
        number(LAST, "days", "before as_of"),
        number(WINDOW, "count", "[as_of - 28 d, as_of)"),
    ]
    return [*clocked, *make_signals()[3:]]


@pytest.fixture(scope="module")
def scorers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scorer, Scorer]:
    folder = tmp_path_factory.mktemp("change")
    return (
        make_scorer(folder / "a", signals=signals(), n=800),
        make_scorer(folder / "b", signals=signals(), n=800, seed=7),
    )


def inputs(**more: Any) -> dict[str, Any]:
    plain = {AGE: 10.0, LAST: 3.0, WINDOW: 5.0, "number_3": 100.0, "number_4": None, "number_5": 0.0}
    return {**plain, "word_0": "alpha", "word_1": None, **more}


def sums(found: Split, old: Scorer, new: Scorer, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Every sum that the answer promises."""
    whole = float(new.log_odds(new.encode_records([after])[0])[0] - old.log_odds(old.encode_records([before])[0])[0])
    assert found.total == pytest.approx(whole, abs=1e-12)
    assert math.fsum(found.log_odds.values()) == pytest.approx(found.total, abs=1e-12)
    for part in ("signals", "time"):
        mine = [share.effect for share in found.shares if share.part == part]
        assert math.fsum(mine) == pytest.approx(found.log_odds[part], abs=1e-12)
    p = [s.probability(s.encode_records([row])[0]) for s, row in ((old, before), (new, after))]
    assert sum(found.score.values()) == new.percentile(p[1])[0] - old.percentile(p[0])[0]
    assert [found.bands[0][1], found.bands[-1][1]] == [old.band(p[0])[0], new.band(p[1])[0]]


number = st.none() | st.floats(-1e9, 1e9, allow_nan=False)
rows = st.fixed_dictionaries(
    {
        **{name: number for name in (AGE, LAST, WINDOW, "number_3", "number_4", "number_5")},
        **{name: st.none() | st.sampled_from([*WORDS, "unseen"]) for name in ("word_0", "word_1")},
    }
)


class TestSums:
    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(before=rows, after=rows, days=st.integers(0, 200), versions=st.sampled_from(["aa", "ab"]))
    def test_parts_sum_to_the_whole_whatever_moved(
        self, scorers: tuple[Scorer, Scorer], before: dict[str, Any], after: dict[str, Any], days: int, versions: str
    ) -> None:
        old, new = scorers[0], scorers["ab".index(versions[1])]
        sums(split(old, new, before, after, days * DAY), old, new, before, after)

    def test_the_twin_that_forgets_the_passing_of_time_does_not_sum(self, scorers: tuple[Scorer, Scorer]) -> None:
        old = scorers[0]
        before, after = inputs(), inputs(**{AGE: 38.0, LAST: 31.0, WINDOW: 0.0, "number_3": -5e5})
        found = split(old, old, before, after, 28 * DAY)
        assert found.log_odds["time"] != 0
        found.log_odds["time"] = 0.0
        with pytest.raises(AssertionError):
            sums(found, old, old, before, after)


class TestParts:
    def test_nothing_moved(self, scorers: tuple[Scorer, Scorer]) -> None:
        found = split(scorers[0], scorers[0], inputs(), inputs(), 0)
        assert (found.total, found.log_odds, found.shares) == (0.0, {"signals": 0.0, "time": 0.0, "version": 0.0}, [])

    def test_only_a_signal(self, scorers: tuple[Scorer, Scorer]) -> None:
        found = split(scorers[0], scorers[0], inputs(), inputs(number_3=-5e5, word_0="gamma"), 28 * DAY)
        assert found.log_odds["signals"] == found.total != 0
        assert {share.part for share in found.shares} == {"signals"}
        moved = {share.signal for share in found.shares if share.before != share.after}
        assert moved == {"number_3", "word_0"}

    def test_only_the_clock(self, scorers: tuple[Scorer, Scorer]) -> None:
        found = split(scorers[0], scorers[0], inputs(), inputs(**{AGE: 38.0, LAST: 31.0, WINDOW: 0.0}), 28 * DAY)
        assert found.log_odds["time"] == found.total != 0
        assert found.log_odds["signals"] == 0

    def test_only_the_version(self, scorers: tuple[Scorer, Scorer]) -> None:
        found = split(*scorers, inputs(), inputs(), 0)
        assert found.log_odds["version"] == found.total != 0
        assert found.shares == []

    def test_a_signal_that_the_new_version_does_not_record_is_taken_as_it_was(
        self, scorers: tuple[Scorer, Scorer], tmp_path: Path
    ) -> None:
        fewer = [signal for signal in make_signals() if signal.name not in ("number_0", "number_1", "number_2")]
        x = np.random.default_rng(0).normal(size=(600, 5))
        x[:, 3:] = np.random.default_rng(1).integers(0, 6, (600, 2))
        new = make_scorer(tmp_path / "c", signals=fewer, rows=(x, (x[:, 0] > 0.5).astype(float)))
        after = {name: value for name, value in inputs(number_3=7.0).items() if name in new.names}
        found = split(scorers[0], new, inputs(), after, 0)
        assert found.not_read == [AGE, LAST, WINDOW]
        sums(found, scorers[0], new, inputs(), after)


class TestMovedByClock:
    @pytest.mark.parametrize(
        ("name", "after", "expected"),
        [
            (AGE, {AGE: 38.0}, True), (AGE, {AGE: 39.5}, False), (AGE, {AGE: 2.0}, False), (AGE, {AGE: None}, False),
            (AGE, {AGE: -18.0}, True),  # a term that comes nearer
            (WINDOW, {WINDOW: 1.0, LAST: 31.0}, True), (WINDOW, {WINDOW: 1.0, LAST: 27.0}, False),
            (WINDOW, {WINDOW: 1.0, LAST: None}, False), ("number_3", {"number_3": 1.0, LAST: 31.0}, False),
        ],
    )  # fmt: skip
    def test_it_takes_the_flag_and_that_nothing_happened(
        self, scorers: tuple[Scorer, Scorer], name: str, after: dict[str, Any], expected: bool
    ) -> None:
        assert moved_by_clock(scorers[0], name, inputs(), inputs(**after), 28 * DAY) is expected


class TestMany:
    """Columns of changes are the changes of each row."""

    def rows(self, n: int, seed: int) -> list[dict[str, Any]]:
        rng = np.random.default_rng(seed)
        found = []
        for _ in range(n):
            some = {
                AGE: float(rng.integers(0, 40)),
                LAST: float(rng.integers(0, 60)),
                WINDOW: float(rng.integers(0, 9)),
            }
            words = {f"word_{i}": rng.choice([*WORDS, "gold", None]) for i in range(2)}
            numbers = {f"number_{i}": rng.normal() * 10.0 ** (i * rng.integers(0, 2)) for i in range(3, 6)}
            row = inputs(**some, **words, **numbers)
            found.append({name: None if rng.random() < 0.1 else value for name, value in row.items()})
        return found

    def both(
        self, old: Scorer, new: Scorer, days: float = 28.0
    ) -> tuple[list[tuple[dict[str, int], list[str]]], list[tuple[dict[str, int], list[str]]]]:
        before, after = self.rows(300, 1), self.rows(300, 2)
        for i in range(0, 300, 3):  # a third moved by the clock alone, or not at all
            after[i] = {**before[i], AGE: (before[i][AGE] or 0.0) + days * (i % 2)}
        x = [old.encode_records(rows)[0] for rows in (before, after)]
        found = split_many(old, new, *x, new.log_odds(new.encode_records(after)[0]), round(days * DAY), 3)
        ends = found.counts.cumsum().tolist()
        texts = [found.texts[place] for place in found.places.tolist()]
        many = [
            ({part: int(points[i]) for part, points in found.score.items()}, texts[end - count : end])
            for i, (end, count) in enumerate(zip(ends, found.counts.tolist(), strict=True))
        ]
        one = []
        for left, right in zip(before, after, strict=True):
            alone = split(old, new, left, right, round(days * DAY))
            one.append((alone.score, [share.text for share in alone.shares[:3]]))
        return many, one

    @pytest.mark.parametrize("same", [True, False])
    @pytest.mark.parametrize("days", [0.5, 7.0, 28.0])
    def test_they_are_those_of_each_row(self, scorers: tuple[Scorer, Scorer], same: bool, days: float) -> None:
        many, one = self.both(scorers[0], scorers[0] if same else scorers[1], days)
        assert many == one
        assert any(parts["time"] for parts, _ in one) or days < 1

    def test_close_effects_are_put_in_order_as_each_row_is(
        self, scorers: tuple[Scorer, Scorer], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("serving.change.many.CLOSE", 1.0)  # now every row is told as `split` tells it
        many, one = self.both(*scorers)
        assert many == one

    def test_forgetting_the_clock_would_be_seen(
        self, scorers: tuple[Scorer, Scorer], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin: what the clock moved counts as moved by somebody."""
        monkeypatch.setattr("serving.change.many._by_clock", lambda _s, before, _a, _e: np.zeros(before.shape, bool))
        many, one = self.both(*scorers)
        assert many != one
