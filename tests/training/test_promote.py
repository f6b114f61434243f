"""Only what passed its gates goes live; what is live can be taken back; alias and pointer agree."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from features.kit.errors import UserMistake
from features.kit.os_user import os_user
from features.kit.settings import Settings
from models import audit_spool, champion_pointer, registry, standing
from models.catalog import get_model
from models.champion_pointer import read_pointer
from models.scorer.artefact_schema import VerdictSpec
from models.scorer.scorer import Scorer
from models.scorer.verdict import NotForUse
from serving.errors import RegistryFailed
from serving.registry_sync import sync
from serving.settings import ServingSettings
from tests.conftest import NewRegistry
from tests.kit import commands
from tests.kit.scorers import make_scorer
from training.errors import PromotionRefused
from training.promote import GATES, PASSED, promote, promote_version, rollback

MODEL = "churn-risk"


def register(settings: Settings, folder: Path, seed: int, gates: str) -> tuple[int, str]:
    """A version with a verdict: its number and its scorer's sha256."""
    scorer = make_scorer(folder / f"made-{seed}", seed=seed, n=300, boosters=[], tree_share=0.0)
    version = registry.log_version(
        settings, get_model(MODEL), folder / f"made-{seed}", parameters={}, metrics={}, tags={GATES: gates}
    )
    return version.version, scorer.sha256


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, new_registry: NewRegistry) -> tuple[Settings, list[tuple[int, str]]]:
    """Versions 1 and 2 passed, version 3 failed."""
    home = tmp_path_factory.mktemp("home")
    settings = new_registry(home)
    verdicts = (PASSED, PASSED, "failed: signal")
    return settings, [register(settings, home, seed, verdict) for seed, verdict in enumerate(verdicts)]


def live(settings: Settings) -> tuple[int | None, str]:
    """Version and sha256 of what the pointer names, after the scorer was verified."""
    pointer = read_pointer(settings.home, MODEL)
    assert pointer is not None
    assert Scorer.load(pointer.path).sha256 == pointer.sha256
    return pointer.version, pointer.sha256


def alias(settings: Settings, name: str) -> int | None:
    found = registry.by_alias(settings, MODEL, name)
    return None if found is None else found.version


def refused_version(settings: Settings, folder: Path) -> registry.Version:
    """A version whose scorer says that it was refused, and whose tag in the registry says that its gates held."""
    no = VerdictSpec(code="no_signal", says="no signal found", ready=False, why=["signal: AUC 0.51"])
    make_scorer(folder / "refused", seed=8, n=300, boosters=[], tree_share=0.0, verdict=no)
    return registry.log_version(
        settings, get_model(MODEL), folder / "refused", parameters={}, metrics={}, tags={GATES: PASSED}
    )


class TestTheRuleAtPromotion:
    def test_a_version_that_passed_when_strong_rules_were_let_pass_is_refused(
        self, tmp_path: Path, new_registry: NewRegistry
    ) -> None:
        settings = new_registry(tmp_path)
        for low in (-0.006, 0.001):
            folder = tmp_path / f"made{low}"
            rule = {
                "signal": "age",
                "rule": "age, lowest first",
                "auc": 0.827,
                "difference": {"value": 0.003, "low": low, "high": 0.011},
            }
            make_scorer(folder, seed=1, n=300, boosters=[], tree_share=0.0, metrics={"one_column_rule": rule})
            registry.log_version(settings, get_model(MODEL), folder, parameters={}, metrics={}, tags={GATES: PASSED})
        with pytest.raises(PromotionRefused, match=r"a single rule is enough: age, lowest first \(AUC 0\.827\)"):
            promote(settings, MODEL, 1)
        assert read_pointer(settings.home, MODEL) is None
        assert promote(settings, MODEL, 2)["champion"] == 2


class TestARefusedScorer:
    """Whoever sets a tag or an alias by hand: the scorer itself says what its gates said."""

    def test_neither_promote_nor_sync_puts_it_live(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_registry: NewRegistry
    ) -> None:
        settings = new_registry(tmp_path / "home")
        serving = ServingSettings.from_env({"ACCOUNTSCORE_HOME": str(tmp_path / "home")})
        good, _ = register(settings, tmp_path, 7, PASSED)
        promote(settings, MODEL, good)
        version = refused_version(settings, tmp_path)
        with pytest.raises(NotForUse, match=r"'no signal found'\n  - signal: AUC 0.51\nRule: .*Next: ") as wrong:
            promote(settings, MODEL, version.version)
        assert wrong.value.exit_code == 3
        assert alias(settings, "champion") == live(settings)[0] == good
        registry.set_alias(settings, MODEL, "champion", version.version)
        with pytest.raises(RegistryFailed, match="no signal found"):
            sync(serving)
        assert live(settings)[0] == good
        monkeypatch.setattr(champion_pointer, "require_not_refused", lambda *_: None)
        sync(serving)
        assert live(settings)[0] == version.version, "without the guard it goes live"


