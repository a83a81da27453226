"""`touchline alerts` as on-call uses it, with the workers that answer what a person says."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from kafka import KafkaConsumer, TopicPartition

from schemas.control import Control, read_control
from schemas.control_records import Acknowledgement
from schemas.fast import fast_decoder
from schemas.identifiers import customer_of
from tests.integration.alerts_rig import SECRET, TROUBLE, Shift, on_shift
from tests.integration.notifier_rig import killed

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def shift(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shift]:
    with on_shift(kafka, "on-shift-", tmp_path_factory.mktemp("shift")) as found:
        found.until(lambda: _is_there(found), "the notifier")
        yield found


def _is_there(shift: Shift) -> bool:
    return "notifier starts" in (shift.home / "sinks.notify.log").read_text()


def test_fire_acknowledge_close_and_each_is_told_once(shift: Shift) -> None:
    run, heard = shift.run, shift.heard
    assert "no alert is open" in run("list")
    shift.shop("7788", *TROUBLE)
    shift.until(lambda: heard.titles() == ["FIRING"], "the beginning")
    assert "pickup/payment_trouble" in run("list")

    run("acknowledge", "order_id:7788", "--by", "anna", "--reason", "calls the customer", "--wait", "60")
    assert "acknowledged by anna" in run("list")
    shift.until(lambda: heard.titles() == ["FIRING", "ACKNOWLEDGED"], "who looks after it")
    assert "Acknowledged by: anna" in heard.slack[1]
    assert "Runbook: https://wiki.example/pickup" in heard.slack[1]
    assert "1 acknowledged before" in run("acknowledge", "order_id:7788", "--by", "ben")
    shown = json.loads(run("show", "order_id:7788", "--json"))
    assert (shown["state"], shown["customer_id"]) == ("acknowledged", customer_of("user_id", "u7788"))

    killed(shift.processes.pop("sinks.notify"))
    assert "does not answer" in run("list", code=2)
    shift.start("sinks.notify")
    shift.until(lambda: (shift.home / "sinks.notify.log").read_text().count("notifier starts") == 2, "it again")
    assert "acknowledged by anna" in run("list"), "it remembers across a kill"

    assert "Did you mean" in run("close", shown["alert_id"][:-1] + "x", "--reason", "r", "--yes", code=1)
    run("close", shown["alert_id"][:8], "--reason", "paid by phone", "--yes", "--by", "anna", "--wait", "60")
    assert "no alert is open" in run("list")
    shift.until(lambda: heard.titles() == ["FIRING", "ACKNOWLEDGED", "RESOLVED"], "the end")
    shift.until(lambda: heard.pages("order_id:7788") == ["firing", "acknowledged", "resolved"], "each once")
    check_the_records_on_progress(shift)


def check_the_records_on_progress(shift: Shift) -> None:
    """What was said lies there, authentic, once for each word."""
    consumer = KafkaConsumer(bootstrap_servers=shift.kafka, consumer_timeout_ms=5_000)
    place = TopicPartition(shift.prefix + "progress", 0)
    consumer.assign([place])
    consumer.seek_to_beginning(place)
    end, said = consumer.end_offsets([place])[place], []
    while consumer.position(place) < end:
        for record in next(iter(consumer.poll(timeout_ms=500).values()), []):
            control = read_control(record.headers, 0, record.value, SECRET.encode()) if record.headers else None
            if isinstance(control, Control) and control.name == "acknowledgement":
                said.append(fast_decoder(Acknowledgement)(record.value))
    consumer.close()
    assert [(one.acknowledged_by, one.closes, one.reason) for one in said] == [
        ("anna", False, "calls the customer"),
        ("anna", True, "paid by phone"),
    ]


def test_what_fires_within_a_silence_is_told_when_it_ends_and_an_incident_is_acknowledged_at_once(shift: Shift) -> None:
    run, heard = shift.run, shift.heard
    made = run("silence", "--anchor", "order_id:9", "--for", "1h", "--reason", "a test order")
    silence = made.split()[1].rstrip(":")
    shift.shop("9", *TROUBLE)
    shift.shop("10", *TROUBLE)
    shift.until(lambda: heard.pages("order_id:10") == ["firing"], "the other order")
    shift.until(lambda: "order_id:9 " in run("list"), "the silent one")
    listed = run("list")
    assert "silenced until" in next(line for line in listed.splitlines() if "order_id:9 " in line)
    assert "nobody was told yet of the last change of: 1 silenced" in listed
    assert heard.pages("order_id:9") == []
    assert silence in run("silences")
    run("unsilence", silence[:6])
    shift.until(lambda: heard.pages("order_id:9") == ["firing"], "what the silence held back")

    run("acknowledge", "--incident", "pickup/payment_trouble", "--by", "ben", "--wait", "60")
    shift.until(lambda: heard.titles()[-1:] == ["ACKNOWLEDGED"], "who looks after it")
    assert "2 alerts open" in heard.slack[-1]
    shift.shop("10", "payment_captured")
    shift.until(lambda: heard.pages("order_id:10") == ["firing", "acknowledged", "resolved"], "the end of one")
    assert "order_id:10 " not in run("list")
    assert heard.titles()[-1] == "ACKNOWLEDGED", "one is open still, and looked after"


def test_troubles_are_said_in_a_sentence(shift: Shift) -> None:
    run = shift.run
    assert "not the token of this notifier" in run("list", code=2, TOUCHLINE_NOTIFIER_TOKEN="another")
    assert "does not answer" in run("list", code=2, TOUCHLINE_NOTIFIER_URL="http://127.0.0.1:9")
    assert "say which" in run("acknowledge", code=2)
    assert "no open alert is called nothing" in run("acknowledge", "nothing", code=1)
    assert "--reason" in run("close", "x", code=2)
    assert "say how long" in run("silence", "--kind", "repeated", "--reason", "r", code=2)
    assert "say what is to be silent" in run("silence", "--for", "1h", "--reason", "r", code=2)
    assert "--reason" in run("silence", "--for", "1h", "--kind", "repeated", code=2)
    assert "is no silence" in run("unsilence", "nothing", code=1)
