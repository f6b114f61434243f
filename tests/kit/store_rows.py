"""Rows of the store's tables that a test fills in: a stored score, a letter of the inbox, a decision record."""

from __future__ import annotations


def signal_row(entity_id: str, as_of: int) -> dict[str, object]:
    return {
        "entity": "account",
        "entity_id": entity_id,
        "as_of": as_of,
        "eligibility": "eligible",
        "value": 1.0,
        "signals": b"{}",
        "origin": "worker",
    }


def letter(key: str) -> dict[str, object]:
    return {
        "connection": "main",
        "dedupe_key": key,
        "received_at": 2,
        "occurred_at": 1,
        "kind": "contact.creation",
        "object_type": "contact",
        "object_id": "1",
        "property": None,
        "value": None,
        "state": "waiting",
        "detail": None,
    }


def decision(entity_id: str) -> dict[str, object]:
    return {
        "model": "churn-risk",
        "entity": "account",
        "entity_id": entity_id,
        "as_of": 1,
        "recorded_at": 1,
        "cause": "batch",
        "scorer": "x",
        "reasons": b"[]",
        "inputs": b"{}",
        "inputs_sha256": "x",
    }
