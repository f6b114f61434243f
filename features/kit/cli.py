"""How the three doors (`python -m features|training|serving`) end: exit 0 done, 2 a user's mistake, 3 refused by its gates, 1 a fault."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import sys
import textwrap
from pathlib import Path

import typer

from features.kit.errors import AccountscoreError, BadInput, UserMistake
from features.kit.settings import Settings
from features.kit.writable import told

OF_THE_DISK = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT)
"""Errors of the system that are a user's to mend, even where it does not say of which file (DuckDB, Arrow)."""


NARROWEST, WIDEST = 40, 110
"""Columns of text: what is wider is hard to read."""


def width() -> int:
    """Columns of the terminal, 80 in a pipe."""
    return max(NARROWEST, min(WIDEST, shutil.get_terminal_size().columns))


def run(app: typer.Typer) -> None:
    """Run a typer app; a mistake becomes its message on stderr and its exit code, without a stack trace."""
    os.umask(0o077)  # what is written holds records of people: for its owner alone, whatever the shell says
    try:
        _warn_of_everybody(Settings.from_env().home)
        app(standalone_mode=True)
    except AccountscoreError as error:
        print(_on_terminal(error), file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except OSError as error:
        if isinstance(error, BrokenPipeError) or (error.filename is None and error.errno not in OF_THE_DISK):
            raise
        print(f"error: {told(error)}", file=sys.stderr)
        raise SystemExit(1) from None
    except MemoryError as error:
        print(f"error: {_too_little(error)}", file=sys.stderr)
        raise SystemExit(UserMistake.exit_code) from None
    except Exception as error:
        duckdb = sys.modules.get("duckdb")  # not imported for `--help`
        if duckdb is None or not isinstance(error, duckdb.OutOfMemoryException):
            raise
        print(f"error: {_too_little(error)}", file=sys.stderr)
        raise SystemExit(UserMistake.exit_code) from None


def _on_terminal(error: AccountscoreError) -> str:
    """The message, wrapped on words where somebody reads it; lines of a SELECT with their carets stay as they are."""
    text = f"error: {error}"
    if not sys.stderr.isatty():
        return text
    columns = shutil.get_terminal_size().columns
    excerpts = error.excerpt_lines() if isinstance(error, BadInput) else frozenset()
    lines = []
    for line in text.splitlines():
        indent = line[: len(line) - len(line.lstrip(" -"))]
        if line in excerpts:
            lines.append(line)
        else:
            lines.append(
                textwrap.fill(
                    line.lstrip(" -"), columns, initial_indent=indent, subsequent_indent=" " * len(indent),
                    break_long_words=False, break_on_hyphens=False,
                )
            )  # fmt: skip
    return "\n".join(lines)


def _too_little(error: Exception) -> str:
    said = (str(error).splitlines() or [""])[0] or type(error).__name__
    return (
        f"the tables need more memory than there is ({said}): give fewer rows, a larger machine, or a TMPDIR with room"
    )


def _warn_of_everybody(home: Path) -> None:
    with contextlib.suppress(OSError):
        if home.stat().st_mode & stat.S_IWOTH:
            print(f"warning: everybody may write into ACCOUNTSCORE_HOME {str(home)!r}: chmod 700 it", file=sys.stderr)
