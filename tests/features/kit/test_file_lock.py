"""A lock on a file: one holder at a time, named to those who wait in vain, and free again however the block ends."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from features.kit.errors import UserMistake
from features.kit.file_lock import file_lock, is_held


class Busy(UserMistake):
    pass


def test_a_second_block_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "home.lock"
    with (
        file_lock(path, 0, Busy("the home is in use")),
        pytest.raises(Busy, match=rf"^the home is in use \(process {os.getpid()} holds "),
        file_lock(path, 0, Busy("the home is in use")),
    ):
        pass


def test_it_is_free_after_a_block_that_failed(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), file_lock(tmp_path / "lock", 0, Busy("in use")):
        raise ZeroDivisionError
    with file_lock(tmp_path / "lock", 0, Busy("in use")):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_who_waits_gets_it_when_it_is_freed(tmp_path: Path) -> None:
    held, order = threading.Event(), []

    def first() -> None:
        with file_lock(tmp_path / "lock", 0, Busy("in use")):
            held.set()
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    assert held.wait(10)
    with file_lock(tmp_path / "lock", 10, Busy("in use")):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_a_longer_number_of_an_earlier_holder_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("123456789012")
    with file_lock(tmp_path / "lock", 0, Busy("in use")):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_whether_a_lock_is_held_is_told_without_taking_it(tmp_path: Path) -> None:
    path, busy = tmp_path / "lock", Busy("in use")
    assert not is_held(path)
    with file_lock(path, 0, busy):
        assert is_held(path)
    assert not is_held(path)
    with file_lock(path, 0, busy):
        pass
