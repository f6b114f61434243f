"""The causes of many scores at once are those of each one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.scorer.scorer import Scorer
from serving.decisions.earlier_rows import Old
from serving.score_change.attribution import split
from serving.score_change.attribution_batch import split_many
from tests.kit.attributed import AGE, LAST, WINDOW, inputs, signals
from tests.kit.scorers import WORDS, make_scorer


@pytest.fixture(scope="module")
def scorers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scorer, Scorer]:
    folder = tmp_path_factory.mktemp("change")
    return (
        make_scorer(folder / "a", signals=signals(), n=800),
        make_scorer(folder / "b", signals=signals(), n=800, seed=7),
    )


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
            words = {f"word_{i}": rng.choice([*WORDS, "gold", None]) for i in range(2)}  # type: ignore[arg-type]
            numbers = {f"number_{i}": rng.normal() * 10.0 ** (i * rng.integers(0, 2)) for i in range(3, 6)}
            row = inputs(**some, **words, **numbers)
            found.append({name: None if rng.random() < 0.1 else value for name, value in row.items()})
        return found

    def both(
        self, old: Scorer, new: Scorer, restated: bool = False
    ) -> tuple[list[tuple[dict[str, int], list[str]]], list[tuple[dict[str, int], list[str]]]]:
        before, aged, after = (self.rows(300, seed) for seed in (1, 2, 3))
        then = self.rows(300, 4) if restated else before
        for i in range(0, 300, 3):  # a third moved by time alone, or not at all
            after[i] = aged[i] = {**before[i], AGE: (before[i][AGE] or 0.0) + 28 * (i % 2)}
            then[i] = before[i]
        way = (before, then, aged, after)
        made = {id(rows): old.encode_records(rows)[0] for rows in way}
        z_new = new.log_odds(new.encode_records(after)[0])
        found = split_many(old, new, [made[id(rows)] for rows in way], z_new, 3)
        ends = found.counts.cumsum().tolist()
        texts = [found.texts[place] for place in found.places.tolist()]
        many = [
            ({part: int(points[i]) for part, points in found.score.items()}, texts[end - count : end])
            for i, (end, count) in enumerate(zip(ends, found.counts.tolist(), strict=True))
        ]
        one = []
        for left, read, time, right in zip(*way, strict=True):
            alone = split(old, new, left, right, Old(time, read if restated else {}))
            one.append((alone.score, [share.text for share in alone.shares[:3]]))
        return many, one

    @pytest.mark.parametrize("same", [True, False])
    @pytest.mark.parametrize("restated", [True, False])
    def test_each_row_has_the_causes_of_split(self, scorers: tuple[Scorer, Scorer], same: bool, restated: bool) -> None:
        many, one = self.both(scorers[0], scorers[0] if same else scorers[1], restated)
        assert many == one
        assert any(parts["time"] for parts, _ in one)
        assert any(parts["data"] for parts, _ in one)

    def test_close_effects_are_ordered_as_in_split(
        self, scorers: tuple[Scorer, Scorer], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            "serving.score_change.attribution_batch.CLOSE", 1.0
        )  # now every row is told as `split` tells it
        many, one = self.both(*scorers)
        assert many == one

    def test_forgetting_time_would_be_seen(
        self, scorers: tuple[Scorer, Scorer], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin: what time moved counts as data."""
        from serving.score_change import attribution_batch as columns

        whole = columns.split_many
        monkeypatch.setitem(
            globals(),
            "split_many",
            lambda old, new, way, *more: whole(old, new, [way[0], way[0], way[0], way[3]], *more),
        )
        many, one = self.both(*scorers)
        assert many != one
