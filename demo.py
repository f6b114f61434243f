"""`make demo`: from raw tables to scores on the screen, through the same doors that users go through.

Simulates a company (or reads SOURCE), trains and registers its models, runs the nightly batch as of a week ago and as of today,
shows who needs attention, starts the API and the worker, scores one record over HTTP, sends a webhook as HubSpot would sign it,
and stops what it started. What it leaves in ACCOUNTSCORE_HOME can be served, trained on and looked at.
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
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from features.kit.clock import now
from features.kit.errors import UserMistake
from features.kit.settings import Settings
from features.sources.loader import has_sample, open_source
from models.catalog import DEMO, MODELS, get_model
from models.champion_pointer import read_pointer
from models.scorer.scorer import Scorer, ScorerRefused

TRIALS = 4
"""Of each model's search where neither trials nor a budget is given: all rows are learnt from, on a slow machine too."""
A_WEEK, OLD, MORNING = dt.timedelta(days=7), dt.timedelta(days=2), dt.timedelta(hours=6)
NOTHING_LIVE, NOT_USABLE = 3, 2
"""How `training fit` ends when the gates refuse, and when the data cannot tell of the outcome: answers, no faults."""
PUBLIC_URL = "http://127.0.0.1:8000"
"""What `make serve` listens on."""
LISTED = 5
"""Accounts, and leads, that it shows of the call lists."""
console = Console()


def main() -> int:
    """Each source but the sample has a home of its own in `ACCOUNTSCORE_HOME`, so that a company never meets another's models."""
    given = arguments()
    began = time.monotonic()
    settings = Settings.from_env()
    sample = given.source == "sample"
    home = settings.home if sample else settings.home / Path(given.source).resolve().name
    strangers(home, given.source)
    os.environ["ACCOUNTSCORE_HOME"] = str(home)
    home.mkdir(parents=True, exist_ok=True)
    data = given.data.resolve() if given.data else None
    if sample and data is None and not has_sample(settings.data):
        step(f"A sample company: {given.accounts:,} accounts, {given.leads:,} leads, two years of events")
        sizes = {"--accounts": given.accounts, "--leads": given.leads, "--usage-events": given.usage_events}
        door("features", "simulate", *[str(w) for pair in sizes.items() if pair[1] is not None for w in pair])
    where = ["--source", given.source, *(["--data", str(data)] if data else [])]
    step("What the source has")
    door("features", "check", *where, *[word for name in given.models for word in ("--model", name)])
    models, as_of = offered(given.source, data, given.models)
    serve = f"make serve{in_home(home)}"
    if now() - as_of > OLD:  # the API would call signals of years ago stale: its clock runs on from their end
        os.environ["ACCOUNTSCORE_NOW"] = f"{as_of + MORNING:%Y-%m-%dT%H:%M:%SZ}"
        serve += f" ACCOUNTSCORE_NOW={os.environ['ACCOUNTSCORE_NOW']}"

    if models:
        step(f"Training {' and '.join(models)}")
    by_clock = given.budget is not None and given.trials is None
    search = ["--budget", str(given.budget)] if by_clock else ["--trials", str(given.trials or TRIALS)]
    champions = trained(models, [*where, *search])
    if not champions:
        console.print(
            "\n[bold]No model passed its gates, so nothing is put live and nothing is scored.[/] "
            "On this data that is the honest answer: see above why."
        )
        return done(began, home)

    door("serving", "migrate", quiet=True)
    scores = home / "scores"
    for day in (as_of - A_WEEK, as_of):  # the second says what changed since the first, and why
        step(f"The nightly batch, as of {day:%Y-%m-%d}")
        door("serving", "batch", *where, "--as-of", f"{day:%Y-%m-%d}", "--out", str(scores), log=home / "batch.log")

    url = f"http://127.0.0.1:{free_port()}"
    leads = "lead-fit" in champions
    secret = connection(home, given.source, data) if leads else ""
    step(f"The API{' and the worker start' if leads else ' starts'}")
    with asking() as client, running(url, home, worker=leads):
        step("Whom to call today")  # while they start
        for model in champions:
            door("serving", "top", "--model", model, "--scores", str(scores), "--count", str(LISTED))
        wait_until(lambda: answers(f"{url}/readyz"), f"the API, see {home / 'api.log'}")
        step("One record over HTTP")
        over_http(client, url, champions[0], scores)
        if leads:
            step("A webhook, signed as HubSpot signs it")
            webhook(client, url, secret, home, scores)
    step("Now go on")
    files = f" DATA={shlex.quote(str(data))}" if data else ""
    asked = f"MODEL={champions[0]} SOURCE={shlex.quote(given.source)}{files}{in_home(home)}"
    for what, command in (
        ("serve it", serve),
        ("is it still right?", f"make monitor AS_OF={as_of:%Y-%m-%d} {asked}"),
        ("what would it have caught?", f"make backtest {asked}"),
        ("runs and versions", f"make mlflow{in_home(home)}"),
        ("reports", f"{home}/runs/*/v*/report.html"),
        ("scores", str(scores)),
        ("see it in a browser", serve.replace("make serve", "make page", 1)),
    ):
        console.print(f"{what:27}{command}", highlight=False, soft_wrap=True)
    return done(began, home)


