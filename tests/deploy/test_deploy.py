"""The files of production name only what there is: commands and options, settings, ports, paths, units."""

from __future__ import annotations

import importlib
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from features import __path__ as features_path

ROOT = Path(features_path[0]).parent
DOCKERFILE, COMPOSE, PAGE = "Dockerfile", "compose.yaml", "deploy/README.md"
FORGE = ".github/workflows/check.yaml"
KUBERNETES = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "deploy/kubernetes").glob("*.yaml"))
UNITS = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "deploy/systemd").iterdir())
FILES = (DOCKERFILE, COMPOSE, PAGE, *KUBERNETES, *UNITS)
COMMAND = re.compile(r"accountscore((?: |\", \")(?:features|training|serving)[^'\n;`]*)")
IN_A_LIST = re.compile(r"\[(\"(?:features|training|serving)\", [^\]]*)\]")


def commands(text: str) -> list[list[str]]:
    """What the file calls `accountscore` with, word by word; from a shell line or from a list of words."""
    listed = [[word.strip(' "') for word in found.split(",")] for found in IN_A_LIST.findall(text)]
    return listed + [shlex.split(re.sub(r'"?\$+\(date[^)]*\)"?', "2026-01-01", line)) for line in COMMAND.findall(text)]


def faults(words: list[str]) -> list[str]:
    """What of a command there is not."""
    app = typer.main.get_command(importlib.import_module(f"{words[0]}.__main__").app)
    rest, missing = [word for word in words[1:] if word != "--help"], []
    while hasattr(app, "commands") and rest:
        if rest[0] not in app.commands:
            return [f"command {rest[0]}"]
        app, rest = app.commands[rest[0]], rest[1:]
    known = {name for each in app.params for name in each.opts}
    missing += [f"option {word}" for word in rest if word.startswith("--") and word not in known]
    return missing


def settings(text: str) -> set[str]:
    return set(re.findall(r"\bACCOUNTSCORE_[A-Z_]+\b", text))


def known_settings() -> set[str]:
    return settings((ROOT / "README.md").read_text().partition("## Settings")[2].partition("\n## ")[0])


def documents() -> Iterator[dict[str, Any]]:
    for name in KUBERNETES:
        yield from yaml.safe_load_all((ROOT / name).read_text())


@pytest.mark.parametrize("name", FILES)
def test_commands_and_settings_are_there(name: str) -> None:
    text = (ROOT / name).read_text()
    assert [(words, faults(words)) for words in commands(text) if faults(words)] == []
    assert settings(text) <= known_settings()


def test_each_process_is_called_somewhere_in_each_way_of_running() -> None:
    ways = {
        "compose": (ROOT / COMPOSE).read_text(),
        "kubernetes": "\n".join((ROOT / name).read_text() for name in KUBERNETES),
        "systemd": "\n".join((ROOT / name).read_text() for name in UNITS),
    }
    for way, text in ways.items():
        assert {words[1] for words in commands(text)} >= {"migrate", "api", "worker", "batch"}, way


def test_what_is_copied_into_the_image_is_there_and_not_ignored() -> None:
    text = (ROOT / DOCKERFILE).read_text()
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, flags=re.MULTILINE):
        for name in line.split():
            assert (ROOT / name).exists(), name
            assert name in allowed, f"{name} is ignored by .dockerignore"


