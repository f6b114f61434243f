"""The columns that a nightly run publishes are what each record's own score says, to the bit."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.signals.signal import FIXED
from models import champion_pointer
from models.catalog import get_model
from models.champion_pointer import Pointer
from models.scorer.scorer import sigmoid
from serving.batch import previous_run, schema
from serving.batch.previous_run import Before
from serving.champion import Champion
from serving.decisions.earlier_rows import Old
from serving.eligibility import ELIGIBLE, OPTED_OUT
from serving.score_change.attribution import split
from serving.scorer_cache import KeptScorers
from serving.scoring import columns
from serving.scoring.columns import score_columns, stakes
from serving.scoring.rows import ScoredRow, at_stake, signal_rows
from tests.kit.scorers import WORDS, make_scorer, random_rows

AS_OF = dt.datetime(2026, 1, 29, tzinfo=dt.UTC)
EARLIER = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
RUN = "0123456789abcdef"


def put_live(home: Path, folder: Path, version: int, **more: Any) -> Champion:
    scorer = make_scorer(folder, n=800, **more)
    with champion_pointer.locked(home, "churn-risk"):
        champion_pointer.put_live(home, "churn-risk", folder, version)
    return Champion(
        get_model("churn-risk"), Pointer("churn-risk", version, scorer.sha256, Path(), "2026-01-01"), scorer
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def champions(home: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Champion, Champion]:
    folder = tmp_path_factory.mktemp("scorers")
    return put_live(home, folder / "one", 1), put_live(home, folder / "two", 2, seed=7)


def make_panel(as_of: dt.datetime, n: int = 400, seed: int = 3, **more: Any) -> pa.Table:
    """Accounts in the order of their ids; some have no score, no value, unseen words, or nothing at all."""
    x, _ = random_rows(n, seed=seed)
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {
        "entity_id": pa.array([f"acc_{i:05}" for i in range(n)]),
        "as_of": pa.array([as_of] * n, pa.timestamp("us", "UTC")),
        "eligibility": pa.array(rng.choice(["eligible", "eligible", "eligible", "not_customer"], n).tolist()),
        "value": pa.array([None if rng.random() < 0.1 else round(rng.lognormal(8), 2) for _ in range(n)], pa.float64()),
    }
    for j in range(6):
        columns[f"number_{j}"] = pa.array(x[:, j].copy(), from_pandas=j % 2 == 0)  # NaN stays NaN in every second one
    for j in (6, 7):
        words = [None if math.isnan(v) else [*WORDS, "gold"][int(v)] for v in x[:, j]]
        columns[f"word_{j - 6}"] = pa.array([("gold" if w and rng.random() < 0.05 else w) for w in words])
    return pa.table({**columns, **more})


def one_by_one(champion: Champion, panel: pa.Table, reasons: int, quiet: set[str]) -> list[ScoredRow]:
    """Each row for itself, through the functions of the scorer that the API asks for a record of a request."""
    scorer, found = champion.scorer, []
    for row, values in zip(panel.select(list(FIXED)).to_pylist(), signal_rows(panel), strict=True):
        inputs = {name: values[name] for name in scorer.names}
        known = row["entity_id"], row["as_of"], row["value"], inputs
        status = OPTED_OUT if row["entity_id"] in quiet else row["eligibility"]
        if status != ELIGIBLE:
            found.append(ScoredRow(*known, no_score=status))
            continue
        x, _, _ = scorer.encode_records([inputs])
        log_odds, effects = scorer.explain(x)
        probability = float(sigmoid(log_odds)[0])
        told = (
            (scorer.reasons_of([inputs], effects, reasons)[0], scorer.by_themes(effects)[0]) if reasons else ([], None)
        )
        found.append(ScoredRow(*known, None, probability, *scorer.standing(probability), *told))
    return found


def published(champion: Champion, row: ScoredRow) -> dict[str, Any]:
    """A record's own answer in the shape of the published table."""
    reasons = [
        {
            "signal": r.signal, "theme": r.theme, "value": None if isinstance(r.value, str) else r.value,
            "category": r.value if isinstance(r.value, str) else None, "effect": r.effect, "text": r.text,
            "members": [{"signal": name, "effect": effect} for name, effect in r.members.items()],
        }
        for r in row.reasons
    ]  # fmt: skip
    themes = None if row.themes is None else [{"theme": t, "effect": e} for t, e in sorted(row.themes.items())]
    return {
        "entity_id": row.entity_id, "as_of": row.as_of, "run_id": RUN, "model": champion.name, "version": champion.version,
        "scorer": champion.sha256, "probability": row.probability, "score": row.score, "band": row.band, "value": row.value,
        "value_at_risk": row.at_stake, "no_score": row.no_score, "reasons": reasons, "themes": themes,
        "previous_probability": None, "previous_score": None, "previous_band": None, "change": None, "change_texts": None,
    }  # fmt: skip


