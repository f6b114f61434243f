"""Whether a place can be written, asked before the work; and one line for people when the disk says no."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from features.kit.errors import UserMistake
from features.kit.writable import NotWritable, require_place, require_writable, told, unwritable


class TestFolder:
    def test_an_absent_folder_is_asked_of_the_one_above_and_not_made(self, tmp_path: Path) -> None:
        require_writable(tmp_path / "a" / "b", "name another")
        assert list(tmp_path.iterdir()) == []

    def test_a_file_in_the_way_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("")
        with pytest.raises(NotWritable, match=r"a/b' cannot be written \('.*a' is a file\): name another"):
            require_writable(tmp_path / "a" / "b", "name another")

    def test_one_that_the_user_may_not_write_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert unwritable(tmp_path) is None
        monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
        assert unwritable(tmp_path) == "permission denied"
        with pytest.raises(NotWritable, match=r"cannot be written \(permission denied\): name another"):
            require_writable(tmp_path, "name another")


class TestPlace:
    def test_a_file_goes_into_a_folder_that_is_there(self, tmp_path: Path) -> None:
        require_place(tmp_path / "panel.parquet")
        with pytest.raises(UserMistake, match=r"no folder '.*absent' to write 'panel.parquet' into: make it first"):
            require_place(tmp_path / "absent" / "panel.parquet")
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_is_no_place_for_a_file(self, tmp_path: Path) -> None:
        with pytest.raises(UserMistake, match="is a folder: name a file to write"):
            require_place(tmp_path)


class TestTold:
    @pytest.mark.parametrize(
        ("code", "said"),
        [
            (errno.EACCES, "'/srv/x': permission denied; let this user read and write there, or name another place"),
            (errno.EPERM, "'/srv/x': permission denied; let this user read and write there, or name another place"),
            (errno.ENOSPC, "'/srv/x' cannot be written (the disk is full): make room, then run it again"),
            (errno.EDQUOT, "'/srv/x' cannot be written (the disk is full): make room, then run it again"),
            (errno.EISDIR, "'/srv/x': Is a directory; see that it is there and may be written"),
        ],
    )
    def test_each_error_says_what_to_do(self, code: int, said: str) -> None:
        assert told(OSError(code, os.strerror(code), "/srv/x")) == said

    def test_an_error_without_a_name_is_of_a_file(self) -> None:
        assert told(OSError(errno.ENOSPC, "No space left on device")).startswith("a file cannot be written")

    def test_a_name_in_bytes_is_shown_as_text(self) -> None:
        assert told(OSError(errno.EACCES, "Permission denied", "/srv/ü".encode())).startswith("'/srv/ü': ")
