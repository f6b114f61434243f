"""`make demo`: from raw tables to scores on the screen, through the same doors that users go through.

Simulates a company (or reads SOURCE), trains and registers its models, starts the API and the worker, scores one record
over HTTP, sends a webhook as HubSpot would sign it, runs the nightly batch, shows who needs attention, and stops what it
started.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import datetime as dt
import hashlib
import hmac
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

HOME = Path(os.environ.setdefault("ACCOUNTSCORE_HOME", str(Path("var").resolve() / "demo")))
BUDGET_SECONDS = 10
NOTHING_LIVE = 3
"""How `training fit` ends when the gates refuse: an answer, no fault."""
SECRET_ENV = "DEMO_HUBSPOT_SECRET"  # noqa: S105  the name of the variable, not a secret
console = Console()


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--source", default="sample")
    arguments.add_argument("--data", type=Path)
    given = arguments.parse_args()
    began = time.monotonic()
    HOME.mkdir(parents=True, exist_ok=True)
    data = given.data.resolve() if given.data else None
    today = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    as_of = today
    if given.source == "sample":
        data = HOME / "sample"
        step("A sample company: 2,000 accounts, 8,000 leads, two years of events")
        door("features", "simulate", "--out", str(data), "--end", f"{today:%Y-%m-%d}")
    where = ["--source", given.source, *(["--data", str(data)] if data else [])]
    step("What the source has")
    door("features", "check", *where)
    models, as_of = offered(given.source, data, as_of)

    champions = []
    for model in models:
        step(f"Training {model}")
        fitted = door(
            "training", "fit", model, *where, "--budget", str(BUDGET_SECONDS), "--json", quiet=True, also=NOTHING_LIVE
        )
        if json.loads(fitted)["promoted"]:
            champions.append(model)
    if not champions:
        console.print(
            "\n[bold]No model passed its gates, so nothing is put live and nothing is scored.[/] "
            "On this data that is the honest answer: see the verdicts above."
        )
        return done(began)

    door("serving", "migrate", quiet=True)
    step(f"The nightly batch, as of {as_of:%Y-%m-%d}")
    scores = HOME / "scores"
    door("serving", "batch", *where, "--as-of", as_of.isoformat(), "--out", str(scores))

    for model in champions:
        door("serving", "top", "--model", model, "--scores", str(scores))
    url = f"http://127.0.0.1:{free_port()}"
    leads = "lead-fit" in champions
    if leads:
        connection(given.source, data, url)
    with running(url, worker=leads):
        step("One record over HTTP")
        over_http(url, champions[0], scores)
        if leads:
            step("A webhook, signed as HubSpot signs it")
            webhook(url, given.source, scores)
    console.print(f"\nScores    {scores}", highlight=False, soft_wrap=True)
    console.print(f"MLflow    make mlflow ACCOUNTSCORE_HOME={HOME}", highlight=False, soft_wrap=True)
    return done(began)


def step(title: str) -> None:
    console.rule(f"[bold]{title}", align="left")


def done(began: float) -> int:
    console.print(
        f"\nDone in {time.monotonic() - began:.0f} s. Everything written is under {HOME}",
        highlight=False,
        soft_wrap=True,
    )
    return 0


def door(package: str, *arguments: str, quiet: bool = False, also: int = 0) -> str:
    """Run `python -m PACKAGE ...`, show what it prints, and stop the demo when it ends with neither 0 nor `also`."""
    command = [sys.executable, "-m", package, *arguments]
    console.print(f"[dim]$ python -m {package} {' '.join(arguments)}[/]", highlight=False, soft_wrap=True)
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if finished.returncode not in (0, also):
        sys.stdout.write(finished.stdout)
        raise SystemExit(finished.returncode)
    if not quiet:
        sys.stdout.write(finished.stdout)
        sys.stdout.flush()
    return finished.stdout


def offered(source: str, data: Path | None, as_of: dt.datetime) -> tuple[list[str], dt.datetime]:
    """The models whose entity the source has with an outcome, and the moment to score for."""
    from features.source import open_source

    opened = open_source(source, data)
    models = []
    if opened.has("accounts") and (opened.has("subscriptions") or opened.has("churn_labels")):
        models.append("churn-risk")
    if opened.has("leads") and (opened.has("opportunities") or opened.has("lead_labels")):
        models.append("lead-fit")
    # Data that ended long ago is scored as of its end: later, every account would look silent.
    midnight = opened.span[1].replace(hour=0, minute=0, second=0, microsecond=0)
    return models, as_of if source == "sample" else midnight + dt.timedelta(days=1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def connection(source: str, data: Path | None, url: str) -> None:
    """A HubSpot connection whose contacts are the leads; its secret is made here and lives in the environment."""
    os.environ[SECRET_ENV] = secrets.token_hex(24)
    folder = HOME / "connections"
    folder.mkdir(exist_ok=True)
    lines = [
        'vendor = "hubspot"',
        f'public_url = "{url}"',
        f'secret_envs = ["{SECRET_ENV}"]',
        f'source = "{source}"',
        *([f'data = "{data}"'] if data else []),
        "settle_seconds = 0.0",
        "[objects.contact]",
        'table = "leads"',
        f'key = "{"lead_{id}" if source == "sample" else "{id}"}"',
        'columns = { country = "country", industry = "industry", seniority = "seniority" }',
    ]
    (folder / "demo.toml").write_text("\n".join(lines) + "\n")


@contextlib.contextmanager
def running(url: str, worker: bool) -> Iterator[None]:
    """The API, and the worker when there is a webhook to work on; both are stopped by their own process id."""
    port = url.rsplit(":", 1)[1]
    commands = [["api", "--port", port], *([["worker"]] if worker else [])]
    processes = []
    try:
        for command in commands:
            console.print(f"[dim]$ python -m serving {' '.join(command)}[/]", highlight=False)
            with (HOME / f"{command[0]}.log").open("w") as log:
                processes.append(subprocess.Popen([sys.executable, "-m", "serving", *command], stdout=log, stderr=log))  # noqa: S603
        wait_until(lambda: answers(f"{url}/readyz"), f"the API, see {HOME / 'api.log'}")
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(timeout=20)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"error: waited {seconds:.0f} s for {what}")
        time.sleep(0.1)


def over_http(url: str, model: str, scores: Path) -> None:
    """Score the entity at the top of the batch by its id, as a CRM would; the number must be the batch's."""
    first = best(scores, model)
    body = {"records": [{"entity_id": first["entity_id"]}], "reasons": 3}
    console.print(
        f"[dim]$ curl -s {url}/v1/{model}/score -H 'content-type: application/json' -d '{json.dumps(body)}'[/]",
        soft_wrap=True,
    )
    answer = httpx.post(f"{url}/v1/{model}/score", json=body, timeout=10)
    answer.raise_for_status()
    console.print_json(answer.text)
    same = answer.json()["results"][0]["probability"] == first["probability"]
    console.print("The same bits as in the nightly batch." if same else "[red]Not the number of the nightly batch.[/]")
    if not same:
        raise SystemExit(1)


