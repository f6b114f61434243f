"""The files of a scorer as types: what an older version wrote is read, and a wrong shape is refused on reading."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from models.population import EVERYBODY, where
from models.scorer.artefact_schema import Manifest, ScorerSpec
from tests.kit.signal_specs import scorer_spec, signal_spec


def written(spec: ScorerSpec) -> dict[str, Any]:
    return dict(json.loads(msgspec.json.encode(spec)))


def read(content: dict[str, Any]) -> ScorerSpec:
    return msgspec.json.decode(json.dumps(content), type=ScorerSpec)


class TestScorerSpec:
    def test_a_file_of_format_1_has_no_verdict_and_is_for_everybody(self) -> None:
        content = written(scorer_spec(signal_spec("mrr"), format=1))
        del content["verdict"]
        for signal in content["signals"]:
            del signal["topic"]
        found = read(content)
        assert found.verdict is None
        assert found.narrowed == EVERYBODY
        assert found.signals[0].topic == ""

    def test_a_population_is_kept_and_that_of_everybody_is_not_written(self) -> None:
        part = where("plan").is_in("pro")
        assert read(written(scorer_spec(population=part))).narrowed == part
        assert "population" not in written(scorer_spec())

    @pytest.mark.parametrize(
        ("field", "value"),
        [("entity", "person"), ("horizon_days", "90"), ("bands", [["high"]]), ("base_rate", None), ("signals", {})],
    )
    def test_a_wrong_shape_is_refused_with_its_place(self, field: str, value: object) -> None:
        with pytest.raises(msgspec.ValidationError, match=rf"\$\.{field}"):
            read({**written(scorer_spec()), field: value})

    def test_a_field_that_is_missing_is_named(self) -> None:
        content = written(scorer_spec())
        del content["bands"]
        with pytest.raises(msgspec.ValidationError, match="missing required field `bands`"):
            read(content)


def test_a_manifest_whose_size_is_no_number_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="bytes"):
        msgspec.json.decode(b'{"format": 2, "files": {"a": {"sha256": "0", "bytes": "many"}}}', type=Manifest)
