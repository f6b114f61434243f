"""How a command ends: the exit code, and one line on stderr."""

from __future__ import annotations

import sys

import duckdb
import pytest
import typer

from features.kit import cli


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
