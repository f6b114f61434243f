"""A run that was interrupted goes on only with what it began with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from features.kit.errors import UserMistake
from serving.batch.checkpoint import Plan, Work
from serving.errors import BatchBusy
from serving.manifest import only_one
from tests.kit.running import AS_OF, Home


class TestWork:
    def plan(self, **more: Any) -> Plan:
        return Plan(
            **{
                "source": "s",
                "source_fingerprint": "f",
                "as_of": "2026-01-01T00:00:00Z",
                "scorers": {"churn-risk": "a"},
                "reasons": 5,
                "objections": 0,
                "previous": None,
                **more,
            }
        )

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"source_fingerprint": "g"}, "the data changed"),
            ({"scorers": {"churn-risk": "b"}}, "the champion changed"),
            ({"previous": "p"}, "the published run changed"),
        ],
    )
    def test_resuming_with_other_inputs_is_refused(self, tmp_path: Path, changed: dict[str, Any], said: str) -> None:
        Work.open(tmp_path, self.plan())
        with pytest.raises(UserMistake, match=f"{said}.*--restart"):
            Work.open(tmp_path, self.plan(**changed))
        Work.open(tmp_path, self.plan())  # the twin: nothing changed
        Work.open(tmp_path, self.plan(**changed), restart=True)
        Work.open(tmp_path, self.plan(**changed))

    def test_an_unfinished_run_does_not_block_another_moment(self, tmp_path: Path) -> None:
        Work.open(tmp_path, self.plan())
        begun = set((tmp_path / ".work").iterdir())
        Work.open(tmp_path, self.plan(as_of="2026-01-02T00:00:00Z", source_fingerprint="g"))
        both = set((tmp_path / ".work").iterdir())
        assert begun < both
        assert len(both) == 2

    def test_two_at_once(self, home: Home, tmp_path: Path) -> None:
        with only_one(tmp_path):
            with pytest.raises(BatchBusy), only_one(tmp_path):
                pass
            done = home.run("serving", "batch", *home.source, "--as-of", AS_OF, "--out", str(tmp_path))
        assert done.returncode == 5
        assert "another run is going on" in done.stderr
        with only_one(tmp_path):  # the twin: it is free again
            pass