class TestTable:
    @pytest.mark.parametrize("reasons", [0, 1, 5, 20])
    def test_it_is_each_records_own_answer(self, champions: tuple[Champion, Champion], reasons: int) -> None:
        panel, quiet = make_panel(AS_OF), {"acc_00007", "acc_00011"}
        found = schema.table(champions[1], score_columns(champions[1], panel, reasons, quiet), RUN)
        assert found.schema == schema.SCHEMA
        assert found.to_pylist() == [
            published(champions[1], r) for r in one_by_one(champions[1], panel, reasons, quiet)
        ]

    @pytest.mark.parametrize("eligibility", ["not_customer", "eligible", None])
    def test_all_alike_or_nobody(self, champions: tuple[Champion, Champion], eligibility: str | None) -> None:
        panel = make_panel(AS_OF, n=3, eligibility=pa.array([eligibility] * 3, pa.string()))
        found = schema.table(champions[0], score_columns(champions[0], panel, 3), RUN)
        assert found["probability"].null_count == (0 if eligibility == "eligible" else 3)
        assert schema.table(champions[0], score_columns(champions[0], panel.slice(0, 0), 3), RUN).num_rows == 0

    def test_the_objects_for_the_store_are_the_same(self, champions: tuple[Champion, Champion]) -> None:
        panel, quiet = make_panel(AS_OF), {"acc_00007"}
        values = signal_rows(panel)
        found = score_columns(champions[0], panel, 5, quiet).rows(champions[0], values)
        assert found == one_by_one(champions[0], panel, 5, quiet)

    def test_amounts_beside_half_a_cent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rng = np.random.default_rng(0)
        p = np.concatenate([np.full(4_000, 0.5), rng.random(4_000)])
        value = np.concatenate([np.round(rng.lognormal(4, 2, 4_000), 2), rng.lognormal(8, 6, 4_000)])
        expected = [at_stake(a, b) for a, b in zip(p.tolist(), value.tolist(), strict=True)]
        assert stakes(p, value).tolist() == expected
        monkeypatch.setattr(columns, "HALF", 0.0)  # the sabotaged twin
        assert stakes(p, value).tolist() != expected


def write_run(out: Path, champion: Champion, panel: pa.Table, group_rows: int) -> dict[str, Any]:
    """What a run leaves behind, as far as the next one reads it."""
    folder = out / "earlier"
    folder.mkdir()
    found = schema.table(champion, score_columns(champion, panel, 0), RUN)
    files = []
    for number, start in enumerate(range(0, panel.num_rows, group_rows)):
        pq.write_table(found.slice(start, group_rows), folder / f"part-{number}.parquet")
        files.append({"file": f"earlier/part-{number}.parquet"})
    pq.write_table(panel, folder / "account.parquet", row_group_size=group_rows)
    model = {"files": files, "scorer": champion.sha256}
    return {
        "models": {"churn-risk": model}, "as_of": "2026-01-01T00:00:00Z",
        "signals": {"account": {"file": "earlier/account.parquet"}},
    }  # fmt: skip


def rows_with(panel: pa.Table, nothing_of: str) -> pa.Table:
    """The rows, one of them without anything but its id."""
    return pa.Table.from_pylist(
        [
            {n: v if n == "entity_id" or r["entity_id"] != nothing_of else None for n, v in r.items()}
            for r in panel.to_pylist()
        ],
        schema=panel.schema,
    )


