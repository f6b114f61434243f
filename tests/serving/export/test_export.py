"""A run for a moment after the clock makes way in every place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from features.kit.errors import UserMistake
from serving.manifest import read_manifest


@pytest.mark.parametrize("kind", ["folder", "database"])
def test_a_run_for_a_moment_after_the_clock_makes_way(
    nights: dict[str, Path], add: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """What an earlier version exported by mistake would be the newest run of every report."""
    to = str(tmp_path / "star") if kind == "folder" else f"sqlite:///{tmp_path}/bi.db"
    add(nights["second"], to)
    add(nights["first"], to)
    monkeypatch.setenv("ACCOUNTSCORE_NOW", read_manifest(nights["first"])["as_of"])
    done = add(nights["first"], to).added
    assert (done.rows, done.replaced) == ({}, 1)
    assert add(nights["first"], to).added.replaced == 0
    with pytest.raises(UserMistake, match="after the clock"):
        add(nights["second"], to)
