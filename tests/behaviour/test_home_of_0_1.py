"""A home that an earlier version left opens, and says the same: store, keys, connections, pointers, artefacts, carried state.

`tests/data/make_home_0_1.py` made the homes with the code of then, and kept what that code said of them.
"""

from __future__ import annotations

import json
import re
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select, text

from features.panel.incremental import Carried
from features.sources.loader import open_source
from models.champion_pointer import read_pointer
from models.scorer.artefact import ScorerRefused
from models.scorer.scorer import Scorer
from serving.connections.config import read_connections
from serving.manifest import read_manifest
from serving.store.connect import open_store
from serving.store.tables import writebacks
from tests.kit import inside
from tests.kit.inside import Inside, running_inside
from tests.kit.running import NOW, Home

DATA = Path(__file__).parent.parent / "data"
HOMES = {
    # Of 0.1.0; since then a sentence tells a rate only where it agrees with the effect, and a change without a record of the old rows
    # has one part, "unsplit" (CHANGELOG.md).
    "home_0_1": r"/text$|^/(parts|score_parts)/(signals|time)$|^/bands/\d+/(after|band)$|^/signals/\d+/part$",
    "home_before_rooms": r"(?!)",
}
"""By name: the paths in answers that were changed on purpose since it was left."""
PLACE = "@FOLDER@"
NEXT = "2026-01-02"
ENTITIES = {"churn-risk": "account", "lead-fit": "lead"}
SECRET = "whsec_YSBrZXkgb2YgdHdlbnR5LWZvdXIgYnl0ZQ=="
"""That the makers of the homes signed with."""
OF_THE_CLOCK = re.compile(r"/(as_of|recorded_at|checked_at|since|computed_at)$")
"""Fields of answers that say when they were asked."""
LAST_BITS = 4
"""Doubles between two probabilities that were computed on different processors."""


@dataclass
class Left:
    """A home as it was left, migrated, and what was said of it then."""

    home: Home
    known: dict[str, Any]
    changed: str

    def differences(self, then: Any, now: Any) -> dict[str, tuple[Any, Any]]:
        """But for what was changed on purpose."""
        found = differences(then, now)
        return {path: values for path, values in found.items() if not re.search(self.changed, path)}

    def copy(self, folder: Path) -> Home:
        shutil.copytree(self.home.path.parent, folder / "copy")
        connection = folder / "copy/home/connections/crm.toml"
        connection.write_text(connection.read_text().replace(str(self.home.path.parent), str(folder / "copy")))
        return Home(folder / "copy/home", folder / "copy/company")


