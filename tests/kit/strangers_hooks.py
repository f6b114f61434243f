"""What schemathesis cannot know from a schema: an Idempotency-Key belongs to one request alone, and a cursor comes from the
answer before."""

from __future__ import annotations

import re
import uuid
from typing import Any

import schemathesis

_VALID = re.compile(r"[!-~]{1,255}")


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """In a request that the schema allows, the key becomes a new one; what is to be refused stays as it is."""
    if case.meta is None or case.meta.generation.mode != schemathesis.GenerationMode.POSITIVE:
        return
    (case.query or {}).pop("cursor", None)
    headers = case.headers or {}
    for name, value in list(headers.items()):
        if name.lower() == "idempotency-key" and isinstance(value, str) and _VALID.fullmatch(value):
            headers[name] = str(uuid.uuid4())