def in_home(home: Path) -> str:
    """What a make target needs to know of a home that is not the default one."""
    return "" if home == Path("var").resolve() else f" ACCOUNTSCORE_HOME={shlex.quote(str(home))}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", default="sample")
    parser.add_argument("--data", type=Path, help="a sample company that is there already, or the files of SOURCE")
    parser.add_argument("--accounts", type=int, default=2000, help="of the sample company")
    parser.add_argument("--leads", type=int, default=8000)
    parser.add_argument("--usage-events", type=int)
    parser.add_argument("--budget", type=float, help="seconds of each model's search")
    parser.add_argument("--trials", type=int, help=f"trials of each model's search; {TRIALS} where no budget is given")
    parser.add_argument(
        "--models", help=f"'all', or names with commas between them; {','.join(DEMO)} where it is not given"
    )
    given = parser.parse_args()
    try:
        given.models = asked_for(given.models)
    except UserMistake as error:
        parser.error(str(error))
    return given


def strangers(home: Path, source: str) -> None:
    """End before a champion that learnt from another source would be replaced by the demo's."""
    name = Path(source).resolve().name
    for model in MODELS:
        learnt_from = None
        with contextlib.suppress(ScorerRefused, ValueError):  # what cannot be read does not serve either
            pointer = read_pointer(home, model)
            learnt_from = Scorer.load(pointer.path).spec.source if pointer else None
        if learnt_from not in (None, name):
            raise SystemExit(
                f"error: {str(home)!r} has a live {model} that learnt from {learnt_from!r}, which this would replace; "
                "take another home: make demo ACCOUNTSCORE_HOME=var/demo"
            )


def step(title: str) -> None:
    console.rule(f"[bold]{title}", align="left")


def done(began: float, home: Path) -> int:
    console.print(
        f"\nDone in {time.monotonic() - began:.0f} s. Everything written is under {home}",
        highlight=False,
        soft_wrap=True,
    )
    return 0


def door(package: str, *arguments: str, quiet: bool = False, log: Path | None = None) -> None:
    """Run `python -m PACKAGE ...`, show what it prints, and stop the demo when it fails.

    log : where its log lines go; they are shown when it fails
    """
    command = [sys.executable, "-m", package, *arguments]
    console.print(f"[dim]$ python -m {package} {' '.join(arguments)}[/]", highlight=False, soft_wrap=True)
    with contextlib.nullcontext() if log is None else log.open("a") as lines:
        finished = subprocess.run(command, stdout=subprocess.PIPE, stderr=lines, text=True, check=False)  # noqa: S603
    if finished.returncode:
        sys.stdout.write(finished.stdout)
        sys.stderr.write(log.read_text() if log else "")
        raise SystemExit(finished.returncode)
    if not quiet:
        sys.stdout.write(finished.stdout)
        sys.stdout.flush()


