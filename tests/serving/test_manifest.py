"""What is published: the manifest is the last file, whole runs only, and erased entities are taken out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.kit import atomic_files
from features.kit.errors import UserMistake
from serving.errors import BatchBusy
from serving.manifest import (
    MANIFEST,
    RUN,
    delete_runs_with,
    is_whole,
    only_one,
    publish,
    published,
    read_manifest,
    read_scores,
    rewrite_without,
    run_of,
    seen,
)

ONE, TWO, THREE = "0" * 15 + "1", "0" * 15 + "2", "0" * 15 + "3"


def write_run(out: Path, run_id: str, ids: list[str], as_of: str = "2026-01-01T00:00:00Z") -> None:
    """A whole run of churn-risk in its folder, not yet published."""
    table = pa.table({"entity_id": ids, "probability": [0.5] * len(ids)})
    described = {}
    for name in ("churn-risk/part-00000", "signals/account"):
        path = out / run_id / f"{name}.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(table, path)
        described[name] = {"file": f"{run_id}/{name}.parquet", "sha256": atomic_files.sha256(path), "rows": len(ids)}
    manifest = {
        "run_id": run_id,
        "as_of": as_of,
        "models": {"churn-risk": {"rows": len(ids), "files": [described["churn-risk/part-00000"]]}},
        "signals": {"account": described["signals/account"]},
    }
    (out / run_id / RUN).write_text(json.dumps(manifest))


def ids_of(out: Path) -> list[str]:
    found: list[str] = read_scores(out, "churn-risk")["entity_id"].to_pylist()
    return found


class TestPublish:
    def test_the_run_before_stays_for_who_reads_it_and_older_ones_go(self, tmp_path: Path) -> None:
        (tmp_path / "notes").mkdir()  # not a run: nothing else in OUT is touched
        for run_id in (ONE, TWO, THREE):
            write_run(tmp_path, run_id, [run_id])
            assert publish(tmp_path, run_id) == tmp_path / MANIFEST
        assert sorted(f.name for f in tmp_path.iterdir() if f.is_dir()) == [TWO, THREE, "notes"]
        assert ids_of(tmp_path) == [THREE]

    def test_nothing_published_is_a_mistake_that_says_the_command(self, tmp_path: Path) -> None:
        assert published(tmp_path) is None
        with pytest.raises(UserMistake, match="no run was published there; run python -m serving batch --out"):
            read_manifest(tmp_path)

    def test_a_model_without_scores_there_lists_those_that_have_some(self, tmp_path: Path) -> None:
        write_run(tmp_path, ONE, ["a"])
        publish(tmp_path, ONE)
        with pytest.raises(UserMistake, match="no scores of 'lead-fit': it has churn-risk"):
            read_scores(tmp_path, "lead-fit")


class TestIsWhole:
    def test_a_changed_or_missing_file_is_seen(self, tmp_path: Path) -> None:
        write_run(tmp_path, ONE, ["a"])
        assert is_whole(tmp_path, ONE)
        file = tmp_path / ONE / "signals/account.parquet"
        file.write_bytes(file.read_bytes()[:-1])
        assert not is_whole(tmp_path, ONE)
        file.unlink()
        assert not is_whole(tmp_path, ONE)

    def test_a_run_that_is_not_there_is_none(self, tmp_path: Path) -> None:
        assert not is_whole(tmp_path, ONE)
        assert run_of(tmp_path, ONE) is None


class TestSeen:
    def test_a_run_for_a_moment_after_the_clock_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        about: dict[str, Any] = {"as_of": "2026-01-02T00:00:00Z"}
        monkeypatch.setenv("ACCOUNTSCORE_NOW", "2026-01-02T00:00:00Z")
        assert seen(about, tmp_path) is about
        monkeypatch.setenv("ACCOUNTSCORE_NOW", "2026-01-01T23:00:00Z")
        with pytest.raises(UserMistake, match=r"after the clock .*--as-of 2026-01-01"):
            seen(about, tmp_path)


class TestErasure:
    def test_the_published_run_is_written_anew_and_older_runs_that_had_them_go(self, tmp_path: Path) -> None:
        for run_id in (ONE, TWO):
            write_run(tmp_path, run_id, ["a", "b", "c"])
            publish(tmp_path, run_id)
        (tmp_path / ".work/x").mkdir(parents=True)
        rewrite_without(tmp_path, lambda entity, name: (entity, name) == ("account", "b"))
        assert ids_of(tmp_path) == ["a", "c"]
        assert is_whole(tmp_path, TWO)
        assert read_manifest(tmp_path)["models"]["churn-risk"]["rows"] == 2
        assert not (tmp_path / ONE).exists()
        assert not (tmp_path / ".work").exists()

    def test_runs_without_them_stay_as_they_are(self, tmp_path: Path) -> None:
        for run_id in (ONE, TWO):
            write_run(tmp_path, run_id, ["a"])
            publish(tmp_path, run_id)
        before = (tmp_path / MANIFEST).read_text()
        assert delete_runs_with(tmp_path, lambda _entity, name: name == "b") == []
        rewrite_without(tmp_path, lambda _entity, name: name == "b")
        assert (tmp_path / MANIFEST).read_text() == before
        assert (tmp_path / ONE).is_dir()


class TestOnlyOne:
    def test_the_second_is_told_that_another_run_is_going_on(self, tmp_path: Path) -> None:
        with only_one(tmp_path), pytest.raises(BatchBusy, match="another run is going on"), only_one(tmp_path):
            pass

    def test_a_file_in_the_place_of_the_folder_is_a_mistake(self, tmp_path: Path) -> None:
        (tmp_path / "out").touch()
        with pytest.raises(UserMistake, match="is a file: give a folder"), only_one(tmp_path / "out"):
            pass
