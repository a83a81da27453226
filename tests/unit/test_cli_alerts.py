"""`touchline alerts` against a real notifier API: what is drawn, what is said when it cannot be."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from rich.console import Console, RenderableType
from typer.testing import CliRunner

from deploy.cli import alerts as commands
from deploy.cli.alerts_client import Client, NotReached, NotSo
from deploy.cli.alerts_screens import answered_line, list_screen, minute, show_screen, silences_screen
from deploy.identity.asked import Unclear
from sinks.notify.forms import Answered, Listed, WordForm
from sinks.notify.outbox import Arrived
from tests.sink_records import alert
from tests.unit.test_sinks_notify_api import NOW, TOKEN, Api, id_of, served


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    for found in served(tmp_path, TOKEN):
        monkeypatch.setenv("TOUCHLINE_NOTIFIER_URL", f"http://127.0.0.1:{found.port}")
        monkeypatch.setenv("TOUCHLINE_NOTIFIER_TOKEN", TOKEN)
        monkeypatch.setenv("TOUCHLINE_DATA_DIR", str(tmp_path / "none"))
        yield found


def run(*arguments: str, code: int = 0) -> str:
    app = typer.Typer()
    commands.register(app)
    found = CliRunner().invoke(app, ["alerts", *arguments], catch_exceptions=False, env={"COLUMNS": "160"})
    assert found.exit_code == code, found.output
    lines = [
        line for line in str(found.output).splitlines() if "[info " not in line
    ]  # the server's log, in one process
    return "\n".join(lines)


def drawn(screen: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=160, no_color=True, highlight=False)
    console.print(screen)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def client(api: Api, token: str = TOKEN) -> Client:
    return Client(f"http://127.0.0.1:{api.port}", token)


def test_the_list_shows_what_the_commands_take_and_who_looks_after_it(api: Api) -> None:
    api.outbox.accept([Arrived(0, alert(2, "acknowledged", offset=20, acknowledged_by="anna [b]"))], NOW)
    text = drawn(list_screen(client(api).listed("open", None, 3)))
    assert "acknowledged by anna [b]" in text, "what others wrote is no markup"
    assert id_of(2)[:8] in text
    assert "and 2 more: --limit, or --incident NAME" in text
    only = client(api).listed("open", "sources/till-{store_id}", 9)
    assert [one.anchor for one in only.alerts] == ["source:till-7"]
    assert drawn(list_screen(Listed(alerts=[], total=0, held={}))).strip() == "no alert is open"


def test_one_alert_is_shown_with_its_evidence_and_runbook(api: Api) -> None:
    text = drawn(show_screen(client(api).show(id_of(1)[:6])))
    for expected in (id_of(1), "https://wiki.example/of-the-file", "order_placed (web)", "team-stores", "order_id:1"):
        assert expected in text
    about_nobody = drawn(show_screen(client(api).show("source:till-7")))
    assert "customer" not in about_nobody
    assert "journey" not in about_nobody.replace("journey_break", "")


def test_acknowledge_waits_for_the_workers_and_says_when_they_do_not_answer(api: Api) -> None:
    assert "1 alert to be acknowledged" in run("acknowledge", id_of(1), "--by", "anna", "--wait", "0")
    assert "not taken by the workers" in run("acknowledge", id_of(3)[:8], "--by", "anna", "--wait", "1", code=1)
    assert [(one.acknowledged_by, one.closes) for one in api.words.said] == [("anna", False)] * 2
    found = run("acknowledge", "--incident", "click_and_collect/paid", "--by", "anna", "--wait", "0")
    assert "3 alerts to be acknowledged" in found


def test_close_asks_and_sends_nothing_without_an_answer(api: Api) -> None:
    run("close", id_of(1), "--reason", "a test", code=1)
    assert api.words.said == []
    run("close", id_of(1), "--reason", "a test", "--by", "anna", "--yes", "--wait", "0")
    assert api.words.said[0].closes


def test_a_silence_is_made_listed_and_ended(api: Api) -> None:
    api.now = 1_900_000_000_000
    until = ("--until", "2030-03-18T17:46:40Z")
    made = run(
        "silence", "--definition", "click_and_collect", "--break", "paid", *until, "--reason", "r", "--by", "anna"
    )
    assert made.startswith("silence ")
    assert "definition=click_and_collect break=paid until 2030-03-18 17:46 UTC" in made
    silence = made.split()[1].rstrip(":")
    found = json.loads(run("silences", "--json"))["silences"]
    assert [one["silence_id"] for one in found] == [silence]
    assert "definition=click_and_collect" in drawn(silences_screen(client(api).silences().silences))
    assert "is over" in run("unsilence", silence[:5])
    assert "no silence stands" in run("silences")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("acknowledge",), "say which"),
        (("acknowledge", "x", "--incident", "y"), "say which"),
        (("acknowledge", "x", "--by", "y" * 101), "--by"),
        (("close", "x"), "--reason"),
        (("silence", "--kind", "repeated", "--reason", "r"), "say how long"),
        (("silence", "--kind", "repeated", "--reason", "r", "--for", "1h", "--until", "x"), "say how long"),
        (("silence", "--kind", "repeated", "--reason", "r", "--for", "an hour"), "--for"),
        (("silence", "--kind", "repeated", "--reason", "r", "--for", "1h", "--from", "now"), "--from"),
        (("silence", "--kind", "repeated", "--reason", "r", "--until", "tomorrow"), "--until"),
        (("silence", "--kind", "repeatd", "--reason", "r", "--for", "1h"), "--kind"),
        (("silence", "--kind", "repeated", "--for", "1h"), "--reason"),
        (("silence", "--for", "1h", "--reason", "r"), "say what is to be silent"),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_is_asked(arguments: tuple[str, ...], says: str) -> None:
    with pytest.raises(Unclear, match=says):
        run(*arguments)


def test_what_is_not_so_ends_with_one_and_what_may_have_been_meant(api: Api) -> None:
    assert f"Did you mean {id_of(1)}" in run("show", id_of(1)[:-1] + "z", code=1)
    assert "Did you mean click_and_collect/paid" in run("acknowledge", "--incident", "click_and_collect/pad", code=1)
    with pytest.raises(NotSo):
        client(api).listed("closed", None, 1)


def test_who_is_not_there_or_lets_nobody_in_is_said(api: Api) -> None:
    with pytest.raises(NotReached, match="not the token"):
        client(api, "another").silences()
    api.words.is_away = True
    with pytest.raises(NotReached, match="Kafka"):
        client(api).say(id_of(1), "acknowledge", WordForm(by="anna"))
    with pytest.raises(NotReached, match="does not answer"):
        Client("http://127.0.0.1:9", TOKEN).silences()
    with pytest.raises(NotReached, match="what is not the notifier's"):
        Client(f"http://127.0.0.1:{api.port}/healthz?", TOKEN).show("x")


def test_lines() -> None:
    assert minute("2026-05-28T20:41:00.000Z") == "2026-05-28 20:41"
    assert minute("-1 ms since 1970") == "-1 ms since 1970"
    assert answered_line(Answered(word="acknowledge", asked=[])) == "nothing to do"
    said = Answered(word="acknowledge", asked=["a", "b"], already=1, left=3)
    assert answered_line(said) == "2 alerts to be acknowledged; 1 acknowledged before; 3 left: say it again"


@pytest.mark.parametrize("name", ["", " ", ".", ".."])
def test_an_empty_id_is_no_other_address(api: Api, name: str) -> None:
    for words in (("show",), ("acknowledge", "--by", "anna"), ("close", "--reason", "x", "--yes")):
        assert f"{name!r} is no id" in run(words[0], name, *words[1:], code=1)
    assert f"{name!r} is no id" in run("unsilence", name, code=1)


def test_a_silence_without_a_reason_is_asked_for_one(api: Api) -> None:
    app = typer.Typer()
    commands.register(app)
    found = CliRunner().invoke(app, ["alerts", "silence", "--definition", "checkout", "--for", "1h"])
    assert isinstance(found.exception, Unclear)
    assert "say why with --reason" in str(found.exception)
