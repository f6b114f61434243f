"""The champion changes in place, nothing bad ever serves, and a registry that is away stops nobody: with real processes."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from models import champion_pointer
from models.catalog import MODELS
from models.scorer import artefact
from models.scorer.artefact_schema import VerdictSpec
from models.scorer.scorer import Scorer
from serving import champion, registry_heartbeat
from serving.champion import Champions, Status, load
from serving.errors import NotLive
from tests.kit import commands
from tests.kit.damage import DAMAGE, rewrite_manifest
from tests.kit.inside import running_inside
from tests.kit.running import Home, free_port, running_api, wait_for
from tests.kit.scorers import make_scorer

MODEL = "churn-risk"
BODY = {"records": [{"signals": {"number_0": 1.0, "word_0": "gamma"}}], "reasons": 3}
Expected = dict[tuple[int | None, str], float]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scorers 1 and 2 of churn-risk, which give other numbers, and one of lead-fit."""
    folder = tmp_path_factory.mktemp("scorers")
    for number in (1, 2):
        make_scorer(folder / str(number), n=500, seed=number)
    make_scorer(folder / "lead-fit", model="lead-fit", n=500)
    return folder


def put(home: Path, made: Path, version: int) -> None:
    with champion_pointer.locked(home, MODEL):
        champion_pointer.put_live(home, MODEL, made / str(version), version)


