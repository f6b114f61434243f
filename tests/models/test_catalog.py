"""A model's file with faults does not load: each is named with file, field, rule and next step, and all of them at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from features.outcomes.catalog import OUTCOMES, UnknownOutcome, get_outcome
from models.catalog import DEMO, MODELS, BadModels, UnknownModel, get_model, load

HEAD = "from features.outcomes.churn import CHURN\nfrom models.definition import Model\nMODEL = "


class TestCatalog:
    def test_the_models_and_those_of_the_demo(self) -> None:
        assert list(MODELS) == ["lead-fit", "churn-risk", "expansion"]
        assert DEMO == ("lead-fit", "churn-risk")
        assert get_model("churn_risk").outcome is OUTCOMES["churn"]

    def test_an_unknown_outcome_is_told_which_there_are(self) -> None:
        with pytest.raises(UnknownOutcome, match="no outcome 'upsell': one of churn, conversion, expansion"):
            get_outcome("upsell")

    def test_faults_of_all_files_are_told_at_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        files = {
            "fine": 'Model(name="fine", title="Fine", outcome=CHURN)',
            "asks_nothing": 'Model(name="asks-nothing", title="Nothing")',
            "unknown_field": 'Model(name="unknown-field", title="Unknown", outcome=CHURN, sign=1)',
            "no_model": '"churn"',
            "again": 'Model(name="fine", title="Again", outcome=CHURN)',
        }
        package = tmp_path / "some_models"
        package.mkdir()
        for name, made in files.items():
            (package / f"{name}.py").write_text(HEAD + made + "\n")
        (package / "half.py").write_text("MODEL = Model(\n")
        monkeypatch.syspath_prepend(tmp_path)
        with pytest.raises(BadModels) as refused:
            load([*files, "half", "absent"], "some_models")
        assert [fault.where for fault in refused.value.faults] == [
            "models/asks_nothing.py, field outcome",
            "some_models/unknown_field.py",
            "some_models/no_model.py, MODEL",
            "some_models/again.py, field name",
            "some_models/half.py",
            "some_models/absent.py",
        ]
        assert list(load(["fine"], "some_models")) == ["fine"], "the twin: a file without faults loads"


class TestUnknownModel:
    def test_unknown_model_lists_the_choices(self) -> None:
        with pytest.raises(UnknownModel, match="lead-fit, churn-risk"):
            get_model("upsell")


@pytest.mark.parametrize(
    "command", [("training", "fit", "churn-risk"), ("features", "check"), ("serving", "api")], ids=lambda c: c[0]
)
def test_a_command_ends_with_the_faults_and_no_stack_trace(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Check, training and services alike, in a tree whose one model asks nothing."""
    for part in ("features", "models", "training", "serving"):
        (tmp_path / part).mkdir()
        for path in Path(part).iterdir():
            (tmp_path / part / path.name).symlink_to(path.resolve())
    bad = tmp_path / "models/churn_risk.py"
    bad.unlink()
    bad.write_text(HEAD + 'Model(name="churn-risk", title="")\n')
    more = [] if command[0] == "serving" else ["--source", "x_education"]
    env = {"PATH": "/usr/bin:/bin", "ACCOUNTSCORE_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", *command, *more],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "models/churn_risk.py, field title" in done.stderr
    assert "models/churn_risk.py, field outcome" in done.stderr
    assert "Traceback" not in done.stderr
