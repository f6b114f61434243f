"""The shapes are the model: what is fitted on a basis and what is written as knots give the same log-odds."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tests.kit.rows import make_rows
from training import linear


def data(n: int = 3000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.column_stack(
        [rng.lognormal(0, 2, n), rng.normal(size=n), rng.integers(0, 4, n).astype(float), rng.integers(0, 2, n)]
    )
    z = np.log(x[:, 0]) - 1.5 * (np.abs(x[:, 1]) > 1) + (x[:, 2] == 2)
    x[rng.random(n) < 0.1, 1] = np.nan
    return x, (rng.random(n) < 1 / (1 + np.exp(-z))).astype(float)


class TestShapes:
    def test_the_bend_and_the_tail_are_learnt(self) -> None:
        x, y = data()
        rows = make_rows(x, y, {2: ("a", "b", "c", "d")})
        model = linear.fit(rows, 1.0)
        shape = model.shapes[1]
        assert shape(np.array([0.0]))[0] > shape(np.array([1.5]))[0] + 0.7
        assert shape(np.array([0.0]))[0] > shape(np.array([-1.5]))[0] + 0.7
        grows = model.shapes[0](np.exp(np.linspace(-3, 3, 9)))
        assert grows[-1] > grows[0] + 3

    def test_beyond_what_was_seen_nothing_runs_away(self) -> None:
        x, y = data()
        shape = linear.fit(make_rows(x, y), 1.0).shapes[0]
        assert shape(np.array([1e12]))[0] == shape(np.array([x[:, 0].max()]))[0]

    def test_missing_and_unseen_words_have_a_value(self) -> None:
        x, y = data()
        model = linear.fit(make_rows(x, y, {2: ("a", "b", "c", "d")}), 0.1)
        odd = np.array([[np.nan] * 4, [1e300, -1e300, 9.0, 5.0]])
        assert np.isfinite(model.log_odds(odd)).all()

    def test_the_shapes_give_what_the_basis_gives(self) -> None:
        x, y = data()
        rows = make_rows(x, y, {2: ("a", "b", "c", "d")})
        bases = [b for b in linear._bases(rows) if b is not None]
        design = np.hstack([np.ones((len(y), 1)), *[b(x[:, j]) for j, b in enumerate(bases)]])
        weights = linear._newton(design, y, np.zeros(design.shape[1]), 10.0)
        assert np.abs(design @ weights - linear.fit(rows, 0.1).log_odds(x)).max() < 1e-3


class TestNewton:
    def test_agrees_with_scikit_learn(self) -> None:
        rng = np.random.default_rng(0)
        design = np.hstack([np.ones((500, 1)), rng.normal(size=(500, 5))])
        y = (rng.random(500) < 1 / (1 + np.exp(-design[:, 1] * 2))).astype(float)
        found = linear._newton(design, y, np.zeros(6), 1 / 0.3)
        other = LogisticRegression(C=0.3, tol=1e-10).fit(design[:, 1:], y)
        assert found[1:] == pytest.approx(other.coef_[0], abs=1e-4)
        assert found[0] == pytest.approx(other.intercept_[0], abs=1e-4)

    def test_a_constant_column_and_separable_rows_are_survived(self) -> None:
        x = np.column_stack([np.ones(200), np.repeat([0.0, 1.0], 100), np.full(200, np.nan)])
        model = linear.fit(make_rows(x, np.repeat([0.0, 1.0], 100)), 1.0)
        assert np.isfinite(model.log_odds(x)).all()
        assert model.log_odds(x)[-1] > 1 > -1 > model.log_odds(x)[0]
