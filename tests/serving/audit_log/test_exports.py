"""Every place where rows leave the system says in the log that they begin to, and how that ended. These tests walk them all."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import serving
from serving import __main__ as door
from serving.audit_log.entry import command
from serving.audit_log.exports import Export, logged, why_of
from serving.audit_log.spool import settle
from serving.errors import StoreAway
from serving.lists import service
from serving.lists.cursor import Signer
from serving.lists.endpoints import csv_answer
from serving.lists.service import Around
from serving.store.connect import Store, open_store
from tests.conftest import MakeOnce
from tests.kit.audited import told
from tests.kit.inside import Inside, running_inside
from tests.kit.list_rows import NOW_US, put
from tests.kit.quick_night import make_few_signals
from tests.kit.running import AS_OF, Home, wait_for

DOORS: dict[str, tuple[str, str]] = {
    "export": ("star", "export --to {out}/star"),
    "batch": ("star", "batch {source} --out {home}/scores --export {out}/star"),
    "top": ("call list", "top --model churn-risk --excel {out}/list.xlsx"),
    "audit export": ("audit log", "audit export"),
    "backup": ("store", "backup {out}/backup.db"),
}
"""Commands with which rows leave, and what the log calls what they take. Screens show less than a page of a list; they are no export."""
WITHOUT: dict[str, str] = {
    "api": "its lists as CSV are a row each, tested below",
    "worker": "scores that go into a CRM are rows of the outbox",
    "deliver": "the same",
    "backfill": "the same",
    "dead-letters list": "a screen",
    "dead-letters replay": "nothing leaves",
    "connections": "a screen",
    "retention": "nothing leaves",
    "replay": "a screen; a row of its own",
    "restore": "a row of its own",
    "score-table": "the rows of a file that its user has; it reads no store",
    "reasons-check": "counts",
    "sync": "nothing leaves",
    "migrate": "nothing leaves",
    "audit verify": "counts",
    "audit accept-loss": "a row of its own",
    **dict.fromkeys(("keys create", "keys list", "keys revoke"), "no rows of accounts or leads"),
    **dict.fromkeys(("privacy erase", "privacy admit", "privacy object", "privacy allow"), "a row of its own"),
    "privacy publish": "hashes and notes, into the home",
}
FAILING: dict[str, str] = {
    "export": "export --scores {out} --to {out}/star",
    "batch": "batch {source} --out {home}/scores --export {file}/star",
}
"""The same where it fails after it began."""


def every_command() -> set[str]:
    def walk(each: Any, name: str) -> set[str]:
        below = getattr(each, "commands", None)
        return {name.strip()} if below is None else set().union(*(walk(c, f"{name} {n}") for n, c in below.items()))

    return walk(typer.main.get_command(door.app), "")


@pytest.fixture(scope="module")
def home(make_once: MakeOnce, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """With a published run."""

    def fill(folder: Path) -> None:
        shutil.copytree(make_once("few-signals", make_few_signals), folder)
        made = Home(folder / "home", folder / "company")
        made.batch(made.path / "scores")

    folder = tmp_path_factory.mktemp("exports") / "made"
    shutil.copytree(make_once("exporting", fill), folder)
    return Home(folder / "home", folder / "company")


@pytest.fixture
def log(home: Home) -> Iterator[Store]:
    store = open_store(f"sqlite:///{home.path}/store.db")
    yield store
    store.close()


def words(line: str, home: Home, out: Path) -> list[str]:
    source = f"--source sample --data {home.company} --as-of {AS_OF}"
    return line.format(out=out, home=home.path, source=source, file=out / "a-file").split()


def rows(log: Store) -> list[dict[str, Any]]:
    return [after for *_, after in told(log, "export")]


class TestCommands:
    def test_every_command_is_looked_at(self) -> None:
        assert {*DOORS, *WITHOUT} == every_command()

    @pytest.mark.parametrize("name", DOORS)
    def test_it_begins_and_is_done(self, home: Home, log: Store, tmp_path: Path, name: str) -> None:
        before = len(rows(log))
        done = home.run("serving", *words(DOORS[name][1], home, tmp_path))
        assert done.returncode == 0, done.stderr
        begun, ended = rows(log)[before:]
        assert (begun["state"], ended["state"], begun["export"]) == ("begun", "done", ended["export"])
        assert begun["to"] == ended["to"]
        assert any(ended.get(told) for told in ("rows", "bytes", "head", "run"))

    @pytest.mark.parametrize("name", FAILING)
    def test_one_that_fails_says_so(self, home: Home, log: Store, tmp_path: Path, name: str) -> None:
        (tmp_path / "a-file").write_text("a file where the folder should be")
        before = len(rows(log))
        failed = home.run("serving", *words(FAILING[name], home, tmp_path))
        assert failed.returncode != 0
        begun, ended = rows(log)[before:]
        assert (begun["state"], ended["state"], begun["export"]) == ("begun", "failed", ended["export"])
        assert ended["why"] in ("UserMistake", "DiskTrouble")

    def test_a_place_that_cannot_be_leaves_no_row(self, home: Home, log: Store, tmp_path: Path) -> None:
        before = len(rows(log))
        done = home.run("serving", "top", "--model", "churn-risk", "--excel", str(tmp_path / "none" / "list.xlsx"))
        assert done.returncode == 2
        assert len(rows(log)) == before


class TestLogged:
    EXPORT = Export(command("export"), "star", None, {"to": "out/star"})

    def test_whatever_ends_it_is_told_without_its_words(self) -> None:
        left: list[dict[str, Any]] = []

        def leave(entry: Any) -> None:
            left.append(dict(entry.after))

        with pytest.raises(KeyboardInterrupt), logged(leave, self.EXPORT):
            raise KeyboardInterrupt
        with pytest.raises(StoreAway), logged(leave, self.EXPORT):
            raise StoreAway("postgresql://bi:secret@host is away")
        assert [row.get("why") for row in left] == [None, "KeyboardInterrupt", None, "StoreAway"]
        assert why_of(OSError(28, "No space left on device", "/srv/star")) == "OSError: No space left on device"

    def test_a_log_that_cannot_be_written_is_told_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        with logged(lambda _: "it is read-only", self.EXPORT) as more:
            more["rows"] = 1
        assert capsys.readouterr().err == "this export is not in the audit log: it is read-only\n"

    def test_an_end_that_cannot_be_written_is_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        answers = iter([None, "the disk is full"])
        with logged(lambda _: next(answers), self.EXPORT):
            pass
        assert capsys.readouterr().err == "how this export ended is not in the audit log: the disk is full\n"


class TestOverHttp:
    @pytest.fixture
    def inside(self, tmp_path: Path) -> Iterator[Inside]:
        with running_inside(tmp_path) as running:
            put(running.state.store, [{"entity_id": f"a{n}"} for n in range(5)])
            yield running

    def ended(self, inside: Inside) -> list[dict[str, Any]]:
        settle(inside.state.store, inside.state.settings.base.home)
        return rows(inside.state.store)

    @pytest.mark.parametrize("path", ["/v1/churn-risk/scores?format=csv", "/ui/churn-risk/list.csv"])
    def test_a_list_as_csv_begins_and_is_done(self, inside: Inside, path: str) -> None:
        assert inside.client.get(path).status_code == 200
        wait_for(lambda: len(self.ended(inside)) == 2)
        begun, done = self.ended(inside)
        assert (begun["state"], done["state"], done["rows"]) == ("begun", "done", 5)
        assert begun["export"] == done["export"]

    @pytest.mark.parametrize("hangs_up", [True, False])
    def test_one_that_breaks_off_says_after_how_many_rows(
        self, inside: Inside, monkeypatch: pytest.MonkeyPatch, hangs_up: bool
    ) -> None:
        """The caller hangs up, or the store goes away in the middle."""
        monkeypatch.setattr(service, "CSV_PAGE", 2)
        state = inside.state

        async def some() -> None:
            definition = state.champions.definition("churn-risk")
            asked, position = service.asked_for(state.store, definition, [], state.part(Signer))
            around = Around(state.watched.directives, NOW_US)
            answer: Any = await csv_answer(state, asked, position, around, command("somebody"))
            lines = answer.body_iterator
            await anext(lines), await anext(lines), await anext(lines)
            if hangs_up:
                await lines.aclose()
                return
            monkeypatch.setattr(service, "_page", away)
            async for _ in lines:
                pass

        def away(*_: object) -> None:
            raise StoreAway("no answer")

        if hangs_up:
            asyncio.run(some())
        else:
            with pytest.raises(StoreAway):
                asyncio.run(some())
        wait_for(lambda: len(self.ended(inside)) == 2)
        _, failed = self.ended(inside)
        why = "GeneratorExit" if hangs_up else "StoreAway"
        assert (failed["state"], failed["why"], failed["rows"]) == ("failed", why, 2 if hangs_up else 4)

    def test_no_other_answer_is_a_file(self) -> None:
        """An answer that is a file is in the one place whose rows are tested above."""
        root = Path(serving.__file__).parent
        streams = [
            str(path.relative_to(root))
            for path in root.rglob("*.py")
            if re.search(r"FileResponse\(|content-disposition", path.read_text())
        ]
        assert streams == ["lists/endpoints.py"]
