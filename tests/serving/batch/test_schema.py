"""The published table is each record's own answer, to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from serving.batch import schema
from serving.champion import Champion
from serving.scoring.columns import score_columns
from serving.scoring.rows import ScoredRow
from tests.kit.scored_panels import AS_OF, RUN, make_panel, one_by_one, put_live


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def champions(home: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Champion, Champion]:
    folder = tmp_path_factory.mktemp("scorers")
    return put_live(home, folder / "one", 1), put_live(home, folder / "two", 2, seed=7)


def published(champion: Champion, row: ScoredRow) -> dict[str, Any]:
    """A record's own answer in the shape of the published table."""
    reasons = [
        {
            "signal": r.signal,
            "theme": r.theme,
            "value": None if isinstance(r.value, str) else r.value,
            "category": r.value if isinstance(r.value, str) else None,
            "effect": r.effect,
            "text": r.text,
            "members": [{"signal": name, "effect": effect} for name, effect in r.members.items()],
        }
        for r in row.reasons
    ]
    themes = None if row.themes is None else [{"theme": t, "effect": e} for t, e in sorted(row.themes.items())]
    return {
        "entity_id": row.entity_id,
        "as_of": row.as_of,
        "run_id": RUN,
        "model": champion.name,
        "version": champion.version,
        "scorer": champion.sha256,
        "probability": row.probability,
        "score": row.score,
        "band": row.band,
        "value": row.value,
        "value_at_risk": row.at_stake,
        "no_score": row.no_score,
        "reasons": reasons,
        "themes": themes,
        "previous_probability": None,
        "previous_score": None,
        "previous_band": None,
        "change": None,
        "change_texts": None,
    }


class TestTable:
    @pytest.mark.parametrize("reasons", [0, 1, 5, 20])
    def test_a_row_is_the_answer_of_its_record_alone(self, champions: tuple[Champion, Champion], reasons: int) -> None:
        panel, quiet = make_panel(AS_OF), {"acc_00007", "acc_00011"}
        found = schema.table(champions[1], score_columns(champions[1], panel, reasons, quiet), RUN)
        assert found.schema == schema.SCHEMA
        assert found.to_pylist() == [
            published(champions[1], r) for r in one_by_one(champions[1], panel, reasons, quiet)
        ]

    @pytest.mark.parametrize("eligibility", ["not_customer", "eligible", None])
    def test_chunks_where_all_or_none_are_scored(
        self, champions: tuple[Champion, Champion], eligibility: str | None
    ) -> None:
        panel = make_panel(AS_OF, n=3, eligibility=pa.array([eligibility] * 3, pa.string()))
        found = schema.table(champions[0], score_columns(champions[0], panel, 3), RUN)
        assert found["probability"].null_count == (0 if eligibility == "eligible" else 3)
        assert schema.table(champions[0], score_columns(champions[0], panel.slice(0, 0), 3), RUN).num_rows == 0
