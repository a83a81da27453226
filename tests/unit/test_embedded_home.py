"""Laws of a server's directory: found while it serves, stopped once, its log read from where it began."""

import errno
import os
from pathlib import Path

import pytest

from deploy.embedded import home, process
from deploy.embedded.process import EmbeddedError, Record

WITHIN = {"lock_seconds": 1.0, "grace_seconds": 5.0}


def serve(directory: Path) -> Record:
    record = process.spawn(["sleep", "60"], log_path=directory / "log", ports={}, detached=True)
    process.write_record(directory / home.RECORD, record)
    return record


def test_a_server_is_found_until_it_is_stopped_and_stopped_once(tmp_path: Path) -> None:
    record = serve(tmp_path)
    assert home.find_served(tmp_path) == record
    assert home.find_or_clear(tmp_path, grace_seconds=1.0) == record
    assert home.stop(tmp_path, **WITHIN)
    assert not process.is_alive(record)
    assert home.find_served(tmp_path) is None
    assert not home.stop(tmp_path, **WITHIN)


def test_a_server_whose_owner_is_dead_is_cleared_away(tmp_path: Path) -> None:
    served = serve(tmp_path)
    orphan = Record(served.pid, served.started, 2**22 + 1, {}, served.log_path)  # above the highest pid of Linux
    process.write_record(tmp_path / home.RECORD, orphan)
    assert home.find_served(tmp_path) is None
    assert home.find_or_clear(tmp_path, grace_seconds=5.0) is None
    assert not process.is_alive(served)


def test_a_stop_where_nothing_is_leaves_nothing(tmp_path: Path) -> None:
    assert not home.stop(tmp_path / "none", **WITHIN)
    assert not (tmp_path / "none").exists()


def test_the_log_is_read_from_its_offset_and_whole_after_a_rotation(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert home.log_size(log) == 0
    log.write_text("old new")
    assert home.log_since(log, 4, tail_bytes=100) == "new"
    assert home.log_since(log, 0, tail_bytes=2) == "ew"
    assert home.log_since(log, 50, tail_bytes=100) == "old new"


def test_errors_of_the_disk_say_what_to_do(tmp_path: Path) -> None:
    def full(path: Path) -> EmbeddedError:
        return EmbeddedError(f"no room in {path}")

    with pytest.raises(EmbeddedError, match="no room in"), home.disk_errors(tmp_path, full):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(EmbeddedError, match="give another data directory"), home.disk_errors(tmp_path, full):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    with pytest.raises(OSError, match="Input/output"), home.disk_errors(tmp_path, full):
        raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize("place", ["/proc/none/kafka", "file/kafka"])
def test_a_place_where_nothing_can_be_made_is_named_and_holds_nothing(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    directory = tmp_path / place
    with pytest.raises(EmbeddedError, match=r"cannot be made \(.*TOUCHLINE_DATA_DIR"):
        home.make(directory)
    assert home.find_served(directory) is None
    assert not home.has_fallen(directory)


def test_a_server_that_was_killed_has_fallen_and_one_that_was_stopped_has_not(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("of the life before\n")
    assert home.begin_log(tmp_path, log) == 19
    record = serve(tmp_path)
    with log.open("a") as file:
        file.write("last words\n")
    assert not home.has_fallen(tmp_path)
    process.kill(record)
    assert home.has_fallen(tmp_path)
    assert home.log_of_run(tmp_path, log, tail_bytes=100) == "last words\n"
    home.stop(tmp_path, **WITHIN)
    assert not home.has_fallen(tmp_path)


def test_a_record_that_is_not_ours_to_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(path: Path, *_: object, **__: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", closed)  # the superuser, who may run this, can read everything
    with pytest.raises(EmbeddedError, match="somebody else's"):
        home.find_served(tmp_path)
