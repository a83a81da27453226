"""`touchline demo` live: numbers move, and nothing of it outlives it, however it ends."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.integration.patience import PATIENCE_SECONDS
from tests.integration.test_cli import TOUCHLINE, Deployment, alive, eventually

LINE = re.compile(r"log time .* sent ([1-9]\d*) .* resolved ([1-9]\d*) stored ([1-9]\d*)")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGKILL, -9)])
def test_numbers_move_and_nothing_is_left(tmp_path: Path, number: signal.Signals, code: int) -> None:
    env = Deployment(tmp_path).env | {"TMPDIR": str(tmp_path)}
    del env["TOUCHLINE_DATA_DIR"]
    log = tmp_path / "log"
    with log.open("w") as output:
        demo = subprocess.Popen([TOUCHLINE, "demo", "--rate", "50"], env=env, stdout=output, stderr=subprocess.STDOUT)
    try:
        moved = eventually(lambda: LINE.search(log.read_text()) is not None)
        assert moved, log.read_text()
        (folder,) = tmp_path.glob("touchline-demo-*")
        assert len(alive(folder)) >= 6, "the parts can be found by their data directory"
        demo.send_signal(number)
        assert demo.wait(PATIENCE_SECONDS) == code, log.read_text()
        assert eventually(lambda: alive(folder) == []), alive(folder)
        assert folder.exists() == (number == signal.SIGKILL)
    finally:
        if demo.poll() is None:
            demo.kill()
            demo.wait()


def test_the_demo_never_sends_to_a_kafka_of_yours(tmp_path: Path) -> None:
    env = Deployment(tmp_path).env | {"KAFKA_BOOTSTRAP_SERVERS": "kafka.invalid:9092", "TMPDIR": str(tmp_path)}
    done = subprocess.run([TOUCHLINE, "demo"], env=env, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert done.returncode == 2
    assert "unset it first" in done.stderr
    assert list(tmp_path.iterdir()) == []
