"""A history that is too short for the horizon: the one that is advised leaves three periods."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.kit.clock import DAY_US, to_us
from features.kit.errors import TrainingRefused
from features.outcomes.read import read_outcomes
from features.readiness import labelled_rows
from features.readiness.labelled_rows import observation_dates
from features.readiness.periods import is_split
from features.sources.source import Source
from models.catalog import MODELS
from models.definition import Model
from tests.kit.company import make_source, random_company


class TestHorizon:
    """A history that is too short for the horizon: the one that is advised leaves three periods."""

    @staticmethod
    def advised(source: Source, question: Model) -> int | None:
        with pytest.raises(TrainingRefused) as caught:
            observation_dates(source, question, read_outcomes(source, question.outcome), None)
        found = re.search(r"a horizon of at most (\d+) days would work", caught.value.faults[0].next_step)
        return int(found[1]) if found else None

    @pytest.mark.parametrize("days", [150, 175, 200])
    def test_with_it_there_are_dates_enough(self, tmp_path: Path, days: int) -> None:
        source, question = make_source(tmp_path, random_company(1, days=days)), MODELS["lead-fit"]
        horizon = self.advised(source, question)
        if days == 150:  # a third of what is there after the warm-up is less than a step: no horizon works
            assert horizon is None
            return
        assert horizon is not None
        shorter = replace(question, horizon_days=horizon)
        dates = observation_dates(source, shorter, read_outcomes(source, question.outcome), None)
        assert is_split(np.array([to_us(date) for date in dates]), horizon * DAY_US)

    def test_without_trying_it_is_refused_again(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin."""
        monkeypatch.setattr(labelled_rows, "_is_enough", lambda *_: True)
        source, question = make_source(tmp_path, random_company(1, days=150)), MODELS["lead-fit"]
        horizon = self.advised(source, question)
        assert horizon is not None
        self.advised(source, replace(question, horizon_days=horizon))  # which is refused
