"""Each refusal that the OpenAPI file promises is produced by a request to the real app, and its body is what the file says.

The file itself is enumerated: a 4xx that is documented and has no case here fails.
"""

from __future__ import annotations

import base64
import copy
import datetime as dt
import gzip
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import jsonschema_rs
import pytest
from standardwebhooks.webhooks import Webhook

from serving.idempotency import repository as idempotency
from serving.keys.service import SCOPES
from serving.problems import MEDIA_TYPE
from tests.kit.inside import Inside, now_us, running_inside

SECRET = "whsec_" + base64.b64encode(b"a key of twenty-four byte").decode()
CONNECTION = """
vendor = "standard-webhooks"
public_url = "https://scores.example.com"
secret_envs = ["REFUSALS_SECRET"]
source = "sample"
[objects.company]
table = "accounts"
key = "{id}"
columns = { industry = "industry" }
"""
LONG = "x" * 300
SCORE, OVERRIDE = "/v1/{model}/score", "/v1/{entity}/{entity_id}/override"
OBJECTION, ERASURE = "/v1/{entity}/{entity_id}/objection", "/v1/{kind}/{entity_id}/erasure"
SCORES, CHANGE = "/v1/{entity}/{entity_id}/scores", "/v1/{entity}/{entity_id}/change"
NOTES = [(kind, f"/v1/{{entity}}/{{entity_id}}/{kind}", f"/v1/{{entity}}/{kind}s") for kind in ("outcome", "action")]
WEBHOOK, MODEL = "/webhooks/{connection}", "/v1/{model}"
LIST, PAGES = "/v1/{model}/scores", ("/v1/account/{entity_id}", "/v1/lead/{entity_id}")
MODELS, CARD, VERSION = "/v1/models", "/v1/models/{model}", "/v1/models/{model}/versions/{version}"
SIGNALS = f"{VERSION}/signals"
RUNS = "/v1/runs"
GIVEN = {"model": "churn-risk", "band": "low", "reason": "They signed.", "author": "j.doe"}
BODY = {"records": [{"signals": {"number_0": 1.0}}]}


@dataclass
class Front:
    """The app, and one key for each kind of caller."""

    inside: Inside
    all_scopes: dict[str, str]
    slow: dict[str, str]
    wrong: dict[str, dict[str, str]]
    """By the scope that is needed: a key with all others."""

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        more["headers"] = {**self.all_scopes, **more.get("headers", {})}
        return self.inside.client.request(method, path, **more)

    def hook(self, body: str, **headers: str) -> httpx.Response:
        moment = dt.datetime.fromtimestamp(int(time.time()), dt.UTC)
        signed = {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": Webhook(SECRET).sign("msg_1", moment, body),
            "content-type": "application/json",
        }
        return self.inside.client.request("POST", "/webhooks/crm", content=body, headers={**signed, **headers})


Case = Callable[[Front], httpx.Response]
Key = tuple[str, str, int]
"""Method, path of the file, status."""


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    home = tmp_path_factory.mktemp("refusals")
    (home / "connections").mkdir()
    (home / "connections" / "crm.toml").write_text(CONNECTION)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFUSALS_SECRET", SECRET)
        with running_inside(home) as inside:
            wrong = {scope: inside.key(*(set(SCOPES) - {scope}), name=f"no {scope}") for scope in SCOPES}
            slow = inside.key(*SCOPES, name="slow", requests_per_minute=1)
            yield Front(inside, inside.key(*SCOPES, name="all"), slow, wrong)


@pytest.fixture(scope="module")
def file(front: Front) -> dict[str, Any]:
    found: dict[str, Any] = front.inside.client.get("/openapi.json").json()
    return found


def documented(file: dict[str, Any]) -> set[Key]:
    """Every 4xx that the file promises."""
    return {
        (method.upper(), path, int(status))
        for path, methods in file["paths"].items()
        for method, operation in methods.items()
        for status in operation["responses"]
        if status.startswith("4")
    }