@pytest.fixture(scope="module", params=HOMES)
def left(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Left:
    folder = tmp_path_factory.mktemp(request.param)
    with tarfile.open(DATA / f"{request.param}.tar.xz") as tar:
        tar.extractall(folder, filter="data")
    for path in folder.rglob("crm.toml"):
        path.write_text(path.read_text().replace(PLACE, str(folder)))
    home = Home(folder / "home", folder / "company")
    done = home.run("serving", "migrate")
    assert done.returncode == 0, done.stderr
    return Left(home, json.loads((folder / "expected.json").read_text()), HOMES[request.param])


@pytest.fixture(scope="module")
def api(left: Left, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    home = left.copy(tmp_path_factory.mktemp("api"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inside, "NOW", NOW)
        patch.setenv("CRM_SECRET", SECRET)
        patch.setenv("CRM_TOKEN", SECRET)
        with running_inside(home.path) as running:
            yield running


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if not parts:
        yield path, value
    for name, part in parts or ():
        yield from leaves(part, f"{path}/{name}")


def differences(then: Any, now: Any) -> dict[str, tuple[Any, Any]]:
    """By path: what each says there, where that differs. Fields of the clock and fields that are new are left out."""
    old, new = dict(leaves(then)), dict(leaves(now))
    return {
        path: (value, new.get(path))
        for path, value in old.items()
        if not OF_THE_CLOCK.search(path) and not same(value, new.get(path))
    }


def same(then: Any, now: Any) -> bool:
    """Versions before 0.3 took `numpy.exp`, whose last bit depends on the processor (`models/scorer/sigmoid.py`)."""
    if all(isinstance(each, str) and each.startswith("0x") for each in (then, now)):
        then, now = float.fromhex(then), float.fromhex(now)
    if isinstance(then, float) and isinstance(now, float) and min(then, now) > 0:
        return bool(abs(np.float64(then).view(np.int64) - np.float64(now).view(np.int64)) <= LAST_BITS)
    return bool(then == now)


def test_artefacts_give_the_same_probabilities_to_the_last_bits(left: Left) -> None:
    manifest = read_manifest(left.home.path / "scores")
    for model, entity in ENTITIES.items():
        pointer = read_pointer(left.home.path, model)
        assert pointer is not None
        scorer = Scorer.load(pointer.path)
        rows = pq.read_table(left.home.path / "scores" / manifest["signals"][entity]["file"])
        given = scorer.probability(scorer.encode({name: rows[name].to_pylist() for name in scorer.names}))
        found = dict(zip(rows["entity_id"].to_pylist(), map(float, given), strict=True))
        then = {name: float.fromhex(p) for name, p in left.known["probability"][model].items()}
        assert found.keys() == then.keys()
        assert [name for name, p in found.items() if not same(then[name], p)] == []
        assert len(set(found.values())) > 10


def test_a_byte_of_an_artefact_that_changed_is_noticed(left: Left, tmp_path: Path) -> None:
    """The sabotaged twin: what loads above is refused then, by the scorer and by the API."""
    home = left.copy(tmp_path)
    pointer = read_pointer(home.path, "churn-risk")
    assert pointer is not None
    content = bytearray((pointer.path / "booster.txt").read_bytes())
    content[len(content) // 2] ^= 1
    (pointer.path / "booster.txt").write_bytes(content)
    with pytest.raises(ScorerRefused, match=r"booster\.txt"):
        Scorer.load(pointer.path)
    with running_inside(home.path) as running:
        answer = running.client.post(
            "/v1/churn-risk/score",
            json={"records": [{"entity_id": "acme"}]},
            headers={"authorization": f"Bearer {left.known['tokens']['crm']}"},
        )
    assert answer.status_code == 503


def test_keys_work_and_the_revoked_one_does_not(left: Left, api: Inside) -> None:
    body = {"records": [{"entity_id": "nobody"}]}
    asked = {
        name: api.client.post(
            "/v1/churn-risk/score", json=body, headers={"authorization": f"Bearer {token}"}
        ).status_code
        for name, token in left.known["tokens"].items()
    }
    assert asked == {"crm": 207, "reader": 403, "revoked": 401}


def test_connections_read_without_a_fault(left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_SECRET", SECRET)
    monkeypatch.setenv("CRM_TOKEN", SECRET)
    found = read_connections(left.home.path / "connections")
    assert list(found.mapped) == ["crm"]
    assert not found.off()
    assert not found.silent
    assert found.mapped["crm"].objects["lead"].columns == {"industry": "industry", "country": "country"}
    assert found.mapped["crm"].writeback.url == "https://127.0.0.1:1/hook"


def test_every_row_of_the_store_is_there(left: Left) -> None:
    store = open_store(f"sqlite:///{left.home.path}/store.db")
    with store.read() as connection:
        names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars().all()
        found = {name: connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one() for name in names}
        waiting = connection.execute(select(writebacks.c.state).distinct()).scalars().all()
    store.close()
    assert {name: found.get(name) for name in left.known["rows"]} == left.known["rows"]
    assert (
        min(left.known["rows"][name] for name in ("signals", "decisions", "objections", "removals", "tombstones")) > 0
    )
    assert waiting == ["waiting"]  # what was to be written to the CRM still is


def test_the_api_answers_the_same(left: Left, api: Inside) -> None:
    """Scores with reasons, what-ifs, errors of records, history, changes, objections, overrides."""
    headers = {"authorization": f"Bearer {left.known['tokens']['crm']}", "content-type": "application/json"}
    for method, path, body, status, content in left.known["answers"]:
        answer = api.client.request(method, path, content=None if body is None else json.dumps(body), headers=headers)
        assert answer.status_code == status, path
        assert left.differences(content, answer.json()) == {}, path


def test_models_runs_and_connections_are_listed_from_what_there_is(left: Left, api: Inside) -> None:
    """It has no card, no standing, and no card of a run."""
    headers = {"authorization": f"Bearer {left.known['tokens']['crm']}"}
    models, runs, connections = (
        api.client.get(f"/v1/{what}", headers=headers) for what in ("models", "runs", "connections")
    )
    assert (models.status_code, runs.status_code, connections.status_code) == (200, 200, 200)
    found = {each["model"]: each for each in models.json()["models"]}
    for model in ENTITIES:
        pointer = read_pointer(left.home.path, model)
        assert pointer is not None
        assert found[model]["champion"]["version"] == pointer.version
        assert found[model]["faults"] == []
        assert all(each["card"].startswith("no card: ") for each in found[model]["versions"])
    assert runs.json()["runs"][0]["state"] == "published"
    assert runs.json()["runs"][0]["run_id"] == read_manifest(left.home.path / "scores")["run_id"]
    assert [each["name"] for each in connections.json()["connections"]] == ["crm"]


def test_the_next_night_goes_on_and_gives_the_same_rows(left: Left, tmp_path: Path) -> None:
    home = left.copy(tmp_path)
    scores = home.path / "scores"
    source = open_source("sample", home.company)
    kept = [Carried.open(folder, source, 2**60, quiet=True).at_us for folder in (scores / ".carried").glob("*/*")]
    assert len(kept) == 2
    done = home.run("serving", "batch", *home.source, "--as-of", NEXT, "--out", str(scores))
    assert done.returncode == 0, done.stderr
    assert "carried.anew" not in done.stderr
    manifest = read_manifest(scores)
    for model, rows in left.known["next_night"].items():
        files = [scores / each["file"] for each in manifest["models"][model]["files"]]
        found = [row for file in files for row in pq.read_table(file).to_pylist()]
        names = ("entity_id", "probability", "score", "band", "no_score", "reasons")
        values = [[row[name].hex() if isinstance(row[name], float) else row[name] for name in names] for row in found]
        assert left.differences(rows, json.loads(json.dumps(values))) == {}


def test_one_figure_that_differs_is_seen(left: Left) -> None:
    """The sabotaged twin of `differences`."""
    rows = left.known["next_night"]["churn-risk"]
    changed = json.loads(json.dumps(rows))
    scored = next(row for row in changed if row[1] is not None)
    scored[1] = (float.fromhex(scored[1]) * (1 + 2**-48)).hex()
    assert list(differences(rows, changed)) == [f"/{changed.index(scored)}/1"]
    assert differences(rows, changed[:-1])
