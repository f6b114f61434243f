"""Why a score moved, as an answer: a part that was not told apart is left out."""

from __future__ import annotations

import msgspec
import pytest

from serving.score_change.schemas import BandStep, Parts, ScoreParts


def test_parts_of_a_change_that_was_split() -> None:
    assert msgspec.json.encode(Parts(version=0.0, data=0.5, time=-0.25)) == b'{"version":0.0,"data":0.5,"time":-0.25}'


def test_data_and_time_are_one_part_where_their_split_was_not_recorded() -> None:
    assert msgspec.json.encode(Parts(version=0.0, unsplit=0.25)) == b'{"version":0.0,"unsplit":0.25}'
    assert msgspec.json.encode(ScoreParts(version=1, thresholds=0, unsplit=2)) == (
        b'{"version":1,"thresholds":0,"unsplit":2}'
    )


def test_a_part_of_zero_is_told() -> None:
    assert msgspec.json.encode(ScoreParts(version=0, thresholds=0, data=0, time=0)) == (
        b'{"version":0,"thresholds":0,"data":0,"time":0}'
    )


def test_a_band_comes_after_a_step_that_there_is() -> None:
    assert msgspec.convert({"after": "time", "band": "low"}, BandStep) == BandStep("time", "low")
    with pytest.raises(msgspec.ValidationError, match="after"):
        msgspec.convert({"after": "magic", "band": "low"}, BandStep)
