"""The scorer that is written is the model that was learnt."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.scorer.writer import Origin
from training import export
from training.fit_table import table_definition
from training.learn import Learnt


class TestWrite:
    def test_the_written_scorer_is_the_model(self, learnt: Learnt, tmp_path: Path) -> None:
        scorer = export.write(tmp_path / "s", table_definition("y", "lead"), learnt, learnt.rows.x[:100], Origin(), {})
        assert np.abs(scorer.log_odds(learnt.rows.x) - learnt.model.log_odds(learnt.rows.x)).max() < 1e-9
