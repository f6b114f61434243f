"""The home's files say what the store has, whoever wrote it and whoever was killed before it was published."""

from __future__ import annotations

import json
import os
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from features.kit import atomic_files
from features.kit.clock import to_us
from features.sources.notes import FOLDER, files_of
from serving.notes import export, repository
from serving.notes.export import publish
from serving.privacy import service as privacy
from serving.store.connect import Store, open_store
from tests.kit.company import at
from tests.kit.notes import note

pytestmark = pytest.mark.both_databases
NOVEMBER, DECEMBER = to_us(at("2026-11-20")), to_us(at("2026-12-02"))
OLD, NEW = note(known_at=NOVEMBER, text="free text"), note("beta", known_at=DECEMBER)


def put(store: Store, *notes: repository.Note) -> None:
    with store.write() as connection:
        repository.put(connection, notes)


def told(home: Path) -> dict[str, list[str]]:
    """Whom the files tell of, by month."""
    return {
        file.stem: [json.loads(line)["entity_id"] for line in file.read_text().splitlines()[1:]]
        for file in files_of(home)
    }


class TestPublish:
    def test_a_file_for_each_month_in_which_they_were_told(self, store: Store, tmp_path: Path) -> None:
        put(store, OLD, NEW)
        assert publish(store, tmp_path) == 2
        assert told(tmp_path) == {"2026-11": ["acme"], "2026-12": ["beta"]}
        assert "free text" not in (tmp_path / FOLDER / "2026-11.jsonl").read_text()

    def test_only_what_is_behind_is_written(self, store: Store, tmp_path: Path) -> None:
        put(store, OLD, NEW)
        publish(store, tmp_path)
        before = {file: file.stat().st_ino for file in files_of(tmp_path)}
        assert publish(store, tmp_path) == 0
        put(store, note("gamma", known_at=DECEMBER))
        assert publish(store, tmp_path) == 1
        assert [file.stem for file in files_of(tmp_path) if file.stat().st_ino != before[file]] == ["2026-12"]

    def test_a_correction_moves_and_a_withdrawal_leaves_an_empty_month(self, store: Store, tmp_path: Path) -> None:
        put(store, OLD)
        publish(store, tmp_path)
        put(store, replace(OLD, word="x", known_at=DECEMBER))
        assert publish(store, tmp_path) == 2
        assert told(tmp_path) == {"2026-11": [], "2026-12": ["acme"]}
        with store.write() as connection:
            repository.withdraw(connection, OLD.kind, OLD.entity, OLD.entity_id, OLD.id)
        publish(store, tmp_path)
        assert told(tmp_path) == {"2026-11": [], "2026-12": []}

    def test_a_damaged_file_and_one_of_another_store_are_made_right(self, store: Store, tmp_path: Path) -> None:
        put(store, OLD)
        publish(store, tmp_path)
        (tmp_path / FOLDER / "2026-11.jsonl").write_text("{")
        (tmp_path / FOLDER / "1999-01.jsonl").write_text('{"format": 1, "generation": 3}\n')
        (tmp_path / FOLDER / "strange.jsonl").write_text("")
        publish(store, tmp_path)
        assert told(tmp_path) == {"2026-11": ["acme"]}
        # The counter of another store may be the same by chance: a process that starts writes all.
        (tmp_path / FOLDER / "2026-11.jsonl").write_text('{"format": 1, "generation": 1}\n')
        assert publish(store, tmp_path) == 0
        assert publish(store, tmp_path, whole=True) == 1
        assert told(tmp_path) == {"2026-11": ["acme"]}

    def test_a_row_that_came_after_the_counter_was_read_is_written_again(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(store, OLD)
        bounds = export._bounds

        def meanwhile(month: str) -> tuple[int, int]:
            monkeypatch.setattr(export, "_bounds", bounds)
            put(store, note("gamma", known_at=NOVEMBER))
            return bounds(month)

        monkeypatch.setattr(export, "_bounds", meanwhile)
        publish(store, tmp_path)
        publish(store, tmp_path)
        assert sorted(told(tmp_path)["2026-11"]) == ["acme", "gamma"]

    def test_many_at_once_lose_nothing(self, store: Store, tmp_path: Path) -> None:
        def one(number: int) -> None:
            put(store, note(f"n{number}", known_at=NOVEMBER))
            publish(store, tmp_path)

        threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(told(tmp_path)["2026-11"]) == [f"n{number}" for number in range(6)]

    @pytest.mark.parametrize("whole", [False, True])
    def test_without_notes_nothing_is_touched(self, store: Store, tmp_path: Path, whole: bool) -> None:
        (tmp_path / "home").mkdir()
        assert publish(store, tmp_path / "home", whole=whole) == 0
        assert list((tmp_path / "home").iterdir()) == []

    def test_a_home_that_cannot_be_written_loses_no_note(self, store: Store, tmp_path: Path) -> None:
        (tmp_path / FOLDER).write_text("in the way")
        put(store, OLD)
        export.publish_or_tell(store, tmp_path)
        (tmp_path / FOLDER).unlink()
        publish(store, tmp_path)
        assert told(tmp_path) == {"2026-11": ["acme"]}


def test_a_line_has_the_columns_in_their_order(store: Store, tmp_path: Path) -> None:
    put(store, OLD)
    publish(store, tmp_path)
    (file,) = files_of(tmp_path)
    assert json.loads(file.read_text().splitlines()[1]) == {
        "id": OLD.id,
        "kind": OLD.kind,
        "entity": OLD.entity,
        "entity_id": OLD.entity_id,
        "word": OLD.word,
        "event_us": OLD.event_at,
        "known_us": OLD.known_at,
    }


class TestErasure:
    def test_a_published_file_of_an_erased_entity_is_written_without_it(self, store: Store, tmp_path: Path) -> None:
        put(store, OLD, note("beta", known_at=NOVEMBER))
        publish(store, tmp_path)
        done = privacy.erase(store, [], "account", "acme", DECEMBER, tmp_path)
        assert done.deleted["notes"] == 1
        assert told(tmp_path) == {"2026-11": ["beta"], "2026-12": []}
        everything = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".db"]
        assert everything
        assert not [content for content in everything if b"acme" in content]


STEPS = [(export, "publish"), (export, "_write"), (export, "_lines"), (atomic_files, "sync"), (atomic_files, "rename")]


class TestKilled:
    @pytest.mark.parametrize("step", STEPS, ids=lambda step: step[1])
    def test_at_any_step_the_next_call_makes_it_right(
        self, store: Store, tmp_path: Path, step: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Real SIGKILL, after the notes are committed: before anything is written, in a file, before and after its rename."""
        put(store, OLD)
        publish(store, tmp_path)
        child = os.fork()
        if child == 0:  # the sabotaged process: it dies at the step
            try:
                monkeypatch.setattr(*step, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
                own = open_store(store.engine.url.render_as_string(hide_password=False))
                put(own, NEW, note("gamma", known_at=NOVEMBER))
                export.publish(own, tmp_path)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL
        before = told(tmp_path)
        assert before["2026-11"] in (["acme"], ["acme", "gamma"], ["gamma", "acme"]), "a whole file, old or new"
        put(store, NEW)  # who told it got no answer, and tells it again
        publish(store, tmp_path)
        assert {month: sorted(names) for month, names in told(tmp_path).items()} == {
            "2026-11": ["acme", "gamma"],
            "2026-12": ["beta"],
        }
