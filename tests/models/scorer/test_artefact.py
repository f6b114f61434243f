"""A damaged or forged scorer is refused with its reason, and nothing in it is ever run."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.catalog import get_model
from models.definition import Model
from models.population import Population, where
from models.scorer import artefact
from models.scorer.artefact import ScorerRefused, read_files, write_files
from models.scorer.scorer import Scorer
from tests.kit.damage import DAMAGE
from tests.kit.scorers import make_scorer, random_rows


class Trap:
    """Runs a command when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.marker),)


def agree(folder: Path, name: str, data: bytes) -> None:
    """Replace a file and make the manifest agree, as somebody who may write there would."""
    (folder / name).write_bytes(data)
    manifest = json.loads((folder / "MANIFEST.json").read_text())
    manifest["files"][name] = {"sha256": artefact.digest(data), "bytes": len(data)}
    (folder / "MANIFEST.json").write_text(json.dumps(manifest))


def archive(**arrays: np.ndarray) -> bytes:
    stored = io.BytesIO()
    np.savez(stored, **arrays)  # type: ignore[arg-type]
    return stored.getvalue()


LARGER = where("plan").is_in("team", "business")


def narrowed(population: Population, **more: object) -> Model:
    # Two themes: what these tests are about is the rows.
    return replace(get_model("churn-risk"), population=population, themes=("firmographic", "commercial"), **more)  # type: ignore[arg-type]


class TestRefusal:
    @pytest.mark.parametrize("name", DAMAGE)
    def test_damage_is_refused_with_its_reason(self, folder: Path, name: str) -> None:
        damage, why = DAMAGE[name]
        damage(folder)
        with pytest.raises(ScorerRefused, match=why):
            Scorer.load(folder)

    def test_checksums_are_what_catches_a_flipped_bit(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin: without the comparison of checksums a changed phrase would be read out to people."""
        changed = (folder / "scorer.json").read_text().replace("Number 0 is", "Number 0 iz")
        (folder / "scorer.json").write_text(changed)
        with pytest.raises(ScorerRefused):
            Scorer.load(folder)
        entries = json.loads((folder / "MANIFEST.json").read_text())["files"]
        monkeypatch.setattr(
            artefact,
            "digest",
            lambda data: next((e["sha256"] for e in entries.values() if e["bytes"] == len(data)), "0"),
        )
        assert "iz" in Scorer.load(folder).spec.signals[0].words.some

    def test_an_untouched_copy_loads(self, folder: Path, tmp_path: Path) -> None:
        shutil.copytree(folder, tmp_path / "copy")
        assert Scorer.load(tmp_path / "copy").sha256 == Scorer.load(folder).sha256


class TestForgery:
    """Files that agree with their manifest and are still no scorer's."""

    @pytest.mark.parametrize(
        ("name", "data"),
        [
            ("tables.npz", b"PK\x03\x04 no archive"),
            ("tables.npz", b"nothing of the kind"),
            ("tables.npz", archive(slots=np.zeros((1, 7), dtype=np.int64))),
            ("booster.txt", b"tree\nversion=v4\n"),
            ("booster.txt", b""),
            ("linear.json", b'{"bias": 0.0, "shapes": []}'),
            ("linear.json", b'{"bias": "0"}'),
            ("scorer.json", b"[]"),
            ("golden.json", b'{"rows": [], "trees": [], "log_odds": [], "effects": []}'),
            ("golden.json", b'{"rows": [[1]], "trees": [0], "log_odds": [0], "effects": [[0]]}'),
        ],
    )
    def test_refused_with_a_reason(self, folder: Path, name: str, data: bytes) -> None:
        agree(folder, name, data)
        with pytest.raises(ScorerRefused):
            Scorer.load(folder)

    def test_a_pickle_in_the_tables_never_runs(self, folder: Path, tmp_path: Path) -> None:
        marker = tmp_path / "it ran"
        trap = np.array([Trap(marker)], dtype=object)
        agree(folder, "tables.npz", archive(slots=trap, values=trap, base=trap))
        with pytest.raises(ScorerRefused):
            Scorer.load(folder)
        assert not marker.exists()
        # The sabotaged twin: the same file, read without the refusal, does run.
        with np.load(folder / "tables.npz", allow_pickle=True) as stored:
            stored["slots"]
        assert marker.exists()
        assert pickle.dumps(trap)

    def test_other_reason_tables_are_caught_by_lightgbms_golden_values(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with np.load(folder / "tables.npz") as stored:
            arrays = dict(stored)
        # Two signals swap half of what they did: the sum stays, the reasons are wrong.
        arrays["values"][:, :, [0, 1]] = arrays["values"][:, :, [1, 0]]
        agree(folder, "tables.npz", archive(**arrays))
        with pytest.raises(ScorerRefused, match="other reasons"):
            Scorer.load(folder)
        # The sabotaged twin: without the replay nothing else would have noticed.
        monkeypatch.setattr(Scorer, "_replay", lambda self, directory, golden: None)
        x, _ = random_rows(20)
        forged = Scorer.load(folder)
        assert np.abs(forged.effects(x)[0].sum(axis=1) + forged.base - forged.log_odds(x)).max() < 1e-9


class TestCopy:
    def test_a_copy_is_the_same_scorer(self, tmp_path: Path) -> None:
        """Promotion copies a scorer: one whose format is not this version's own stays what it is."""
        scorer = make_scorer(tmp_path / "s", definition=narrowed(LARGER), n=600)
        files, _ = read_files(tmp_path / "s")
        assert write_files(tmp_path / "copy", files) == scorer.sha256