def webhook(url: str, source: str, scores: Path) -> None:
    """A contact moves up; the event is signed on its raw bytes, stored, answered, and scored after that."""
    lead = best(scores, "lead-fit")["entity_id"]
    now = int(time.time() * 1000)
    event = {
        "eventId": 1, "subscriptionId": 1, "portalId": 1, "appId": 1, "occurredAt": now, "attemptNumber": 0,
        "subscriptionType": "contact.propertyChange", "objectId": int(lead.removeprefix("lead_")),
        "propertyName": "country", "propertyValue": "DE", "changeSource": "CRM_UI",
    }  # fmt: skip
    body = json.dumps([event])
    target = f"{url}/webhooks/demo"
    signed = f"POST{target}{body}{now}".encode()
    signature = base64.b64encode(hmac.new(os.environ[SECRET_ENV].encode(), signed, hashlib.sha256).digest()).decode()
    history = f"{url}/v1/lead/{lead}/scores"
    before = len(httpx.get(history, timeout=10).json().get("scores", []))
    headers = {
        "X-HubSpot-Signature-v3": signature,
        "X-HubSpot-Request-Timestamp": str(now),
        "content-type": "application/json",
    }
    console.print(f"POST {target}: contact {event['objectId']}, country becomes DE")
    answer = httpx.post(target, content=body, headers=headers, timeout=10)
    console.print(f"answered {answer.status_code} in {answer.elapsed.total_seconds() * 1000:.0f} ms")
    answer.raise_for_status()
    forged = httpx.post(target, content=body.replace("DE", "FR"), headers=headers, timeout=10)
    console.print(f"the same with a changed body: {forged.status_code}")
    console.print(f"[dim]$ curl -s {history}[/]")
    wait_until(
        lambda: len(httpx.get(history, timeout=10).json().get("scores", [])) > before,
        f"a score, see {HOME / 'worker.log'}",
    )
    console.print_json(json.dumps(httpx.get(history, timeout=10).json()["scores"][0]))


def best(scores: Path, model: str) -> dict[str, Any]:
    from serving.batch.top import read_top

    return read_top(scores, model, 1).rows[0]


if __name__ == "__main__":
    raise SystemExit(main())
