"""Makes a home as an earlier version left it, and what that version said of it. Run in a checkout of that version:

    git worktree add --detach OLD 16f1ad5      # the last commit before the first change that CHANGELOG has above 0.1.0
    cd OLD && python HERE/tests/data/make_home_0_1.py HERE/tests/data/home_0_1.tar.xz
    git worktree add --detach ROOMS 9a26ca7    # the last commit before the modules moved into rooms
    cd ROOMS && python HERE/tests/data/make_home_0_1.py HERE/tests/data/home_before_rooms.tar.xz

The company is simulated; keys and secrets are of this home alone. A file has `company/` and `home/`, in which `@FOLDER@`
stands for the folder that they are unpacked into, and `expected.json`: what the old code said of a copy of it:

    tokens         of the API keys, one of them revoked
    rows           of each table of the store
    probability    model -> entity -> hex: what the scorer's file gives for the signals that are stored
    answers        of the API: [method, path, body, status, content]
    next_night     model -> rows of a batch as of 2026-01-02 that went on from the carried state
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import json
import lzma
import os
import shutil
import sqlite3
import sys
import tarfile
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, os.getcwd())

import pyarrow.parquet as pq
from models.pointer import read_pointer
from serving.batch.publish import read_manifest
from standardwebhooks.webhooks import Webhook

from features.simulate import simulate
from models.catalog import MODELS
from models.scorer import Scorer
from tests import scorers
from tests.serving import inside, running

PLACE = "@FOLDER@"
NOW = "2026-01-02T06:00:00Z"
BETWEEN = "2025-12-05T06:00:00Z"
NIGHTS = ("2025-12-04", "2026-01-01")
NEXT = "2026-01-02"
SECRET = "whsec_" + base64.b64encode(b"a key of twenty-four byte").decode()
CONNECTION = """
vendor = "standard-webhooks"
public_url = "https://scores.example.com"
secret_envs = ["CRM_SECRET"]
source = "sample"
data = "{data}"
settle_seconds = 0.0
[objects.lead]
table = "leads"
columns = {{ industry = "industry", country = "country" }}
[writeback]
mode = "on"
token_env = "CRM_TOKEN"
url = "https://127.0.0.1:1/hook"
allow_networks = ["127.0.0.0/8"]
minimum_change = 1
[writeback.models.lead-fit]
object = "lead"
"""


def event(kind: str, record: str, number: int, **data: Any) -> tuple[bytes, dict[str, str]]:
    """A signed delivery of one event."""
    told = {"object": "lead", "id": record, **data}
    body = json.dumps({"type": f"lead.{kind}", "timestamp": "2025-12-04T12:00:00Z", "data": told})
    moment = dt.datetime.fromtimestamp(int(time.time()), dt.UTC)
    signature = Webhook(SECRET).sign(msg_id=f"m-{number}", timestamp=moment, data=body)
    return body.encode(), {
        "webhook-id": f"m-{number}", "webhook-timestamp": str(int(moment.timestamp())), "webhook-signature": signature,
    }  # fmt: skip


def command(home: running.Home, *arguments: str, now: str = NOW) -> str:
    env = {"CRM_SECRET": SECRET, "CRM_TOKEN": SECRET, "ACCOUNTSCORE_NOW": now}
    done = home.run("serving", *arguments, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ids(home: running.Home, model: str) -> list[str]:
    """Of the published run, those with a score first."""
    manifest = read_manifest(home.path / "scores")
    rows = [
        row
        for each in manifest["models"][model]["files"]
        for row in pq.read_table(home.path / "scores" / each["file"]).to_pylist()
    ]
    return [row["entity_id"] for row in sorted(rows, key=lambda row: row["probability"] is None)]


def night(home: running.Home, as_of: str, now: str = NOW) -> None:
    command(home, "batch", *home.source, "--as-of", as_of, "--out", str(home.path / "scores"), now=now)


def use(home: running.Home) -> dict[str, str]:
    """What two nights, and people and a CRM between them, do with it; gives the keys' tokens by name."""
    command(home, "migrate", now=BETWEEN)
    night(home, NIGHTS[0], BETWEEN)
    (home.path / "connections").mkdir()
    (home.path / "connections" / "crm.toml").write_text(CONNECTION.format(data=home.company))
    accounts, leads = ids(home, "churn-risk"), ids(home, "lead-fit")
    inside.NOW = BETWEEN
    with inside.running_inside(home.path) as app:
        scopes = {"crm": ("score", "read", "override", "privacy"), "reader": ("read",), "revoked": ("score",)}
        keys = {name: app.key(*given, name=name) for name, given in scopes.items()}

        def ask(method: str, path: str, content: Any = None, more: dict[str, str] | None = None) -> None:
            sent = content if content is None or isinstance(content, bytes) else json.dumps(content)
            headers = {**keys["crm"], "content-type": "application/json", **(more or {})}
            answer = app.client.request(method, path, content=sent, headers=headers)
            assert answer.is_success, (path, answer.status_code, answer.text)

        for model, some in (("churn-risk", accounts[:8]), ("lead-fit", leads[:8])):
            ask("POST", f"/v1/{model}/score", {"records": [{"entity_id": one} for one in some], "reasons": 3})
        ask("PUT", f"/v1/account/{accounts[3]}/objection")
        ask(
            "PUT",
            f"/v1/account/{accounts[2]}/override",
            {"model": "churn-risk", "band": "low", "reason": "renewed by word", "author": "ann"},
        )
        ask("POST", f"/v1/account/{accounts[4]}/erasure", {})
        changes = [("updated", leads[0], {"properties": {"industry": "software", "unmapped": "kept"}}),
                   ("updated", leads[1], {"properties": {"country": "DE"}}), ("deleted", leads[2], {})]  # fmt: skip
        for number, (kind, record, data) in enumerate(changes):
            ask("POST", "/webhooks/crm", *event(kind, record, number, **data))
    tokens = {name: headers["authorization"].removeprefix("Bearer ") for name, headers in keys.items()}
    command(home, "keys", "revoke", tokens["revoked"].split("_")[1])
    command(home, "worker", "--once", now=BETWEEN)  # nobody answers where it writes to: the scores stay in the queue
    night(home, NIGHTS[1])
    return tokens


