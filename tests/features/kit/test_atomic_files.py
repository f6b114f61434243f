"""`features.kit.atomic_files`: a reader sees the old content or the new one, whatever step of a writer fails."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.kit import atomic_files

OLD, NEW = pa.table({"n": [1]}), pa.table({"n": [2, 3]})


def write_folder(path: Path, table: pa.Table) -> None:
    with atomic_files.writing_folder(path) as partial:
        atomic_files.fill(partial / "one.parquet", [table])
        (partial / "two.txt").write_text(str(table.to_pydict()))


def read_folder(path: Path) -> pa.Table:
    table = pq.read_table(path / "one.parquet")
    assert (path / "two.txt").read_text() == str(table.to_pydict())
    return table


WRITERS: dict[str, tuple[Callable[[Path, pa.Table], None], Callable[[Path], pa.Table]]] = {
    "parquet": (lambda path, table: atomic_files.write_parquet(path, [table]), pq.read_table),
    "parquet under a lock": (lambda path, table: atomic_files.write_parquet(path, [table], locked=True), pq.read_table),
    "folder": (write_folder, read_folder),
}


def fail_everywhere(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Fail at each step in turn and look at what a reader sees; returns how many steps there are."""
    write, read = WRITERS[kind]
    step = 0
    while True:
        step += 1
        path, left = folder / f"step-{step}", [step]
        write(path, OLD)

        def failing(work: Callable[..., Any], left: list[int] = left) -> Callable[..., Any]:
            def one(*given: Any) -> Any:
                left[0] -= 1
                if left[0] == 0:
                    Path(given[0]).write_bytes(b"half") if Path(given[0]).suffix == ".partial" else None
                    raise OSError(errno.ENOSPC, "No space left on device", str(given[0]))
                return work(*given)

            return one

        with monkeypatch.context() as patch:
            for name in ("fill", "rename", "sync"):
                patch.setattr(atomic_files, name, failing(getattr(atomic_files, name)))
            try:
                write(path, NEW)
                return step - 1
            except OSError:
                pass
        assert read(path) in (OLD, NEW)
        write(path, NEW)
        assert read(path) == NEW
        assert [left.name for left in folder.iterdir() if left.name.endswith(".partial")] == []


@pytest.mark.parametrize("kind", WRITERS)
def test_a_disk_that_fails_at_any_step_leaves_the_old_or_the_new(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fail_everywhere(kind, tmp_path, monkeypatch) >= 4


def test_the_twin_that_writes_in_place_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic_files, "_beside", lambda path, locked: path)
    with pytest.raises((AssertionError, OSError, pa.ArrowInvalid)):
        fail_everywhere("parquet", tmp_path, monkeypatch)


def test_an_error_names_the_file_that_people_know(tmp_path: Path) -> None:
    (tmp_path / "a folder").mkdir()
    with pytest.raises(OSError, match="a folder") as told:
        atomic_files.write_text(tmp_path / "a folder", "text")
    assert ".partial" not in str(told.value.filename)


def test_a_private_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        atomic_files.write_bytes(tmp_path / "secret", b"1", private=True)
        atomic_files.write_bytes(tmp_path / "open", b"1")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) & 0o077 for name in ("secret", "open")]
    assert modes[0] == 0
    assert modes[1] != 0, "the twin: without `private` the umask decides"


def test_of_two_who_make_a_file_once_both_have_the_first(tmp_path: Path) -> None:
    atomic_files.write_once(tmp_path / "pepper", b"first")
    atomic_files.write_once(tmp_path / "pepper", b"second")
    assert (tmp_path / "pepper").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["pepper"]
