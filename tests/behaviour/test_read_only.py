"""Every command on a folder that cannot be written: what reads goes on, what writes says in one line what it cannot write, and
does nothing by halves."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import func, select

from features.__main__ import app as features
from serving.__main__ import app as serving
from serving.store.connect import open_store
from serving.store.tables import metadata
from tests.kit.frozen import DOORS, run_frozen
from tests.kit.running import AS_OF, Home, quick_home
from training.__main__ import app as training

CONNECTION = """
vendor = "hubspot"
public_url = "https://scores.example.com"
secret_envs = ["CRM_SECRET"]
source = "sample"
data = "{data}"
[objects.contact]
table = "leads"
key = "lead_{{id}}"
columns = {{ country = "country" }}
"""
READ, WRITE = "reads", "writes"
SOURCE = "--source sample --data {data}"
COMMANDS = {
    "features catalog": (READ, ""),
    "features check": (READ, SOURCE),
    "features audit": (READ, f"{SOURCE} --model lead-fit"),
    "features query": (READ, "sample accounts --data {data}"),
    "features build": (WRITE, f"{SOURCE} --entity lead --as-of {AS_OF} --out {{out}}/panel.parquet"),
    "features simulate": (WRITE, "--accounts 10 --leads 10 --days 100 --out {out}/sample"),
    "features init": (WRITE, "{out}/source --from hubspot:export"),
    "training fit": (WRITE, f"churn-risk {SOURCE} --trials 1"),
    "training tune": (WRITE, f"churn-risk {SOURCE} --budget 5"),
    "training fit-table": (WRITE, "{table} --label plan --out {out}/scorer"),
    "training promote": (WRITE, "churn-risk"),
    "training rollback": (WRITE, "churn-risk"),
    "training compare": (WRITE, f"churn-risk {SOURCE} --version 2 --against 1"),
    "training backtest": (WRITE, f"churn-risk {SOURCE}"),
    "training monitor": (WRITE, f"churn-risk {SOURCE} --as-of {AS_OF}"),
    "serving api": (WRITE, "--port 1"),
    "serving audit verify": (READ, ""),
    "serving audit export": (READ, ""),
    "serving audit accept-loss": (WRITE, "gone"),
    "serving worker": (WRITE, "--once"),
    "serving backfill": (WRITE, "crm"),
    "serving batch": (WRITE, f"{SOURCE} --as-of 2026-01-02 --out {{out}}/scores"),
    "serving connections": (READ, ""),
    "serving deliver": (WRITE, ""),
    "serving dead-letters list": (READ, ""),
    "serving dead-letters replay": (WRITE, "crm"),
    "serving export": (WRITE, "--to {out}/star"),
    "serving keys list": (READ, ""),
    "serving keys create": (WRITE, "x"),
    "serving keys revoke": (WRITE, "x"),
    "serving migrate": (READ, ""),  # there is nothing to migrate
    "serving privacy erase": (WRITE, "account acme"),
    "serving privacy admit": (WRITE, "account acme"),
    "serving privacy object": (WRITE, "account acme"),
    "serving privacy allow": (WRITE, "account acme"),
    "serving privacy publish": (READ, ""),  # the home tells it already
    "serving reasons-check": (READ, "--scores {home}/scores"),
    "serving replay": (READ, "1"),
    "serving retention": (WRITE, "--days 5"),
    "serving backup": (WRITE, "{out}/backup.db"),
    "serving restore": (WRITE, "{backup} --overwrite"),
    "serving score-table": (WRITE, "{scorer} {table} {out}/scored.csv --anyway"),
    "serving sync": (WRITE, ""),
    "serving top": (READ, "--model churn-risk"),
}
"""Whether it works on a home that can be read alone, and what it is given."""
FURTHER = {
    "serving deliver --dry-run": (READ, ""),
    "serving export --to sqlite:///{out}/star.db": (WRITE, ""),
    "serving top --model churn-risk --excel {out}/list.xlsx": (WRITE, ""),
    "serving backup {elsewhere}/backup.db": (READ, ""),
}
INTO_OUT = [
    "features build",
    "features simulate",
    "features init",
    "training fit-table",
    "serving batch",
    "serving export",
    "serving backup",
    "serving score-table",
]


def every_command() -> set[str]:
    def walk(command: Any, name: str) -> set[str]:
        below = getattr(command, "commands", None)
        return {name} if below is None else set().union(*(walk(c, f"{name} {part}") for part, c in below.items()))

    apps = dict(zip(DOORS, (features, training, serving), strict=True))
    return {found for door, app in apps.items() for found in walk(typer.main.get_command(app), door)}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """With live models, a store, a published run and a connection."""
    folder = tmp_path_factory.mktemp("home")
    made = quick_home(folder)
    made.batch(made.path / "scores")
    (made.path / "connections").mkdir()
    (made.path / "connections" / "crm.toml").write_text(CONNECTION.format(data=made.company))
    assert made.run("serving", "backup", str(folder / "backup.db")).returncode == 0
    return made


def line_of(command: str, given: str, home: Home, out: Path, elsewhere: Path) -> list[str]:
    scorer = next(path for path in (home.path / "champions" / "churn-risk").iterdir() if path.is_dir())
    places = {
        "data": home.company,
        "home": home.path,
        "out": out,
        "elsewhere": elsewhere,
        "scorer": scorer,
        "table": home.company / "accounts.parquet",
        "backup": home.path.parent / "backup.db",
    }
    return f"{command} {given}".format(**places).split()


def counts(home: Home) -> dict[str, int]:
    store = open_store(f"sqlite:///{home.path / 'store.db'}")
    with store.read() as connection:
        found = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }
    store.close()
    return found


def told(err: str) -> list[str]:
    """What a command says in the end."""
    return [line for line in err.splitlines() if line.startswith("error: ")]


def test_the_table_has_every_command() -> None:
    assert set(COMMANDS) == every_command()


class TestHome:
    def test_what_reads_goes_on_and_what_writes_says_so(self, home: Home, tmp_path: Path) -> None:
        asked = {**COMMANDS, **FURTHER}
        lines = [line_of(name, given, home, home.path, tmp_path) for name, (_, given) in asked.items()]
        env = home.environment({"CRM_SECRET": "a secret of the test, long enough"})
        before = counts(home)
        for (name, (kind, _)), ended in zip(asked.items(), run_frozen(home.path, lines, env), strict=True):
            assert "Traceback" not in ended.err, (name, ended)
            if kind == READ:
                assert ended.exit_code == 0, (name, ended)
                continue
            assert ended.exit_code in (1, 2), (name, ended)
            assert len(told(ended.err)) == 1, (name, ended)
            assert str(home.path) in told(ended.err)[0], (name, ended)
            assert "(a read-only file system)" in told(ended.err)[0] or "permission denied" in ended.err, (name, ended)
        assert counts(home) == before
        assert not list(home.path.rglob("*.partial"))

    @pytest.mark.slow
    def test_without_the_look_it_is_otherwise(self, home: Home, tmp_path: Path) -> None:
        """The sabotaged twin: a store that is opened for writing cannot be read, and a panel is built for nothing."""
        names = ("serving keys list", "features build")
        lines = [line_of(name, COMMANDS[name][1], home, home.path, tmp_path) for name in names]
        sabotage = ["serving.store.connect:cannot_write", "features.kit.writable:unwritable"]
        keys, build = run_frozen(home.path, lines, home.environment(), sabotage)
        assert keys.exit_code != 0
        assert build.exit_code != 0
        assert "name another place for" not in build.err

    def test_a_log_that_was_not_put_into_the_store_is_not_passed_over(self, home: Home, tmp_path: Path) -> None:
        """The newest commits are in it: read without it the store would be an older one."""
        copy = Home(tmp_path / "copy", home.company)
        copy.path.mkdir()
        store = open_store(f"sqlite:///{home.path / 'store.db'}")
        with store.read():  # somebody is at work in it: the log stays
            assert home.run("serving", "keys", "create", "late").returncode == 0
            for name in ("store.db", "store.db-wal"):
                shutil.copyfile(home.path / name, copy.path / name)
        store.close()
        assert (copy.path / "store.db-wal").stat().st_size
        (ended,) = run_frozen(copy.path, [["serving", "keys", "list"]], copy.environment())
        assert (ended.exit_code == 0 and "late" in ended.out) or (ended.exit_code == 1 and len(told(ended.err)) == 1)


class TestOut:
    def test_what_cannot_be_put_there_is_told_before_anything_is_done(self, home: Home, tmp_path: Path) -> None:
        out = tmp_path / "out"
        out.mkdir()
        lines = [line_of(name, COMMANDS[name][1], home, out, tmp_path) for name in INTO_OUT]
        before = counts(home)
        for name, ended in zip(INTO_OUT, run_frozen(out, lines, home.environment()), strict=True):
            assert ended.exit_code in (1, 2), (name, ended)
            assert "Traceback" not in ended.err, (name, ended)
            assert len(told(ended.err)) == 1, (name, ended)
            assert str(out) in told(ended.err)[0], (name, ended)
        assert counts(home) == before

    def test_a_backup_is_restored_from_a_folder_that_can_be_read_alone(self, home: Home, tmp_path: Path) -> None:
        kept = tmp_path / "kept"
        kept.mkdir()
        shutil.copyfile(home.path.parent / "backup.db", kept / "backup.db")
        into = Home(tmp_path / "into", home.company)
        into.path.mkdir()
        (ended,) = run_frozen(kept, [["serving", "restore", str(kept / "backup.db")]], into.environment())
        assert ended.exit_code == 0, ended
        assert counts(into)["signals"] == counts(home)["signals"] > 0