class TestARefusedScorer:
    """One that its own gates refused does not serve, whoever wrote the pointer."""

    def test_the_previous_version_goes_on_serving(
        self, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(tmp_path, made, 1)
        champions = Champions(tmp_path)
        champions.refresh()
        make_scorer(
            tmp_path / "3", n=300, seed=3, verdict=VerdictSpec(code="no_signal", says="no signal found", ready=False)
        )
        with monkeypatch.context() as unguarded:
            unguarded.setattr(champion_pointer, "require_not_refused", lambda *_: None)
            put(tmp_path, tmp_path, 3)
        champions.refresh()
        standing = champions.statuses()[MODEL]
        assert standing["version"] == 1
        assert "'no signal found'" in standing["refused"]
        monkeypatch.setattr(champion, "require_not_refused", lambda *_: None)
        twin = Champions(tmp_path)
        twin.refresh()
        assert twin.statuses()[MODEL]["version"] == 3, "without the guard it serves"


def new_home(folder: Path, made: Path, *versions: int) -> Home:
    home = Home(folder / "home", folder)
    for version in versions:
        put(home.path, made, version)
    return home


def expected(made: Path) -> Expected:
    found = {}
    for version in (1, 2):
        scorer = Scorer.load(made / str(version))
        x, _, _ = scorer.encode_records([BODY["records"][0]["signals"]])  # type: ignore[index]
        found[version, f"sha256:{scorer.sha256}"] = float(scorer.probability(x)[0])
    return found  # type: ignore[return-value]


def judge(answer: httpx.Response, right: Expected) -> str:
    """`good`, `failed`, or `mixed` when version, scorer and number are not of one model."""
    if answer.status_code != 200:
        return "failed"
    given = answer.json()
    number = right.get((given["version"], given["scorer"]))
    return "good" if number == given["results"][0]["probability"] else "mixed"


def standing(url: str) -> dict[str, object]:
    models = httpx.get(f"{url}/readyz").json()["models"]
    found: dict[str, object] = models[MODEL]
    return found


@contextlib.contextmanager
def asking(url: str, right: Expected, threads: int = 3) -> Iterator[Counter[str]]:
    """Ask again and again until the block ends; counts what came."""
    counts: Counter[str] = Counter()
    lock, stop = threading.Lock(), threading.Event()

    def ask() -> None:
        with httpx.Client(timeout=60) as client:
            while not stop.wait(0.01):  # without a rest it would take all of a small machine
                try:
                    what = judge(client.post(f"{url}/v1/{MODEL}/score", json=BODY), right)
                except httpx.HTTPError:
                    what = "failed"
                with lock:
                    counts[what] += 1

    running = [threading.Thread(target=ask) for _ in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield counts
    finally:
        stop.set()
        for thread in running:
            thread.join()


class TestSwap:
    @pytest.mark.parametrize("swaps", [4, pytest.param(20, marks=pytest.mark.slow)])
    def test_swaps_under_load_lose_and_mix_no_answer(self, tmp_path: Path, made: Path, swaps: int) -> None:
        right, home = expected(made), new_home(tmp_path, made, 1)
        with running_api(home) as url, asking(url, right) as counts:
            for swap in range(swaps):
                version = 2 - swap % 2
                before = counts["good"]
                put(home.path, made, version)
                wait_for(lambda version=version: standing(url)["version"] == version)  # type: ignore[misc]
                wait_for(lambda before=before: counts["good"] > before)  # type: ignore[misc]
        assert counts.keys() == {"good"}
        assert counts["good"] >= swaps

    def test_the_twins_that_mix_or_drop_models_are_seen(
        self, tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twins: a champion put together of two, and one that is away while the next one loads."""
        monkeypatch.setattr(champion, "WATCH_SECONDS", 3600.0)  # the app's own look would load it anew in between
        right = expected(made)
        with running_inside(tmp_path) as inside:
            put(tmp_path, made, 1)
            inside.state.champions.refresh()
            assert judge(inside.client.post(f"/v1/{MODEL}/score", json=BODY), right) == "good"
            serves = inside.state.champions.get(MODEL)
            put(tmp_path, made, 2)
            inside.state.champions.refresh()
            object.__setattr__(inside.state.champions.get(MODEL), "scorer", serves.scorer)
            assert judge(inside.client.post(f"/v1/{MODEL}/score", json=BODY), right) == "mixed"
            inside.state.champions._statuses[MODEL] = Status(seen=inside.state.champions._statuses[MODEL].seen)
            assert judge(inside.client.post(f"/v1/{MODEL}/score", json=BODY), right) == "failed"


def drop_a_signal(folder: Path) -> None:
    spec = json.loads((folder / "scorer.json").read_text())
    del spec["signals"][0]
    (folder / "scorer.json").write_text(json.dumps(spec))
    rewrite_manifest(folder, "scorer.json")


def point_to(home: Path, folder: str, sha256: str, version: int = 9) -> None:
    """What a broken tool or an intruder would write."""
    where = champion_pointer.folder(home, MODEL)
    entry = {
        "model": MODEL,
        "version": version,
        "sha256": sha256,
        "path": folder,
        "promoted_at": "2026-01-01T00:00:00Z",
    }
    (where / ".new").write_text(json.dumps(entry))
    (where / ".new").replace(where / champion_pointer.NAME)


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    **{
        name: DAMAGE[name]
        for name in (
            "truncated",
            "flipped bit in scorer.json",
            "flipped bit in tables.npz",
            "golden rows fail",
            "pickle",
            "pickle in the manifest",
            "traversal name",
            "link",
            "another format",
        )
    },
    "wrong signature": (drop_a_signal, "shapes, scorer.json"),
}


class TestBadArtefacts:
    def test_each_bad_scorer_is_refused_with_its_reason_and_never_serves(self, tmp_path: Path, made: Path) -> None:
        right, home = expected(made), new_home(tmp_path, made, 1)
        where = champion_pointer.folder(home.path, MODEL)
        with running_inside(home.path) as inside:

            def serves() -> tuple[object, object]:
                inside.state.champions.refresh()
                assert judge(inside.client.post(f"/v1/{MODEL}/score", json=BODY), right) == "good"
                standing = inside.client.get("/readyz").json()
                return standing["models"][MODEL]["version"], standing["models"][MODEL]["refused"]

            def refused(why: str) -> None:
                version, said = serves()
                assert version == 1
                assert why in str(said)
                assert inside.client.get("/readyz").json()["status"] == "degraded"

            for number, (damage, why) in enumerate(BAD.values()):
                folder = where / f"bad{number}"
                shutil.copytree(made / "2", folder)
                damage(folder)
                manifest = folder / artefact.MANIFEST
                point_to(home.path, folder.name, artefact.digest(manifest.read_bytes()), 10 + number)
                refused(why)
            shutil.copytree(made / "2", where / "other")
            point_to(home.path, "other", "0" * 64)
            refused("its pointer says 000")
            shutil.copytree(made / "lead-fit", where / "lead")
            point_to(home.path, "lead", Scorer.load(made / "lead-fit").sha256)
            refused("of model 'lead-fit'")
            point_to(home.path, "../../../2", "0" * 64)
            refused("not a folder beside it")
            put(home.path, made, 2)
            assert serves() == (2, None)

    def test_golden_rows_are_what_catches_a_changed_leaf(
        self, tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin: without the replay a scorer with a changed leaf would serve."""
        home = new_home(tmp_path, made, 1).path
        bad = champion_pointer.folder(home, MODEL) / "bad"
        shutil.copytree(made / "2", bad)
        DAMAGE["golden rows fail"][0](bad)
        point_to(home, "bad", artefact.digest((bad / artefact.MANIFEST).read_bytes()))
        seen = champion_pointer.read_pointer(home, MODEL)
        assert seen is not None
        with pytest.raises(artefact.ScorerRefused):
            load(MODEL, seen)
        monkeypatch.setattr(Scorer, "_replay", lambda *_: None)
        assert load(MODEL, seen).version == 9


class TestOutage:
    def test_a_start_with_a_bad_champion_serves_the_one_before_it(self, tmp_path: Path, made: Path) -> None:
        home = new_home(tmp_path, made, 1, 2)
        live = champion_pointer.read_pointer(home.path, MODEL)
        assert live is not None
        assert live.previous_path is not None
        with (live.path / "booster.txt").open("ab") as file:
            file.write(b"x")
        with running_inside(home.path) as inside:
            standing = inside.client.get("/readyz").json()["models"][MODEL]
            assert standing["version"] == 1
            assert "bytes, the manifest says" in str(standing["refused"])
            assert judge(inside.client.post(f"/v1/{MODEL}/score", json=BODY), expected(made)) == "good"
        # The sabotaged twin: with the previous one gone too there is nothing verified, and it says so.
        (live.previous_path / "booster.txt").unlink()
        with running_inside(home.path) as inside:
            answer = inside.client.post(f"/v1/{MODEL}/score", json=BODY)
            assert answer.status_code == 503
            assert answer.headers["content-type"] == "application/problem+json"
            assert int(answer.headers["retry-after"]) > 0
            assert inside.client.get("/readyz").json()["models"][MODEL]["serves"] is False

    @pytest.mark.parametrize(
        "damage", [b"", b"{", b'{"model": "churn-risk"}', b"\xff\x00", b'{"path": "../elsewhere"}']
    )
    def test_a_start_with_a_damaged_pointer_serves_what_it_said_before(
        self, tmp_path: Path, made: Path, damage: bytes
    ) -> None:
        home = new_home(tmp_path, made, 1, 2)
        where = champion_pointer.folder(home.path, MODEL)
        (where / champion_pointer.NAME).write_bytes(damage)
        with running_inside(home.path) as inside:
            answer = inside.client.post(f"/v1/{MODEL}/score", json=BODY)
            assert judge(answer, expected(made)) == "good"
            assert answer.json()["version"] == 2
            ready = inside.client.get("/readyz").json()
            assert ready["status"] == "degraded"
            assert "its pointer cannot be read" in ready["models"][MODEL]["refused"]
            inside.state.champions.refresh()  # a second look changes nothing
            assert inside.state.champions.get(MODEL).version == 2
            put(home.path, made, 1)  # what mends it: a promotion, or `serving sync`
            inside.state.champions.refresh()
            assert inside.state.champions.get(MODEL).version == 1
            assert inside.client.get("/readyz").json()["models"][MODEL]["refused"] is None
        live = champion_pointer.read_pointer(home.path, MODEL)
        assert live is not None
        assert live.previous_version == 2  # the way back outlived the damage

    def test_behind_a_damaged_pointer_only_verified_scorers_serve(self, tmp_path: Path, made: Path) -> None:
        home = new_home(tmp_path, made, 1, 2)
        live = champion_pointer.read_pointer(home.path, MODEL)
        assert live is not None
        (champion_pointer.folder(home.path, MODEL) / champion_pointer.NAME).write_bytes(b"{")
        (live.path / "booster.txt").unlink(missing_ok=True)
        champions = Champions(home.path)
        champions.refresh()
        assert champions.get(MODEL).version == 1  # the one before it
        # The sabotaged twin: without the copy nobody knows what was live, and it says so.
        (champion_pointer.folder(home.path, MODEL) / champion_pointer.COPY).unlink()
        champions = Champions(home.path)
        champions.refresh()
        with pytest.raises(NotLive, match="its pointer cannot be read"):
            champions.get(MODEL)

    def test_a_registry_that_is_away_slow_or_wrong_stops_nobody(self, tmp_path: Path, made: Path) -> None:
        right = expected(made)
        homes = {kind: new_home(tmp_path / kind, made, 1) for kind in ("away", "slow", "wrong")}
        garbage = tmp_path / "garbage.db"
        garbage.write_bytes(b"no database at all" * 100)
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            registries = {
                "away": f"http://127.0.0.1:{free_port()}",
                "slow": f"http://127.0.0.1:{silent.getsockname()[1]}",
                "wrong": f"sqlite:///{garbage}",
            }
            quick = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "1", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
            environments = {
                kind: home.environment({"ACCOUNTSCORE_TRACKING_URI": registries[kind], **quick})
                for kind, home in homes.items()
            }
            # The API starts cold while the registry is away; it never asks.
            with running_api(homes["away"], {"ACCOUNTSCORE_TRACKING_URI": registries["away"]}) as url:
                assert httpx.get(f"{url}/readyz").json()["status"] == "ready"
                syncs = {
                    kind: commands.start("serving", "sync", env=environments[kind], out=tmp_path / f"{kind}.log")
                    for kind in homes
                }
                for kind, sync in syncs.items():
                    assert sync.wait(240) == 1, kind
                    said = (tmp_path / f"{kind}.log").read_text()
                    assert "the live models stay" in said, kind
                    assert "Traceback" not in said, kind
                    assert registry_heartbeat.read(homes[kind].path, MODEL).failed, kind
                    champions = Champions(homes[kind].path)
                    champions.refresh()
                    assert champions.get(MODEL).version == 1, kind
                wait_for(lambda: httpx.get(f"{url}/readyz").json()["status"] == "degraded")
                assert httpx.get(f"{url}/readyz").status_code == 200
                assert judge(httpx.post(f"{url}/v1/{MODEL}/score", json=BODY), right) == "good"
                line = f'accountscore_champion_confirmed_age_seconds{{model="{MODEL}"}} '
                text = httpx.get(f"{url}/metrics").text
                assert float(text.split(line)[1].split()[0]) >= 0
                # The twin: a look that succeeds takes the warning away.
                for name in MODELS:
                    registry_heartbeat.note(homes["away"].path, name)
                wait_for(lambda: httpx.get(f"{url}/readyz").json()["status"] == "ready")
