"""`accountscore features|training|serving ...`: the three doors as one command, where there is no checkout."""

from __future__ import annotations

import runpy
import sys
import tomllib
from importlib import metadata
from pathlib import Path

DOORS = {
    "features": "tables of a source: check, query, audit, build the panel of signals",
    "training": "models: fit, tune, compare, backtest, promote, monitor",
    "serving": "scores: the API, the CRM worker, the nightly batch, exports, keys, privacy",
}


def version() -> str:
    """The version that `pyproject.toml` names: of this checkout, or of the installed wheel."""
    project = Path(__file__).with_name("pyproject.toml")
    if project.exists():
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
    return metadata.version("accountscore")


def main() -> None:
    """Run `python -m DOOR ...`; exit code 2 with the list of doors for anything else."""
    door, *rest = sys.argv[1:] or ["--help"]
    if door == "--version":
        print(version())
        return
    if door in DOORS:
        sys.argv = [f"accountscore {door}", *rest]
        runpy.run_module(door, run_name="__main__", alter_sys=False)
        return
    asked = door in ("--help", "-h")
    lines = [] if asked else [f"error: no door {door!r}: one of {', '.join(DOORS)}", ""]
    lines += ["Usage: accountscore DOOR COMMAND [OPTIONS]", ""]
    lines += [f"  {name:9} {what}" for name, what in DOORS.items()]
    lines += ["", "accountscore DOOR --help lists the commands of a door; accountscore --version says which this is."]
    print("\n".join(lines), file=sys.stdout if asked else sys.stderr)
    raise SystemExit(0 if asked else 2)


if __name__ == "__main__":
    main()
