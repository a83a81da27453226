"""The body that a webhook gets: the message as it always was, or what the route's template makes of it. The examples of
docs/notifications.md are read as a routes file, filled, and compared with what the page shows.
"""

from __future__ import annotations

import hmac
import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, get_args

import pytest

from schemas.records import AlertState
from schemas.routes import load_routes
from schemas.settings import Settings
from schemas.templates import BODY_FIELDS
from sinks.notify.message import ACTIONS, Notification, body_for, body_of, headers_of
from sinks.notify.post import headers_for
from sinks.notify.routing import Route, routes_of
from tests.notification_pictures import late
from tests.sink_records import alert
from tests.unit.test_sinks_notify_rate import Bench

PAGE: Final = Path("docs/notifications.md").read_text("utf-8")
SECTION: Final = PAGE.partition("### A body of your own")[2].partition("\n## ")[0]
ENVIRON: Final = {
    "PAGERDUTY_KEY": "R0UTING",
    "MATTERMOST_URL": "https://chat.example/hooks/x",
    "TEAMS_URL": "https://t.example",
}
TEMPLATE: Final = '{{"text": "{first_line}", "do": "{action}", "n": {occurrence}, "key": "{secret}"}}'


def sent(tmp_path: Path, route: Route, *states: str, **changes: Any) -> list[tuple[str, bytes]]:
    bench = Bench(tmp_path, route)
    bench.take(*(alert(1, state, offset=offset, **changes) for offset, state in enumerate(states)))
    bench.rounds()
    return bench.receiver.got


def test_the_fields_are_those_of_the_message_and_two_more() -> None:
    assert set(BODY_FIELDS) == {*Notification.model_fields, "action", "secret"}
    assert set(ACTIONS) == set(get_args(AlertState))


def test_without_a_template_the_body_is_the_message_byte_for_byte(tmp_path: Path) -> None:
    ((key, body),) = sent(tmp_path, Route("duty", "webhook", ""), "firing")
    assert body == body_of(alert(1, offset=0), key)


def test_with_a_template_key_and_signature_are_those_of_the_body_that_is_sent(tmp_path: Path) -> None:
    route = Route("duty", "webhook", "", b'se"cret', template=TEMPLATE)
    line = 'order "7"\nis late \\ {state}'
    got = sent(tmp_path, route, "firing", "acknowledged", "resolved", first_line=line)
    assert [json.loads(body)["do"] for _, body in got] == ["trigger", "acknowledge", "resolve"]
    assert json.loads(got[0][1]) == {"text": line, "do": "trigger", "n": 1, "key": 'se"cret'}
    assert len({key for key, _ in got}) == 3
    for key, body in got:
        headers = headers_for(route, key, body, 1_000)
        assert headers["Touchline-Signature"] == f"v1={hmac.new(route.secret, b'1000.' + body, sha256).hexdigest()}"
        assert headers == headers_of(key, body, 1_000, route.secret)
        assert headers["Idempotency-Key"] == key


def test_a_secret_never_lies_in_the_outbox(tmp_path: Path) -> None:
    route = Route("duty", "webhook", "", b"hush-hush", template=TEMPLATE)
    bench = Bench(tmp_path, route)
    bench.take(alert(1, offset=1))
    bench.outbox.close()
    assert all(b"hush-hush" not in file.read_bytes() for file in tmp_path.iterdir())


def test_a_webhook_whose_address_is_a_secret(tmp_path: Path) -> None:
    (file := tmp_path / "routes.yaml").write_text(
        "routes:\n  chat:\n    target: {kind: webhook, url_env: MATTERMOST_URL}\n"
    )
    (route,) = routes_of(Settings(routes_file=file), ENVIRON)
    assert (route.url, route.secret, route.template) == (ENVIRON["MATTERMOST_URL"], b"", "")
    assert "chat.example" not in repr(route)


# -- the page --


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", SECTION, re.DOTALL)


def test_the_page_lists_every_field_with_what_it_is() -> None:
    rows = re.findall(r"^\| (`.*?`) \| (text|number|true or false|JSON) \|", SECTION, re.MULTILINE)
    kinds = {"text": "text", "number": "number", "true or false": "truth", "JSON": "json"}
    listed = [(name, kinds[kind]) for names, kind in rows for name in re.findall(r"`(\w+)`", names)]
    assert len(listed) == len(BODY_FIELDS)
    assert dict(listed) == dict(BODY_FIELDS)


@pytest.fixture
def routes(tmp_path: Path) -> dict[str, Route]:
    (text,) = blocks("yaml")
    (file := tmp_path / "routes.yaml").write_text(text, "utf-8")
    assert load_routes(file, ENVIRON)
    return {route.name: route for route in routes_of(Settings(routes_file=file), ENVIRON)}


def test_the_example_of_the_page_gives_what_the_page_shows(routes: dict[str, Route]) -> None:
    (shown,) = blocks("json")
    route = routes["duty"]
    message = body_of(late(4711, "firing", 1), "k.1.firing")
    assert body_for(message, route.template, route.secret).decode() == shown.strip()


@pytest.mark.parametrize("name", ["duty", "chat"])
@pytest.mark.parametrize("state", ["firing", "acknowledged", "resolved", "withdrawn"])
def test_the_examples_are_json_in_every_state(routes: dict[str, Route], name: str, state: str) -> None:
    route = routes[name]
    message = body_of(late(4711, state, 1, step=None, due_at=None, acknowledged_by='an"na'), "k", None)
    assert isinstance(json.loads(body_for(message, route.template, route.secret)), dict)
