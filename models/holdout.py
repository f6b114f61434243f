"""The holdout: a fixed random share of a model's entities that nobody acts upon, whatever their score.

An account that was saved looks like a wrong prediction. Only entities that nobody acts upon show how good the scores are,
and what acting does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np


def held_out(model: str, entity_id: Iterable[str], share: float) -> np.ndarray:
    """(n,) bool: the entities of a model's holdout, about `share` (0 to 1) of them.

    By a hash of model and entity id (blake2b, first 8 bytes as a share of 2^64), so that who is in stays in when the share
    grows, two models have different holdouts, and no list needs keeping. Raises `ValueError` for a share outside 0 to 1.

    >>> held_out("churn-risk", ["acme", "globex", "initech"], 0.5).tolist()
    [False, True, True]
    >>> held_out("churn-risk", ["acme"], 1.0).tolist()
    [True]
    """
    if not 0 <= share <= 1:
        raise ValueError(f"a holdout share of {share} is not in 0..1")
    line = int(share * 2**64)
    found = [
        int.from_bytes(hashlib.blake2b(f"{model}\0{name}".encode(), digest_size=8).digest(), "big") < line
        for name in entity_id
    ]
    return np.array(found, dtype=bool)
