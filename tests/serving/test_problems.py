"""HTTP is said in one place: what decides knows no status, and every kind of refusal has one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from serving.errors import Declined, Malformed, NotLive, invalid
from serving.problems import STATUS, problem_of

ROOT = Path(__file__).parents[2]
HTTP = ("fastapi", "starlette", "http", "serving.http", "serving.problems")
DOMAIN = sorted(
    path
    for pattern in (
        "features/**/*.py",
        "models/**/*.py",
        "training/**/*.py",
        "serving/*/service.py",
        "serving/*/repository.py",
        "serving/champion.py",
        "serving/scoring/*.py",
        "serving/batch/*.py",
        "serving/worker/*.py",
        "serving/decisions/*.py",
        "serving/score_change/*.py",
        "serving/privacy/*.py",
        "serving/replay/*.py",
        "serving/outbox/*.py",
        "serving/store/*.py",
    )
    for path in ROOT.glob(pattern)
    if path.name != "endpoints.py"
)


def imported(text: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or "", *(f"{node.module}.{name.name}" for name in node.names)}
    return {name for name in found if any(name == each or name.startswith(f"{each}.") for each in HTTP)}


class TestDomain:
    def test_the_domain_knows_no_http(self) -> None:
        assert len(DOMAIN) > 150
        assert {str(path): names for path in DOMAIN if (names := imported(path.read_text()))} == {}

    @pytest.mark.parametrize(
        "line", ["from serving.problems import Problem", "from serving import problems", "import starlette.types"]
    )
    def test_an_http_import_is_seen(self, line: str) -> None:
        assert imported((ROOT / "serving/overrides/service.py").read_text().replace("\nfrom ", f"\n{line}\nfrom ", 1))


class TestProblemOf:
    def test_every_kind_of_refusal_has_its_status(self) -> None:
        assert set(STATUS) == set(Declined.__subclasses__())

    def test_a_retryable_refusal_has_a_retry_after(self) -> None:
        assert problem_of(NotLive("no_model", "none is live")).headers()["retry-after"] == "5"
        assert "retry-after" not in problem_of(Malformed("not_strict_json", "no")).headers()

    def test_faults_and_words_are_the_errors_own(self) -> None:
        problem = problem_of(invalid("wrong_shape", "key records", "a text", "a list", "write a list"))
        assert (problem.status, problem.code) == (422, "wrong_shape")
        assert problem.detail == "key records: a text. Rule: a list. Next: write a list."
        assert problem.extra["faults"][0]["next_step"] == "write a list"
