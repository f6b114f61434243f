"""The pages "Add an outcome" and "Add a model" are followed to the letter in a copy of the tree: the new model is checked, audited, fitted."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.kit.company import at, make_source

PAGES = {"Add an outcome": Path("features/outcomes/README.md"), "Add a model": Path("models/README.md")}
DAYS, ACCOUNTS = 420, 60
FOLLOWED = """
import json, sys
from pathlib import Path
from typer.testing import CliRunner
from features.__main__ import app
from training.fit import fit_source
source = sys.argv[1]
def run(*given):
    done = CliRunner().invoke(app, [*given, "--source", source, "--data", source, "--json"])
    assert done.exit_code == 0, done.output + repr(done.exception)
    return json.loads(done.stdout)
checked = run("check", "--model", "escalation-risk")
audited = run("audit", "--model", "escalation")
report = fit_source("escalation_risk", source, Path(source), register=False, trials=1)
print(json.dumps({"checked": checked["models"], "audited": audited["positives"], "report": report}, default=str))
"""


def steps(page: str) -> str:
    return PAGES[page].read_text(encoding="utf-8").partition(f"# {page}\n")[2].partition("\n# ")[0]


def blocks(page: str) -> dict[str, str]:
    """The page's code by the file that its first line names."""
    found = re.findall(r"```python\n *# (\S+)\n(.*?) *```", steps(page), re.DOTALL)
    return {str(name): textwrap.dedent(str(code)) if code.startswith("   ") else str(code) for name, code in found}


def copy(to: Path) -> None:
    """The packages file by file, so that a page may write into their folders."""
    for part in ("features", "models"):
        (to / part).mkdir(parents=True)
        for path in Path(part).iterdir():
            if path.name == "outcomes":
                (to / part / path.name).mkdir()
                for inner in path.glob("*.py"):
                    (to / part / path.name / inner.name).symlink_to(inner.resolve())
            elif path.name != "__pycache__":
                (to / part / path.name).symlink_to(path.resolve())
    (to / "training").symlink_to(Path("training").resolve())


def written(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.write_text(text)


def follow(to: Path) -> None:
    code = {**blocks("Add an outcome"), **blocks("Add a model")}
    imported, entry = code.pop("features/outcomes/catalog.py").splitlines()
    outcomes = to / "features/outcomes/catalog.py"
    text = outcomes.read_text().replace(
        "from features.outcomes.expansion", f"{imported}\nfrom features.outcomes.expansion"
    )
    written(outcomes, text.replace("        EXPANSION,\n", f"        EXPANSION,\n{entry}\n"))
    models = to / "models/catalog.py"
    line = code.pop("models/catalog.py").rstrip()
    written(models, models.read_text().replace('    "expansion",\n', f'    "expansion",\n    {line.strip()}\n'))
    for name, content in code.items():
        written(to / name, content)


def company(folder: Path) -> None:
    """Paying accounts; every third one escalates a ticket now and then, and has more tickets before."""
    first = at("2024-01-01")

    def day(n: float) -> dt.datetime:
        return first + dt.timedelta(days=n)

    names = [f"a{i:02}" for i in range(ACCOUNTS)]
    tickets: list[dict[str, Any]] = []
    for i, name in enumerate(names):
        for n in range(i % 20, DAYS, 25 if i % 3 else 12):
            escalated = i % 3 == 0 and (n // 12 + i) % 3 == 0
            tickets.append(
                {
                    "ticket_id": f"{name}-{n}",
                    "account_id": name,
                    "event_time": day(n),
                    "status": "open",
                    "escalated": escalated,
                }
            )
    rows: dict[str, Any] = {
        "accounts": [{"account_id": name, "event_time": first} for name in names],
        "subscriptions": [
            {
                "subscription_id": f"s{name}",
                "account_id": name,
                "event_time": first,
                "status": "active",
                "mrr": 50.0 + i,
                "plan": "pro",
            }
            for i, name in enumerate(names)
        ],
        "tickets": tickets,
    }
    make_source(folder, rows)


def run(to: Path, code: str, *more: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": "/usr/bin:/bin", "HOME": str(to), "ACCOUNTSCORE_HOME": str(to / "home"), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", code, *more], cwd=to, env=env, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.parametrize("page", PAGES)
def test_it_has_at_most_ten_steps(page: str) -> None:
    numbers = re.findall(r"(?m)^([0-9]+)\. ", steps(page))
    assert numbers == [str(n) for n in range(1, len(numbers) + 1)]
    assert 1 < len(numbers) <= 10


def test_the_model_of_the_pages_is_checked_audited_and_fitted(tmp_path: Path) -> None:
    tree, source = tmp_path / "tree", tmp_path / "my_company"
    copy(tree)
    follow(tree)
    company(source)
    done = run(tree, FOLLOWED, str(source))
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert list(found["checked"]) == ["escalation-risk"]
    assert found["audited"] > 5
    report = found["report"]
    assert report["outcome_from"] == "tickets", "nothing of churn is in it"
    assert 0.1 < report["base_rate"] < 0.4, "a third of the accounts escalates, most months"
    assert report["rows"]["labelled"] > 500


def test_what_is_not_registered_is_not_there(tmp_path: Path) -> None:
    """The sabotaged twin: with the files alone, and no line in a catalog, there is neither."""
    copy(tmp_path)
    follow(tmp_path)
    for name in ("features/outcomes/catalog.py", "models/catalog.py"):
        written(tmp_path / name, Path(name).read_text())
    done = run(tmp_path, "from features.outcomes.asked import *; get_asked('escalation-risk', installed_models())")
    assert "no model or outcome 'escalation-risk'" in done.stderr
    done = run(tmp_path, "from features.outcomes.asked import *; get_asked('escalation', installed_models())")
    assert "an outcome one of churn, conversion, expansion" in done.stderr
