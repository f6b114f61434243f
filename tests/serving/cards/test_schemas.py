"""Answers about models: what is not known is null, and the cards are those of the home."""

from __future__ import annotations

import json

import msgspec

from serving.cards.schemas import ModelPage, VersionPage, VersionShown


def test_a_version_of_which_nothing_is_known_is_null_everywhere() -> None:
    found = json.loads(msgspec.json.encode(VersionShown(version=1, state=None)))
    assert found == {
        "version": 1,
        "state": None,
        "verdict": None,
        "verdict_code": None,
        "ready": None,
        "sentence": None,
        "why": [],
        "auc": None,
        "made_at": None,
        "source": None,
        "trained_to": None,
        "promoted": None,
        "refusals": [],
        "card": None,
    }


def test_the_period_of_a_card_is_from_and_to() -> None:
    """`from` is no name in Python."""
    _, parts = msgspec.json.schema_components([ModelPage, VersionPage])
    assert {"from", "to"} <= parts["CardPeriod"]["properties"].keys()
