"""A run for a moment after the clock: refused today, and what one left behind makes way for a correct run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

import features.__main__
import serving.__main__
import training.__main__
from features.kit.clock import make_clock, parse_as_of, to_us
from features.kit.errors import UserMistake
from features.sources.source import Source
from serving.batch import run as running
from serving.batch.call_list import read_top
from serving.batch.run import Options
from serving.champion import Champions
from serving.decisions import repository as history
from serving.manifest import read_manifest
from serving.scorer_cache import KeptScorers
from serving.scoring import repository as stored
from serving.store.connect import Store, open_store
from serving.store.tables import signals
from tests.kit.quick_night import few_signals
from tests.kit.running import AS_OF, Home

TODAY = "2025-12-04"
"""The clock; `AS_OF` lies four weeks after it."""
Run = Callable[..., str]


class TestTheMoment:
    @pytest.mark.parametrize(
        ("app", "command"),
        [
            (
                features.__main__.app,
                ["build", "--entity", "account", "--source", "sample", "--out", "p.parquet", "--as-of"],
            ),
            (training.__main__.app, ["monitor", "churn-risk", "--source", "sample", "--as-of"]),
            (training.__main__.app, ["fit", "churn-risk", "--source", "sample", "--since"]),
            (training.__main__.app, ["backtest", "churn-risk", "--source", "sample", "--since"]),
            (training.__main__.app, ["compare", "churn-risk", "--source", "sample", "--since"]),
            (serving.__main__.app, ["batch", "--source", "sample", "--out", "scores", "--as-of"]),
        ],
        ids=lambda value: value[0] if isinstance(value, list) else "",
    )
    def test_after_the_clock_is_refused_by_every_command(
        self, app: Any, command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        env = {"ACCOUNTSCORE_HOME": str(tmp_path), "ACCOUNTSCORE_NOW": TODAY}
        refused = CliRunner().invoke(app, [*command, AS_OF], env=env).exception
        assert isinstance(refused, UserMistake), refused
        assert f"{command[-1]} {AS_OF} is after the clock (2025-12-04T00:00:00Z)" in str(refused)
        assert f"{command[-1]} 2025-12-04T00:00:00Z" in str(refused), "the next step works"
        kept = {"store.db", "batches"}  # the card of a run says that it was refused
        assert not [path for path in tmp_path.iterdir() if path.name not in kept], "nothing is written"


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{home.path / 'store.db'}")
    yield opened
    opened.close()


@pytest.fixture
def run(home: Home, source: Source, store: Store, panels: dict[Any, Any], monkeypatch: pytest.MonkeyPatch) -> Run:
    """A batch in this process; one for a moment after the clock leaves what it left in earlier versions. Panels are built once."""
    monkeypatch.setattr(running, "panel_parts", few_signals(panels))
    champions = Champions(home.path)
    champions.refresh()

    def batch(out: Path, as_of: str = TODAY) -> str:
        scorers, clock = KeptScorers(home.path), make_clock(TODAY)
        with monkeypatch.context() as earlier:
            if as_of > TODAY:
                earlier.setattr(stored, "forget_later", lambda *_: None)
            return running.run(source, parse_as_of(as_of), out, champions, store, clock, scorers, Options()).run_id

    return batch


def moments(store: Store) -> set[str]:
    """For which moments signals are in the store."""
    with store.read() as connection:
        found = connection.execute(sa.select(signals.c.as_of).distinct()).scalars()
        return {str(dt.datetime.fromtimestamp(us / 1e6, dt.UTC).date()) for us in found}


def newest(store: Store, clock: str) -> list[int]:
    """The `as_of` of an account's scores, as people see them when the clock is there."""
    with store.read() as connection:
        one = connection.execute(
            sa.select(signals.c.entity_id).where(signals.c.entity == "account").limit(1)
        ).scalar_one()
    rows = history.newest(store, "account", one, "churn-risk", 20, to_us(parse_as_of(clock)))
    return [row["as_of"] for row in rows]


class TestWhatALaterRunLeft:
    def test_a_correct_run_replaces_it(self, run: Run, store: Store, tmp_path: Path) -> None:
        run(tmp_path / "wrong", AS_OF)
        assert moments(store) == {AS_OF}
        run(tmp_path / "scores")
        assert moments(store) == {TODAY}

    def test_a_run_that_was_published_before_is_stored_again(self, run: Run, store: Store, tmp_path: Path) -> None:
        """The same command is the same run and scores nothing again, but the store has the signals of the other."""
        first = run(tmp_path)
        assert run(tmp_path, AS_OF) != first
        assert moments(store) == {AS_OF}
        assert run(tmp_path) == first
        assert moments(store) == {TODAY}
        assert read_manifest(tmp_path)["run_id"] == first

    def test_without_the_guard_later_signals_stay(
        self, run: Run, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run(tmp_path / "wrong", AS_OF)
        with monkeypatch.context() as sabotaged:
            sabotaged.setattr(stored, "forget_later", lambda *_: None)
            run(tmp_path / "scores")
        assert moments(store) == {AS_OF}
        run(tmp_path / "scores")
        assert moments(store) == {TODAY}, "and a home in which that happened recovers"

    def test_the_next_run_is_compared_with_the_run_before_the_later_one(self, run: Run, tmp_path: Path) -> None:
        first = run(tmp_path)
        run(tmp_path, AS_OF)
        before = running._run_before(tmp_path, parse_as_of("2025-12-05"))
        assert before is not None
        assert before["run_id"] == first
        assert running._run_before(tmp_path, parse_as_of("2025-12-03")) is None, "nothing is compared with a later run"

    def test_its_decision_records_do_not_count_as_newest(
        self, run: Run, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run(tmp_path / "wrong", AS_OF)
        run(tmp_path / "scores")
        right = to_us(parse_as_of(TODAY))
        assert set(newest(store, TODAY)) == {right}
        assert set(newest(store, "2026-02-01")) == {right}, "not even when its moment has come"
        monkeypatch.setattr(history, "of_its_time", sa.true)
        assert to_us(parse_as_of(AS_OF)) in newest(store, "2026-02-01"), "the sabotaged twin"

    def test_the_api_ignores_its_signals(self, run: Run, store: Store, tmp_path: Path) -> None:
        run(tmp_path / "wrong", AS_OF)
        with store.read() as connection:
            ids = list(
                connection.execute(sa.select(signals.c.entity_id).where(signals.c.entity == "account")).scalars()
            )
        assert stored.fetch(store, "account", ids, "churn-risk", to_us(parse_as_of(TODAY))) == {}
        assert len(stored.fetch(store, "account", ids, "churn-risk", to_us(parse_as_of(AS_OF)))) == len(ids)

    def test_the_call_list_refuses_it(self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        run(tmp_path, AS_OF)
        monkeypatch.setenv("ACCOUNTSCORE_NOW", TODAY)
        with pytest.raises(UserMistake, match=rf"as of {AS_OF}.*after the clock.*batch --as-of {TODAY}"):
            read_top(tmp_path, "churn-risk", 3)
