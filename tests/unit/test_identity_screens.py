"""What `touchline identity` says and draws: from values alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from deploy.cli.identity_screens import preview_screen, why_screen
from deploy.identity.preview import Move, Preview, Renamed
from deploy.identity.touch import Owner, Touch
from deploy.identity.why import AlertPart, Claimed, JourneyPart, Marker, Why
from deploy.identity.words import distance, listed, short, span
from schemas.control_records import DecisionKind
from streams.identity.limits import DAY_MS, HOUR_MS
from tests.unit.identity_cases import AT, CARD, MAIL, READER, decided, touch


def why(one: Touch, **changes: object) -> Why:
    values: dict[str, object] = {
        "touch": one,
        "owner": one.owner,
        "user_id": None,
        "arrival": one.owner,
        "moves": (),
        "before": None,
        "after": None,
        "kiosk": None,
        "namings": (),
        "claims": (),
        "decisions": (),
        "journeys": (),
        "alerts": (),
        "remembered": True,
    }
    return Why(**values | changes)  # type: ignore[arg-type]


def screen(drawing: object, width: int) -> str:
    console = Console(width=width, highlight=False, force_terminal=False)
    with console.capture() as captured:
        console.print(drawing)
    text = captured.get()
    assert max(map(len, text.splitlines())) <= width
    return " ".join(text.split())


@pytest.mark.parametrize("width", [80, 100])
def test_a_screen_of_why(width: int) -> None:
    login = Marker("before", touch(2, "identified", user_id="u1"), "u1", 90 * 60_000, "")
    journey = JourneyPart("j", "click_and_collect", "order_id:7", "open", "c", "paid", False)
    alert = AlertPart("firing", "order_id:7: step paid is 30 min late", "a")
    answer = why(touch(1), before=login, journeys=(journey,), alerts=(alert,), decisions=(decided("block", CARD),))
    text = screen(why_screen(answer), width)
    for expected in (
        "1 h 30 min before: user_id:u1 signed in on this device",
        "loyalty_card:C was blocked by anna on 2026-03-02: “card lost”",
        "click_and_collect order_id:7 of customer c: open; it reached step paid",
        "step paid is 30 min late",
        f"{1:032x}",
    ):
        assert expected in text


def test_a_difference_is_said_plainly() -> None:
    answer = why(touch(1), owner=Owner("aaaaaaaa-1", "login"), remembered=False)
    assert answer.differs
    text = screen(why_screen(answer), 80)
    assert "by the rules over its rows it is aaaaaaaa (login)" in text
    assert "older than the workers remember" in text


@pytest.mark.parametrize("kind", ["link", "unlink", "block", "lift"])
def test_before_and_after_in_one_picture(kind: DecisionKind) -> None:
    user = None if kind == "block" else "u1"
    moves = tuple(
        Move(
            touch(number, origin=CARD, loyalty_card="C"),
            Owner("aaaaaaaa-1", "contact"),
            Owner("bbbbbbbb-2", "contact"),
            number > 1,
        )
        for number in range(4)
    )
    seen = Preview(
        decided(kind, CARD, user),
        moves,
        (Renamed(CARD, "u1", None),),
        (MAIL,),
        (),
        (),
        {"aaaaaaaa-1": "user_id:u1"},
        True,
        False,
    )
    text = screen(preview_screen(seen), 80)
    for expected in (
        "aaaaaaaa user_id:u1",
        "bbbbbbbb",
        "at least 4 touchpoints",
        "2 touchpoints: the workers have forgotten",
    ):
        assert expected in text
    unseen = Preview(decided(kind, CARD, user), (), (), (), (), (), {}, False, True)
    assert "no touchpoint with loyalty_card:C has been seen yet" in screen(preview_screen(unseen), 80)


def test_words() -> None:
    assert [distance(ms) for ms in (5_000, 90_000, HOUR_MS, 90 * 60_000, 3 * DAY_MS)] == [
        "5 s",
        "1 min",
        "1 h",
        "1 h 30 min",
        "3 days",
    ]
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed([str(n) for n in range(1_239)]) == "0, 1, 2, 3, 4 and 1,234 more"
    assert (span(AT, AT + HOUR_MS), span(AT, AT + DAY_MS)) == ("2026-03-02", "2026-03-02 to 2026-03-03")
    assert short("email:hmac:" + "ab" * 32) == "email:hmac:abababab…"


def test_the_page_says_how_a_server_makes_the_proof() -> None:
    page = Path("docs/identity-support.md").read_text()
    (snippet,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    environment = {**os.environ, "TOUCHLINE_PROOF_SECRET": "proofs"}
    done = subprocess.run(
        [sys.executable, "-c", f"user_id = 'u1'\n{snippet}\nprint(user_proof)"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == READER.proof_of("u1")


def test_a_key_that_is_worn_out_says_so() -> None:
    claimed = Claimed("order_id:7", None, None, is_weak=False, is_blocked=False, is_worn=True)
    one = touch(1, origin="order_id:7", order_id="7")
    text = screen(why_screen(why(one, owner=Owner(None, "waiting"), claims=(claimed,))), 80)
    assert "order_id:7 is worn out" in text
    assert "until order_id:7 is forgotten" in text
