"""The cron line of serving/batch/README.md and the nightly files of deploy/ are run as they are written, with their paths put elsewhere."""

from __future__ import annotations

import datetime as dt
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

import serving
from features.simulate import simulate
from features.sources.loader import SHIPPED
from serving.__main__ import app
from serving.manifest import only_one, read_manifest
from tests.kit.running import free_port, quick_home

ROOT = Path(serving.__file__).parents[1]
README = (ROOT / "serving/batch/README.md").read_text()
SERVICE, TIMER = "accountscore-nightly.service", "accountscore-nightly.timer"
SCHEDULERS = ("cron", "systemd", "Kubernetes")
UsageError = typer.BadParameter.__bases__[0]
"""Of click, or of the click that typer brings."""
FIELDS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}


def example(scheduler: str) -> str:
    """What a scheduler is given; the units of systemd one after the other, each below its name."""
    if scheduler == "Kubernetes":
        return (ROOT / "deploy/kubernetes/nightly.yaml").read_text()
    if scheduler == "systemd":
        return "\n".join(f"# {name}\n{(ROOT / 'deploy/systemd' / name).read_text()}" for name in (SERVICE, TIMER))
    found = re.search(r"^## cron\n+```\w*\n(.*?)^```", README, re.M | re.S)
    assert found is not None, "no example for cron"
    return found[1]


def units(text: str) -> dict[str, str]:
    """The unit files of `example("systemd")` by their names."""
    return dict(re.findall(r"^# (\S+\.(?:service|timer))\n(.*?)(?=^# |\Z)", text, re.M | re.S))


def setting(unit: str, name: str) -> str:
    found = re.findall(rf"^{name}=(.*)$", unit, re.M)
    assert len(found) == 1, f"{name} is there {len(found)} times"
    return str(found[0])


def of_cron(text: str) -> tuple[list[str], str]:
    """(five fields, the command that cron gives to /bin/sh); a % that is not escaped would end it."""
    *fields, command = text.strip().split(None, 5)
    assert len(fields) == 5
    for value, (name, (least, most)) in zip(fields, FIELDS.items(), strict=True):
        assert value == "*" or least <= int(value) <= most, f"{name} {value}"
    assert not re.search(r"(?<!\\)%", command), "cron takes a bare % for the end of the command"
    return fields, command.replace(r"\%", "%")


def of_systemd(text: str) -> str:
    """The command after systemd's own escapes, as one line for a shell in its WorkingDirectory and Environment."""
    service = units(text)[SERVICE]
    shell, option, command = shlex.split(setting(service, "ExecStart").replace("%%", "%"))
    assert (shell, option) == ("/bin/sh", "-c")
    return f"cd {setting(service, 'WorkingDirectory')} && export {setting(service, 'Environment')} && {command}"


def container(text: str) -> dict[str, Any]:
    pod = yaml.safe_load(text)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (found,) = pod["containers"]
    return dict(found)


def of_kubernetes(text: str) -> str:
    """The command of the pod as one line for a shell, with what its image sets."""
    box = container(text)
    shell, option, command = box["command"]
    assert (shell, option) == ("sh", "-c")
    plain = [f"{e['name']}={e['value']}" for e in box["env"] if "value" in e]
    image = (ROOT / "Dockerfile").read_text()
    (folder,) = set(re.findall(r"^WORKDIR (/var\S+)$", image, re.M))
    return f"cd {folder} && export {' '.join([*re.findall(r'ACCOUNTSCORE_HOME=[^ ]+', image.replace(chr(10), ' ')), *plain])} && {command}"


READERS: dict[str, Callable[[str], str]] = {
    "cron": lambda text: of_cron(text)[1],
    "systemd": of_systemd,
    "Kubernetes": of_kubernetes,
}


def command_of(scheduler: str) -> str:
    return READERS[scheduler](example(scheduler))


def arguments(command: str) -> dict[str, Any]:
    """What our own parser makes of the command's arguments; raises `UsageError` for what it does not know."""
    words = shlex.split(command)
    at = words.index("serving") + 1
    return typer.main.get_group(app).commands[words[at]].make_context(words[at], words[at + 1 :]).params


def not_repeated() -> set[int]:
    """The exit codes of failures that the table does not say to repeat."""
    rows = re.findall(r"^\| (\d) \| [^|]* \|([^|]*)\|$", README, re.M)
    assert {int(code) for code, _ in rows} == {0, 1, 2, 5, 6, 7}
    return {int(code) for code, advice in rows if code != "0" and "repeat" not in advice}


