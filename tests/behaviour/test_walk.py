"""The README is walked: its command blocks are run as they are written, in their order, in one home, with the servers that they start.

Only ports, the places of data (`path/to/...`) and the clock are put elsewhere. The quick walk begins in a home in which both
models are live already and leaves out what trains; the slow one begins with `make demo` and leaves out nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest

import demo
from features import __path__ as features_path
from models import champion_pointer
from serving.connections.config import load_connections
from tests.conftest import NewHome
from tests.kit.running import NOW, free_port, running_api, wait_for
from tests.kit.scorers import make_scorer

ROOT = Path(features_path[0]).parent
PAGE = (ROOT / "README.md").read_text()
TODAY = NOW[:10]
TRAINS = (
    "make demo",
    "make train",
    "make tune",
    "make compare",
    "make backtest",
    "make promote",
    "make rollback",
    "make mlflow",
    "mlflow models",
)
"""What the quick walk leaves out: it has no registry."""
SOMEONE_SHOULD_LOOK = {"make monitor": {0, 2}}
"""Commands that may fail: what a small company's monitor finds depends on its luck."""
DATA = os.environ.get("ACCOUNTSCORE_DATA")


def blocks(page: str) -> list[list[str]]:
    """The commands of each `sh` block, in order; lines that go on are one command."""
    found = re.findall(r"^```sh\n(.*?)^```", page, re.M | re.S)
    return [[line for line in block.replace("\\\n", " ").splitlines() if line.strip()] for block in found]


@dataclass
class Said:
    """What a command printed, and its exit code."""

    command: str
    code: int
    text: str

    @property
    def json(self) -> dict:  # type: ignore[type-arg]  # whatever the API answers
        return json.loads(self.text[self.text.index("{") :])


@dataclass
class Walk:
    """A checkout in a folder of its own, whose home is its `var/`."""

    root: Path
    port: int = field(default_factory=free_port)
    registry_port: int = field(default_factory=free_port)
    model_port: int = field(default_factory=free_port)
    page_port: int = field(default_factory=free_port)

    @property
    def home(self) -> Path:
        return self.root / "var"

    def make(self) -> None:
        for name in (
            "features",
            "models",
            "training",
            "serving",
            "notebooks",
            "demo.py",
            "Makefile",
            "requirements.lock",
            "requirements-core.lock",
            "requirements-uv.lock",
        ):
            (self.root / name).symlink_to(ROOT / name)
        tools = self.root / ".venv/bin"
        tools.mkdir(parents=True)
        (tools / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (self.root / "bin").mkdir()
        (self.root / "bin/date").write_text(f"#!/bin/sh\necho {TODAY}\n")
        for tool in ("mlflow", "jupyter", "uvicorn"):  # MLflow starts the last one by its name
            (tools / tool).symlink_to(Path(sys.executable).parent / tool)
        for script in (tools / "python", self.root / "bin/date"):
            script.chmod(0o755)
        for stamp in (".core", ".installed"):
            (tools.parent / stamp).touch()
        self._data()

    def _data(self) -> None:
        """What the page says that you bring: a table of leads, and a source."""
        rng = np.random.default_rng(0)
        visits, staff, region = (
            rng.poisson(6, 900),
            rng.lognormal(4, 1, 900).round(),
            rng.choice(["north", "south"], 900),
        )
        # Two columns tell of it: of one the verdict is that a single rule is enough.
        converted = rng.random(900) < 1 / (1 + np.exp(-1.2 * ((visits - 6) / 3 + np.log(staff) - 4)))
        created = pd.date_range("2024-01-01", periods=900, freq="18h")
        leads = pd.DataFrame(
            {"created": created, "visits": visits, "staff": staff, "region": region, "converted": converted}
        )
        leads.to_parquet(self.root / "leads.parquet")
        leads.drop(columns="converted").to_parquet(self.root / "new_leads.parquet")
        (self.root / "my_company").mkdir()
        (self.root / "my_company/accounts.sql").write_text(
            "SELECT id AS account_id, CAST(since AS TIMESTAMP) AS event_time FROM read_csv('${data}/accounts.csv', sample_size = -1)"
        )
        (self.root / "path/to/files").mkdir(parents=True)
        (self.root / "path/to/files/accounts.csv").write_text("id,since\na,2025-01-01\n")
        (self.root / "path/to/salesforce").mkdir()
        (self.root / "path/to/salesforce/Account.csv").write_text(
            "Id,Name,CreatedDate\n001000000000001AAA,Acme,2025-01-01T10:00:00.000+0000\n"
        )
        for name in ("ravenstack_saas", "x_education_leads"):
            if DATA:
                (self.root / "path/to" / name).symlink_to(Path(DATA).resolve() / name)

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("ACCOUNTSCORE_", "MAKE", "MFLAGS"))}
        ours = {
            "ACCOUNTSCORE_NOW": NOW,
            "PYTHONWARNINGS": "ignore",
            "PATH": f"{self.root / 'bin'}:{kept['PATH']}",
            "TRIALS": "2",
            "BUDGET": "240",
            "MONTHS": "1",
            "USAGE_EVENTS": "150000",
            "MLFLOW_PORT": str(self.registry_port),
        }
        return {**kept, **ours}

    def placed(self, command: str) -> str:
        if command.startswith("make page"):  # somebody looks at it and then ends it; here it runs until the end
            return f"make page PORT={self.page_port} &"
        return command.replace("8000", str(self.port)).replace("5001", str(self.model_port))

    def walk(self, commands: list[str], seconds: float) -> Iterator[list[Said]]:
        """Run them in one shell, as somebody types them; what they started runs until the caller is done."""
        log = self.root / "walk.log"
        typed = "\n".join(f"{self.placed(command)}\nprintf '\\n@@ %s\\n' $?" for command in commands)
        script = f"{typed}\necho @@end\nread line\nkill $(jobs -p)\nwait\n"
        with (
            log.open("wb") as out,
            subprocess.Popen(
                ["bash", "-c", script],
                cwd=self.root,
                env=self.environment(),
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                start_new_session=True,
            ) as shell,
        ):
            try:
                wait_for(lambda: "@@end" in log.read_text() or shell.poll() is not None, seconds)
                parts = re.split(r"^@@ (\d+)\n", log.read_text(), flags=re.M)
                yield [Said(c, int(parts[2 * n + 1]), parts[2 * n]) for n, c in enumerate(commands)]
                shell.communicate(b"\n", timeout=60)
            finally:
                with contextlib.suppress(
                    ProcessLookupError
                ):  # what did not end by itself; the group is the shell's own
                    os.killpg(shell.pid, signal.SIGKILL)


