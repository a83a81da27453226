"""What people type by mistake is answered with a sentence, not with a trace, and does nothing."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.author import author
from deploy.cli.main import app, main
from deploy.cli.records import cannot_stop
from deploy.embedded.process import EmbeddedError
from deploy.identity.asked import Unclear


def test_bytes_that_are_no_text_are_named_by_their_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["touchline", "trace", os.fsdecode(b"m-\xff")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "argument 2 is not text in UTF-8" in capsys.readouterr().err


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert author(None) == f"uid {os.getuid()}"
    assert author("anna") == "anna"


@pytest.mark.parametrize(
    ("offset", "says"),
    [(4, "there no longer"), (9, "processed already"), (20, "no offset 20 yet, the last one is 19"), (10, None)],
)
def test_only_what_can_stop_a_partition_is_given_up(offset: int, says: str | None) -> None:
    why = cannot_stop(offset, begin=5, end=20, done=10)
    assert why is None if says is None else says in str(why)
    assert cannot_stop(0, 0, 0, 0) == "there is no record yet"


def test_a_backtest_from_later_to_earlier_is_told_so() -> None:
    file = str(Path("journeys/checkout.yaml"))
    result = CliRunner().invoke(app, ["backtest", file, "--from", "2026-03-02", "--to", "2026-03-01"])
    assert isinstance(result.exception, Unclear)
    assert "--from 2026-03-02 is later than --to 2026-03-01" in str(result.exception)


@pytest.mark.parametrize("words", [["topics"], ["quarantine", "touchpoints.raw", "0", "1"]])
def test_where_no_kafka_runs_nobody_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("TOUCHLINE_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, EmbeddedError)
    assert f"Kafka does not run in {tmp_path}: `touchline up` starts it" in str(result.exception)
