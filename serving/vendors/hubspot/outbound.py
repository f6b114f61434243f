"""Writes scores to HubSpot: `POST /crm/v3/objects/{type}/batch/update`, 100 records a call, a result for each.

Source: HubSpot, "CRM API: batch" and "Usage guidelines". HubSpot's SDK is not used: it does not retry, hides the
headers of an error, and takes a second to import. In the tests its models check what we send.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from serving.vendors.calls import CallFailed
from serving.vendors.outbound import Outbound, Write, WriteResult, one_call

if TYPE_CHECKING:
    import httpx

PATHS = {"contact": "contacts", "company": "companies", "deal": "deals", "ticket": "tickets"}
GONE_FOR_GOOD = (
    "OBJECT_NOT_FOUND",
    "VALIDATION_ERROR",
    "INVALID_PROPERTY",
    "PROPERTY_DOESNT_EXIST",
    "INVALID_OPTION",
    "FORBIDDEN",
)
"""Error categories of a row that a retry does not help."""
LOCKED_SECONDS = 2.0
"""Least wait for a locked record (423)."""


class HubSpot(Outbound):
    """See `serving.vendors.outbound.Outbound`."""

    batch = 100
    default_url = "https://api.hubapi.com"

    def send(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        together = one_call(writes)
        inputs = [{"id": w.object_id, "objectWriteTraceId": w.key, "properties": self.values(w)} for w in together]
        url = f"{self._config.url}/crm/v3/objects/{PATHS[together[0].object_type]}/batch/update"
        answer = self.call("POST", url, json={"inputs": inputs}, locked=LOCKED_SECONDS)
        outcomes = dict(zip((w.key for w in together), _outcomes(together, answer), strict=True))
        # The others were not in this call and wait for the next.
        return [outcomes.get(write.key, WriteResult("retry", "")) for write in writes]


def _outcomes(writes: Sequence[Write], answer: httpx.Response) -> list[WriteResult]:
    """A result for each record. With a 200 all are written; a 207 has results and errors, each of which names its
    record."""
    try:
        body = answer.json()
        results, errors = body.get("results", []), body.get("errors", [])
        done = {str(each["id"]) for each in results}
        wrong = {name: each for each in errors for name in _names(each)}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise CallFailed("the answer is not what the API's description says") from None
    found = []
    for write in writes:
        error = wrong.get(write.key) or wrong.get(write.object_id)
        if error is not None:
            category = str(error.get("category", "unknown"))[:60]
            found.append(WriteResult("dead" if category in GONE_FOR_GOOD else "retry", category))
        elif write.object_id in done:
            found.append(WriteResult("sent"))
        else:
            found.append(WriteResult("retry", "not in the answer"))
    return found


def _names(error: Mapping[str, Any]) -> list[str]:
    context = error.get("context") or {}
    return [str(name) for key in ("objectWriteTraceId", "ids", "id") for name in context.get(key, [])]