def at_work(path: str) -> Case:
    """A first request with this key is at work."""

    def ask(front: Front) -> httpx.Response:
        key_id = front.all_scopes["authorization"].split("_")[1]
        name = hashlib.sha256(f"{key_id}\nbusy {path}".replace(" ", "-").encode()).hexdigest()
        body = b'{"records": [{}]}'
        print_of = hashlib.sha256(f"POST {path}\n".encode() + body).hexdigest()
        with front.inside.writing() as connection:
            assert idempotency.begin(connection, name, print_of, now_us()) is None
        return front.ask("POST", path, content=body, headers={"idempotency-key": f"busy {path}".replace(" ", "-")})

    return ask


CASES: dict[Key, Case] = {
    ("POST", SCORE, 404): lambda f: f.ask("POST", "/v1/no-such/score", json=BODY),
    ("POST", SCORE, 409): at_work("/v1/churn-risk/score"),
    ("POST", SCORE, 422): lambda f: f.ask("POST", "/v1/churn-risk/score", json={"records": []}),
    ("GET", MODEL, 404): lambda f: f.ask("GET", "/v1/no-such"),
    ("GET", MODEL, 422): lambda f: f.ask("GET", f"/v1/{LONG}"),
    ("GET", SCORES, 404): lambda f: f.ask("GET", "/v1/person/acme/scores"),
    ("GET", SCORES, 422): lambda f: f.ask("GET", "/v1/account/acme/scores?limit=0"),
    ("GET", LIST, 404): lambda f: f.ask("GET", "/v1/no-such/scores"),
    ("GET", LIST, 422): lambda f: f.ask("GET", "/v1/churn-risk/scores?sort=shoe"),
    **{
        ("GET", page, status): lambda f, path=path: f.ask("GET", path)  # type: ignore[misc]
        for page in PAGES
        for status, path in ((404, page.replace("{entity_id}", "no/such")), (422, page.replace("{entity_id}", LONG)))
    },
    ("GET", CHANGE, 404): lambda f: f.ask("GET", "/v1/account/acme/change"),
    ("GET", CHANGE, 422): lambda f: f.ask("GET", "/v1/account/acme/change?from=soon"),
    ("PUT", OVERRIDE, 400): lambda f: f.ask("PUT", "/v1/account/acme/override", content=b"{"),
    ("PUT", OVERRIDE, 404): lambda f: f.ask("PUT", "/v1/account/acme/override", json={**GIVEN, "model": "x"}),
    ("PUT", OVERRIDE, 409): lambda f: f.ask("PUT", "/v1/account/acme/override", json={**GIVEN, "until": "2020-01-01"}),
    ("PUT", OVERRIDE, 413): lambda f: f.ask("PUT", "/v1/account/acme/override", content=b" " * 70_000),
    ("PUT", OVERRIDE, 422): lambda f: f.ask("PUT", "/v1/account/acme/override", json={**GIVEN, "band": "purple"}),
    ("GET", OVERRIDE, 404): lambda f: f.ask("GET", "/v1/account/acme/override?model=churn-risk"),
    ("GET", OVERRIDE, 422): lambda f: f.ask("GET", "/v1/account/acme/override"),
    ("DELETE", OVERRIDE, 404): lambda f: f.ask("DELETE", "/v1/account/acme/override?model=x"),
    ("DELETE", OVERRIDE, 422): lambda f: f.ask("DELETE", "/v1/account/acme/override"),
    **{
        (method, OBJECTION, status): lambda f, method=method, path=path: f.ask(method, path)  # type: ignore[misc]
        for method in ("GET", "PUT", "DELETE")
        for status, path in ((404, "/v1/person/acme/objection"), (422, f"/v1/account/{LONG}/objection"))
    },
    **{
        (method, path, status): lambda f, method=method, where=where: f.ask(method, where, json={})  # type: ignore[misc]
        for kind, one, many in NOTES
        for method, path, status, where in (
            ("POST", one, 404, f"/v1/person/acme/{kind}"),
            ("POST", one, 422, f"/v1/account/acme/{kind}"),
            ("DELETE", one, 404, f"/v1/person/acme/{kind}?id=x"),
            ("DELETE", one, 422, f"/v1/account/acme/{kind}"),
            ("POST", many, 404, f"/v1/person/{kind}s"),
            ("POST", many, 422, f"/v1/account/{kind}s"),
        )
    },
    **{
        ("POST", path, 409): at_work(path.replace("{entity}", "account").replace("{entity_id}", "acme"))
        for _, *paths in NOTES
        for path in paths
    },
    ("POST", ERASURE, 404): lambda f: f.ask("POST", "/v1/invoice/acme/erasure"),
    ("POST", ERASURE, 422): lambda f: f.ask("POST", f"/v1/account/{LONG}/erasure"),
    ("GET", MODELS, 422): lambda f: f.ask("GET", "/v1/models?limit=0"),
    ("GET", CARD, 404): lambda f: f.ask("GET", "/v1/models/no-such"),
    ("GET", CARD, 422): lambda f: f.ask("GET", "/v1/models/churn-risk?limit=0"),
    ("GET", VERSION, 404): lambda f: f.ask("GET", "/v1/models/churn-risk/versions/4711"),
    ("GET", VERSION, 422): lambda f: f.ask("GET", "/v1/models/churn-risk/versions/0"),
    ("GET", SIGNALS, 404): lambda f: f.ask("GET", "/v1/models/churn-risk/versions/4711/signals"),
    ("GET", SIGNALS, 422): lambda f: f.ask("GET", "/v1/models/churn-risk/versions/0/signals"),
    ("GET", RUNS, 422): lambda f: f.ask("GET", "/v1/runs?before=yesterday"),
    ("POST", WEBHOOK, 400): lambda f: f.hook("[{"),
    ("POST", WEBHOOK, 401): lambda f: f.hook("{}", **{"webhook-id": "msg_2"}),
    ("POST", WEBHOOK, 404): lambda f: f.ask("POST", "/webhooks/no-such", json={}),
    ("POST", WEBHOOK, 413): lambda f: f.hook(" " * (8 * 1024 * 1024 + 1)),
    ("POST", WEBHOOK, 422): lambda f: f.ask("POST", f"/webhooks/{LONG}", json={}),
}


