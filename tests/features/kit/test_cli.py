"""How a command ends: the exit code, and one line on stderr."""

from __future__ import annotations

import sys

import duckdb
import pytest
import typer

from features.kit import cli
from features.kit.errors import BadInput, Fault


class TestEnd:
    def test_too_little_memory_ends_in_a_line(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        app = typer.Typer()

        @app.command()
        def large() -> None:
            with duckdb.connect(config={"memory_limit": "20MB", "max_temp_directory_size": "0KB"}) as connection:
                connection.execute("SELECT array_agg(md5(range::VARCHAR)) FROM range(3_000_000)")

        monkeypatch.setattr(sys, "argv", ["large"])
        with pytest.raises(SystemExit) as ended:
            cli.run(app)
        assert ended.value.code == 2
        said = capsys.readouterr().err
        assert said.startswith("error: the tables need more memory than there is (Out of Memory")
        assert said.count("\n") == 1


class TestErrors:
    """A message of a command on a terminal: wrapped on words, the lines of a SELECT as they are."""

    ERROR = BadInput(
        "source 'a'",
        [
            Fault(
                where="word " * 40 + "end", found="f", rule="r", next_step="n",
                excerpt="3 | SELECT " + "x, " * 40 + "\n  |    ^^",
            )
        ],
    )  # fmt: skip

    TEXT = f"error: {ERROR}"

    def test_words_stay_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
        monkeypatch.setenv("COLUMNS", "80")
        lines = cli._on_terminal(self.ERROR).splitlines()
        assert all(len(line) <= 80 for line in lines if not line.startswith("      3"))
        assert lines[1].startswith("  - word")
        assert lines[2].startswith("    word")
        assert lines[-2:] == self.TEXT.splitlines()[-2:]

    def test_a_pipe_gets_the_text_as_it_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
        assert cli._on_terminal(self.ERROR) == self.TEXT
