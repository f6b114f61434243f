"""A folder that cannot be written, and many commands of the three doors run on it one after the other.

`python -m tests.kit.frozen` is what runs inside: it makes the folder read-only by a mount of its own, imports the doors once, and
forks for each command, which costs a tenth of a process for each.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

DOORS = ("features", "training", "serving")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    exit_code: int
    out: str
    err: str


def run_frozen(
    folder: Path, commands: Sequence[Sequence[str]], env: Mapping[str, str], sabotage: Sequence[str] = ()
) -> list[Ended]:
    """Each command (a door and its arguments), while nobody can write into `folder`.

    `sabotage` names functions, as `module:name`, that say None to everything. Skips the test where neither a mount namespace can be
    had nor the permissions of files bind, which they do not for root.
    """
    asked = {"folder": str(folder), "commands": [list(c) for c in commands], "sabotage": list(sabotage)}
    mounting = ["unshare", "--map-root-user", "--mount"]
    if _works([*mounting, "mount", "--bind", str(folder), str(folder)]):
        prefix, asked["how"] = mounting, "mount"
    elif os.geteuid() != 0:
        prefix, asked["how"] = [], "permissions"
    else:
        pytest.skip(
            "no read-only folder can be made: no mount namespace is allowed, and root is bound by no permission"
        )
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "tests.kit.frozen"],
        input=json.dumps(asked),
        env=dict(env),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [Ended(**each) for each in json.loads(done.stdout)]


def _works(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0
    except OSError:
        return False


def _inside() -> None:
    asked = json.load(sys.stdin)
    folder = Path(asked["folder"])
    doors = {name: importlib.import_module(f"{name}.__main__") for name in DOORS}
    for name in (
        "features.panel.build",
        "features.sources.source",
        "serving.store.connect",
        "serving.batch.run",
        "training.fit",
    ):
        importlib.import_module(name)  # once for all
    for named in asked["sabotage"]:
        module, _, name = named.partition(":")
        setattr(importlib.import_module(module), name, lambda *_: None)
    everything = [folder, *folder.rglob("*")]
    if asked["how"] == "mount":
        subprocess.run(["mount", "--bind", folder, folder], check=True)
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
    else:
        for path in everything:
            path.chmod(path.stat().st_mode & ~0o222)
    try:
        found = [_one(doors[door].app, arguments) for door, *arguments in asked["commands"]]
    finally:
        if asked["how"] != "mount":
            for path in everything:
                path.chmod(path.stat().st_mode | 0o200)
    json.dump([vars(each) for each in found], sys.stdout)


def _one(app: object, arguments: list[str]) -> Ended:
    from features.kit.cli import run

    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        child = os.fork()
        if child == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            sys.argv = ["python -m", *arguments]
            code = 0
            try:
                run(app)  # type: ignore[arg-type]  # a typer app
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 1
            except BaseException:
                import traceback

                traceback.print_exc()
                code = 1
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        _, status = os.waitpid(child, 0)
        out.seek(0)
        err.seek(0)
        return Ended(os.waitstatus_to_exitcode(status), out.read(), err.read())


if __name__ == "__main__":
    _inside()