def at_the_door(method: str, path: str, status: int) -> Case | None:
    """What the door refuses, whatever stands behind it; None for a status that is not the door's."""
    where = path.replace("{model}", "churn-risk").replace("{entity}", "account").replace("{kind}", "account")
    where = where.replace("{version}", "1")
    where = where.replace("{entity_id}", "acme") + ("?model=churn-risk" if path == OVERRIDE else "")

    def too_often(front: Front) -> httpx.Response:
        answers = [front.ask(method, where, headers=front.slow) for _ in range(2)]
        return answers[1]

    def without_its_scope(front: Front) -> httpx.Response:
        from serving.gateway.scopes import scope_of

        return front.ask(method, where, headers=front.wrong[str(scope_of(method, where.partition("?")[0]))])

    def zipped(content: Callable[[Front], bytes]) -> Case:
        return lambda f: f.ask(method, where, content=content(f), headers={"content-encoding": "gzip"})

    found: dict[int, Case] = {
        400: zipped(lambda _: b"no gzip"),
        401: lambda f: f.inside.client.request(method, where),
        403: without_its_scope,
        413: zipped(lambda f: gzip.compress(b" " * (f.inside.state.settings.max_body_bytes + 1))),
        415: lambda f: f.ask(method, where, content=b"{}", headers={"content-type": "text/plain"}),
        429: too_often,
    }
    return found.get(status)


def case_of(key: Key) -> Case | None:
    return CASES.get(key) or (None if key[1] == WEBHOOK else at_the_door(*key))


