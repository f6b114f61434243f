"""The answer about runs names everything it holds, null where it is not known."""

from __future__ import annotations

import json

import msgspec

from serving.runs.schemas import RunModel, RunsAnswer, RunShown


def test_a_run_of_which_only_the_name_is_known() -> None:
    run = RunShown("x", "unreadable", None, None, None, None, None, None, None, "why", [], [], [], [], None, None)
    found = json.loads(msgspec.json.encode(RunsAnswer([run], None)))
    assert found["next"] is None
    assert found["runs"][0].keys() == set(RunShown.__struct_fields__)
    assert RunModel("churn-risk", None, 1, None, {}, {}).scored is None