class TestChanges:
    @pytest.mark.parametrize("same", [True, False])
    @pytest.mark.parametrize("restated", [True, False])
    def test_they_are_those_of_each_record(
        self, home: Path, champions: tuple[Champion, Champion], tmp_path: Path, same: bool, restated: bool
    ) -> None:
        old, new = champions[0], champions[0] if same else champions[1]
        panel = make_panel(EARLIER, seed=4)
        kept = panel.filter(pa.array([i % 10 != 3 for i in range(panel.num_rows)]))  # every tenth is new since
        manifest = write_run(tmp_path, old, kept, 64)
        now = make_panel(AS_OF, seed=5)
        # Of every third entity something was learnt since; of one of them the old rows know nothing.
        third = make_panel(AS_OF, seed=6).filter(pa.array([i % 3 == 0 for i in range(now.num_rows)]))
        unknown = third["entity_id"][7].as_py()
        third = rows_with(third, unknown)
        read = make_panel(EARLIER, seed=8)
        paths = [tmp_path / "aged.parquet", tmp_path / "restated.parquet" if restated else None]
        pq.write_table(third, paths[0], row_group_size=50)
        pq.write_table(read, tmp_path / "restated.parquet", row_group_size=70)
        before = Before(tmp_path, manifest, new, KeptScorers(home), *paths)
        was = {row.entity_id: row for row in one_by_one(old, kept, 0, set())}
        aged = dict(zip(third["entity_id"].to_pylist(), signal_rows(third), strict=True))
        then = dict(zip(read["entity_id"].to_pylist(), signal_rows(read), strict=True))
        compared = 0
        for start in range(0, now.num_rows, 90):  # other borders than the run before
            part = now.slice(start, 90)
            given = score_columns(new, part, 3)
            moved = before.compare(given)
            assert moved is not None
            told = schema.table(new, given, RUN, moved).to_pylist()
            stored = dict(zip(moved.at.tolist(), moved.old, strict=True))
            for place, (row, own) in enumerate(zip(told, one_by_one(new, part, 3, set()), strict=True)):
                earlier = was.get(own.entity_id)
                expected = (None, None, None) if earlier is None else (earlier.probability, earlier.score, earlier.band)
                assert (row["previous_probability"], row["previous_score"], row["previous_band"]) == expected
                known = earlier is not None and earlier.probability is not None and own.probability is not None
                if not known or own.entity_id == unknown:
                    assert row["change"] is row["change_texts"] is None
                    assert place not in stored
                    continue
                assert earlier is not None
                causes = split(old.scorer, new.scorer, earlier.inputs, own.inputs, stored[place])
                assert row["change"] == causes.score
                assert row["change_texts"] == [share.text for share in causes.shares[: previous_run.TEXTS]]
                old_rows = Old(aged.get(own.entity_id, {}), then[own.entity_id] if restated else {})
                whole = split(old.scorer, new.scorer, earlier.inputs, own.inputs, old_rows)
                assert (whole.log_odds, whole.score) == (causes.log_odds, causes.score), (
                    "what is stored is all that differs"
                )
                assert {**own.inputs, **stored[place].aged} == {**own.inputs, **aged.get(own.entity_id, {})}
                compared += 1
        assert compared > 150

    def test_a_row_group_is_read_once(
        self, home: Path, champions: tuple[Champion, Champion], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        panel = make_panel(EARLIER)
        manifest = write_run(tmp_path, champions[0], panel, 64)
        before = Before(tmp_path, manifest, champions[0], KeptScorers(home))
        read: list[int] = []
        plain = pq.ParquetFile.read_row_group
        monkeypatch.setattr(pq.ParquetFile, "read_row_group", lambda s, i, **m: read.append(i) or plain(s, i, **m))
        for start in range(0, panel.num_rows, 90):
            before.compare(score_columns(champions[0], make_panel(AS_OF).slice(start, 90), 3))
        assert len(read) == 2 * len(manifest["models"]["churn-risk"]["files"])  # of the scores, and of the signals

    def test_a_scorer_that_is_gone_leaves_the_scores(
        self, champions: tuple[Champion, Champion], tmp_path: Path
    ) -> None:
        panel = make_panel(EARLIER)
        manifest = write_run(tmp_path, champions[0], panel, 64)
        before = Before(tmp_path, manifest, champions[0], KeptScorers(tmp_path / "empty"))
        given = score_columns(champions[0], make_panel(AS_OF), 3)
        found = schema.table(champions[0], given, RUN, before.compare(given))
        assert found["previous_score"].null_count < found.num_rows / 2
        assert found["change"].null_count == found.num_rows