def trained(models: Sequence[str], arguments: Sequence[str]) -> list[str]:
    """Run `training fit` for each model, as many at a time as there are processors; those that are champion now.

    Their lines are shown as they come, each after the name of its model. Stops the demo when one fails.
    """
    cores = os.cpu_count() or 1
    threads = str(max(1, cores // max(1, len(models))))  # those of two fits would wait for each other, spinning

    def promoted(model: str) -> bool:
        command = ["training", "fit", model, *arguments, "--brief", "--json"]
        console.print(f"[dim]$ python -m {' '.join(command)}[/]", highlight=False, soft_wrap=True)
        with tempfile.TemporaryFile("w+") as answer:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", *command],
                stdout=answer,
                stderr=subprocess.PIPE,
                text=True,
                env={"OMP_NUM_THREADS": threads, **os.environ},
            )
            with process as fit:
                for line in fit.stderr or ():
                    said = line.rstrip().removeprefix(f"{model}: ")
                    console.print(f"{model}: {said}", highlight=False, soft_wrap=True, markup=False)
            if fit.returncode not in (0, NOTHING_LIVE, NOT_USABLE):
                raise SystemExit(fit.returncode)
            answer.seek(0)
            report = answer.read()
        return bool(report) and bool(json.loads(report)["promoted"])

    with ThreadPoolExecutor(cores) as pool:
        return [model for model, done in zip(models, pool.map(promoted, models), strict=True) if done]


def asked_for(models: str | None) -> list[str]:
    """The models to train, those of accounts first: the demo's by the catalog, `all`, or names with commas between them.

    Raises `UserMistake` for a name that no model has.
    """
    names = MODELS if models == "all" else models.split(",") if models else DEMO
    return sorted(
        dict.fromkeys(get_model(name.strip()).name for name in names), key=lambda name: get_model(name).entity
    )


def offered(source: str, data: Path | None, models: Sequence[str]) -> tuple[list[str], dt.datetime]:
    """The models whose outcome the source can tell, and the moment to score for: the midnight after its last event.

    Data that ended long ago is scored as of its end: later, every account would look silent.
    """
    opened = open_source(source, data)
    told = [name for name in models if get_model(name).outcome.lacking(opened) is None]
    midnight = opened.span[1].replace(hour=0, minute=0, second=0, microsecond=0)
    return told, midnight + dt.timedelta(days=1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def connection(home: Path, source: str, data: Path | None) -> str:
    """A HubSpot connection whose contacts are the leads; returns its secret, which is made once and only its owner may read."""
    folder = home / "connections"
    folder.mkdir(exist_ok=True)
    secret = folder / "demo.secret"
    with (
        contextlib.suppress(FileExistsError),
        open(os.open(secret, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file,
    ):
        file.write(secrets.token_hex(24))
    lines = [
        'vendor = "hubspot"',
        f'public_url = "{PUBLIC_URL}"',
        f'secret_files = ["{secret.name}"]',
        f'source = "{source}"',
        *([f'data = "{data}"'] if data else []),
        "settle_seconds = 0.0",
        "[objects.contact]",
        'table = "leads"',
        f'key = "{"lead_{id}" if source == "sample" else "{id}"}"',
        'columns = { country = "country", industry = "industry", seniority = "seniority" }',
    ]
    (folder / "demo.toml").write_text("\n".join(lines) + "\n")
    return secret.read_text()


@contextlib.contextmanager
def running(url: str, home: Path, worker: bool) -> Iterator[None]:
    """Start the API, and the worker when there is a webhook to work on; stop both by their own process id.

    They may not be ready yet when the block begins.
    """
    port = url.rsplit(":", 1)[1]
    commands = [["api", "--port", port], *([["worker"]] if worker else [])]
    processes = []
    try:
        for command in commands:
            console.print(f"[dim]$ python -m serving {' '.join(command)}[/]", highlight=False)
            with (home / f"{command[0]}.log").open("w") as log:
                processes.append(subprocess.Popen([sys.executable, "-m", "serving", *command], stdout=log, stderr=log))  # noqa: S603
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(timeout=20)


@contextlib.contextmanager
def asking() -> Iterator[httpx.Client]:
    """A client of the API that starts after this. A home in which a key was made asks for one: it gets one for this run alone."""
    headers, number = {}, ""
    if said("keys", "list").stdout.strip():
        made = said("keys", "create", "make demo", "--days", "1")
        number = made.stderr.split()[1]
        headers["authorization"] = f"Bearer {made.stdout.strip()}"
    try:
        with httpx.Client(headers=headers, timeout=10) as client:
            yield client
    finally:
        if number:
            said("keys", "revoke", number)


def said(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What `python -m serving ...` prints; stops the demo when it fails."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "serving", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise SystemExit(done.returncode)
    return done


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


def over_http(client: httpx.Client, url: str, model: str, scores: Path) -> None:
    """Score the entity at the top of the batch by its id, as a CRM would; the number must be the batch's."""
    first = best(scores, model)
    body = {"records": [{"entity_id": first["entity_id"]}], "reasons": 3}
    console.print(
        f"[dim]$ curl -s {url}/v1/{model}/score -H 'content-type: application/json' -d '{json.dumps(body)}'[/]",
        soft_wrap=True,
    )
    answer = client.post(f"{url}/v1/{model}/score", json=body)
    answer.raise_for_status()
    result = answer.json()["results"][0]
    console.print(
        f"{answer.status_code} in {answer.elapsed.total_seconds() * 1000:.0f} ms; in the answer:", highlight=False
    )
    shown(first["entity_id"], result)
    same = result["probability"] == first["probability"]
    console.print("The same bits as in the nightly batch." if same else "[red]Not the number of the nightly batch.[/]")
    if not same:
        raise SystemExit(1)


def shown(who: str, score: dict[str, Any]) -> None:
    """What a person reads of an answer: the score, its band and its reasons, or why there is none."""
    if "score" not in score:
        console.print(f"{who}: no score: {score['no_score']['detail']}", highlight=False)
        return
    console.print(f"{who}: score {score['score']} ({score['band']}), probability {score['probability']:.3f}")
    for reason in score.get("reasons") or ():
        console.print(f"  {reason['text']}", highlight=False)


def webhook(client: httpx.Client, url: str, secret: str, home: Path, scores: Path) -> None:
    """A contact moves up; the event is signed on its raw bytes, stored, answered, and scored after that."""
    lead = best(scores, "lead-fit")["entity_id"]
    sent = int(time.time() * 1000)
    event = {
        "eventId": 1,
        "subscriptionId": 1,
        "portalId": 1,
        "appId": 1,
        "occurredAt": sent,
        "attemptNumber": 0,
        "subscriptionType": "contact.propertyChange",
        "objectId": int(lead.removeprefix("lead_")),
        "propertyName": "country",
        "propertyValue": "DE",
        "changeSource": "CRM_UI",
    }
    body = json.dumps([event])
    # A CRM signs the address that it calls, whatever port the service listens on behind it.
    signed = f"POST{PUBLIC_URL}/webhooks/demo{body}{sent}".encode()
    signature = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
    target = f"{url}/webhooks/demo"
    history = f"{url}/v1/lead/{lead}/scores"
    before = len(client.get(history).json().get("scores", []))
    headers = {
        "X-HubSpot-Signature-v3": signature,
        "X-HubSpot-Request-Timestamp": str(sent),
        "content-type": "application/json",
    }
    console.print(f"POST {target}: contact {event['objectId']}, country becomes DE")
    answer = client.post(target, content=body, headers=headers)
    console.print(f"answered {answer.status_code} in {answer.elapsed.total_seconds() * 1000:.0f} ms")
    answer.raise_for_status()
    forged = client.post(target, content=body.replace("DE", "FR"), headers=headers)
    console.print(f"the same with a changed body: {forged.status_code}")
    console.print(f"[dim]$ curl -s {history}[/]")
    wait_until(
        lambda: len(client.get(history).json().get("scores", [])) > before,
        f"a score, see {home / 'worker.log'}",
    )
    shown(lead, client.get(history).json()["scores"][0])


def best(scores: Path, model: str) -> dict[str, Any]:
    from serving.batch.call_list import read_top

    return read_top(scores, model, 1).rows[0]


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        print("\nstopped. Nothing half made is left: make demo begins again.", file=sys.stderr)
        raise SystemExit(128 + signal.SIGINT) from None
