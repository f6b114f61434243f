"""What Pipedrive's webhooks v2 send, in the form of its guide's examples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

COMPANY = "8087566"
LEAD = "b1810230-6c0d-11ed-9826-a53d0eb706a5"
STAMP = "2025-12-01T00:00:00.250Z"


def event(
    action: str,
    entity: str,
    entity_id: str,
    data: Mapping[str, Any] | None,
    previous: Mapping[str, Any] | None = None,
    /,
    **meta: Any,
) -> dict[str, Any]:
    """One delivery; `meta` replaces or adds to its meta block, None takes a key out of it."""
    block = {
        "action": action,
        "company_id": COMPANY,
        "correlation_id": "40659b32-1677-4ec5-b83c-1852670aa19f",
        "entity_id": entity_id,
        "entity": entity,
        "id": "ea17c64f-ec7e-4e47-a321-5d84b7735fef",
        "is_bulk_edit": False,
        "timestamp": STAMP,
        "type": "general",
        "user_id": "12415231",
        "version": "2.0",
        "webhook_id": "4710827",
        "webhook_owner_id": "12094821",
        "change_source": "app",
        "attempt": 1,
        "host": "pd-us.pipedrive.com",
        "permitted_user_ids": ["12415231"],
        **meta,
    }
    kept = {name: value for name, value in block.items() if value is not None}
    return {"data": data, "previous": previous, "meta": kept}


def as_sent(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass")
