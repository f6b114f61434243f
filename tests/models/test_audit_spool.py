"""Events that wait in the home for the audit log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from features.kit import atomic_files
from features.kit.os_user import os_user
from models import audit_spool, champion_pointer
from tests.kit.scorers import make_scorer

MODEL = "churn-risk"


@pytest.fixture(scope="module")
def scorers(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    made = tmp_path_factory.mktemp("scorers")
    for number in range(2):
        make_scorer(made / str(number), n=300, seed=number, boosters=[])
    return [made / "0", made / "1"]


def put(home: Path, step: int = 1, after: int = 2) -> Path:
    return audit_spool.put(
        home,
        audit_spool.PROMOTION,
        audit_spool.command("training promote"),
        ("model", MODEL),
        {"version": 1},
        {"version": after},
        step,
    )


def events(home: Path) -> list[audit_spool.Event]:
    return [event for _, event in audit_spool.waiting(home) if event is not None]


class TestPut:
    def test_it_says_who_did_what_to_which_model(self, tmp_path: Path) -> None:
        put(tmp_path)
        (event,) = events(tmp_path)
        assert (event.action, event.actor_id, event.actor_name) == ("promotion", "training promote", os_user())
        assert (event.object_kind, event.object_id, event.before, event.after) == (
            "model",
            MODEL,
            {"version": 1},
            {"version": 2},
        )

    def test_the_same_step_is_one_event_and_another_is_another(self, tmp_path: Path) -> None:
        first = put(tmp_path)
        text = first.read_text()
        assert put(tmp_path) == first
        assert first.read_text() == text
        assert len({first, put(tmp_path, step=2), put(tmp_path, after=3)}) == 3

    def test_a_file_that_cannot_be_read_is_given_without_an_event(self, tmp_path: Path) -> None:
        put(tmp_path).write_text("{")
        put(tmp_path, step=2)
        assert [event is None for _, event in audit_spool.waiting(tmp_path)] == [True, False]

    def test_a_home_without_events_has_none(self, tmp_path: Path) -> None:
        assert list(audit_spool.waiting(tmp_path)) == []


class TestPromotion:
    def test_every_change_of_the_pointer_is_one_event(self, tmp_path: Path, scorers: list[Path]) -> None:
        for number in (0, 1, 0, 1):
            champion_pointer.put_live(tmp_path, MODEL, scorers[number], number + 1)
        found = events(tmp_path)
        assert [e.after and e.after["version"] for e in found] == [1, 2, 1, 2]
        assert [e.before and e.before["version"] for e in found] == [None, 1, 2, 1]

    def test_putting_live_what_is_live_is_none(self, tmp_path: Path, scorers: list[Path]) -> None:
        for _ in range(2):
            champion_pointer.put_live(tmp_path, MODEL, scorers[0], 1)
        assert len(events(tmp_path)) == 1

    def test_a_pointer_that_cannot_be_written_leaves_none(
        self, tmp_path: Path, scorers: list[Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write = atomic_files.write_bytes

        def fail(path: Path, content: bytes, **more: bool) -> None:
            if path.name == champion_pointer.NAME:
                raise OSError(28, "No space left on device", str(path))
            write(path, content, **more)

        monkeypatch.setattr(atomic_files, "write_bytes", fail)
        with pytest.raises(OSError, match="No space"):
            champion_pointer.put_live(tmp_path, MODEL, scorers[0], 1)
        assert events(tmp_path) == []
        assert champion_pointer.read_pointer(tmp_path, MODEL) is None

    def test_an_event_that_cannot_be_written_leaves_the_pointer(
        self, tmp_path: Path, scorers: list[Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing goes live without a row."""
        champion_pointer.put_live(tmp_path, MODEL, scorers[0], 1)

        def fail(*_: object, **__: object) -> Path:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(audit_spool, "put", fail)
        with pytest.raises(OSError, match="No space"):
            champion_pointer.put_live(tmp_path, MODEL, scorers[1], 2)
        pointer = champion_pointer.read_pointer(tmp_path, MODEL)
        assert pointer is not None
        assert pointer.version == 1

    def test_what_was_killed_before_the_pointer_and_is_completed_is_one_event(
        self, tmp_path: Path, scorers: list[Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        champion_pointer.put_live(tmp_path, MODEL, scorers[0], 1)
        with monkeypatch.context() as patch:

            def die(path: Path, content: bytes, **more: bool) -> None:
                if path.name == champion_pointer.NAME:
                    raise SystemExit
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)

            patch.setattr(atomic_files, "write_bytes", die)
            patch.setattr(Path, "unlink", lambda *_, **__: None)  # a kill tidies nothing
            with pytest.raises(SystemExit):
                champion_pointer.put_live(tmp_path, MODEL, scorers[1], 2, command="training promote")
        assert len(events(tmp_path)) == 2
        champion_pointer.put_live(tmp_path, MODEL, scorers[1], 2, command="serving sync")
        found = events(tmp_path)
        assert [e.actor_id for e in found] == ["training promote"] * 2
        assert json.dumps(found[1].after).count('"version": 2') == 1