class TestWhatIsWritten:
    @pytest.mark.parametrize("scheduler", SCHEDULERS)
    def test_scheduled_arguments_are_options_of_the_command(self, scheduler: str) -> None:
        found = arguments(command_of(scheduler))
        assert Path(found["source"]).name == "my_company"
        assert found["max_age"] == "36h"
        assert found["as_of"] == "$(date -u +%F)"

    @pytest.mark.parametrize("scheduler", SCHEDULERS)
    def test_an_option_that_the_command_lacks_is_noticed(self, scheduler: str) -> None:
        """The sabotaged twin."""
        with pytest.raises(UsageError, match="--oldest"):
            arguments(READERS[scheduler](example(scheduler).replace("--max-age 36h", "--oldest 36h")))

    def test_cron_would_cut_a_bare_percent(self) -> None:
        fields, command = of_cron(example("cron"))
        assert fields == ["15", "2", "*", "*", "*"]
        assert '"$(date -u +%F)"' in command
        with pytest.raises(AssertionError, match="bare %"):  # the sabotaged twin
            of_cron(example("cron").replace(r"\%", "%"))

    def test_all_schedulers_use_the_exit_codes_of_the_table(self) -> None:
        assert not_repeated() == {2, 5, 6}
        prevented = setting(units(example("systemd"))[SERVICE], "RestartPreventExitStatus")
        assert {int(code) for code in prevented.split()} == not_repeated()
        (rule,) = yaml.safe_load(example("Kubernetes"))["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
        assert rule["action"] == "FailJob"
        assert rule["onExitCodes"]["operator"] == "In"
        assert set(rule["onExitCodes"]["values"]) == not_repeated()

    def test_cron_has_one_job(self) -> None:
        job = yaml.safe_load(example("Kubernetes"))
        assert (job["apiVersion"], job["kind"]) == ("batch/v1", "CronJob")
        assert job["metadata"]["name"]
        spec = job["spec"]
        assert (spec["schedule"], spec["timeZone"]) == (" ".join(of_cron(example("cron"))[0]), "Etc/UTC")
        assert spec["concurrencyPolicy"] == "Forbid"
        assert spec["jobTemplate"]["spec"]["backoffLimit"] > 0
        pod = spec["jobTemplate"]["spec"]["template"]["spec"]
        assert pod["restartPolicy"] == "Never", "a podFailurePolicy needs it"
        box = container(example("Kubernetes"))
        assert {m["name"] for m in box["volumeMounts"]} == {v["name"] for v in pod["volumes"]}

    def test_secrets_are_named_and_not_told(self) -> None:
        env = {e["name"]: e for e in container(example("Kubernetes"))["env"]}
        secret = [name for name, e in env.items() if "valueFrom" in e]
        assert secret == ["ACCOUNTSCORE_STORE_URL", "ACCOUNTSCORE_KEY_PEPPER"]
        assert all(set(env[name]["valueFrom"]["secretKeyRef"]) == {"name", "key"} for name in secret)
        for scheduler in SCHEDULERS:  # a URL is where a password would stand
            assert "://" not in example(scheduler)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
class TestSystemd:
    def verify(self, folder: Path, text: str) -> subprocess.CompletedProcess[str]:
        for name, unit in units(text).items():
            (folder / name).write_text(unit)
        assert {p.name for p in folder.iterdir()} == {SERVICE, TIMER}
        return subprocess.run(
            ["systemd-analyze", "verify", "--man=no", f"./{SERVICE}", f"./{TIMER}"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def test_systemd_takes_the_units(self, tmp_path: Path) -> None:
        done = self.verify(tmp_path, example("systemd"))
        assert (done.returncode, done.stderr) == (0, "")

    @pytest.mark.parametrize(
        ("right", "wrong"),
        [("RestartPreventExitStatus=", "RestartNotOn="), ("OnCalendar=", "OnCalender="), ("02:15:00", "25:15:00")],
    )
    def test_a_wrong_systemd_unit_is_noticed(self, tmp_path: Path, right: str, wrong: str) -> None:
        """The sabotaged twin."""
        assert right in example("systemd")
        done = self.verify(tmp_path, example("systemd").replace(right, wrong))
        assert done.stderr

    def test_the_timer_is_at_the_time_of_the_others(self) -> None:
        when = setting(units(example("systemd"))[TIMER], "OnCalendar")
        told = subprocess.run(
            ["systemd-analyze", "calendar", "--iterations=1", when],
            env={**os.environ, "TZ": "UTC"},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        minute, hour, *_ = of_cron(example("cron"))[0]
        assert re.search(rf"Next elapse: .* {int(hour):02}:{int(minute):02}:00 UTC", told), told


@dataclass
class Machine:
    """A machine as the examples have it: `/srv/accountscore` with the source `my_company`, and where they write."""

    root: Path

    def data(self, company: Path) -> None:
        """What the source reads from now on."""
        here = self.root / "srv/my_company"
        shutil.rmtree(here, ignore_errors=True)
        here.mkdir()
        for select in (SHIPPED / "sample").glob("*.sql"):
            (here / select.name).write_text(select.read_text().replace("${data}", str(company)))

    def placed(self, command: str) -> str:
        """The command with its paths put below the root; everything else as it is written."""
        places = {
            "cd /srv/accountscore": "cd {}/srv",
            "/opt/accountscore/bin/": "{}/bin/",
            "/etc/accountscore/my_company": "{}/srv/my_company",
            "/sources/my_company": "{}/srv/my_company",
            "--data /srv/data": "--data {}/srv",
            "ACCOUNTSCORE_DATA=/data": "ACCOUNTSCORE_DATA={}/srv",
            "/var/lib/accountscore/scores": "{}/scores",
            "/var/lib/accountscore": "{}/home",
            "/var/lib/node_exporter": "{}/collector",
        }
        for place, here in places.items():
            command = command.replace(place, here.format(self.root))
        return command

    def run(self, command: str, **env: str) -> subprocess.CompletedProcess[str]:
        """As a scheduler does: /bin/sh, and next to nothing in the environment."""
        bare = {"PATH": f"{self.root / 'bin'}:/usr/bin:/bin", "HOME": str(self.root), **env}
        return subprocess.run(
            ["/bin/sh", "-c", self.placed(command)],
            env=bare,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """The old company ends with 2025, the new one yesterday: the commands take the clock's own date."""
    made = Machine(tmp_path_factory.mktemp("machine"))
    quick_home(made.root)
    today = dt.datetime.now(dt.UTC).date()
    simulate(made.root / "fresh", accounts=40, leads=120, days=200, end=today, usage_events=4_000)
    (made.root / "srv/.venv/bin").mkdir(parents=True)
    (made.root / "bin").mkdir()
    for package in ("features", "models", "serving"):
        (made.root / "srv" / package).symlink_to(ROOT / package)
    command = made.root / "bin/accountscore"
    # As where the wheel is installed: the packages are found from any folder.
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" "{ROOT / "accountscore.py"}" "$@"\n')
    command.chmod(0o755)
    for python in (made.root / "srv/.venv/bin/python", made.root / "bin/python"):
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
    made.data(made.root / "fresh")
    return made


class TestRun:
    @pytest.mark.parametrize("scheduler", SCHEDULERS)
    def test_the_scheduled_command_publishes(self, machine: Machine, scheduler: str) -> None:
        done = machine.run(command_of(scheduler))
        assert done.returncode == 0, done.stderr
        manifest = read_manifest(machine.root / "scores")
        assert manifest["source"] == "my_company"
        assert all(model["rows"] for model in manifest["models"].values())
        if scheduler == "cron":
            assert "accountscore_batch_exit_code 0.0" in (machine.root / "collector/accountscore.prom").read_text()

    def test_each_failure_has_the_code_that_the_table_says(self, machine: Machine) -> None:
        command = command_of("cron")
        wrong = machine.run(command.replace("--max-age", "--oldest"))
        assert (wrong.returncode, "--oldest" in wrong.stderr) == (2, True)
        with only_one(machine.root / "scores"):
            busy = machine.run(command)
        assert (busy.returncode, "another run" in busy.stderr) == (5, True)
        away = machine.run(command, ACCOUNTSCORE_STORE_URL=f"postgresql://nobody@127.0.0.1:{free_port()}/store")
        assert away.returncode == 1, away.stderr
        assert "Traceback" not in away.stderr
        machine.data(machine.root / "company")
        stale = machine.run(command)
        machine.data(machine.root / "fresh")
        assert (stale.returncode, "--max-age" in stale.stderr) == (6, True)
