"""Builds the OpenAPI file: FastAPI's routes, the msgspec types of requests and answers, the signals of the catalog,
and the gateway's keys and refusals.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from models.signal_card import SignalCard
from serving.cards.schemas import ModelPage, ModelsAnswer, VersionPage
from serving.connection_status.schemas import ConnectionsAnswer
from serving.decisions.schemas import ScoresAnswer
from serving.gateway.scopes import is_repeatable, scope_of
from serving.keys.service import SCOPES
from serving.lists.schemas import EntityAnswer, ListAnswer
from serving.notes.schemas import ActionRequest, ActionsRequest, NotesAnswer, OutcomeRequest, OutcomesRequest
from serving.overrides.schemas import OverrideAnswer, OverrideRequest
from serving.privacy.schemas import ErasureAnswer, ObjectionAnswer
from serving.problems import SCHEMA, documented
from serving.runs.schemas import RunsAnswer
from serving.score_change.schemas import ChangeAnswer
from serving.scoring.schemas import ModelAnswer, ScoreAnswer, ScoreRequest

ANSWERS = (
    ScoreRequest,
    ScoreAnswer,
    ModelAnswer,
    ScoresAnswer,
    ListAnswer,
    EntityAnswer,
    ChangeAnswer,
    OverrideRequest,
    OverrideAnswer,
    OutcomeRequest,
    ActionRequest,
    OutcomesRequest,
    ActionsRequest,
    NotesAnswer,
    ObjectionAnswer,
    ErasureAnswer,
    ModelsAnswer,
    ModelPage,
    VersionPage,
    SignalCard,
    RunsAnswer,
    ConnectionsAnswer,
)
_REF = "#/components/schemas/{name}"
_EXAMPLES = {
    "category": "software",
    "flag": 1,
    "count": 12,
    "days": 41,
    "hours": 5,
    "months": 6,
    "years": 2,
    "share": 0.42,
    "change": -0.42,
    "money": 48000,
    "rate": 2.5,
    "points": 7,
}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "of the caller's choice: a repetition with the same key and body gets the first answer, for 72 hours",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}


def openapi_of(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """FastAPI's documented way: a function that makes the file once."""

    def build() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _build(app)
        return app.openapi_schema

    return build


def _build(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)  # validation errors are problem+json here
    _, ours = msgspec.json.schema_components(ANSWERS, ref_template=_REF)
    schemas.update(ours, Problem=SCHEMA)
    _describe_records(schemas)
    components["securitySchemes"] = {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "an API key of `python -m serving keys create`; scopes: "
            + "; ".join(f"{name}: {what}" for name, what in SCOPES.items()),
        }
    }
    found["paths"] = {path.replace(":path}", "}"): methods for path, methods in found["paths"].items()}
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            _describe_door(method.upper(), path, operation)
    return found


def _describe_door(method: str, path: str, operation: dict[str, Any]) -> None:
    """Adds the API key and the refusals of the gateway."""
    scope = scope_of(method, path)
    if scope is None:
        return
    operation["security"] = [{"key": []}]
    operation["description"] = f"{operation.get('description', '')}\n\nScope of the key: `{scope}`.".strip()
    statuses = [401, 403, 429, 503]
    if method in ("POST", "PUT", "PATCH"):
        statuses += [400, 413, 415]
    if method == "POST" and is_repeatable(path):
        statuses += [409]
        operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
    for status, described in documented(*statuses).items():
        operation["responses"].setdefault(str(status), described)


def _describe_records(schemas: dict[str, Any]) -> None:
    """Adds the signals of the catalog. A record that breaks the schema is answered in `errors`, so the list allows
    any.
    """
    from features.signals.catalog import signals

    for entity, name in (("account", "AccountSignals"), ("lead", "LeadSignals")):
        schemas[name] = {
            "title": name,
            "type": "object",
            "description": f"Signals of {'an account' if entity == 'account' else 'a lead'}; those that a source adds are taken "
            "too. Which ones a live model reads: GET /v1/{model}.",
            "properties": {s.name: _signal(s) for s in signals() if entity in s.entities},
            "additionalProperties": {"type": ["number", "string", "boolean", "null"]},
        }
    record = schemas["Record"]["properties"]
    record["signals"] = {
        "anyOf": [{"$ref": _REF.format(name=name)} for name in ("AccountSignals", "LeadSignals")],
        "description": record["signals"].get("description", ""),
        "examples": record["signals"].get("examples", []),
    }
    records = schemas["ScoreRequest"]["properties"]["records"]
    records["items"] = {"anyOf": [{"$ref": _REF.format(name="Record")}, {}]}
    records["description"] += "; one that is no Record is answered in errors, and does not spoil the others"
    for request, record in (("OutcomesRequest", "OutcomeRecord"), ("ActionsRequest", "ActionRecord")):
        notes = schemas[request]["properties"]["notes"]
        notes["items"] = {"anyOf": [{"$ref": _REF.format(name=record)}, {}]}


def _signal(signal: Any) -> dict[str, Any]:
    kind = "string" if signal.is_category else "number"
    return {
        "type": [kind, "boolean", "null"] if signal.unit == "flag" else [kind, "null"],
        "title": signal.label,
        "description": f"Unit: {signal.unit}. Window: {signal.window}. Missing: {signal.missing}.",
        "examples": [_EXAMPLES[signal.unit]],
    }
