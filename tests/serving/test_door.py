"""The front door: who may ask, how often, how much."""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from serving.gateway import headers as headers_module
from serving.gateway.rate_limit import Buckets
from serving.gzip_body import inflate
from serving.keys import repository as keys
from serving.problems import Problem
from tests.kit.databases import DATABASES, store_url
from tests.kit.inside import Inside, now_us, running_inside

BODY = {"records": [{"signals": {"number_0": 1.0}}]}
SCORE = "/v1/churn-risk/score"


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


def is_problem(answer: Any, status: int, code: str) -> bool:
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"], answer.json()["status"]) == (status, code, status)
    return True


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
        ["", "Bearer", "Bearer ", "Bearer as_", "Bearer as__", "Basic YTpi", "Bearer as_000000000000_x", "as_1_2",
         "Bearer \xff\xfe"],
    )  # fmt: skip
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

    def test_a_key_that_is_over_is_refused(self, keyed: Inside) -> None:
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


class TestRate:
    def test_a_key_that_asks_too_often_is_told_when_to_come_back(self, keyed: Inside) -> None:
        headers = keyed.key("score", name="slow", requests_per_minute=60)
        answers = [keyed.client.post(SCORE, json=BODY, headers=headers) for _ in range(10)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert answers[0].status_code == 200
        assert refused
        assert is_problem(refused[0], 429, "too_many_requests")
        assert refused[0].headers["retry-after"] == "1"
        other = keyed.key("score", name="other")
        assert keyed.client.post(SCORE, json=BODY, headers=other).status_code == 200

    def test_what_a_bucket_lets_through(self) -> None:
        buckets = Buckets()
        assert [buckets.take("a", 60, 0.0) for _ in range(3)] == [0, 0, 1]  # 1 a second, two seconds' worth at once
        assert buckets.take("a", 60, 0.5) == 1
        assert buckets.take("a", 60, 1.0) == 0
        assert buckets.take("a", 60, 1.0) == 1
        assert buckets.take("b", 60, 1.0) == 0
        assert [buckets.take("c", 1, 0.0), buckets.take("c", 1, 0.0), buckets.take("c", 1, 59.0)] == [0, 60, 1]


class TestBody:
    def test_a_gzip_body_is_read(self, keyless: Inside) -> None:
        body = gzip.compress(json.dumps(BODY).encode())
        answer = keyless.client.post(SCORE, content=body, headers={"content-encoding": "gzip"})
        assert answer.status_code == 200

    def test_a_bomb_is_refused_by_what_it_unfolds_to(self, keyless: Inside) -> None:
        limit = keyless.state.settings.max_body_bytes
        bomb = gzip.compress(b" " * (limit + 1))
        assert len(bomb) < limit / 500
        headers = {"content-encoding": "gzip"}
        assert is_problem(keyless.client.post(SCORE, content=bomb, headers=headers), 413, "body_too_large")

    def test_a_bomb_is_never_unfolded(self) -> None:
        bomb = gzip.compress(b" " * 2**26)

        def peak(unfold: Callable[[], object]) -> int:
            tracemalloc.start()
            with contextlib.suppress(Problem):
                unfold()
            most = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return most

        assert peak(lambda: inflate(bomb, 2**20)) < 2**22
        assert peak(lambda: gzip.decompress(bomb)) >= 2**26  # the sabotaged twin

    def test_inflation_ends_at_the_limit(self) -> None:
        body = gzip.compress(b"x" * 1000)
        assert inflate(body, 1000) == b"x" * 1000
        for limit, data, code in (
            (999, body, "body_too_large"), (1000, body[:-1], "not_gzip"), (1000, body + b"x", "not_gzip"),
            (1000, b"plain", "not_gzip"), (1000, zlib.compress(b"x"), "not_gzip"),
        ):  # fmt: skip
            with pytest.raises(Problem) as caught:
                inflate(data, limit)
            assert caught.value.code == code

    @pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "deflate"])
    def test_another_coding_is_415(self, keyless: Inside, encoding: str) -> None:
        answer = keyless.client.post(SCORE, json=BODY, headers={"content-encoding": encoding})
        assert is_problem(answer, 415, "unknown_encoding")

    @pytest.mark.parametrize(
        "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
    )
    def test_another_type_is_415(self, keyless: Inside, kind: str) -> None:
        answer = keyless.client.post(SCORE, content=json.dumps(BODY), headers={"content-type": kind})
        assert is_problem(answer, 415, "not_json")

    def test_a_body_that_is_too_large_is_413_also_without_a_length(self, keyless: Inside) -> None:
        limit = keyless.state.settings.max_body_bytes
        assert is_problem(keyless.client.post(SCORE, content=b" " * (limit + 1)), 413, "body_too_large")

        async def stream() -> AsyncIterator[bytes]:
            for _ in range(limit // 65536 + 1):
                yield b" " * 65536

        assert is_problem(keyless.client.post(SCORE, content=stream()), 413, "body_too_large")


class TestIdempotency:
    def records(self, inside: Inside) -> int:
        page = inside.client.get("/v1/account/twice/scores")
        return len(page.json()["scores"])

    def test_a_repetition_gets_the_first_answer_and_one_record(self, keyless: Inside) -> None:
        body = {"records": [{"entity_id": "twice", "signals": {"number_0": 1.0}}]}
        first = keyless.client.post(SCORE, json=body, headers={"idempotency-key": "k1"})
        again = keyless.client.post(SCORE, json=body, headers={"idempotency-key": "k1"})
        assert first.status_code == again.status_code == 200
        assert first.content == again.content
        assert again.headers["idempotent-replayed"] == "true"
        assert "idempotent-replayed" not in first.headers
        assert self.records(keyless) == 1
        keyless.client.post(SCORE, json=body)  # its twin without the key
        assert self.records(keyless) == 2

    def test_the_same_key_with_another_request_is_422(self, keyless: Inside) -> None:
        keyless.client.post(SCORE, json=BODY, headers={"idempotency-key": "k2"})
        answer = keyless.client.post(SCORE, json={**BODY, "reasons": 1}, headers={"idempotency-key": "k2"})
        assert is_problem(answer, 422, "idempotency_key_reused")

    def test_a_refusal_is_not_kept(self, keyless: Inside) -> None:
        headers = {"idempotency-key": "k3"}
        assert keyless.client.post(SCORE, content=b"{", headers=headers).status_code == 400
        assert keyless.client.post(SCORE, json=BODY, headers=headers).status_code == 200

    def test_while_the_first_is_at_work_the_second_is_409(
        self, keyless: Inside, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        inner, entered, leave = keyless.door._app, threading.Event(), threading.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            import asyncio

            entered.set()
            await asyncio.to_thread(leave.wait, 30)
            await inner(scope, receive, send)

        monkeypatch.setattr(keyless.door, "_app", slow)
        answers: list[Any] = []
        headers = {"idempotency-key": "k4"}
        thread = threading.Thread(target=lambda: answers.append(keyless.client.post(SCORE, json=BODY, headers=headers)))
        thread.start()
        assert entered.wait(30)
        second = keyless.client.post(SCORE, json=BODY, headers=headers)
        leave.set()
        thread.join(30)
        assert is_problem(second, 409, "still_at_work")
        assert 30 < int(second.headers["retry-after"]) <= 60  # as long as it is held at most
        assert answers[0].status_code == 200

    @pytest.mark.parametrize("key", ["", "x" * 256])
    def test_a_key_of_another_length_is_400(self, keyless: Inside, key: str) -> None:
        answer = keyless.client.post(SCORE, json=BODY, headers={"idempotency-key": key})
        assert is_problem(answer, 400, "bad_idempotency_key")


class TestEveryRequest:
    def test_has_a_number(self, keyless: Inside) -> None:
        own = "0123456789abcdef"
        assert keyless.client.get("/healthz", headers={"x-request-id": own}).headers["x-request-id"] == own
        other = keyless.client.get("/healthz", headers={"x-request-id": "jane doe\nx"}).headers["x-request-id"]
        assert "jane" not in other
        assert keyless.client.get("/healthz").headers["x-request-id"] != other

    def test_is_counted_by_route_and_never_by_id(self, keyless: Inside) -> None:
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
                {"records": [{"signals": {"number_0": canary}}]}, {"records": [{"value": canary}]},
                {"records": [{"entity_id": 1, "signals": canary}]}, {"records": canary}, {"records": [canary]},
                {"records": [{}], "reasons": canary},
            ]  # fmt: skip
            answers = [keyless.client.post(SCORE, json=body) for body in bodies]
            answers += [keyless.client.post(f"/v1/{canary}/score", json=BODY)]
            answers += [keyless.client.get(f"/v1/{canary}/x/scores"), keyless.client.get(f"/{canary}")]
        assert all(answer.status_code >= 207 for answer in answers)
        assert canary not in "".join(answer.text for answer in answers)
        assert canary not in caplog.text.replace(f"/v1/{canary}", "").replace(f"/{canary}", "")  # httpx's own lines


class TestDraining:
    def test_what_comes_is_refused_and_liveness_is_not(self, keyless: Inside) -> None:
        keyless.door.draining = True
        assert is_problem(keyless.client.get("/readyz"), 503, "draining")
        answer = keyless.client.post(SCORE, json=BODY)
        assert is_problem(answer, 503, "draining")
        assert answer.headers["retry-after"] == "1"
        assert keyless.client.get("/healthz").status_code == 200


def test_the_local_host_pattern_is_whole() -> None:
    for good in (b"127.8.9.10", b"LOCALHOST:1"):
        assert headers_module._LOCAL_HOST.fullmatch(good)
    for bad in (b"", b"128.0.0.1", b"localhost:", b"localhost:1x", b"[::2]"):
        assert not headers_module._LOCAL_HOST.fullmatch(bad)


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
            ("POST", SCORE, {"content": b"{'records': []}"}, 400, "not_strict_json", "double quotes at line 1, column 2"),
            ("POST", SCORE, {"data": BODY}, 415, "not_json", "Content-Type: application/json"),
            ("POST", SCORE, {"content": b"<a/>", "headers": {"content-type": "text/xml"}}, 415, "not_json", "send JSON"),
            ("POST", SCORE, {"json": {"entity_id": "acme"}}, 422, "wrong_shape", "put it into a record"),
            ("POST", SCORE, {"json": {**BODY, "reasons": "3"}}, 422, "wrong_shape", "a whole number from 0 to 20"),
        ],
    )  # fmt: skip
    def test_is_answered_with_the_next_step(
        self, keyed: Inside, method: str, path: str, more: dict[str, Any], status: int, code: str, said: str
    ) -> None:
        headers = {**keyed.key("score", "read", "admin", name=f"{code} {said}"[:60]), **more.pop("headers", {})}
        answer = keyed.client.request(method, path, headers=headers, **more)
        assert is_problem(answer, status, code)
        assert said in answer.json()["detail"]
