"""How versions stand is written down for those who cannot ask the registry; a file that cannot be read harms no promotion."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from features.kit.os_user import os_user
from models import card_file, standing
from models.card_file import Unreadable
from models.standing import PROMOTED, REFUSED, ROLLED_BACK, Standing

MODEL = "churn-risk"


@dataclass(frozen=True)
class Version:
    version: int
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] | None = None


VERSIONS = [Version(2, ("challenger",), {"gates": "failed: drift", "verdict": "refused"}), Version(1, ("champion",))]


def read(home: Path) -> Standing:
    found = standing.read(home, MODEL)
    assert found is not None
    return found


class TestNote:
    def test_versions_and_events_are_kept_the_newest_event_first(self, tmp_path: Path) -> None:
        standing.note(tmp_path, MODEL, VERSIONS, standing.event(PROMOTED, 1))
        standing.note(tmp_path, MODEL, VERSIONS, standing.event(REFUSED, 2, 1, "failed: drift"))
        found = read(tmp_path)
        assert [(v.version, v.aliases, v.gates) for v in found.versions] == [
            (2, ["challenger"], "failed: drift"),
            (1, ["champion"], None),
        ]
        assert [(e.action, e.version, e.instead_of, e.why) for e in found.events] == [
            (REFUSED, 2, 1, "failed: drift"),
            (PROMOTED, 1, None, None),
        ]
        assert {e.by for e in found.events} == {os_user()}

    def test_the_same_again_writes_nothing(self, tmp_path: Path) -> None:
        standing.note(tmp_path, MODEL, VERSIONS)
        before = standing.place(tmp_path, MODEL).stat().st_ino
        standing.note(tmp_path, MODEL, VERSIONS)
        assert standing.place(tmp_path, MODEL).stat().st_ino == before
        standing.note(tmp_path, MODEL, VERSIONS[1:])
        assert standing.place(tmp_path, MODEL).stat().st_ino != before

    def test_events_are_bounded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(standing, "MOST_EVENTS", 3)
        for number in range(5):
            standing.note(tmp_path, MODEL, VERSIONS, standing.event(PROMOTED, number))
        assert [e.version for e in read(tmp_path).events] == [4, 3, 2]

    def test_a_broken_file_is_replaced(self, tmp_path: Path) -> None:
        standing.note(tmp_path, MODEL, VERSIONS)
        standing.place(tmp_path, MODEL).write_text('{"versions": [')
        with pytest.raises(Unreadable, match="serving sync"):
            standing.read(tmp_path, MODEL)
        standing.note(tmp_path, MODEL, VERSIONS, standing.event(PROMOTED, 1))
        assert len(read(tmp_path).events) == 1

    def test_one_of_a_newer_version_is_left_alone(self, tmp_path: Path) -> None:
        card_file.write(standing.place(tmp_path, MODEL), {"kept": "of the newer version"}, schema=9)
        standing.note(tmp_path, MODEL, VERSIONS)
        assert json.loads(standing.place(tmp_path, MODEL).read_text())["kept"] == "of the newer version"

    def test_many_at_once_lose_no_event(self, tmp_path: Path) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: standing.note(tmp_path, MODEL, VERSIONS, standing.event(PROMOTED, n)), range(24)))
        assert sorted(e.version for e in read(tmp_path).events) == list(range(24))

    def test_without_the_lock_events_are_lost(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin: the second of two writers read before the first wrote."""
        first = standing.read(tmp_path, MODEL)
        standing.note(tmp_path, MODEL, VERSIONS, standing.event(PROMOTED, 1))
        monkeypatch.setattr(standing, "read", lambda *_: first)
        standing.note(tmp_path, MODEL, VERSIONS, standing.event(PROMOTED, 2))
        monkeypatch.undo()
        assert [e.version for e in read(tmp_path).events] == [2]


class TestStanding:
    def test_who_put_a_version_live_last(self, tmp_path: Path) -> None:
        for action, version in ((PROMOTED, 1), (PROMOTED, 2), (ROLLED_BACK, 1), (REFUSED, 1)):
            standing.note(tmp_path, MODEL, VERSIONS, standing.event(action, version))
        found = read(tmp_path)
        live = found.put_live(1)
        assert live is not None
        assert live.action == ROLLED_BACK
        assert found.put_live(3) is None
        assert [e.version for e in found.refusals()] == [1]
        assert found.refusals(2) == []

    def test_the_variables_of_the_caller_do_not_name_the_user(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOGNAME", "somebody-else")
        assert standing.event(REFUSED, 2).by == os_user() != "somebody-else"
