"""An OpenID provider that nobody here wrote (`oidc-provider-mock`), in a process of its own, and what it was asked."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class IdentityProvider:
    """A provider that is running on this machine."""

    url: str
    log: Path
    """A line of JSON for each request: its path, and the fields of the query and of the form."""

    def knows(self, sub: str, **claims: Any) -> None:
        """Add a person."""
        assert httpx.put(f"{self.url}/users/{sub}", json=claims).status_code == 204

    def lets_in(self, location: str, sub: str) -> str:
        """What the person does there: fill in the form. Returns where the browser is sent then."""
        answer = httpx.post(location, data={"sub": sub})
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    def last(self, path: str) -> dict[str, list[str]]:
        """Fields of the newest request to a path."""
        asked = [json.loads(line) for line in self.log.read_text().splitlines()]
        return next(fields for found, fields in reversed(asked) if found == path)


@contextlib.contextmanager
def running_provider(folder: Path) -> Iterator[IdentityProvider]:
    """The provider until the block ends, on a port of its own."""
    log = folder / "provider.jsonl"
    command = [sys.executable, "-W", "ignore", "-m", "tests.kit.identity_provider", str(log)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())
            yield IdentityProvider(f"http://localhost:{port}", log)
        finally:
            process.kill()


def path_of(url: str) -> str:
    """Path and query of a URL."""
    found = urlsplit(url)
    return found.path + (f"?{found.query}" if found.query else "")


def main(log: Path) -> None:
    import oidc_provider_mock
    import werkzeug.serving

    app = oidc_provider_mock.app(require_nonce=True)

    def recorded(environ: Any, start: Any) -> Any:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else b""
        environ["wsgi.input"] = BytesIO(body)
        fields = parse_qs(environ.get("QUERY_STRING", "")) | parse_qs(body.decode())
        with log.open("a") as file:
            file.write(json.dumps([environ["PATH_INFO"], fields]) + "\n")
        return app(environ, start)

    server = werkzeug.serving.make_server("localhost", 0, recorded, threaded=True)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
