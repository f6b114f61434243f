"""Settings from the environment, prefix `ACCOUNTSCORE_`. They are read when they are needed, never at import."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from features.kit.writable import require_writable

CURRENCY = "USD"
"""The reporting currency when `ACCOUNTSCORE_CURRENCY` is not set."""


def sqlite_url(file: Path) -> str:
    """The SQLAlchemy URL of a SQLite file, whatever characters its path has.

    >>> sqlite_url(Path("/srv/a?b/100%/store.db"))
    'sqlite:////srv/a%3Fb/100%25/store.db'
    """
    return (
        f"sqlite:///{quote(str(file), safe=' +/')}"  # what URL.create of SQLAlchemy writes, which takes 0.2 s to import
    )


@dataclass(frozen=True)
class Settings:
    """Where things are. Every path is absolute."""

    home: Path
    """`ACCOUNTSCORE_HOME`, default `var/`: the folder of everything that is written."""
    data: Path | None
    """`ACCOUNTSCORE_DATA`: the directory that holds the public datasets, if any."""
    store_url: str
    """`ACCOUNTSCORE_STORE_URL`: SQLAlchemy URL of the serving store, default SQLite under `home`."""
    tracking_uri: str
    """`ACCOUNTSCORE_TRACKING_URI`: MLflow tracking store, default SQLite under `home`."""
    connections: Path
    """`ACCOUNTSCORE_CONNECTIONS`: folder of one TOML file per CRM connection, default `home`/connections."""
    currency: str
    """`ACCOUNTSCORE_CURRENCY`: ISO 4217 code of the money that is reported, default USD. Whoever reads it checks it."""
    rate_date: str
    """`ACCOUNTSCORE_RATE_DATE`: day of the rates of recurring revenue and deals (`features.sources.money`); "" is the first of the rates."""

    def require_home(self) -> None:
        """Raises `UserMistake` when the home cannot be written. Call it before work whose result goes there."""
        require_writable(self.home, "mount it writable, or set ACCOUNTSCORE_HOME to a folder that can be written")

    @classmethod
    def from_env(cls, environ: dict[str, str] | None = None) -> Settings:
        """The settings of an environment, by default that of the process. An empty variable counts as unset."""
        env = os.environ if environ is None else environ
        home = Path(env.get("ACCOUNTSCORE_HOME") or "var").resolve()
        data = env.get("ACCOUNTSCORE_DATA")
        return cls(
            home=home,
            data=Path(data).resolve() if data else None,
            store_url=env.get("ACCOUNTSCORE_STORE_URL") or sqlite_url(home / "store.db"),
            tracking_uri=env.get("ACCOUNTSCORE_TRACKING_URI") or sqlite_url(home / "mlflow.db"),
            connections=Path(env.get("ACCOUNTSCORE_CONNECTIONS") or home / "connections").resolve(),
            currency=env.get("ACCOUNTSCORE_CURRENCY") or CURRENCY,
            rate_date=env.get("ACCOUNTSCORE_RATE_DATE") or "",
        )
