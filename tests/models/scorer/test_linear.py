"""The linear part: a shape per signal, with the same bits whatever else is cut."""

from __future__ import annotations

import numpy as np

from models.scorer.artefact_schema import LinearSpec, Shape
from models.scorer.bins import Cells
from models.scorer.linear import Linear


class TestShapes:
    def test_a_finer_partition_changes_no_bit_of_a_shape(self) -> None:
        rng = np.random.default_rng(0)
        number = Shape(knots=[-1.0, 0.0, 2.0], values=[0.1, 0.7, -0.3], missing=0.2, mean=0.0)
        text = Shape(knots=[], values=[0.5, -0.5, 0.25], missing=-0.1, mean=0.0)
        spec = LinearSpec(bias=0.3, shapes=[number, text])
        finer = Cells([np.array([-1.0, 0.0, 2.0, *rng.normal(size=20)]), np.array([1.0, 2.0, 0.5, 7.0])])
        x = np.column_stack(
            [rng.choice([-9.0, -1.0, 0.0, 0.3, 2.0, 5.0, np.nan], 300), rng.choice([0, 1, 2, 9, np.nan], 300)]
        )
        assert np.array_equal(Linear(spec, finer).terms(x), Linear(spec).terms(x))
