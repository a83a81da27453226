"""Laws of the child programs of the embedded mode: found again, stopped, never left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.embedded import process
from deploy.embedded.process import EmbeddedError, Record


def sleeper(tmp_path: Path, *, detached: bool = False) -> Record:
    return process.spawn(["sleep", "60"], log_path=tmp_path / "log", ports={"p": 1}, detached=detached)


@pytest.mark.parametrize("detached", [True, False])
def test_a_child_is_found_by_its_record_until_it_is_stopped(tmp_path: Path, detached: bool) -> None:
    record = sleeper(tmp_path, detached=detached)
    process.write_record(tmp_path / "running.json", record)
    assert process.read_record(tmp_path / "running.json") == record
    assert process.terminate(record)
    assert process.read_record(tmp_path / "running.json") is None
    assert not process.terminate(record)


def test_a_reused_pid_is_not_our_child(tmp_path: Path) -> None:
    stranger = Record(os.getpid(), "0", None, {}, "")
    process.write_record(tmp_path / "running.json", stranger)
    assert process.read_record(tmp_path / "running.json") is None
    assert not process.kill(stranger)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid":1,"ports":[],"owner_pid":1}'])
def test_a_broken_record_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "running.json").write_text(text)
    assert process.read_record(tmp_path / "running.json") is None


def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    program = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    record = process.spawn([sys.executable, "-c", program], log_path=tmp_path / "log", ports={})
    assert process.wait_until(lambda: (tmp_path / "log").read_text() == "deaf\n", 10)
    assert process.terminate(record, grace_seconds=0.2)
    assert not process.is_alive(record)


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="cannot start no-such-program"):
        process.spawn(["no-such-program"], log_path=tmp_path / "log", ports={})


OWNER = """
import sys, threading, time
from pathlib import Path
from deploy.embedded import process
def start():
    record = process.spawn(["sleep", "60"], log_path=Path(sys.argv[1]) / "log", ports={}, detached=sys.argv[2] == "yes")
    process.write_record(Path(sys.argv[1]) / "running.json", record)
starter = threading.Thread(target=start)  # the thread that starts a child ends before the child does
starter.start(); starter.join()
print("up", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("detached", [True, False])
def test_only_a_detached_child_outlives_its_starter(tmp_path: Path, how: signal.Signals, detached: bool) -> None:
    arguments = [sys.executable, "-c", OWNER, str(tmp_path), "yes" if detached else "no"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        record = process.read_record(tmp_path / "running.json")
        assert record is not None
        owner.send_signal(how)
        owner.wait(10)
    gone = process.wait_until(lambda: not process.is_alive(record), 1.0 if detached else 10.0)
    assert gone is not detached
    process.terminate(record)


def test_the_lock_lets_one_in_and_names_itself(tmp_path: Path) -> None:
    with (
        process.locked(tmp_path / "lock", timeout_seconds=1.0),
        pytest.raises(EmbeddedError, match="stayed locked"),
        process.locked(tmp_path / "lock", timeout_seconds=0.1),
    ):
        pass
    with process.locked(tmp_path / "lock", timeout_seconds=1.0):
        pass


def test_chosen_ports_are_never_source_ports_of_clients() -> None:
    used = Path("/proc/sys/net/ipv4/ip_local_port_range")
    lowest = int(used.read_text().split()[0]) if used.exists() else 49_152
    port = process.free_port("some directory")
    assert port < min(lowest, 32_768)
    assert process.free_port("some directory", avoid=frozenset({port})) != port
