"""Three bad challengers go the whole way from a source to the registry; each is refused by the gate that is there for it.

The champion is an honest model. Then: one whose labels were poisoned while it learnt, one that leans on a field which is filled
in after the outcome, and one whose probabilities are three times too sure on the log-odds. The judged outcomes are never
touched, and none of the three goes live.
"""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import features.sources.source
from features.kit.settings import Settings
from features.readiness import labelled_rows
from features.simulate import simulate
from features.sources.loader import open_source
from models import registry
from models.catalog import get_model
from models.champion_pointer import read_pointer
from tests.conftest import NewRegistry
from tests.kit.company import LEAD_SIGNALS, all_but
from training import learn as learning
from training.errors import PromotionRefused
from training.fit import fit_source
from training.promote import promote

MODEL = "lead-fit"
pytestmark = pytest.mark.usefixtures("no_pictures")


class World:
    """A company, and a home in which an honest champion is live."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.company = folder / "company"
        simulate(self.company, accounts=300, leads=4000, days=730, end=dt.date(2026, 1, 1), seed=7, usage_events=10_000)
        self.settings = settings
        self.exclude = all_but(open_source("sample", self.company), get_model(MODEL), *LEAD_SIGNALS)
        self.honest = self.fit("sample")
        if not self.honest[
            "promoted"
        ]:  # a small company may have too few leads to judge by; what is live is not the point here
            from training.promote import promote_version

            promote_version(self.settings, MODEL, 1, None)

    def fit(self, source: str, register: bool = True) -> dict[str, Any]:
        return fit_source(
            MODEL, source, self.company, trials=1, settings=self.settings, register=register, exclude=self.exclude
        )

    def live(self) -> int | None:
        pointer = read_pointer(self.settings.home, MODEL)
        return None if pointer is None else pointer.version


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, new_registry: NewRegistry) -> World:
    folder = tmp_path_factory.mktemp("challengers")
    return World(folder, new_registry(folder / "home"))


def refused(report: dict[str, Any]) -> list[str]:
    return [gate["name"] for gate in report["gates"] if not gate["passed"]]


def stays_out(world: World, report: dict[str, Any], gate: str) -> None:
    """The version is registered with its verdict, and neither `fit` nor `promote` puts it live."""
    assert not report["promoted"]
    assert world.live() == 1
    version = registry.get_version(world.settings, MODEL, int(report["version"]))
    assert gate in (version.tags or {})["gates"]
    with pytest.raises(PromotionRefused, match=gate) as wrong:
        promote(world.settings, MODEL, version.version)
    assert wrong.value.exit_code == 3
    assert world.live() == 1


class TestChallengers:
    def test_the_honest_one_passes_the_gates_that_stop_the_others(self, world: World) -> None:
        stopping = {"not worse than the champion", "audit", "calibration", "signal"}
        assert not stopping & set(refused(world.honest)), refused(world.honest)
        assert not stopping & set(refused(world.fit("sample", register=False))), "nor does its own champion stop it"

    def test_a_poisoned_one_is_worse_than_the_champion(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        begins = dt.datetime.fromisoformat(world.honest["periods"]["test"]["from"]).replace(tzinfo=dt.UTC)
        true_label = labelled_rows.label  # type: ignore[attr-defined]

        def poisoned(outcomes: Any, ids: Any, as_of_us: np.ndarray, horizon_us: int) -> np.ndarray:
            """Outcomes before the test period change places: every answer a coin's, the rate as it was."""
            y = true_label(outcomes, ids, as_of_us, horizon_us)
            early = np.flatnonzero((as_of_us < begins.timestamp() * 1e6) & ~np.isnan(y))
            y[early] = np.random.default_rng(0).permutation(y[early])
            return y

        monkeypatch.setattr(labelled_rows, "label", poisoned)
        report = world.fit("sample")
        assert "not worse than the champion" in refused(report)
        stays_out(world, report, "not worse than the champion")

    def test_a_leaking_one_is_stopped_by_the_audit(self, world: World, tmp_path: Path) -> None:
        """`closed_by` is filled in when a lead is won. It ranks better than anything honest, and no other gate minds."""
        source = tmp_path / "leaking"
        shutil.copytree(Path(features.sources.source.__file__).parent / "shipped" / "sample", source)
        honest = (source / "leads.sql").read_text().strip().rstrip(";")
        won = "SELECT lead_id FROM read_parquet('${data}/leads.parquet') WHERE status = 'converted'"
        (source / "leads.sql").write_text(
            f"SELECT *, CASE WHEN lead_id IN ({won}) THEN 'alice' END AS closed_by FROM ({honest})"
        )
        report = world.fit(str(source))
        assert report["metrics"]["auc"]["value"] > world.honest["metrics"]["auc"]["value"] + 0.05
        assert "audit" in refused(report)
        assert "closed_by" in next(gate["found"] for gate in report["gates"] if gate["name"] == "audit")
        stays_out(world, report, "audit")

    def test_an_overconfident_one_is_stopped_by_calibration(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(learning, "fit_slope", lambda *_: 3.0)
        report = world.fit("sample")
        assert "calibration" in refused(report)
        assert "signal" not in refused(report), "it still ranks"
        stays_out(world, report, "calibration")
