"""Runs a command-line app (`python -m features|training|serving`): an error becomes one message on stderr and an exit code.

0 done, 1 a fault of ours or of the machine, 2 a user's mistake, 3 refused by its gates.
"""

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
"""Errors of the operating system that the user can mend, also where no file is named (DuckDB, Arrow)."""

NARROWEST, WIDEST = 40, 110
"""Limits of the width of text, in characters: longer lines are hard to read."""


def width() -> int:
    """Width of the terminal in characters, within the limits above; 80 in a pipe."""
    return max(NARROWEST, min(WIDEST, shutil.get_terminal_size().columns))


def run(app: typer.Typer) -> None:
    """Run a typer app. An expected error becomes its message on stderr and its exit code; any other keeps its stack trace."""
    os.umask(0o077)  # files hold records of people: only their owner may read them
    try:
        _warn_if_world_writable(Settings.from_env().home)
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
    """The message, wrapped on words on a terminal. Excerpts of a SELECT keep their lines, so that carets stay in place."""
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
                    line.lstrip(" -"),
                    columns,
                    initial_indent=indent,
                    subsequent_indent=" " * len(indent),
                    break_long_words=False,
                    break_on_hyphens=False,
                )
            )
    return "\n".join(lines)


def _too_little(error: Exception) -> str:
    said = (str(error).splitlines() or [""])[0] or type(error).__name__
    return (
        f"the tables need more memory than there is ({said}): give fewer rows, a larger machine, or a TMPDIR with room"
    )


def _warn_if_world_writable(home: Path) -> None:
    with contextlib.suppress(OSError):
        if home.stat().st_mode & stat.S_IWOTH:
            print(f"warning: everybody may write into ACCOUNTSCORE_HOME {str(home)!r}: chmod 700 it", file=sys.stderr)
