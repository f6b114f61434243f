"""How a command ends: the exit code, and one line on stderr."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import typer

from features.kit import cli
from features.kit.errors import AccountscoreError, BadInput, Fault, Refused, UserMistake


def ended(app: typer.Typer, monkeypatch: pytest.MonkeyPatch) -> object:
    """The exit code of a command."""
    monkeypatch.setattr(sys, "argv", ["command"])
    with pytest.raises(SystemExit) as end:
        cli.run(app)
    return end.value.code


def raising(error: Exception) -> typer.Typer:
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    def command() -> None:
        raise error

    return app


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of one's own; the umask is put back, since a command keeps what it sets."""
    monkeypatch.setenv("ACCOUNTSCORE_HOME", str(tmp_path / "home"))
    before = os.umask(0o022)
    yield tmp_path / "home"
    os.umask(before)


class TestExitCode:
    @pytest.mark.parametrize(
        ("error", "code", "said"),
        [
            (AccountscoreError("the store is gone"), 1, "error: the store is gone\n"),
            (UserMistake("mrr is 'x'"), 2, "error: mrr is 'x'\n"),
            (Refused("its gates refused it"), 3, "error: its gates refused it\n"),
            (
                OSError(errno.ENOSPC, "No space left on device", "/srv/x"),
                1,
                "error: '/srv/x' cannot be written (the disk is full): make room, then run it again\n",
            ),
            (
                MemoryError(),
                2,
                "error: the tables need more memory than there is (MemoryError): give fewer rows, a larger machine, or a TMPDIR with room\n",
            ),
        ],
    )
    def test_each_kind_of_error_has_its_own_and_one_line(
        self,
        error: Exception,
        code: int,
        said: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert ended(raising(error), monkeypatch) == code
        assert capsys.readouterr() == ("", said)

    def test_a_fault_of_ours_keeps_its_stack_trace(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "argv", ["command"])
        with pytest.raises(ZeroDivisionError):
            cli.run(raising(ZeroDivisionError()))


class TestFiles:
    def test_what_a_command_writes_is_for_its_owner_alone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        app = typer.Typer()

        @app.command()
        def command() -> None:
            (tmp_path / "scores").write_text("of people")

        assert ended(app, monkeypatch) == 0
        assert stat.S_IMODE((tmp_path / "scores").stat().st_mode) == 0o600

    def test_a_home_that_everybody_may_write_is_warned_of(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        home.mkdir()
        home.chmod(0o777)
        ended(raising(UserMistake("x")), monkeypatch)
        assert capsys.readouterr().err.startswith(f"warning: everybody may write into ACCOUNTSCORE_HOME {str(home)!r}")
        home.chmod(0o700)
        ended(raising(UserMistake("x")), monkeypatch)
        assert capsys.readouterr().err == "error: x\n"


class TestTerminal:
    def test_sentences_are_wrapped_and_excerpts_are_not(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", "40")
        excerpt = "3 | SELECT a,   at AS event_time, b AS account_id\n  |             ^^"
        fault = Fault(where="a.sql", found="a word " * 9, rule="r", next_step="n", excerpt=excerpt)
        ended(raising(BadInput("source", [fault])), monkeypatch)
        lines = capsys.readouterr().err.splitlines()
        assert lines[1].startswith("  - a.sql: a word")
        assert lines[2].startswith("    ")
        assert [line for line in lines if len(line) > 40] == ["      3 | SELECT a,   at AS event_time, b AS account_id"]
        assert "        |             ^^" in lines

    def test_a_pipe_gets_the_text_as_it_is(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("COLUMNS", "40")
        error = UserMistake("a word " * 30)
        ended(raising(error), monkeypatch)
        assert capsys.readouterr().err == f"error: {error}\n"

    @pytest.mark.parametrize(("columns", "width"), [("10", 40), ("99", 99), ("300", 110)])
    def test_text_is_neither_too_narrow_nor_too_wide(
        self, columns: str, width: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", columns)
        assert cli.width() == width


class TestMemory:
    def test_too_little_memory_ends_in_a_line(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        app = typer.Typer()

        @app.command()
        def large() -> None:
            with duckdb.connect(config={"memory_limit": "20MB", "max_temp_directory_size": "0KB"}) as connection:
                connection.execute("SELECT array_agg(md5(range::VARCHAR)) FROM range(3_000_000)")

        assert ended(app, monkeypatch) == 2
        said = capsys.readouterr().err
        assert said.startswith("error: the tables need more memory than there is (Out of Memory")
        assert said.count("\n") == 1
