"""Keys, scopes, HEAD, request numbers and refusals of the API, before any endpoint is asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from serving.keys import repository as keys
from tests.kit.databases import DATABASES, store_url
from tests.kit.inside import Inside, is_problem, now_us, running_inside
from tests.kit.routes import routes

SCORE = "/v1/churn-risk/score"


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with running_inside(tmp_path_factory.mktemp("browser")) as running:
        yield running


class TestHead:
    def test_head_is_answered_wherever_get_is(self, inside: Inside) -> None:
        asked = 0
        for method, path in routes():
            if method != "GET":
                continue
            get, head = inside.client.get(path), inside.client.request("HEAD", path)
            assert (head.status_code, head.content) == (get.status_code, b""), path
            if path != "/metrics":  # which counts this request
                assert head.headers.get("content-length") == get.headers.get("content-length"), path
            asked += 1
        assert asked >= 8

    def test_the_allow_header_names_head(self, inside: Inside) -> None:
        answer = inside.client.request("DELETE", "/healthz")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
        assert inside.client.request("HEAD", SCORE).status_code == 405


BODY = {"records": [{"signals": {"number_0": 1.0}}]}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("door")


@pytest.fixture(scope="module")
def keyed(home: Path) -> Iterator[Inside]:
    """An app in which a key was made."""
    with running_inside(home / "keyed") as inside:
        inside.key("score", name="first")
        yield inside


@pytest.fixture(params=DATABASES)
def keyless(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Inside]:
    """An app in which none was made; on both databases, for what it keeps in them."""
    with running_inside(tmp_path, {"ACCOUNTSCORE_STORE_URL": store_url(request, tmp_path)}) as inside:
        yield inside


class TestKeys:
    def test_until_the_first_key_is_made_loopback_is_open_and_then_never_again(self, keyless: Inside) -> None:
        assert keyless.client.post(SCORE, json=BODY).status_code == 200
        headers = keyless.key("score")
        assert is_problem(keyless.client.post(SCORE, json=BODY), 401, "no_valid_key")
        assert keyless.client.post(SCORE, json=BODY, headers=headers).status_code == 200
        with keyless.writing() as connection:
            assert keys.revoke(connection, headers["authorization"].split("_")[1], now_us())
        assert is_problem(keyless.client.post(SCORE, json=BODY, headers=headers), 401, "no_valid_key")
        assert is_problem(keyless.client.post(SCORE, json=BODY), 401, "no_valid_key")

    def test_an_app_that_others_reach_is_never_open(self, tmp_path: Path) -> None:
        with running_inside(tmp_path / "public", open_on_loopback=False) as inside:
            assert is_problem(inside.client.post(SCORE, json=BODY), 401, "no_valid_key")
            assert inside.client.get("/healthz").status_code == 200

    def test_a_page_under_another_name_does_not_reach_an_open_loopback(self, keyless: Inside) -> None:
        evil = {"host": "evil.example:8000"}
        assert is_problem(keyless.client.post(SCORE, json=BODY, headers=evil), 403, "not_local")
        for host in ("localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000"):
            assert keyless.client.post(SCORE, json=BODY, headers={"host": host}).status_code == 200
        for host in ("localhost.evil.example", "127.0.0.1.evil.example", "evil.example#localhost", "127.0.0.1@evil"):
            assert keyless.client.post(SCORE, json=BODY, headers={"host": host}).status_code == 403

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "Bearer",
            "Bearer ",
            "Bearer as_",
            "Bearer as__",
            "Basic YTpi",
            "Bearer as_000000000000_x",
            "as_1_2",
            "Bearer \xff\xfe",
        ],
    )
    def test_what_is_no_key_is_401(self, keyed: Inside, value: str) -> None:
        headers = {"authorization": value.encode("latin-1")}
        answer = keyed.client.post(SCORE, json=BODY, headers=headers)
        assert is_problem(answer, 401, "no_valid_key")
        assert answer.headers["www-authenticate"] == "Bearer"

    def test_the_secret_counts_to_its_last_character(self, keyed: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
        good = keyed.key("score", name="last")
        token = good["authorization"]
        wrong = {"authorization": token[:-1] + ("A" if token[-1] != "A" else "B")}
        assert is_problem(keyed.client.post(SCORE, json=BODY, headers=wrong), 401, "no_valid_key")
        monkeypatch.setattr("serving.keys.service.hmac.compare_digest", lambda _a, _b: True)  # the sabotaged twin
        assert keyed.client.post(SCORE, json=BODY, headers=wrong).status_code == 200

    def test_scopes_are_kept_apart(self, keyed: Inside) -> None:
        reader, scorer = keyed.key("read", name="r"), keyed.key("score", name="s")
        assert is_problem(keyed.client.post(SCORE, json=BODY, headers=reader), 403, "scope_missing")
        assert is_problem(keyed.client.get("/v1/churn-risk", headers=scorer), 403, "scope_missing")
        assert keyed.client.get("/v1/churn-risk", headers=reader).status_code == 200
        assert is_problem(keyed.client.get("/metrics", headers=reader), 403, "scope_missing")
        assert keyed.client.get("/metrics", headers=keyed.key("metrics", name="m")).status_code == 200

    def test_every_route_but_the_open_ones_wants_a_key(self, keyed: Inside) -> None:
        paths = keyed.client.get("/openapi.json").json()["paths"]
        asked = 0
        for path, methods in paths.items():
            for method in methods.keys() & {"get", "post", "put", "delete", "patch"}:
                if path in ("/healthz", "/readyz") or path.startswith("/webhooks/"):
                    continue
                answer = keyed.client.request(method, path.replace("{", "").replace("}", ""))
                assert answer.status_code == 401, (method, path)
                asked += 1
        assert asked >= 4
        assert keyed.client.post("/no/such/path").status_code == 401

    def test_an_expired_key_is_refused(self, keyed: Inside) -> None:
        headers = keyed.key("score", name="old", days=1)
        ring = keyed.state.watched.keys
        token = headers["authorization"].removeprefix("Bearer ")
        assert ring.caller(token, now_us()) is not None
        assert ring.caller(token, now_us() + 86_400_000_000) is None

    def test_the_store_has_no_key_in_it(self, keyed: Inside) -> None:
        token = keyed.key("score", name="hidden")["authorization"].removeprefix("Bearer ")
        secret = token.split("_", 2)[2]
        assert len(secret) == 43  # 256 bits in base64url
        with keyed.state.store.read() as connection:
            found = keys.all_of(connection, "hidden")
        assert secret not in repr(found)
        assert token.split("_")[1] in repr(found)


class TestBody:
    @pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "deflate"])
    def test_an_unknown_content_coding_is_415(self, keyless: Inside, encoding: str) -> None:
        answer = keyless.client.post(SCORE, json=BODY, headers={"content-encoding": encoding})
        assert is_problem(answer, 415, "unknown_encoding")

    @pytest.mark.parametrize(
        "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
    )
    def test_a_content_type_other_than_json_is_415(self, keyless: Inside, kind: str) -> None:
        answer = keyless.client.post(SCORE, content=json.dumps(BODY), headers={"content-type": kind})
        assert is_problem(answer, 415, "not_json")

    def test_a_body_that_is_too_large_is_413_also_without_a_length(self, keyless: Inside) -> None:
        limit = keyless.state.settings.max_body_bytes
        assert is_problem(keyless.client.post(SCORE, content=b" " * (limit + 1)), 413, "body_too_large")

        async def stream() -> AsyncIterator[bytes]:
            for _ in range(limit // 65536 + 1):
                yield b" " * 65536

        assert is_problem(keyless.client.post(SCORE, content=stream()), 413, "body_too_large")


class TestEveryRequest:
    def test_every_request_has_an_id(self, keyless: Inside) -> None:
        own = "0123456789abcdef"
        assert keyless.client.get("/healthz", headers={"x-request-id": own}).headers["x-request-id"] == own
        other = keyless.client.get("/healthz", headers={"x-request-id": "jane doe\nx"}).headers["x-request-id"]
        assert "jane" not in other
        assert keyless.client.get("/healthz").headers["x-request-id"] != other

    def test_requests_are_counted_by_route_and_never_by_id(self, keyless: Inside) -> None:
        keyless.client.post(SCORE, json=BODY)
        keyless.client.get("/v1/account/secret-id/scores")
        keyless.client.get("/somewhere/secret-id")
        page = keyless.client.get("/metrics").text
        assert 'accountscore_http_requests_total{method="POST",route="/v1/{model}/score",status="200"} 1.0' in page
        assert 'route="/v1/{entity}/{entity_id:path}/scores",status="200"' in page
        assert "accountscore_http_request_seconds_bucket" in page
        assert "secret-id" not in page

    def test_nothing_that_was_sent_comes_back_in_a_problem_or_a_log(
        self, keyless: Inside, caplog: pytest.LogCaptureFixture
    ) -> None:
        canary = "canary-4711"
        with caplog.at_level("DEBUG"):
            bodies = [
                {"records": [{"signals": {"number_0": canary}}]},
                {"records": [{"value": canary}]},
                {"records": [{"entity_id": 1, "signals": canary}]},
                {"records": canary},
                {"records": [canary]},
                {"records": [{}], "reasons": canary},
            ]
            answers = [keyless.client.post(SCORE, json=body) for body in bodies]
            answers += [keyless.client.post(f"/v1/{canary}/score", json=BODY)]
            answers += [keyless.client.get(f"/v1/{canary}/x/scores"), keyless.client.get(f"/{canary}")]
        assert all(answer.status_code >= 207 for answer in answers)
        assert canary not in "".join(answer.text for answer in answers)
        assert canary not in caplog.text.replace(f"/v1/{canary}", "").replace(f"/{canary}", "")  # httpx's own lines


class TestDraining:
    def test_new_requests_are_refused_and_liveness_is_not(self, keyless: Inside) -> None:
        keyless.door.draining = True
        assert is_problem(keyless.client.get("/readyz"), 503, "draining")
        answer = keyless.client.post(SCORE, json=BODY)
        assert is_problem(answer, 503, "draining")
        assert answer.headers["retry-after"] == "1"
        assert keyless.client.get("/healthz").status_code == 200


class TestMistakesOfBeginners:
    """Each is told what is wrong and what to do."""

    @pytest.mark.parametrize(
        ("method", "path", "more", "status", "code", "said"),
        [
            ("GET", SCORE, {}, 405, "no_such_method", "see allow"),
            ("GET", "/", {}, 404, "no_such_path", "/docs"),
            ("POST", f"{SCORE}/", {"json": BODY}, 404, "no_such_path", "/docs"),
            ("POST", "/v1/churn/score", {"json": BODY}, 404, "no_such_model", "churn-risk, expansion, lead-fit"),
            ("POST", SCORE, {}, 400, "not_strict_json", "it is empty"),
            (
                "POST",
                SCORE,
                {"content": b"{'records': []}"},
                400,
                "not_strict_json",
                "double quotes at line 1, column 2",
            ),
            ("POST", SCORE, {"data": BODY}, 415, "not_json", "Content-Type: application/json"),
            (
                "POST",
                SCORE,
                {"content": b"<a/>", "headers": {"content-type": "text/xml"}},
                415,
                "not_json",
                "send JSON",
            ),
            ("POST", SCORE, {"json": {"entity_id": "acme"}}, 422, "wrong_shape", "put it into a record"),
            ("POST", SCORE, {"json": {**BODY, "reasons": "3"}}, 422, "wrong_shape", "a whole number from 0 to 20"),
        ],
    )
    def test_a_mistake_is_answered_with_the_next_step(
        self, keyed: Inside, method: str, path: str, more: dict[str, Any], status: int, code: str, said: str
    ) -> None:
        headers = {**keyed.key("score", "read", "admin", name=f"{code} {said}"[:60]), **more.pop("headers", {})}
        answer = keyed.client.request(method, path, headers=headers, **more)
        assert is_problem(answer, status, code)
        assert said in answer.json()["detail"]
