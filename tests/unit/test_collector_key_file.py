"""Write keys change while the collector runs: a whole file is taken, anything else keeps the keys that are in force."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sources.collector.key_file import KeyFile
from sources.collector.keys import KeyFileError, Source
from sources.collector.metrics import Metrics

OLD = "write_keys:\n  old-key-1: {source: shop, trust: server}\n"
HALF = "write_keys:\n  new-key-1: {source: shop, trust: server}\n"
NEW = HALF + "  new-key-2: {source: till, trust: server}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "write-keys.yaml"
    file.write_text(OLD)
    return file


def known(keys: KeyFile) -> set[str]:
    return {key for key in ("old-key-1", "new-key-1", "new-key-2") if keys.find(key) is not None}


def test_a_changed_file_is_taken_once_it_lies_still(file: Path) -> None:
    keys = KeyFile(file)
    assert keys.look() is None
    file.write_text(HALF)  # valid YAML, and half of the truth: somebody is writing
    assert keys.look() is None
    file.write_text(NEW)
    assert keys.look() is None
    assert known(keys) == {"old-key-1"}
    assert keys.look() == "taken"
    assert known(keys) == {"new-key-1", "new-key-2"}
    assert keys.find("new-key-2") == Source("till", "server")
    assert keys.look() is None


def test_a_file_that_was_replaced_is_taken_though_size_and_time_are_the_same(file: Path, tmp_path: Path) -> None:
    keys = KeyFile(file)
    other = tmp_path / "other"
    other.write_text(OLD.replace("old", "new"))
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)
    assert [keys.look(), keys.look()] == [None, "taken"]
    assert known(keys) == {"new-key-1"}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.write_text("write_keys:\n  secret-1: {sauce: shop}\n"),
        lambda file: file.write_text(""),
        lambda file: file.write_bytes(b"\xff\xfe"),
        lambda file: file.unlink(),
    ],
    ids=["wrong", "empty", "not text", "gone"],
)
def test_a_file_that_cannot_be_used_keeps_the_keys_and_is_told_once(file: Path, spoil: Callable[[Path], None]) -> None:
    keys = KeyFile(file)
    spoil(file)
    assert [keys.look() for _ in range(4)] == [None, "kept", None, None]
    assert known(keys) == {"old-key-1"}
    assert keys.problem is not None
    assert str(file) in keys.problem
    assert "secret" not in keys.problem
    file.write_text(NEW)
    assert [keys.look(), keys.look()] == [None, "taken"]
    assert known(keys) == {"new-key-1", "new-key-2"}
    assert vars(keys)["problem"] is None


def test_the_first_file_must_be_right(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError):
        KeyFile(tmp_path / "nowhere.yaml")


def test_asked_for_it_reads_at_once_and_the_metrics_say_how_it_went(file: Path) -> None:
    metrics = Metrics()

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"touchline_collector_{name}", labels)

    async def reach(name: str, wanted: float, **labels: str) -> None:
        async with asyncio.timeout(10):
            while value(name, **labels) != wanted:
                await asyncio.sleep(0.01)

    async def run() -> None:
        keys = KeyFile(file)
        task = asyncio.create_task(keys.watch(metrics, look_seconds=3600.0))
        await reach("write_keys", 1)
        assert value("write_keys_stale") == 0
        file.write_text(NEW)
        keys.read_again()
        await reach("write_keys", 2)
        file.unlink()
        keys.read_again()
        await reach("write_keys_stale", 1)
        assert value("write_key_readings_total", outcome="taken") == 1
        assert value("write_key_readings_total", outcome="kept") == 1
        assert known(keys) == {"new-key-1", "new-key-2"}
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(run())
