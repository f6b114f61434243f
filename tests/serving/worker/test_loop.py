"""The loop of the worker: a start that waits for the store, and one worker at a time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from features.kit.errors import UserMistake
from serving.errors import StoreAway
from serving.worker import loop
from serving.worker.loop import AlreadyRunning, begin, only_one


class TestBegin:
    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(loop, "POLL_SECONDS", 0.001)

    def test_a_store_that_is_away_is_tried_again_and_told_once(self, caplog: pytest.LogCaptureFixture) -> None:
        calls: list[int] = []

        def start() -> None:
            calls.append(1)
            if len(calls) < 4:
                raise StoreAway("no answer")

        assert begin(start, threading.Event())
        assert len(calls) == 4
        assert caplog.text.count("store.away") == 1

    def test_a_stop_ends_the_wait(self) -> None:
        stopping = threading.Event()

        def start() -> None:
            stopping.set()
            raise StoreAway("no answer")

        assert not begin(start, stopping)

    def test_any_other_error_is_raised_at_once(self) -> None:
        calls: list[int] = []

        def start() -> None:
            calls.append(1)
            raise UserMistake("wrong revision")

        with pytest.raises(UserMistake, match="wrong revision"):
            begin(start, threading.Event())
        assert len(calls) == 1


class TestOnlyOne:
    def test_a_second_worker_is_told_and_one_who_delivers_is_not(self, tmp_path: Path) -> None:
        with only_one(tmp_path):
            with pytest.raises(AlreadyRunning, match=r"a worker .* is running on"), only_one(tmp_path):
                pass
            with only_one(tmp_path, "deliver"):
                pass
        with only_one(tmp_path):  # it is free again
            pass