def failed(said: list[Said]) -> list[str]:
    return [
        f"{s.command!r} ended with {s.code}: {s.text[-2000:]}"
        for s in said
        if s.code
        not in next((codes for start, codes in SOMEONE_SHOULD_LOOK.items() if s.command.startswith(start)), {0})
    ]


def starting(said: list[Said], start: str) -> Said:
    (found,) = [s for s in said if s.command.startswith(start)]
    return found


def check(walk: Walk, said: list[Said]) -> None:
    """Nothing failed, and what was asked of the API was answered."""
    assert not failed(said), "\n".join(failed(said))
    (scored,) = starting(said, "curl -s --retry 30").json["results"]
    assert 0 < scored["probability"] < 1, scored
    assert len(scored["reasons"]) == 3
    change = next(s for s in said if "/change" in s.command).json
    assert change["entity_id"] == scored["entity_id"]
    assert change["before"]["as_of"] < change["after"]["as_of"]
    assert "queued for the worker that is running" in starting(said, "make backfill").text
    assert httpx.get(f"http://127.0.0.1:{walk.port}/readyz", timeout=10).status_code == 200
    shown = httpx.get(f"http://127.0.0.1:{walk.page_port}/ui/churn-risk", timeout=10, follow_redirects=True)
    assert "<h1>Sign in</h1>" in shown.text  # one of the commands made a key


@pytest.fixture
def walk(tmp_path: Path) -> Walk:
    made = Walk(tmp_path / "checkout")
    made.root.mkdir()
    made.make()
    return made


def test_every_command_stands_in_a_block_that_is_walked() -> None:
    outside = re.sub(r"^```sh\n.*?^```", "", PAGE, flags=re.M | re.S)
    assert not re.findall(r"^(?:make|\.venv/bin/\S+|curl|export|mlflow) .*", outside, re.M)
    assert len(blocks(PAGE)) >= 10