def rows_of(home: running.Home) -> dict[str, int]:
    """How many rows each table of the store has."""
    with contextlib.closing(sqlite3.connect(home.path / "store.db")) as store:
        names = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: store.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}


def probabilities(home: running.Home) -> dict[str, dict[str, str]]:
    """Of every row of signals that the run published, by the scorer that is live, to the bit."""
    found = {}
    manifest = read_manifest(home.path / "scores")
    for model, entity in (("churn-risk", "account"), ("lead-fit", "lead")):
        scorer = Scorer.load(read_pointer(home.path, model).path)
        rows = pq.read_table(home.path / "scores" / manifest["signals"][entity]["file"])
        given = scorer.probability(scorer.encode({name: rows[name].to_pylist() for name in scorer.names}))
        found[model] = {name: float(p).hex() for name, p in zip(rows["entity_id"].to_pylist(), given, strict=True)}
    return found


def answers(home: running.Home, tokens: dict[str, str]) -> list[list[Any]]:
    accounts, leads = ids(home, "churn-risk"), ids(home, "lead-fit")
    asked: list[list[Any]] = []
    for model, entity, some in (("churn-risk", "account", accounts), ("lead-fit", "lead", leads)):
        asked.append(
            [
                "POST",
                f"/v1/{model}/score",
                {"records": [{"entity_id": one} for one in [*some[:10], *some[-4:], "nobody"]], "reasons": 5},
            ]
        )
        what_if = [
            {"entity_id": some[0], "signals": {"industry": "retail", "employees": 7}},
            {"signals": {"employees": "many"}},
        ]
        asked.append(["POST", f"/v1/{model}/score", {"records": what_if, "reasons": 2}])
        asked += [
            ["GET", f"/v1/{entity}/{one}/{what}", None]
            for one in some[:6]
            for what in ("scores", "change", "objection")
        ]
        asked.append(["GET", f"/v1/{entity}/{some[2]}/override?model={model}", None])
    asked += [["GET", path, None] for path in ("/v1/churn-risk", "/readyz")]
    inside.NOW = NOW
    with inside.running_inside(home.path) as app:
        headers = {"authorization": f"Bearer {tokens['crm']}", "content-type": "application/json"}
        for one in asked:
            answer = app.client.request(
                one[0], one[1], content=None if one[2] is None else json.dumps(one[2]), headers=headers
            )
            one += [answer.status_code, answer.json()]
    return asked


def next_night(home: running.Home) -> dict[str, list[list[Any]]]:
    night(home, NEXT)
    manifest = read_manifest(home.path / "scores")
    found: dict[str, list[list[Any]]] = {}
    for model, about in manifest["models"].items():
        rows = [
            row for each in about["files"] for row in pq.read_table(home.path / "scores" / each["file"]).to_pylist()
        ]
        names = ("score", "band", "no_score", "reasons")
        found[model] = [
            [
                row["entity_id"],
                None if row["probability"] is None else row["probability"].hex(),
                *(row[name] for name in names),
            ]
            for row in rows
        ]
    return found


def pack(folder: Path, target: Path) -> None:
    """Whatever names the folder names a place instead; what is damaged by that must not be there."""
    with tarfile.open(target, "w:xz", preset=9 | lzma.PRESET_EXTREME) as tar:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix != ".log" and path.name not in ("truth.parquet",):
                content = path.read_bytes()
                if path.suffix == ".toml" or path.name == "last_run.json":
                    content = content.replace(str(folder).encode(), PLACE.encode())
                    path.write_bytes(content)
                assert str(folder).encode() not in content, path
                tar.add(path, str(path.relative_to(folder)), filter=plain)


def plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


def main(out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    os.environ |= {"CRM_SECRET": SECRET, "CRM_TOKEN": SECRET}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "made"
        scorers.train_booster = partial(scorers.train_booster, trees=10)  # of 40 trees the tables alone have 170 kB
        running.simulate = lambda place, **_: simulate(
            place, accounts=24, leads=60, days=200, end=running.END, usage_events=1_200
        )
        home = running.quick_home(folder)
        for scorer in MODELS:
            shutil.rmtree(folder / f"{scorer}.scorer")
        tokens = use(home)
        known: dict[str, Any] = {"tokens": tokens, "rows": rows_of(home), "probability": probabilities(home)}
        for name, ask in (("answers", lambda home: answers(home, tokens)), ("next_night", next_night)):
            copy = Path(made) / name
            shutil.copytree(folder, copy)
            known[name] = ask(running.Home(copy / "home", copy / "company"))
        (folder / "expected.json").write_text(json.dumps(known, default=str) + "\n")
        pack(folder, out)
    print(f"{out}: {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
