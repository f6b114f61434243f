"""A repeated request is scored once, whenever the process that worked on it was killed. Real processes, real SIGKILL."""

from __future__ import annotations

import signal

import pytest
from sqlalchemy import func, select, update

from serving.idempotency.repository import ABANDONED_US
from serving.store.tables import decisions, idempotency
from tests.kit import commands
from tests.kit.inside import Inside, running_inside
from tests.kit.killed_request import body_of
from tests.kit.running import Home

MOMENTS = ("commit 1", "commit 2", "commit 3", "answer", "never")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("idempotency")
    with running_inside(folder / "home"):
        pass
    return Home(folder / "home", folder)


def killed_at(home: Home, entity_id: str, moment: str, *how: str) -> bool:
    """Whether the process was killed there, and not before it could answer for another reason."""
    done = commands.run("tests.kit.killed_request", entity_id, moment, *how, env=home.environment())
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    assert done.returncode or done.stdout.strip() == "200", done.stdout
    return done.returncode == -signal.SIGKILL


def repeat(inside: Inside, entity_id: str) -> tuple[list[int], int]:
    """What repetitions are answered until one is good, the minute of a reservation passing in between; and the records."""
    statuses = []
    for _ in range(2):
        answer = inside.client.post(
            "/v1/churn-risk/score", json=body_of(entity_id), headers={"idempotency-key": f"key-of-{entity_id}"}
        )
        statuses.append(answer.status_code)
        if answer.status_code == 200:
            break
        with inside.writing() as connection:
            connection.execute(update(idempotency).values(begun_at=idempotency.c.begun_at - ABANDONED_US))
    with inside.state.store.read() as connection:
        count = select(func.count()).where(decisions.c.entity_id == entity_id)
        return statuses, connection.execute(count).scalar_one()


def name_of(moment: str) -> str:
    return f"killed-at-{moment.replace(' ', '-')}"


def test_killed_at_any_moment_it_is_scored_once(home: Home) -> None:
    killed = {moment: killed_at(home, name_of(moment), moment) for moment in MOMENTS}
    # Reserved, then records and answer together: there is no third commit.
    assert killed == {"commit 1": True, "commit 2": True, "commit 3": False, "answer": True, "never": False}
    with running_inside(home.path) as inside:
        found = {moment: repeat(inside, name_of(moment)) for moment in MOMENTS}
    assert found == {
        "commit 1": ([200], 1),
        "commit 2": ([409, 200], 1),
        "commit 3": ([200], 1),
        "answer": ([200], 1),
        "never": ([200], 1),
    }


def test_two_transactions_would_score_twice(home: Home) -> None:
    """The sabotaged twin: committed one after the other, there is a moment at which the score is there and its answer not."""
    assert killed_at(home, "twin", "commit 3", "apart")
    with running_inside(home.path) as inside:
        assert repeat(inside, "twin") == ([409, 200], 2)
