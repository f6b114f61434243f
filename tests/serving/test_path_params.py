"""Path parameters of an account or a lead."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from serving.errors import NotFound
from serving.path_params import EntityId, EntityName, check_entity


def test_accounts_and_leads_are_entities_and_nothing_else_is() -> None:
    assert [check_entity(name) for name in ("account", "lead")] == ["account", "lead"]
    with pytest.raises(NotFound, match="no such entity: one of account, lead"):
        check_entity("contact")


@pytest.mark.parametrize(("name", "status"), [("a" * 256, 200), ("a" * 257, 422), ("a%00b", 422), ("a%2Fb", 200)])
def test_an_id_has_1_to_256_characters_and_no_nul(name: str, status: int) -> None:
    app = FastAPI()

    @app.get("/{entity}/{entity_id:path}")
    def answer(entity: EntityName, entity_id: EntityId) -> str:
        return entity_id

    async def ask() -> int:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return (await client.get(f"/account/{name}")).status_code

    assert asyncio.run(ask()) == status
