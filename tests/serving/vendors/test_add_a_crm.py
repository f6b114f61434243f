"""The page "Add a CRM" is followed to the letter in a copy of the repository: its vendor passes both suites, or one alone."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path("serving/vendors/README.md")


SUITES = ["tests/serving/vendors/test_inbound.py", "tests/serving/outbox/test_deliver.py"]


def steps() -> str:
    return PAGE.read_text(encoding="utf-8").partition("# Add a CRM")[2].partition("\n# Connect a CRM")[0]


def blocks() -> dict[str, str]:
    """The page's code by the file that its first line names."""
    found = re.findall(r"```python\n# (\S+)\n(.*?)```", steps(), re.DOTALL)
    return {str(name): str(code) for name, code in found}


def copy(to: Path) -> None:
    for name in ("serving", "tests/serving"):
        shutil.copytree(name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (*Path("tests").iterdir(), *map(Path, ("features", "models", "training", "pyproject.toml"))):
        if not (to / path).exists():
            (to / path).symlink_to(path.resolve())


def follow(to: Path, leave: str = "") -> None:
    """`leave` is the direction that the vendor does not have."""
    code = blocks()
    registry = to / "serving/vendors/registry.py"
    imported, entry = code.pop("serving/vendors/registry.py").splitlines()
    if leave == "outbound":
        entry = entry.replace(', "acme.outbound:Acme"', "")
    if leave == "inbound":
        imported, entry = "", entry.replace("Acme(), ", "sender=")
    text = registry.read_text().replace(
        "from serving.vendors.dynamics", f"{imported}\nfrom serving.vendors.dynamics", 1
    )
    registry.write_text(re.sub(r"(?m)^(VENDORS: .*\{)$", lambda match: f"{match[1]}\n{entry}", text))
    for name, written in code.items():
        content = written
        if leave and name == f"serving/vendors/acme/{leave}.py":
            continue
        if leave and "case_acme" in name:  # its cases of that direction are left out too
            content = re.sub(rf"(?m)^{leave.upper()} = \[(?:\n(?s:.*?)^\]|.*\])$", "", content)
            if leave == "outbound":
                content = content.replace("from serving.vendors.acme.outbound import Acme\n", "")
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        (to / name).write_text(content)
    (to / "serving/vendors/acme/__init__.py").touch()


def run(to: Path, tests: str, *more: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-m",
        "not slow",
        *SUITES,
        "-k",
        f"({tests}) or every_vendor_is or every_vendor_that",
        *more,
    ]
    return subprocess.run(command, cwd=to, capture_output=True, text=True, check=False, timeout=300)


def test_it_has_at_most_ten_steps() -> None:
    numbers = re.findall(r"(?m)^([0-9]+)\. ", steps())
    assert numbers == [str(n) for n in range(1, len(numbers) + 1)]
    assert 1 < len(numbers) <= 10


# The ordinary run has a vendor of both directions and, below, one that only sends webhooks. Each takes a pytest of its own.
@pytest.mark.parametrize(
    ("leave", "tests"), [("", "acme"), pytest.param("inbound", "acme and left_behind", marks=pytest.mark.slow)]
)
def test_the_vendor_of_the_page_passes_the_suites(tmp_path: Path, leave: str, tests: str) -> None:
    copy(tmp_path)
    follow(tmp_path, leave)
    done = run(tmp_path, tests)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_a_vendor_that_lets_anybody_in_does_not(tmp_path: Path) -> None:
    """The sabotaged twin of the page."""
    copy(tmp_path)
    follow(tmp_path, "outbound")
    inbound = tmp_path / "serving/vendors/acme/inbound.py"
    inbound.write_text(inbound.read_text().replace('return has_key(delivery, secrets, ("key",))', "return True"))
    done = run(tmp_path, "acme and (another_secret or stored_before)", "-x")
    assert done.returncode == 1, done.stdout
    assert "acme" in done.stdout
