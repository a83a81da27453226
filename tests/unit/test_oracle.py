"""The oracle itself, on tiny runs written by hand: touchpoints, customers, clocks, dead letters.

Each case is right as written and must be green; told otherwise, the oracle must be red.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.oracle.__main__ import main
from tests.oracle.decode import Bad, Sent, decode
from tests.oracle.tiny import TinyRun, customer, minute
from tests.oracle.usable import is_placeholder

HOUR = 60.0
DAY = 24 * HOUR
ANN, BEN = customer("user_id", "ann"), customer("user_id", "ben")
TABLET = customer("anonymous_id", "tablet")
Touch = tuple[str, float, str | None, str, dict[str, Any]]
"""Name, minute, whose it must be, why, and the identifiers or what else `TinyRun.touch` takes."""

ON: dict[str, Any] = {"anonymous_id": "tablet"}
AS_ANN = ON | {"user_id": "ann"}
AS_BEN = ON | {"user_id": "ben"}
LOOK, IN, OUT = "page_viewed", "identified", "signed_out"
MAIL = customer("email", "a@example.org")
CASES: dict[str, list[Touch]] = {
    "browses, then logs in": [(LOOK, 0, ANN, "login", ON), (IN, 72 * HOUR, ANN, "user_id", AS_ANN)],
    "logs in too long after": [(LOOK, 0, TABLET, "device", ON), (IN, 72 * HOUR + 0.001, ANN, "user_id", AS_ANN)],
    "browses after a login": [(IN, 0, ANN, "user_id", AS_ANN), (LOOK, 72 * HOUR, ANN, "login", ON)],
    "browses too long after": [(IN, 0, ANN, "user_id", AS_ANN), (LOOK, 72 * HOUR + 0.001, TABLET, "device", ON)],
    "logs out, then browses": [
        (IN, 0, ANN, "user_id", AS_ANN),
        (OUT, 5, ANN, "login", ON),
        (LOOK, 6, TABLET, "device", ON),
    ],
    "logs out with the user named": [(OUT, 5, ANN, "user_id", AS_ANN), (LOOK, 6, TABLET, "device", ON)],
    "a logout hides the login before it": [
        (IN, 0, ANN, "user_id", AS_ANN),
        (OUT, 5, TABLET, "device", ON),
        (LOOK, 6, BEN, "login", ON),
        (IN, 7, BEN, "user_id", AS_BEN),
    ],
    "a logout hides the login after it": [
        (LOOK, 0, TABLET, "device", ON),
        (OUT, 1, ANN, "login", ON),
        (IN, 2, ANN, "user_id", AS_ANN),
    ],
    "two users, one after the other": [
        (IN, 0, ANN, "user_id", AS_ANN),
        (LOOK, 5, TABLET, "device", ON),
        (IN, 9, BEN, "user_id", AS_BEN),
        (LOOK, 12, BEN, "login", ON),
    ],
    "between two logins of one user": [
        (IN, 0, ANN, "user_id", AS_ANN),
        (LOOK, 5, ANN, "login", ON),
        (IN, 9, ANN, "user_id", AS_ANN),
    ],
    "kiosk day": [
        *[(IN, n, customer("user_id", f"u{n}"), "user_id", ON | {"user_id": f"u{n}"}) for n in range(5)],
        (LOOK, 10, TABLET, "device", ON),
        (LOOK, DAY + 10, TABLET, "device", ON),
    ],
    "four users are no kiosk day": [
        *[(IN, n, customer("user_id", f"u{n}"), "user_id", ON | {"user_id": f"u{n}"}) for n in range(4)],
        (LOOK, 10, customer("user_id", "u3"), "login", ON),
    ],
    "a crowd is a kiosk day": [
        (IN, 0, ANN, "user_id", AS_ANN),
        *[(LOOK, 1, TABLET, "device", ON) for _ in range(1000)],
    ],
    "a thousand are no crowd": [
        (IN, 0, ANN, "user_id", AS_ANN),
        *[(LOOK, 1, ANN, "login", ON) for _ in range(999)],
    ],
    "a contact": [(LOOK, 0, MAIL, "contact", {"email": "a@example.org"})],
    "a till knows only the order": [
        ("picked_up", 0, ANN, "business_key", {"order_id": "7"}),
        ("order_cancelled", 5, ANN, "user_id", {"order_id": "7", "user_id": "ann"}),
        ("order_refunded", 6, BEN, "user_id", {"order_id": "7", "user_id": "ben"}),
    ],
    "the key follows its claim": [
        ("order_cancelled", 0, ANN, "login", ON | {"order_id": "7"}),
        ("picked_up", 1, ANN, "business_key", {"order_id": "7"}),
        (IN, 2, ANN, "user_id", AS_ANN),
    ],
    "a key without a claim waits": [("picked_up", 0, None, "waiting", {"order_id": "7"})],
    "a public review": [
        ("review_published", 0, None, "subject", {"row": {"origin": "brand:house"}}),
    ],
    "placeholders name nobody": [(LOOK, 0, None, "subject", {"anonymous_id": "null", "row": {"origin": "message"}})],
    "a placeholder beside a user": [
        (LOOK, 0, ANN, "user_id", {"anonymous_id": " 'NULL' ", "user_id": "ann", "row": {"origin": "user_id:ann"}}),
    ],
    "too late: no marker, no claim": [
        (LOOK, 0, TABLET, "device", ON),
        (IN, 1, ANN, "user_id", AS_ANN | {"arrives": 72 * HOUR + 2, "row": {"too_late": True}}),
        (LOOK, 2, TABLET, "device", ON | {"arrives": 72 * HOUR + 3, "row": {"too_late": True}}),
        ("picked_up", 3, None, "waiting", {"order_id": "7", "arrives": 4 * DAY, "row": {"too_late": True}}),
        ("picked_up", 4, MAIL, "contact", {"email": "a@example.org", "arrives": 4 * DAY, "row": {"too_late": True}}),
    ],
    "just in time": [(LOOK, 0, ANN, "login", ON), (IN, 1, ANN, "user_id", AS_ANN | {"arrives": 72 * HOUR + 1})],
    "too late is no claim": [
        ("order_cancelled", 0, ANN, "user_id", {"order_id": "7", "user_id": "ann", "arrives": 4 * DAY}
         | {"row": {"too_late": True}}),
        ("picked_up", 1, None, "waiting", {"order_id": "7"}),
    ],
}  # fmt: skip


def written(directory: Path, touches: list[Touch]) -> TinyRun:
    run = TinyRun(directory, end=10 * DAY)
    for name, at, who, by, other in touches:
        run.touch(name, at, who, by, **other)
    return run


@pytest.mark.parametrize("case", CASES)
def test_every_case_of_attribution(case: str, tmp_path: Path) -> None:
    run = written(tmp_path, CASES[case])
    assert run.report().as_text().endswith("no difference")


@pytest.mark.parametrize("case", CASES)
def test_another_customer_is_found(case: str, tmp_path: Path) -> None:
    run = written(tmp_path, CASES[case])
    for row in run.touchpoints[:20]:
        row["customer_id"] = customer("user_id", "somebody else")
    assert run.report().sorts == {"customer": min(20, len(run.touchpoints))}


def test_another_rule_is_found(tmp_path: Path) -> None:
    run = written(tmp_path, CASES["browses, then logs in"])
    run.touchpoints[0]["attributed_by"] = "device"
    assert run.report().sorts == {"customer": 1}


def test_order_of_arrival_changes_nothing(tmp_path: Path) -> None:
    run = written(tmp_path, CASES["two users, one after the other"])
    run.requests.reverse()
    assert run.report().right


# -- clocks -----------------------------------------------------------------------------------------------------------


def test_a_wrong_clock_is_corrected_once(tmp_path: Path) -> None:
    run = TinyRun(tmp_path)
    run.touch(LOOK, 0, TABLET, "device", skew=10, row={"occurred_at": minute(10)}, **ON)
    run.touch(LOOK, 1, TABLET, "device", skew=10.001, row={"occurred_at": minute(1.001)}, **ON)
    run.touch(LOOK, 2, TABLET, "device", skew=15, row={"occurred_at": minute(7)}, **ON)
    run.touch(LOOK, 3, TABLET, "device", skew=-30.4, row={"occurred_at": minute(2.6)}, **ON)
    assert run.report().right
    run.touchpoints[1]["occurred_at"] += 1
    assert run.report().sorts == {"clock": 1}


def test_half_a_minute_is_rounded_upwards(tmp_path: Path) -> None:
    run = TinyRun(tmp_path)
    run.touch(LOOK, 0, TABLET, "device", skew=-20.5, row={"occurred_at": minute(0.5)}, **ON)
    run.touch(LOOK, 1, customer("device_id", "d"), "device", skew=20.5, row={"occurred_at": minute(1.5)}, device_id="d")
    assert run.report().right


# -- stored exactly once ----------------------------------------------------------------------------------------------


def browsing(directory: Path) -> TinyRun:
    return written(directory, CASES["browses, then logs in"])


def test_lost_twice_foreign(tmp_path: Path) -> None:
    run = browsing(tmp_path)
    first, second = run.touchpoints
    run.touchpoints = [first]
    assert run.report().sorts == {"lost": 1}
    run.touchpoints = [first, second, second]
    assert run.report().sorts == {"stored_twice": 1}
    run.touchpoints = [first, second, second | {"touchpoint_id": "0" * 32}]
    assert run.report().sorts == {"not_sent": 1}


def test_refused_is_not_stored(tmp_path: Path) -> None:
    run = browsing(tmp_path)
    run.requests[1]["answer"] = {"verdicts": [{"verdict": "refused"}]}
    run.requests[1]["status"] = 207
    run.touchpoints[0] |= {"customer_id": TABLET, "attributed_by": "device"}
    assert run.report().sorts == {"not_sent": 1}
    del run.touchpoints[1]
    assert run.report().right


FIELDS = ("name", "channel", "occurred_at_sent", "received_at", "sequence", "declared", "origin", "order_id")


@pytest.mark.parametrize("field", FIELDS)
def test_another_field_is_found(field: str, tmp_path: Path) -> None:
    run = written(tmp_path, CASES["the key follows its claim"])
    run.touchpoints[0][field] = None
    assert run.report().sorts == {"touchpoint": 1}


def test_lost_properties_and_a_wrong_log_time_are_found(tmp_path: Path) -> None:
    run = TinyRun(tmp_path)
    run.touch(LOOK, 0, TABLET, "device", properties={"name": "home"}, **ON)
    run.touchpoints[0]["properties"] = "{}"
    assert run.report().sorts == {"touchpoint": 1}
    run.touchpoints[0] |= {"properties": '{"name":"home"}', "log_time": 5}
    assert run.report().sorts == {"touchpoint": 1}


def test_too_late_is_compared(tmp_path: Path) -> None:
    run = browsing(tmp_path)
    run.touchpoints[1]["too_late"] = True
    assert run.report().sorts == {"too_late": 1}


def test_duplicates_are_counted(tmp_path: Path) -> None:
    run = browsing(tmp_path)
    again = base64.b64decode(run.requests[0]["items"][0])
    run.send("payments", again, minute(9))
    assert run.report().sorts == {"counts": 1}
    run.counts["duplicates"] = 1
    assert run.report().right
    run.counts["duplicates"] = 2
    assert run.report().sorts == {"counts": 1}
    assert run.report(killed=True).right
    run.counts["duplicates"] = 0
    assert run.report(killed=True).sorts == {"counts": 1}


def test_same_message_id_with_other_bytes_is_no_duplicate(tmp_path: Path) -> None:
    run = TinyRun(tmp_path)
    run.touch(LOOK, 0, TABLET, "device", **ON)
    other = base64.b64decode(run.requests[0]["items"][0]).replace(b"tablet", b"phone1")
    run.send("payments", other, minute(0))
    assert run.report().sorts == {"lost": 1}


def test_dead_letters(tmp_path: Path) -> None:
    run = TinyRun(tmp_path)
    bad = b"\xff\xfe\x00"
    run.send("crm", bad, minute(1))
    assert run.report().sorts == {"dead_letter": 1}
    letter = {"source": "crm", "payload": base64.b64encode(bad).decode()}
    run.dead_letters = [letter]
    assert run.report().right
    run.dead_letters = [letter, letter]
    assert run.report().sorts == {"dead_letter": 1}
    assert run.report(killed=True).right
    run.dead_letters = [letter, letter | {"source": "till"}]
    assert run.report(killed=True).sorts == {"dead_letter": 1}


# -- bytes ------------------------------------------------------------------------------------------------------------

TRACK = {
    "type": "track",
    "messageId": "m",
    "anonymousId": "a",
    "event": "Order Placed",
    "properties": {"order_id": "7"},
}
NATIVE = {"message_id": "m", "name": "page_viewed", "occurred_at": "2026-01-05T00:00:00.5+01:00"}


def sent(emitter: str, item: Any) -> Sent:
    content = item if isinstance(item, bytes) else json.dumps(item).encode()
    return Sent("here", emitter, minute(0), None, True, content)


def test_a_segment_item() -> None:
    x = decode(sent("app", TRACK | {"timestamp": "2026-01-05T00:00:00.123456Z", "userId": None}))
    assert (x.name, x.channel, x.identifiers) == ("order_placed", "app", {"anonymous_id": "a", "order_id": "7"})
    assert x.occurred_at == minute(0) + 123


def test_a_touchpoint_of_the_json_route() -> None:
    x = decode(sent("till", NATIVE))
    assert (x.occurred_at, x.channel, x.routing) == (minute(-60) + 500, "store", None)


@pytest.mark.parametrize(
    ("emitter", "item"),
    [
        ("web", {name: value for name, value in TRACK.items() if name != "event"}),
        ("web", TRACK | {"timestamp": "yesterday"}),
        ("web", TRACK | {"type": "other"}),
        ("web", [TRACK]),
        ("till", {name: value for name, value in NATIVE.items() if name != "name"}),
        ("till", NATIVE | {"colour": "blue"}),
        ("till", NATIVE | {"format_version": True}),
        ("till", NATIVE | {"sequence": 1.0}),
        ("till", NATIVE | {"sequence": 2**31}),
        ("till", NATIVE | {"occurred_at": "2026-02-30T00:00:00Z"}),
        ("till", NATIVE | {"occurred_at": "2026-01-05T00:00:00"}),
        ("till", NATIVE | {"identifiers": {"shoe_size": "43"}}),
        ("till", NATIVE | {"identifiers": {"user_id": ""}}),
        ("till", NATIVE | {"subject": {"kind": "planet", "id": "mars"}}),
        ("crm", b'{"message_id": NaN}'),
        ("crm", b"{"),
        ("crm", b'{"message_id":"\\ud800"}'),
    ],
)
def test_bytes_that_are_no_touchpoint(emitter: str, item: Any) -> None:
    with pytest.raises(Bad):
        decode(sent(emitter, item))


def test_placeholders() -> None:
    assert all(map(is_placeholder, ["", " ", "NULL", ' "anonymous" ', "00000000-0000-0000-0000-000000000000", "[]"]))
    assert not any(map(is_placeholder, ["nobody", "10", "null1", "''x''"]))


# -- the command ------------------------------------------------------------------------------------------------------


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    run = browsing(tmp_path)
    run.report()
    assert main([str(tmp_path)]) == 0
    run.touchpoints.pop()
    run.report()
    capsys.readouterr()
    assert main([str(tmp_path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["differences"] == {"lost": 1}