def without_a_case(file: dict[str, Any]) -> list[Key]:
    return sorted(key for key in documented(file) if case_of(key) is None)


def wrong_with(file: dict[str, Any], key: Key, answer: httpx.Response) -> str | None:
    """How an answer is not what the file says of this refusal; None when it is."""
    method, path, status = key
    if answer.status_code != status:
        return f"answered {answer.status_code}: {answer.text[:200]}"
    content = file["paths"][path][method.lower()]["responses"][str(status)]["content"]
    if list(content) != [answer.headers["content-type"]]:
        return f"is {answer.headers['content-type']}"
    schema = {**content[MEDIA_TYPE]["schema"], "components": file["components"]}
    errors = list(jsonschema_rs.validator_for(schema).iter_errors(answer.json()))
    if errors:
        return str(errors[0])
    return None if answer.json()["status"] == status else "says another status"


def test_every_refusal_of_the_file_has_a_case(file: dict[str, Any]) -> None:
    assert without_a_case(file) == []
    assert CASES.keys() <= documented(file)
    assert len(documented(file)) > 70
    # The sabotaged twin: what is newly documented is missed.
    more = copy.deepcopy(file)
    more["paths"][MODEL]["get"]["responses"]["410"] = more["paths"][MODEL]["get"]["responses"]["404"]
    assert without_a_case(more) == [("GET", MODEL, 410)]


def test_every_refusal_is_produced_as_the_file_says(front: Front, file: dict[str, Any]) -> None:
    found = {key: case(front) for key in sorted(documented(file)) if (case := case_of(key)) is not None}
    wrong = {key: why for key, answer in found.items() if (why := wrong_with(file, key, answer)) is not None}
    assert wrong == {}
    # The sabotaged twins: a body that is not the schema's, and another status.
    false = copy.deepcopy(file)
    false["components"]["schemas"]["Problem"]["properties"]["detail"] = {"type": "integer"}
    assert all(wrong_with(false, key, answer) for key, answer in found.items())
    key = ("GET", MODEL, 404)
    assert wrong_with(file, key, found["GET", MODEL, 422])


def test_no_refusal_repeats_what_was_sent(front: Front, file: dict[str, Any]) -> None:
    canary = "canary-4711"
    answers = [
        front.ask("PUT", "/v1/account/acme/override", json={**GIVEN, name: canary})
        for name in ("model", "band", "until")
    ]
    answers += [
        front.ask("PUT", "/v1/account/acme/override", json={**GIVEN, "reason": [canary]}),
        front.ask("GET", f"/v1/account/acme/change?from={canary}"),
        front.ask("GET", f"/v1/account/acme/scores?limit={canary}&model={canary}"),
        front.ask("GET", f"/v1/account/acme/scores?what_if={canary}"),
        front.ask("POST", f"/v1/{canary}/acme/erasure"),
        front.ask("POST", "/v1/account/acme/outcome", json=dict.fromkeys(("outcome", "when", "color"), canary)),
        front.ask("POST", f"/v1/account/{canary}/action", json={"action": "x", "when": "2026-01-01", "source": "x"}),
        front.ask("GET", f"/v1/{canary}/scores"),
        front.hook(f'{{"{canary}": "{canary}"'),
        front.ask("POST", "/v1/churn-risk/score", json=BODY, headers={"idempotency-key": f"{canary} {canary}"}),
        front.ask("POST", "/v1/churn-risk/score", json=BODY, headers={"content-type": canary}),
        front.ask("POST", "/v1/churn-risk/score", json=BODY, headers={"content-encoding": canary}),
        front.ask("POST", "/v1/churn-risk/score", json=BODY, headers={"authorization": f"Bearer as_{canary}_x"}),
    ]
    assert all(400 <= answer.status_code < 500 for answer in answers), [a.status_code for a in answers]
    assert not [answer.text for answer in answers if canary in answer.text]
