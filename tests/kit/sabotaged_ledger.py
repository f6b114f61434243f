"""`python -m serving` that does not know its own writes: what the loop test must catch."""

from __future__ import annotations

from features.kit.cli import run
from serving.__main__ import app
from serving.outbox import echo_ledger

if __name__ == "__main__":
    echo_ledger.echoes = lambda *_: set()  # type: ignore[assignment]
    run(app)
