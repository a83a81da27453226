"""What a person does over HTTP: the real server and a real outbox. Kafka is stood in for by who keeps the words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from kafka.errors import KafkaTimeoutError
from prometheus_client import CollectorRegistry

from schemas.control_records import Acknowledgement
from schemas.times import from_ms
from sinks.health import Checks
from sinks.notify.api import application
from sinks.notify.desk import Desk
from sinks.notify.outbox import Arrived, Outbox
from sinks.notify.server import Server
from tests.sink_records import alert, customer

TOKEN: Final = "only for this test"
NOW: Final = 1_780_000_800_000


@dataclass
class Kept:
    """Keeps what was said; Kafka is away while `is_away`."""

    said: list[Acknowledgement] = field(default_factory=list)
    is_away: bool = False

    def send(self, said: Sequence[Acknowledgement]) -> None:
        if self.is_away:
            raise KafkaTimeoutError("away")
        self.said += said


@dataclass
class Api:
    path: Path
    port: int
    words: Kept
    outbox: Outbox
    now: int = NOW

    def ask(
        self, method: str, path: str, body: Any = None, token: str | None = TOKEN, raw: bytes | None = None
    ) -> tuple[int, Any]:
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        request = Request(f"http://127.0.0.1:{self.port}{path}", data=data, headers=headers, method=method)
        try:
            with urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            text = error.read()
            return error.code, json.loads(text) if text.startswith(b"{") else text.decode()


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    yield from served(tmp_path, TOKEN)


def served(tmp_path: Path, token: str | None, words: bool = True) -> Iterator[Api]:
    server = Server("127.0.0.1", 0, "TOUCHLINE_NOTIFIER_HEALTH_PORT")
    found = Api(tmp_path / "o.sqlite", server.port, Kept(), Outbox(tmp_path / "o.sqlite"))

    def make() -> Any:
        own = Outbox(found.path)
        desk = Desk(
            own, found.words if words else None, lambda _: "https://wiki.example/of-the-file", lambda: found.now
        )
        checks = Checks(lambda: [], lambda: ["starting"])
        return application(desk, token, checks, CollectorRegistry()), own.close

    server.start(make)
    changes = [alert(number, offset=number, fired_at=NOW - number) for number in range(1, 4)]
    changes += [alert(4, offset=4, severity="error", break_name="ready", incident="click_and_collect/ready")]
    changes += [source_alert(5)]
    found.outbox.accept([Arrived(0, change) for change in changes], NOW)
    yield found
    server.stop()
    found.outbox.close()


def source_alert(number: int) -> Any:
    return alert(
        number, offset=number, scope="source", kind="silent_source", incident="sources/till-{store_id}",
        break_name="silent_source", step=None, journey_id=None, customer_id=None, anchor="source:till-7",
        definition="sources", runbook="https://wiki.example/tills", first_line="till-7 is silent",
    )  # fmt: skip


def id_of(number: int) -> str:
    return alert(number, offset=0).alert_id


def test_the_worst_come_first_and_nobody_comes_in_without_the_token(api: Api) -> None:
    status, found = api.ask("GET", "/v1/alerts")
    assert (status, found["total"], found["held"]) == (200, 5, {})
    order = [one["alert_id"] for one in found["alerts"]]
    assert order[-1] == id_of(4)
    assert [one for one in order if one in {id_of(1), id_of(2), id_of(3)}] == [id_of(3), id_of(2), id_of(1)]
    tills = next(one for one in found["alerts"] if one["scope"] == "source")
    assert (tills["definition"], tills["break_name"], tills["customer_id"]) == ("sources", "till-{store_id}", None)
    assert tills["runbook"] == "https://wiki.example/tills"
    for token in (None, "", "only for this tesT", TOKEN + "x"):
        for method, path in (("GET", "/v1/alerts"), ("POST", "/v1/silences"), ("DELETE", "/v1/silences/x")):
            status, refusal = api.ask(method, path, token=token)
            assert status == 401
            assert TOKEN not in json.dumps(refusal)


def test_probes_need_no_token(api: Api) -> None:
    assert api.ask("GET", "/readyz", token=None) == (503, "starting\n")
    with urlopen(f"http://127.0.0.1:{api.port}/healthz", timeout=5) as answer:
        assert answer.read() == b"ok\n"


def test_without_a_token_in_the_settings_nobody_comes_in(tmp_path: Path) -> None:
    for api in served(tmp_path, None):
        status, refusal = api.ask("GET", "/v1/alerts", token="")
        assert (status, "TOUCHLINE_NOTIFIER_TOKEN" in refusal["error"]) == (403, True)


def test_acknowledge_writes_the_record_of_the_alert(api: Api) -> None:
    status, answered = api.ask("POST", f"/v1/alerts/{id_of(2)}/acknowledge", {"by": "anna", "reason": "on it"})
    assert (status, answered["asked"]) == (202, [id_of(2)])
    (said,) = api.words.said
    of = alert(2, offset=0)
    assert (said.alert_id, said.customer_id, said.anchor, said.closes) == (id_of(2), customer(2), of.anchor, False)
    assert (said.definition, said.version, said.break_name, said.occurrence) == (of.definition, 1, "paid", 1)
    assert (said.acknowledged_by, said.reason, said.acknowledged_at) == ("anna", "on it", NOW)


def test_close_needs_a_reason_and_a_second_word_on_an_acknowledged_one_is_said_not_sent(api: Api) -> None:
    status, refusal = api.ask("POST", f"/v1/alerts/{id_of(1)}/close", {"by": "anna"})
    assert (status, "reason" in refusal["error"], api.words.said) == (400, True, [])
    assert api.ask("POST", f"/v1/alerts/{id_of(1)}/close", {"by": "anna", "reason": "a test"})[0] == 202
    assert api.words.said[0].closes
    api.outbox.accept([Arrived(0, alert(2, "acknowledged", offset=20, acknowledged_by="ben"))], NOW)
    status, answered = api.ask("POST", f"/v1/alerts/{id_of(2)}/acknowledge", {"by": "anna"})
    assert (status, answered["asked"], answered["already"]) == (200, [], 1)
    assert api.ask("GET", f"/v1/alerts/{id_of(2)}")[1]["acknowledged_by"] == "ben"


def test_all_open_alerts_of_an_incident_at_once(api: Api) -> None:
    api.outbox.accept([Arrived(0, alert(2, "acknowledged", offset=20, acknowledged_by="ben"))], NOW)
    status, answered = api.ask("POST", "/v1/incidents/click_and_collect/paid/acknowledge", {"by": "anna"})
    assert (status, sorted(answered["asked"])) == (202, sorted([id_of(1), id_of(3)]))
    assert (answered["already"], answered["left"]) == (1, 0)
    tills = "/v1/incidents/sources%2Ftill-%7Bstore_id%7D/acknowledge"
    assert api.ask("POST", tills, {"by": "anna"})[1]["asked"] == [id_of(5)]
    assert api.words.said[-1].customer_id is None
    status, refusal = api.ask("POST", "/v1/incidents/click_and_collect/pa1d/acknowledge", {"by": "anna"})
    assert (status, refusal["candidates"][0]) == (404, "click_and_collect/paid")


def test_an_alert_is_found_by_the_beginning_of_its_id_or_its_anchor_and_near_ones_are_named(api: Api) -> None:
    assert api.ask("GET", f"/v1/alerts/{id_of(1)[:8]}")[1]["alert_id"] == id_of(1)
    assert api.ask("GET", "/v1/alerts/order_id:3")[1]["evidence"][0]["name"] == "order_placed"
    status, refusal = api.ask("GET", f"/v1/alerts/{id_of(1)[:-1]}z")
    assert (status, refusal["candidates"][0]) == (404, id_of(1))
    assert api.ask("GET", "/v1/alerts/zz")[0] == 404
    api.outbox.accept([Arrived(0, alert(9, offset=30, anchor="order_id:3"))], NOW)
    status, refusal = api.ask("GET", "/v1/alerts/order_id:3")
    assert (status, sorted(refusal["candidates"])) == (409, sorted([id_of(3), id_of(9)]))


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("GET", "/v1/alerts?state=closed", None, 400, "state: one of"),
        ("GET", "/v1/alerts?limit=1001", None, 400, "limit"),
        ("GET", "/v1/alerts?limit=-1", None, 400, "limit"),
        ("GET", "/v1/alerts?stat=open", None, 400, "stat: no such parameter"),
        ("GET", "/v1/nothing", None, 404, "Not Found"),
        ("GET", "/v1/alerts/x/acknowledge", None, 405, "Method Not Allowed"),
        ("POST", "/v1/alerts/x/acknowledge", {"by": ""}, 400, "by: "),
        ("POST", "/v1/alerts/x/acknowledge", {"by": "anna", "word": 1}, 400, "word: "),
        ("POST", "/v1/silences", {"matchers": {}, "until": "2026-06-01T00:00:00Z", "reason": "r", "by": "b"}, 400,
         "say what is to be silent"),
        ("POST", "/v1/silences", {"matchers": {"brek": "x"}, "until": "2026-06-01T00:00:00Z", "reason": "r",
                                  "by": "b"}, 400, "matchers.brek"),
        ("POST", "/v1/silences", {"matchers": {"kind": "x"}, "until": "2026-06-01T00:00:00Z", "reason": "r",
                                  "by": "b"}, 400, "matchers.kind"),
        ("POST", "/v1/silences", {"matchers": {"break": "x"}, "until": "2026-06-01", "reason": "r", "by": "b"}, 400,
         "until: "),
        ("POST", "/v1/silences", {"matchers": {"break": "x"}, "until": "2020-06-01T00:00:00Z", "reason": "r",
                                  "by": "b"}, 400, "over already"),
        ("POST", "/v1/silences", {"matchers": {"break": "x"}, "until": "2027-06-01T00:00:00Z", "reason": "r",
                                  "by": "b"}, 400, "30 days"),
        ("DELETE", "/v1/silences/abcd", None, 404, "no silence"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(api: Api, method: str, path: str, body: Any, status: int, says: str) -> None:
    found, refusal = api.ask(method, path, body)
    assert (found, says in refusal["error"]) == (status, True), refusal


def test_bytes_that_are_no_json_and_too_many_of_them_are_refused(api: Api) -> None:
    for raw in (b"", b"\xff", b"[]", b"{" * 1000):
        assert api.ask("POST", f"/v1/alerts/{id_of(1)}/acknowledge", raw=raw)[0] == 400
    assert api.ask("POST", f"/v1/alerts/{id_of(1)}/acknowledge", raw=b" " * 70_000)[0] == 413
    assert api.words.said == []


def test_when_kafka_is_away_or_the_secret_is_missing_nothing_seems_done(api: Api, tmp_path: Path) -> None:
    api.words.is_away = True
    status, refusal = api.ask("POST", f"/v1/alerts/{id_of(1)}/acknowledge", {"by": "anna"})
    assert (status, "KafkaTimeoutError" in refusal["error"]) == (503, True)
    (tmp_path / "other").mkdir()
    for other in served(tmp_path / "other", TOKEN, words=False):
        status, refusal = other.ask("POST", f"/v1/alerts/{id_of(1)}/acknowledge", {"by": "anna"})
        assert (status, "TOUCHLINE_CONTROL_SECRET" in refusal["error"]) == (503, True)


def test_a_silence_is_made_shown_in_the_list_and_removed(api: Api) -> None:
    form = {"matchers": {"definition": "click_and_collect", "break": "paid"}, "until": from_ms(NOW + 3_600_000),
            "reason": "the warehouse moves", "by": "anna"}  # fmt: skip
    status, made = api.ask("POST", "/v1/silences", form)
    assert (status, made["matchers"], made["holds"]) == (201, form["matchers"], 0)
    assert api.ask("POST", "/v1/silences", form)[1]["silence_id"] == made["silence_id"]
    api.outbox.accept([Arrived(0, alert(7, offset=30))], NOW)
    found = api.ask("GET", "/v1/alerts")[1]
    quiet = {one["alert_id"]: (one["quiet"] and one["quiet"]["reason"], one["is_told"]) for one in found["alerts"]}
    assert (quiet[id_of(7)], quiet[id_of(1)], quiet[id_of(4)]) == (
        ("silenced", False),
        ("silenced", True),
        (None, True),
    )
    assert found["held"] == {"silenced": 1}
    assert api.ask("GET", "/v1/silences")[1]["silences"][0]["holds"] == 1
    assert api.ask("DELETE", f"/v1/silences/{made['silence_id'][:6]}")[0] == 200
    assert api.ask("GET", "/v1/silences")[1] == {"silences": []}
    assert len(api.outbox.release(NOW, 10).decisions) == 1


def test_silences_have_a_bound_and_those_that_are_over_make_room(api: Api) -> None:
    def form(number: int) -> Any:
        return {"matchers": {"anchor": f"order_id:{number}"}, "until": from_ms(NOW + 60_000), "reason": "r", "by": "b"}

    statuses = [api.ask("POST", "/v1/silences", form(number))[0] for number in range(201)]
    assert statuses == [201] * 200 + [409]
    api.now += 60_000
    assert api.ask("GET", "/v1/silences")[1] == {"silences": []}
    late = form(1) | {"until": from_ms(NOW + 120_000)}
    assert api.ask("POST", "/v1/silences", late)[0] == 201