def test_the_port_is_the_same_everywhere() -> None:
    api = typer.main.get_command(importlib.import_module("serving.__main__").app).commands["api"]  # type: ignore[attr-defined]
    port = next(each.default for each in api.params if each.name == "port")
    dockerfile, compose = (ROOT / DOCKERFILE).read_text(), yaml.safe_load((ROOT / COMPOSE).read_text())
    assert f"EXPOSE {port}" in dockerfile
    assert f"127.0.0.1:{port}/healthz" in dockerfile
    assert compose["services"]["api"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    deployment = next(each for each in documents() if each["metadata"]["name"] == "accountscore-api" and "spec" in each)
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert [each["containerPort"] for each in container["ports"]] == [port]


def pods() -> list[dict[str, Any]]:
    found = []
    for each in documents():
        spec = each.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            found.append(spec["template"]["spec"])
    return found


def paths(words: list[str]) -> set[str]:
    """Absolute paths in a command's words, also within a line for a shell; not of programs."""
    return {path for word in words for path in re.findall(r"(?:^|\s)(/\S+)", word) if "/bin/" not in path}


def unmounted(words: list[str], mounts: set[str]) -> set[str]:
    """Paths of a command that a container with a read-only root does not have."""
    return {path for path in paths(words) if not any(f"{path}/".startswith(f"{mount}/") for mount in mounts)}


def test_pods_name_volumes_secrets_and_paths_that_there_are() -> None:
    secret = next(each for each in documents() if each["kind"] == "Secret")
    claims = {each["metadata"]["name"] for each in documents() if each["kind"] == "PersistentVolumeClaim"}
    page = (ROOT / PAGE).read_text()
    assert len(pods()) == 5
    for pod in pods():
        volumes = {each["name"]: each for each in pod["volumes"]}
        for each in volumes.values():
            assert each.get("persistentVolumeClaim", {}).get("claimName") in {None, *claims}
            if "configMap" in each:
                assert f"kubectl create configmap {each['configMap']['name']} " in page
        for container in pod["containers"]:
            assert {each["name"] for each in container["volumeMounts"]} <= set(volumes)
            mounts = {each["mountPath"] for each in container["volumeMounts"]}
            assert unmounted([*container.get("command", ()), *container.get("args", ())], mounts) == set()
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            asked = [each["valueFrom"]["secretKeyRef"] for each in container["env"] if "valueFrom" in each]
            assert {(each["name"], each["key"]) for each in asked} <= {
                (secret["metadata"]["name"], key) for key in secret["stringData"]
            }
            given = {each["name"]: each.get("value") for each in container["env"]}
            assert given.get("ACCOUNTSCORE_DATA") in {None, *mounts}
        assert pod["securityContext"]["runAsNonRoot"] is True


def test_what_reads_a_source_has_it_and_its_files_in_each_pod() -> None:
    """The worker names none in its command: its connections do."""
    for pod in pods():
        for container in pod["containers"]:
            words = [*container.get("command", ()), *container.get("args", ())]
            mounts = {each["mountPath"] for each in container["volumeMounts"]}
            reads = any(name in " ".join(words) for name in ("serving worker", "serving batch", "training fit"))
            assert ({"/sources/my_company", "/data"} <= mounts) == reads, words


def test_containers_of_compose_name_paths_that_are_mounted() -> None:
    for name, service in yaml.safe_load((ROOT / COMPOSE).read_text())["services"].items():
        if service["image"] != "accountscore":
            continue
        mounts = {each.split(":")[1 if ":" in each else 0] for each in service["volumes"]}
        assert unmounted(service["command"], mounts) == set(), name
        assert {service["environment"]["ACCOUNTSCORE_DATA"], service["environment"]["TMPDIR"]} <= mounts, name
        assert service["environment"]["TMPDIR"] not in service["tmpfs"], "spilling into memory frees none"


def test_the_forge_runs_targets_and_commands_that_there_are() -> None:
    jobs = yaml.safe_load((ROOT / FORGE).read_text())["jobs"]
    lines = "\n".join(step["run"] for job in jobs.values() for step in job["steps"] if "run" in step).replace(
        "&&", "\n"
    )
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    asked = set(re.findall(r"\bmake ([a-z][\w-]*)", lines))
    assert {"setup", "check", "test", "demo"} <= asked <= targets
    assert len(commands(lines)) == 3
    assert [faults(words) for words in commands(lines)] == [[], [], []]
    assert all((ROOT / name).exists() for name in re.findall(r"-r (\S+)", lines))
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"].removeprefix(">=")
    assert jobs["gate"]["strategy"]["matrix"]["python"][0] == oldest


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_units_are_good(tmp_path: Path) -> None:
    for name in UNITS:  # the program is not installed here: a unit is verified with one that is
        text = (ROOT / name).read_text().replace("/opt/accountscore/bin/accountscore", "/bin/true")
        (tmp_path / Path(name).name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / Path(name).name) for name in UNITS)],
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "accountscore" in line]
    assert (done.returncode, said) == (0, []), done.stderr


@pytest.mark.slow
def test_the_image_builds_from_what_is_copied(tmp_path: Path) -> None:
    """Each step of the first stage, in a folder that has only what was copied so far; then the command that it leaves."""
    stage = (ROOT / DOCKERFILE).read_text().partition("AS build\n")[2].partition("\nFROM ")[0]
    source, target = tmp_path / "src", tmp_path / "opt"
    source.mkdir()
    for line in stage.splitlines():
        step, _, what = line.partition(" ")
        if step == "COPY":
            *names, to = what.split()
            for name in names:
                place = source / (to if (ROOT / name).is_dir() else name)
                (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, place)  # type: ignore[operator]
        elif step == "RUN":
            subprocess.run(what.replace("/opt/accountscore", str(target)), shell=True, cwd=source, check=True)
    done = subprocess.run(
        [target / "bin/accountscore", "serving", "--help"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "nightly batch" in done.stdout


def test_what_is_wrong_is_noticed() -> None:
    assert faults(["serving", "nightly"]) == ["command nightly"]
    assert faults(["serving", "api", "--prot", "1"]) == ["option --prot"]
    assert commands('command: ["serving", "worker"]') == [["serving", "worker"]]
    assert commands('accountscore serving batch --as-of "$(date -u +%F)" --out x\'') == [
        ["serving", "batch", "--as-of", "2026-01-01", "--out", "x"]
    ]
    assert not settings("ACCOUNTSCORE_STORE_URI") <= known_settings()
    line = ["sh", "-c", "exec /opt/bin/accountscore serving batch --source /sources/my_company --out /srv/scores"]
    assert unmounted(line, {"/sources/my_company", "/data"}) == {"/srv/scores"}
    assert unmounted(line, {"/sources/my", "/srv"}) == {"/sources/my_company"}
