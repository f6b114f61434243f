"""What a score over HTTP costs: `make bench-serving`, or `python -m tests.benchmarks.bench_serving`.

One server process on one core, the load from another process on the other core (`tests.benchmarks.load`). Per round, in turn:
three echoes of the same body, (a) probability alone, (b) with the 5 strongest reasons, (c) with a durable decision record. A ratio
is taken within a round, and the median over the rounds counts, so that a busy machine slows both sides. `..._vs_echo` is to an
ordinary route of the same FastAPI app, `..._vs_pydantic_echo` to one with pydantic's models, `..._vs_floor` to an echo that
stands in front of FastAPI where scoring stands: one that nobody would write, and the least that a request can cost here
(`tests.benchmarks.echo_server`). (a) and (b) run in a server that keeps no decision records, (c) in one that does, each beside
echoes of its own. The requests of a measurement take 100 records in turn, and nothing is remembered of an answer. Beside the
clock the processor time of the server is told, which a neighbour on its core does not take.

The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import lightgbm as lgb  # noqa: F401  bench_reasons needs it: better to fail at once
import numpy as np

from models import champion_pointer
from models.scorer.scorer import Scorer
from tests.benchmarks.bench_reasons import measure as measure_reasons
from tests.benchmarks.bench_reasons import sample
from tests.kit.running import free_port
from training.errors import NOTHING_LIVE

MODEL = "churn-risk"
SIGNALS = 60
CONNECTIONS = (1, 16, 64)
ECHOES = {"echo": "/echo", "pydantic echo": "/pydantic", "floor": "/floor"}
AGAINST = {"echo": "vs_echo", "pydantic echo": "vs_pydantic_echo", "floor": "vs_floor"}
ANSWERS = (("a", "score", ""), ("b", "reasons", ""), ("c", "durable", " of c"))
"""Name in the table, name in the figures, and what the names of the echoes in the same server end in."""
Run = dict[str, float]


def champion(home: Path) -> Path:
    """The champion's directory; the sample company is simulated and the model trained when there is none."""
    found = champion_pointer.read_pointer(home, MODEL)
    if found is None:
        company = home / "sample"
        env = {**os.environ, "ACCOUNTSCORE_HOME": str(home)}
        for door in (
            ["features", "simulate", "--out", str(company), "--end", "2026-01-01"],
            ["training", "fit", MODEL, "--source", "sample", "--data", str(company), "--budget", "20"],
        ):
            print(f"$ python -m {' '.join(door)}", flush=True)
            ended = subprocess.run([sys.executable, "-m", *door], env=env, check=False, timeout=900).returncode
            if ended not in (0, NOTHING_LIVE):
                raise SystemExit(ended)
        found = champion_pointer.read_pointer(home, MODEL)
    if found is None:
        raise SystemExit("the model passed no gates: nothing to measure")
    return found.path


def records(scorer: Scorer, count: int) -> list[dict[str, Any]]:
    """Records of 60 signals, the most important ones, as JSON has them."""
    x = sample(scorer, 500)
    strength = np.abs(scorer.effects(x)[0]).mean(axis=0)
    chosen = np.sort(np.argsort(-strength)[:SIGNALS])
    found = []
    for row in x[:count]:
        signals: dict[str, Any] = {}
        for j in chosen:
            signal, value = scorer.spec.signals[j], float(row[j])
            if np.isnan(value):
                signals[signal.name] = None
            elif signal.vocabulary is None:
                signals[signal.name] = round(value, 3)
            else:
                signals[signal.name] = signal.vocabulary[min(int(value), len(signal.vocabulary) - 1)]
        found.append({"signals": signals})
    return found


@contextlib.contextmanager
def server(command: list[str], env: dict[str, str], port: int, path: str, log: Path) -> Iterator[dict[str, float]]:
    """A process on core 0; yields its pid and the seconds to the first 200 of `path`."""
    began = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=env, stdout=out, stderr=out, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}{path}"
        while True:
            if process.poll() is not None or time.perf_counter() - began > 120:
                raise SystemExit(f"{' '.join(command)} did not start, see {log}")
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(url, timeout=2).status_code == 200:
                    break
            time.sleep(0.01)
        yield {"pid": process.pid, "ready_s": time.perf_counter() - began}
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        process.wait(60)


