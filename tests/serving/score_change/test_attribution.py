"""Why a score moved: the parts sum to the whole, and each is what it says."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.scorer.scorer import Scorer
from serving.decisions.earlier_rows import Old
from serving.score_change.attribution import Attribution, split
from tests.kit.attributed import AGE, LAST, WINDOW, inputs, rows, signals
from tests.kit.scorers import make_scorer, make_signals


@pytest.fixture(scope="module")
def scorers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scorer, Scorer]:
    folder = tmp_path_factory.mktemp("change")
    return (
        make_scorer(folder / "a", signals=signals(), n=800),
        make_scorer(folder / "b", signals=signals(), n=800, seed=7),
    )


def sums(found: Attribution, old: Scorer, new: Scorer, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Every sum that the answer promises."""
    whole = float(new.log_odds(new.encode_records([after])[0])[0] - old.log_odds(old.encode_records([before])[0])[0])
    assert found.total == pytest.approx(whole, abs=1e-12)
    assert math.fsum(found.log_odds.values()) == pytest.approx(found.total, abs=1e-12)
    for part in found.log_odds.keys() - {"version"}:
        mine = [share.effect for share in found.shares if share.part == part]
        assert math.fsum(mine) == pytest.approx(found.log_odds[part], abs=1e-12)
    p = [s.probability(s.encode_records([row])[0]) for s, row in ((old, before), (new, after))]
    assert sum(found.score.values()) == new.percentile(p[1])[0] - old.percentile(p[0])[0]
    assert [found.bands[0][1], found.bands[-1][1]] == [old.band(p[0])[0], new.band(p[1])[0]]


def log_odds(scorer: Scorer, row: dict[str, Any]) -> float:
    return float(scorer.log_odds(scorer.encode_records([row])[0])[0])


class TestSums:
    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        before=rows,
        after=rows,
        aged=st.none() | rows,
        restated=st.just({}) | rows,
        versions=st.sampled_from(["aa", "ab"]),
    )
    def test_parts_sum_to_the_whole_whatever_moved(
        self,
        scorers: tuple[Scorer, Scorer],
        before: dict[str, Any],
        after: dict[str, Any],
        aged: dict[str, Any] | None,
        restated: dict[str, Any],
        versions: str,
    ) -> None:
        old, new = scorers[0], scorers["ab".index(versions[1])]
        found = split(old, new, before, after, None if aged is None else Old(aged, restated))
        sums(found, old, new, before, after)
        if aged is None:
            assert found.log_odds.keys() == {"unsplit", "version"}
        else:
            then = {**before, **restated}
            assert found.log_odds["time"] == pytest.approx(log_odds(old, aged) - log_odds(old, then), abs=1e-12)

    def test_the_twin_that_forgets_the_passing_of_time_does_not_sum(self, scorers: tuple[Scorer, Scorer]) -> None:
        old = scorers[0]
        before, after = inputs(), inputs(**{AGE: 38.0, LAST: 31.0, WINDOW: 0.0, "number_3": -5e5})
        found = split(old, old, before, after, Old({"number_3": 100.0}))
        assert found.log_odds["time"] != 0 != found.log_odds["data"]
        found.log_odds["time"] = 0.0
        with pytest.raises(AssertionError):
            sums(found, old, old, before, after)


class TestParts:
    def test_nothing_moved(self, scorers: tuple[Scorer, Scorer]) -> None:
        found = split(scorers[0], scorers[0], inputs(), inputs(), Old())
        assert (found.total, found.log_odds, found.shares) == (0.0, {"data": 0.0, "time": 0.0, "version": 0.0}, [])

    def test_all_is_time_when_the_old_rows_give_the_new_signals(self, scorers: tuple[Scorer, Scorer]) -> None:
        found = split(scorers[0], scorers[0], inputs(), inputs(**{AGE: 38.0, LAST: 31.0, WINDOW: 0.0}), Old())
        assert found.log_odds["time"] == found.total != 0
        assert found.log_odds["data"] == 0
        assert {share.part for share in found.shares} == {"time"}

    def test_all_is_data_when_the_old_rows_give_the_old_signals(self, scorers: tuple[Scorer, Scorer]) -> None:
        after = inputs(number_3=-5e5, word_0="gamma")
        found = split(scorers[0], scorers[0], inputs(), after, Old({"number_3": 100.0, "word_0": "alpha"}))
        assert found.log_odds["data"] == found.total != 0
        moved = {(share.signal, share.before) for share in found.shares if share.before != share.after}
        assert moved == {("number_3", 100.0), ("word_0", "alpha")}

    def test_one_signal_can_have_data_and_time(self, scorers: tuple[Scorer, Scorer]) -> None:
        """Five visits had left the window, and four came."""
        before, after = inputs(), inputs(**{WINDOW: 4.0})
        found = split(scorers[0], scorers[0], before, after, Old({WINDOW: 0.0}))
        assert found.log_odds["time"] == log_odds(scorers[0], inputs(**{WINDOW: 0.0})) - log_odds(scorers[0], before)
        told = {share.part: (share.before, share.after, share.text) for share in found.shares if share.signal == WINDOW}
        assert {part: ends[:2] for part, ends in told.items()} == {"time": (5.0, 0.0), "data": (0.0, 4.0)}
        assert {text.partition(";")[0].rstrip(".") for *_, text in told.values()} == {"It is 4"}, (
            "what is so today, whatever moved it"
        )

    def test_restated_rows_count_as_data(self, scorers: tuple[Scorer, Scorer]) -> None:
        """An old row was edited in place, and a day passed."""
        after = inputs(number_3=-5e5, **{AGE: 11.0})
        found = split(scorers[0], scorers[0], inputs(), after, Old({}, {"number_3": -5e5}))
        assert found.log_odds["time"] == log_odds(scorers[0], after) - log_odds(scorers[0], inputs(number_3=-5e5))
        assert ("number_3", "data", 100.0, -5e5) in {(s.signal, s.part, s.before, s.after) for s in found.shares}
        assert [step for step, _ in found.bands] == ["start", "data", "time", "data", "version", "thresholds"]

    def test_what_was_not_recorded_is_not_guessed(self, scorers: tuple[Scorer, Scorer]) -> None:
        found = split(scorers[0], scorers[0], inputs(), inputs(number_3=-5e5), None)
        assert found.log_odds == {"unsplit": found.total, "version": 0.0}
        assert {share.part for share in found.shares} == {"unsplit"}
        assert [step for step, _ in found.bands] == ["start", "unsplit", "version", "thresholds"]

    def test_only_the_version(self, scorers: tuple[Scorer, Scorer]) -> None:
        found = split(*scorers, inputs(), inputs(), Old())
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
        for old in (None, Old(), Old({"number_3": 8.0, AGE: 99.0}, {AGE: 98.0})):
            found = split(scorers[0], new, inputs(), after, old)
            assert found.not_read == [AGE, LAST, WINDOW]
            assert not {share.signal for share in found.shares if share.before != share.after} & {AGE, LAST, WINDOW}
            sums(found, scorers[0], new, inputs(), after)
