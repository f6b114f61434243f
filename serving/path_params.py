"""Path parameters of an account or a lead, and of a model, shared by all endpoints that are about one."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from features.sources.schema import ENTITIES
from serving.errors import no_such

EntityName = Annotated[str, Path(description="account or lead", examples=["account"])]
EntityId = Annotated[
    str,
    Path(min_length=1, max_length=256, pattern=r"^[^\x00]*$", description="its id in the source", examples=["acme"]),
]
"""Postgres keeps no NUL in a text."""
ModelName = Annotated[
    str,
    Path(
        max_length=60,
        description="a model's name, such as churn-risk; an underscore is accepted",
        examples=["churn-risk"],
    ),
]
WhatIf = Annotated[
    bool,
    Query(
        description="also records of requests that laid signals over the stored ones: answers to 'what if', not what was so",
        examples=[False],
    ),
]


def check_entity(entity: str) -> str:
    """Raises `NotFound` for what is neither an account nor a lead."""
    if entity not in ENTITIES:
        raise no_such("entity", list(ENTITIES))
    return entity
