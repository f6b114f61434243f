"""Dataverse as a sender: a RemoteExecutionContext in the shape of those in Microsoft's pages, and the POST of its webhook."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

CONTRACTS = "http://schemas.microsoft.com/xrm/2011/Contracts"
ORGANIZATION = "6042beb1-a93a-4f8e-8e4b-00224802c699"
STEP = "8ff4bda5-9d4e-4f11-bfe3-00224802dbb1"
NOBODY = "00000000-0000-0000-0000-000000000000"
DECEMBER_MS = 1_764_547_200_000
"""2025-12-01."""


def guid(number: int, kind: int = 1) -> str:
    return f"{kind:08x}-0000-4000-8000-{number:012x}"


def choice(value: int) -> dict[str, object]:
    return {"__type": f"OptionSetValue:{CONTRACTS}", "Value": value}


def money(value: float) -> dict[str, object]:
    return {"__type": f"Money:{CONTRACTS}", "Value": value}


def reference(entity: str, object_id: str) -> dict[str, object]:
    return {
        "__type": f"EntityReference:{CONTRACTS}",
        "Id": object_id,
        "KeyAttributes": [],
        "LogicalName": entity,
        "Name": None,
        "RowVersion": None,
    }


def record(entity: str, object_id: str, attributes: Mapping[str, object]) -> dict[str, object]:
    return {
        "__type": f"Entity:{CONTRACTS}",
        "Attributes": [{"key": k, "value": v} for k, v in attributes.items()],
        "EntityState": None,
        "FormattedValues": [],
        "Id": object_id,
        "KeyAttributes": [],
        "LogicalName": entity,
        "RelatedEntities": [],
        "RowVersion": None,
    }


def context(
    message: str,
    object_id: str,
    given: Mapping[str, object] | None,
    *,
    entity: str = "lead",
    number: int = 1,
    seconds: int = 0,
    **more: Any,
) -> dict[str, Any]:
    """`given` None: the parts that a context above 256 KB has not."""
    cut = given is None
    parameters = None if given is None else [{"key": k, "value": v} for k, v in given.items()]
    return {
        "BusinessUnitId": guid(1, 9),
        "CorrelationId": guid(number, 2),
        "Depth": 1,
        "InitiatingUserAgent": "",
        "InitiatingUserAzureActiveDirectoryObjectId": NOBODY,
        "InitiatingUserId": guid(2, 9),
        "InputParameters": parameters,
        "IsExecutingOffline": False,
        "IsInTransaction": False,
        "IsOfflinePlayback": False,
        "IsolationMode": 1,
        "MessageName": message,
        "Mode": 1,
        "OperationCreatedOn": f"/Date({DECEMBER_MS + 1000 * seconds}+0000)/",
        "OperationId": guid(number, 3),
        "OrganizationId": ORGANIZATION,
        "OrganizationName": "unq6042beb1",
        "OutputParameters": [],
        "OwningExtension": reference("sdkmessageprocessingstep", STEP),
        "ParentContext": None,
        "PostEntityImages": None if cut else [],
        "PreEntityImages": None if cut else [],
        "PrimaryEntityId": object_id,
        "PrimaryEntityName": entity,
        "RequestId": guid(number, 4),
        "SecondaryEntityName": "none",
        "SharedVariables": [{"key": "IsAutoTransact", "value": True}],
        "Stage": 40,
        "UserAzureActiveDirectoryObjectId": NOBODY,
        "UserId": guid(2, 9),
        **more,
    }


def changed(
    object_id: str, attributes: Mapping[str, object], *, entity: str = "lead", message: str = "Update", **more: Any
) -> dict[str, Any]:
    """An update as an asynchronous step after the operation sees it: what was changed, and who did it when."""
    seconds = int(more.get("seconds", 0))
    stamps = {
        f"{entity}id": object_id,
        "modifiedon": f"/Date({DECEMBER_MS + 1000 * seconds})/",
        "modifiedby": reference("systemuser", guid(2, 9)),
        "modifiedonbehalfby": None,
    }
    target = record(entity, object_id, {**attributes, **stamps})
    return context(message, object_id, {"Target": target}, entity=entity, **more)


def as_sent(content: Mapping[str, object]) -> bytes:
    """With / escaped, as .NET writes it."""
    return json.dumps(content, ensure_ascii=False).replace("/", "\\/").encode()


def headers(content: Mapping[str, Any]) -> dict[str, str]:
    more = {} if content["InputParameters"] is not None else {"x-ms-dynamics-msg-size-exceeded": "true"}
    return {
        "content-type": "application/json",
        "x-ms-dynamics-organization": "contoso.crm4.dynamics.com",
        "x-ms-dynamics-entity-name": content["PrimaryEntityName"],
        "x-ms-dynamics-request-name": content["MessageName"],
        "x-ms-correlation-request-id": content["CorrelationId"],
        **more,
    }
