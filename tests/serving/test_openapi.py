"""Schemathesis, which nobody here wrote, asks everything that the OpenAPI file allows and forbids, with all its checks."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

from features.kit.clock import make_clock
from models import champion_pointer
from models.catalog import MODELS
from serving.keys.service import SCOPES
from serving.scoring import repository as stored
from serving.store.connect import open_store
from tests.kit.running import NOW, Home, running_api
from tests.kit.scorers import copy_scorer

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Every model is live, and an account with two scores: there is something behind every path."""
    folder = tmp_path_factory.mktemp("strangers")
    made = Home(folder / "home", folder)
    for seed, model in enumerate(MODELS):
        copy_scorer(folder / model, model=model, seed=seed, n=600)
        with champion_pointer.locked(made.path, model):
            champion_pointer.put_live(made.path, model, folder / model, 1)
    assert made.run("serving", "migrate").returncode == 0
    store = open_store(f"sqlite:///{made.path / 'store.db'}")
    row = stored.row("account", "acme", make_clock(NOW)(), "eligible", 5.0, {"number_0": 1.0, "word_0": "beta"}, "test")
    with store.write() as connection:
        stored.put(connection, [row])
    store.close()
    return made


@pytest.fixture(scope="module")
def key(home: Home) -> str:
    scopes = [word for scope in SCOPES for word in ("--scope", scope)]
    return home.run("serving", "keys", "create", "strangers", *scopes).stdout.strip()


@pytest.fixture(scope="module")
def url(home: Home, key: str) -> Iterator[str]:
    with running_api(home) as address:
        headers = {"authorization": f"Bearer {key}"}
        for signals in ({}, {"number_0": -1.0}):
            body = {"records": [{"entity_id": "acme", "signals": signals}], "reasons": 3}
            answer = httpx.post(f"{address}/v1/churn-risk/score", json=body, headers=headers)
            assert answer.status_code == 200, answer.text
        change = httpx.get(f"{address}/v1/account/acme/change?what_if=true", headers=headers)
        assert change.status_code == 200, change.text
        yield address


def schemathesis(folder: Path, schema: str, key: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Its own program, in a folder of its own for what it leaves."""
    program = str(Path(sys.executable).with_name("st"))
    hooks = {
        "SCHEMATHESIS_HOOKS": "strangers_hooks",
        "PYTHONPATH": str(ROOT / "tests" / "kit"),
        "PATH": "/usr/bin:/bin",
    }
    return subprocess.run(
        [
            program,
            "run",
            schema,
            "--checks",
            "all",
            "--header",
            f"Authorization: Bearer {key}",
            "--no-color",
            "--seed",
            "20",
            *more,
        ],
        cwd=folder,
        env=hooks,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("examples", [3, pytest.param(25, marks=pytest.mark.slow)])
def test_it_finds_nothing(url: str, key: str, tmp_path: Path, home: Home, examples: int) -> None:
    done = schemathesis(tmp_path, f"{url}/openapi.json", key, "--max-examples", str(examples))
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    log = (home.path / "api.log").read_text()
    assert "request.failed" not in log
    assert "Traceback" not in log


def test_it_finds_what_is_wrong(url: str, key: str, tmp_path: Path) -> None:
    """The sabotaged twin: the same server under a file that promises something else."""
    true = httpx.get(f"{url}/openapi.json").json()
    false: dict[str, Any] = copy.deepcopy(true)
    false["components"]["schemas"]["ModelAnswer"]["properties"]["horizon_days"] = {"type": "string"}
    (tmp_path / "false.json").write_text(json.dumps(false))
    done = schemathesis(
        tmp_path,
        str(tmp_path / "false.json"),
        key,
        "--url",
        url,
        "--phases",
        "examples",
        "--include-path",
        "/v1/{model}",
    )
    assert done.returncode == 1
    assert "horizon_days" in done.stdout


class TestOpenAPI:
    def test_signals_are_those_of_the_catalog(self, url: str) -> None:
        from features.signals.catalog import signals

        schemas = httpx.get(f"{url}/openapi.json").json()["components"]["schemas"]
        for entity, name in (("account", "AccountSignals"), ("lead", "LeadSignals")):
            described = schemas[name]["properties"]
            assert set(described) == {s.name for s in signals() if entity in s.entities}
            for signal in signals():
                if entity in signal.entities:
                    text = described[signal.name]
                    assert text["title"] == signal.label
                    assert signal.unit in text["description"]
                    assert text["examples"]

    def test_every_property_is_described_and_every_plain_one_has_an_example_that_fits(self, url: str) -> None:
        file = httpx.get(f"{url}/openapi.json").json()
        bare, plain, misfits = [], [], []
        for name, schema in file["components"]["schemas"].items():
            for key, value in schema.get("properties", {}).items():
                where = f"{name}.{key}"
                if not value.get("description"):
                    bare.append(where)
                if not value.get("examples") and not {"$ref", "enum"} & value.keys() and value.get("type") != "array":
                    plain.append(where)
                whole = jsonschema_rs.validator_for({**value, "components": file["components"]})
                misfits += [(where, each) for each in value.get("examples", []) if not whole.is_valid(each)]
        assert (bare, plain, misfits) == ([], [], [])

    def test_examples_name_signals_of_the_catalog(self, url: str) -> None:
        from features.signals.catalog import signals

        known = {s.name for s in signals()}
        schemas = httpx.get(f"{url}/openapi.json").json()["components"]["schemas"]
        examples = [value.get("examples", []) for s in schemas.values() for value in s.get("properties", {}).values()]
        named = set(re.findall(r"\b\w+_\d+d\b", repr(examples)))
        assert named
        assert named <= known

    def test_every_operation_says_which_refusals_there_are(self, url: str) -> None:
        file = httpx.get(f"{url}/openapi.json").json()
        for path, methods in file["paths"].items():
            for method, operation in methods.items():
                assert operation["summary"], (path, method)
                if operation.get("security"):
                    assert {"401", "403", "429", "503"} <= operation["responses"].keys(), (path, method)
