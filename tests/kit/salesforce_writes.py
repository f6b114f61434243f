"""Scores on their way to fields of Salesforce's leads."""

from __future__ import annotations

from typing import Any

from serving.vendors.outbound import Write
from tests.kit.soap import lead_id

PROPERTIES = {
    "score": "Fit__c",
    "band": "Fit_Band__c",
    "probability": "Fit_Probability__c",
    "reasons": "Fit_Reasons__c",
    "scored_at": "Fit_At__c",
}


def write(number: int, model: str = "lead-fit", **more: Any) -> Write:
    content = {
        "score": 82,
        "band": "high",
        "probability": 0.43,
        "reasons": ["Because.", "Ünd so."],
        "scored_at": "2026-01-02T06:00:00Z",
        "version": 3,
    }
    return Write(f"{model}{number}", model, "Lead", lead_id(number), "lead", f"lead_{number}", {}, {**content, **more})