@pytest.mark.slow
def test_the_quick_walk(walk: Walk, new_home: NewHome) -> None:
    ready = new_home()
    ready.path.rename(walk.home)
    ready.company.rename(walk.home / "sample")
    (walk.home / "scores").mkdir()
    demo.connection(walk.home, "sample", None)
    nights = [
        f".venv/bin/python -m serving batch --source sample --as-of {day} --out var/scores"
        for day in ("2025-12-26", TODAY)
    ]
    commands = [c for block in blocks(PAGE) for c in block if not c.startswith(TRAINS)]
    for said in walk.walk([".venv/bin/python -m serving migrate", *nights, *commands], 900):
        check(walk, said)


@pytest.mark.slow
def test_the_whole_walk(walk: Walk) -> None:
    commands = [c for block in blocks(PAGE) for c in block if DATA or "path/to/" not in c or "my_company" in c]
    for said in walk.walk(
        [*commands, "curl -s --retry 90 --retry-delay 1 --retry-connrefused localhost:5001/ping"], 3000
    ):
        check(walk, said)
        assert httpx.get(f"http://127.0.0.1:{walk.registry_port}/", timeout=30).status_code == 200
        assert {p.name for p in walk.home.iterdir()} >= {"runs", "scores", "sample", "mlflow.db", "star", "leads"}


class TestTheDemosHome:
    def test_a_champion_of_another_company_is_never_replaced(self, tmp_path: Path) -> None:
        make_scorer(tmp_path / "scorer")  # learnt from "test"
        demo.strangers(tmp_path, "sample")  # nothing is live yet
        with champion_pointer.locked(tmp_path, "churn-risk"):
            champion_pointer.put_live(tmp_path, "churn-risk", tmp_path / "scorer", 1)
        demo.strangers(tmp_path, "some/where/test")
        with pytest.raises(SystemExit, match=r"learnt from 'test'.*make demo ACCOUNTSCORE_HOME=var/demo"):
            demo.strangers(tmp_path, "sample")

    def test_ctrl_c_ends_it_in_one_line(self, tmp_path: Path) -> None:
        """The terminal interrupts the command that it runs as well."""
        process = subprocess.Popen(
            [sys.executable, "demo.py", "--accounts", "60", "--leads", "200"],
            cwd=ROOT,
            env={**os.environ, "ACCOUNTSCORE_HOME": str(tmp_path), "ACCOUNTSCORE_DATA": "", "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # A shell has its jobs in the background ignore it, and who ignores it hands that on: tests may run in one.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
        assert process.stdout is not None
        while "features simulate" not in process.stdout.readline():
            pass
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 128 + signal.SIGINT
        assert said.splitlines()[-1] == "stopped. Nothing half made is left: make demo begins again."
        assert "demo.py" not in said, "no stack trace of it"
        assert not (tmp_path / "sample/accounts.parquet").exists()

    @pytest.mark.slow
    def test_a_home_that_asks_for_a_key_is_asked_with_one(
        self, new_home: NewHome, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        home = new_home()
        for name, value in home.environment().items():
            monkeypatch.setenv(name, value)
        assert home.run("serving", "migrate").returncode == 0
        with demo.asking() as client:
            assert "authorization" not in client.headers, "none is made where none is asked for"
        assert home.run("serving", "keys", "create", "crm").returncode == 0
        with demo.asking() as client, running_api(home) as url:
            assert httpx.get(f"{url}/v1/churn-risk", timeout=10).status_code == 401
            assert client.get(f"{url}/v1/churn-risk").status_code == 200
        assert "revoked  make demo" in home.run("serving", "keys", "list").stdout, "it is for this run alone"

    def test_its_connections_secret_is_made_once_and_nobody_else_may_read_it(self, tmp_path: Path) -> None:
        secret = demo.connection(tmp_path, "sample", None)
        assert demo.connection(tmp_path, "sample", None) == secret
        assert (tmp_path / "connections/demo.secret").stat().st_mode & 0o077 == 0
        assert secret not in (tmp_path / "connections/demo.toml").read_text()
        assert load_connections(tmp_path / "connections")["demo"].secrets == (secret,)


def test_a_block_that_breaks_is_noticed(walk: Walk) -> None:
    """The sabotaged twin: an option that there is not, among commands that go on."""
    for said in walk.walk([".venv/bin/python -m features simulate --ends 2026-01-01", "date -u +%F"], 120):
        assert [s.code for s in said] == [2, 0]
        assert said[1].text.strip() == TODAY
        assert "--ends" in failed(said)[0]