class Load:
    """The process that asks."""

    def __init__(self, core: int | None) -> None:
        command = [*pinned(core), sys.executable, "-m", "tests.benchmarks.load"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, port: int, path: str, body: Path, connections: int, seconds: float) -> Run:
        job = {"port": port, "path": path, "bodies_file": str(body), "connections": connections, "seconds": seconds}
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        found: Run = json.loads(self._process.stdout.readline())
        if found["bad"]:
            raise SystemExit(f"{found['bad']:.0f} answers of {path} were not 200")
        return found

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(30)


def pinned(core: int | None) -> list[str]:
    return [] if core is None else ["taskset", "-c", str(core)]


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: float) -> float:
    text = Path(f"/proc/{int(pid)}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    home = Path(os.environ.get("ACCOUNTSCORE_HOME", "var")) / "bench"
    parser.add_argument(
        "--home", type=Path, default=home, help="an ACCOUNTSCORE_HOME with a champion; made when absent"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of one measurement")
    parser.add_argument("--no-mlflow", action="store_true", help="without mlflow models serve beside it")
    options = parser.parse_args()
    home = options.home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    directory = champion(home)
    scorer = Scorer.load(directory)
    cores = (0, 1) if (os.cpu_count() or 1) > 1 else (None, None)
    scratch = home / "bench_serving"
    scratch.mkdir(exist_ok=True)
    given = records(scorer, 100)
    for name, bodies in {
        "a": [{"records": [one]} for one in given],
        "b": [{"records": [one], "reasons": 5} for one in given],
        "b100": [{"records": given, "reasons": 5}],
    }.items():
        (scratch / f"{name}.json").write_text("\n".join(json.dumps(body) for body in bodies))  # type: ignore[attr-defined]
    columns = list(given[0]["signals"])
    frame = {"columns": columns, "data": [[r["signals"][c] for c in columns] for r in given[:1]]}
    (scratch / "mlflow.json").write_text(json.dumps({"dataframe_split": frame}))

    environment = {**os.environ, "ACCOUNTSCORE_HOME": str(home), "PYTHONWARNINGS": "ignore", "PYTHONPATH": os.getcwd()}
    environment["ACCOUNTSCORE_STORE_URL"] = f"sqlite:///{scratch}/store.db"
    for old in scratch.glob("store.db*"):
        old.unlink()
    subprocess.run([sys.executable, "-m", "serving", "migrate"], env=environment, check=True, capture_output=True)
    python = [*pinned(cores[0]), sys.executable, "-m"]
    runs: dict[str, list[Run]] = {}
    mlflow_runs: list[Run] = []
    load = Load(cores[1])
    with contextlib.ExitStack() as stack:
        port, ready = free_port(), []
        for _ in range(3):  # the product as users start it
            with server(
                [*python, "serving", "api", "--port", str(port)], environment, port, "/readyz", scratch / "api.log"
            ) as started:
                load(port, f"/v1/{MODEL}/score", scratch / "b.json", 16, options.seconds)
                ready.append((started["ready_s"], rss_mb(started["pid"])))
        ports, pids = {}, {}
        for kind in ("no", "yes"):
            ports[kind] = free_port()
            command = [*python, "tests.benchmarks.echo_server", str(ports[kind])]
            env = {**environment, "ACCOUNTSCORE_RECORD_DECISIONS": kind}
            started = stack.enter_context(server(command, env, ports[kind], "/readyz", scratch / f"{kind}.log"))
            pids[kind] = int(started["pid"])
        mlflow_port = None
        if not options.no_mlflow:
            mlflow_port = free_port()
            tracking = os.environ.get("ACCOUNTSCORE_TRACKING_URI", f"sqlite:///{home}/mlflow.db")
            command = [
                *pinned(cores[0]),
                str(Path(sys.executable).with_name("mlflow")),
                "models",
                "serve",
                "-m",
                f"models:/{MODEL}@champion",
                "--env-manager",
                "local",
                "-w",
                "1",
                "-p",
                str(mlflow_port),
            ]
            env = {**environment, "MLFLOW_TRACKING_URI": tracking, "MLFLOW_DISABLE_TELEMETRY": "true"}
            env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
            stack.enter_context(server(command, env, mlflow_port, "/ping", scratch / "mlflow.log"))
        score = f"/v1/{MODEL}/score"
        plan = [
            *(("no", name, path, "b.json") for name, path in ECHOES.items()),
            ("no", "a", score, "a.json"),
            ("no", "b", score, "b.json"),
            *(("yes", f"{name} of c", path, "b.json") for name, path in ECHOES.items()),
            ("yes", "c", score, "b.json"),
        ]
        for _ in range(options.rounds):
            for connections in CONNECTIONS:
                for kind, name, path, body in plan:
                    before = cpu_seconds(pids[kind])
                    found = load(ports[kind], path, scratch / body, connections, options.seconds)
                    found["cpu_us"] = 1e6 * (cpu_seconds(pids[kind]) - before) / found["answers"]
                    runs.setdefault(f"{name} x{connections}", []).append(found)
            for kind, name in (("no", "b, 100 records"), ("yes", "c, 100 records")):
                found = load(ports[kind], score, scratch / "b100.json", 4, options.seconds)
                runs.setdefault(f"{name} x4", []).append(found)
            if mlflow_port is not None:
                mlflow_runs.append(load(mlflow_port, "/invocations", scratch / "mlflow.json", 16, 2 * options.seconds))
                runs.setdefault("mlflow models serve x16", []).append(mlflow_runs[-1])
    load.close()
    report(runs, ready, directory, scorer)


def report(runs: dict[str, list[Run]], ready: list[tuple[float, float]], directory: Path, scorer: Scorer) -> None:
    print(
        f"{'':28s} {'req/s':>9s} {'p50 ms':>8s} {'p99 ms':>8s} {'cpu us':>8s}   medians of {len(runs['echo x1'])} rounds"
    )
    for name, found in runs.items():
        middle = {key: statistics.median(run[key] for run in found) for key in ("rps", "p50_ms", "p99_ms")}
        cpu = f"{statistics.median(run['cpu_us'] for run in found):8.0f}" if "cpu_us" in found[0] else ""
        print(f"{name:28s} {middle['rps']:9,.0f} {middle['p50_ms']:8.2f} {middle['p99_ms']:8.2f} {cpu}")

    def ratio(name: str, base: str, at: tuple[int, ...]) -> dict[int, float]:
        found = {}
        for connections in at:
            pairs = zip(runs[f"{name} x{connections}"], runs[f"{base} x{connections}"], strict=True)
            found[connections] = round(statistics.median(one["rps"] / other["rps"] for one, other in pairs), 3)
        return found

    figures: dict[str, Any] = {}
    for name, key, beside in ANSWERS:
        for echo, against in AGAINST.items():
            each = ratio(name, echo + beside, CONNECTIONS)
            figures[f"{key}_{against}"] = min(each[16], each[64])
            figures[f"{key}_{against}_by_connections"] = each
    mlflow = runs.get("mlflow models serve x16")
    if mlflow:
        pairs = zip(runs["c x16"], mlflow, strict=True)
        figures["vs_mlflow_serve"] = round(statistics.median(c["rps"] / m["rps"] for c, m in pairs), 1)
    reasons = measure_reasons(scorer, (directory / "booster.txt").read_text(), sample(scorer, 2_000), rounds=7)
    figures["reasons_vs_booster_predict"] = reasons["one_score_and_reasons_vs_booster_predict"]
    figures["reasons_vs_booster_predict_batch"] = reasons["batch_score_and_reasons_vs_booster_predict"]
    # A neighbour on the core takes turns of the clock and none of the processor time.
    figures["by_cpu_time"] = {
        f"{key}_{against}": round(
            statistics.median(
                other["cpu_us"] / one["cpu_us"]
                for at in (16, 64)
                for one, other in zip(runs[f"{name} x{at}"], runs[f"{echo}{beside} x{at}"], strict=True)
            ),
            3,
        )
        for name, key, beside in ANSWERS
        for echo, against in AGAINST.items()
    }
    figures["p99_over_p50_at_64_best"] = {
        name: round(min(run["p99_ms"] / run["p50_ms"] for run in runs[f"{name} x64"]), 2) for name in ("a", "b", "c")
    }
    figures["records_per_s_100"] = round(100 * statistics.median(r["rps"] for r in runs["b, 100 records x4"]))
    figures["ready_s"] = round(min(seconds for seconds, _ in ready), 2)
    figures["rss_mb"] = round(statistics.median(size for _, size in ready), 1)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