class TestPromotion:
    def test_promoting_and_rolling_back_move_alias_and_pointer_together(
        self, made: tuple[Settings, list[tuple[int, str]]]
    ) -> None:
        settings, (one, two, _) = made
        promote(settings, MODEL, one[0])
        assert live(settings) == one
        promote(settings, "churn_risk", two[0])
        assert live(settings) == two
        assert (alias(settings, "champion"), alias(settings, "previous")) == (2, 1)
        rollback(settings, MODEL)
        assert live(settings) == one
        assert (alias(settings, "champion"), alias(settings, "previous")) == (1, 2)

    def test_each_leaves_an_event_for_the_audit_log_and_a_refused_one_leaves_none(
        self, tmp_path: Path, new_registry: NewRegistry
    ) -> None:
        settings = new_registry(tmp_path / "home")
        one, two, bad = (register(settings, tmp_path, n, gates) for n, gates in enumerate((PASSED, PASSED, "failed")))
        promote(settings, MODEL, one[0])
        promote(settings, MODEL, two[0])
        rollback(settings, MODEL)
        with pytest.raises(PromotionRefused):
            promote(settings, MODEL, bad[0])
        registry.set_alias(settings, MODEL, "champion", two[0])  # by hand, in MLflow's page
        sync(ServingSettings.from_env({"ACCOUNTSCORE_HOME": str(settings.home)}))
        found = [event for _, event in audit_spool.waiting(settings.home) if event is not None]
        assert [(e.action, e.actor_id) for e in found] == [
            ("promotion", "training promote"),
            ("promotion", "training promote"),
            ("rollback", "training rollback"),
            ("promotion", "serving sync"),
        ]
        assert [(e.before or {}).get("version") for e in found] == [None, 1, 2, 1]
        assert [(e.after or {}).get("version") for e in found] == [1, 2, 1, 2]
        assert not (settings.home / "store.db").exists()  # training opens no store

    def test_who_did_what_is_written_down_for_the_api(self, made: tuple[Settings, list[tuple[int, str]]]) -> None:
        settings, _ = made
        standing.place(settings.home, MODEL).unlink(missing_ok=True)
        promote(settings, MODEL, 2)
        promote(settings, MODEL, 1)
        rollback(settings, MODEL)
        with pytest.raises(PromotionRefused):
            promote(settings, MODEL, 3)
        found = standing.read(settings.home, MODEL)
        assert found is not None
        said = [(e.action, e.version, e.instead_of, e.why) for e in found.events[:3]]
        assert said == [("refused", 3, 2, "failed: signal"), ("rolled_back", 2, 1, None), ("promoted", 1, 2, None)]
        assert found.events[0].by == os_user()
        assert {v.version: v.aliases for v in found.versions} == {1: ["previous"], 2: ["champion"], 3: []}
        assert {v.version: v.gates for v in found.versions}[3] == "failed: signal"

    def test_a_promotion_is_done_though_it_cannot_be_written_down(
        self,
        made: tuple[Settings, list[tuple[int, str]]],
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        settings, versions = made

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device", "standing.json")

        promote(settings, MODEL, 1)
        with monkeypatch.context() as patched:
            patched.setattr(standing, "note", full)
            promote(settings, MODEL, 2)
        assert live(settings) == versions[1]
        assert (
            "how the versions of churn-risk stand: 'standing.json' cannot be written (the disk is full)" in caplog.text
        )

    def test_failed_gates_are_refused_and_recorded(self, made: tuple[Settings, list[tuple[int, str]]]) -> None:
        settings, versions = made
        promote(settings, MODEL, 1)
        with pytest.raises(PromotionRefused, match=r"version 3 .* failed: signal") as refused:
            promote(settings, MODEL)
        assert refused.value.exit_code == 3
        assert live(settings) == versions[0], "what was live stays live"
        assert alias(settings, "champion") == 1
        tags = registry.get_version(settings, MODEL, 3).tags or {}
        assert tags["promotion"] == "refused: failed: signal"

    def test_two_processes_at_once_one_wins_and_none_is_half_done(
        self, made: tuple[Settings, list[tuple[int, str]]]
    ) -> None:
        settings, versions = made
        environment = {**os.environ, "ACCOUNTSCORE_HOME": str(settings.home)}
        arguments = ("training", "promote", MODEL, "--version")
        logs = [settings.home / f"promote-{v}.log" for v in (1, 2)]
        running = [
            commands.start(*arguments, str(v), env=environment, out=log) for v, log in zip((1, 2), logs, strict=True)
        ]
        codes = [process.wait(240) for process in running]
        ended = [log.read_text() for log in logs]
        # Whoever comes second either saw the first as champion and replaced it, or is refused with exit code 3.
        assert 0 in codes, ended
        assert set(codes) <= {0, 3}, ended
        champion, sha = live(settings)
        assert (champion, sha) in versions
        assert champion == alias(settings, "champion")

    def test_a_version_compared_with_another_champion_is_refused(
        self, made: tuple[Settings, list[tuple[int, str]]]
    ) -> None:
        settings, versions = made
        promote(settings, MODEL, 1)
        with pytest.raises(
            PromotionRefused, match=r"compared with no champion, and version 1 became champion meanwhile"
        ):
            promote_version(settings, MODEL, 2, instead_of=None)
        assert live(settings) == versions[0]
        assert alias(settings, "champion") == 1
        promote_version(settings, MODEL, 2, instead_of=1)
        assert live(settings) == versions[1]

    def test_a_promotion_that_breaks_in_the_middle_leaves_the_old_one_serving(
        self, made: tuple[Settings, list[tuple[int, str]]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings, versions = made
        promote(settings, MODEL, 1)

        def broken(*_: object, **__: object) -> None:
            raise OSError("disk full")

        with monkeypatch.context() as patched:
            patched.setattr(champion_pointer, "put_live", broken)
            with pytest.raises(OSError, match="disk full"):
                promote(settings, MODEL, 2)
        assert live(settings) == versions[0], "the pointer names a whole scorer, the old one"
        sync(ServingSettings.from_env({"ACCOUNTSCORE_HOME": str(settings.home)}))
        assert live(settings) == versions[1], "sync completes what was begun"

    def test_nothing_to_go_back_to(self, made: tuple[Settings, list[tuple[int, str]]]) -> None:
        settings, _ = made
        with pytest.raises(UserMistake, match="no previous champion"):
            rollback(settings, "lead-fit")
