"""The embedded broker serves real clients, is found again, and is never left behind."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import MessageSizeTooLargeError

from deploy.embedded import process
from deploy.embedded.jars import LOCK_FILE, default_directory, ensure_jars, parse_lock
from deploy.embedded.kafka import RunningKafka, find_running, kill_kafka, start_kafka, stop_kafka
from deploy.embedded.process import EmbeddedError
from tests.integration.patience import PATIENCE_SECONDS

CODECS = ["gzip", "snappy", "lz4", "zstd"]
VALUES = [f"{number}-".encode() * 40 for number in range(200)]


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    stop_kafka(tmp_path)


def create_topic(bootstrap: str, name: str) -> str:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    admin.close()
    return name


def produce(bootstrap: str, topic: str, values: list[bytes], codec: str | None = None) -> None:
    """Returns when every record is acknowledged."""
    producer = KafkaProducer(
        bootstrap_servers=bootstrap, compression_type=codec, acks="all", max_request_size=5_000_000
    )
    futures = [producer.send(topic, value) for value in values]
    for future in futures:
        future.get(timeout=60)
    producer.close()


def consume(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = KafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=60_000
    )
    values = []
    for record in consumer:
        values.append(record.value)
        if len(values) == count:
            break
    consumer.close()
    return values


async def aio_consume(bootstrap: str, topic: str, isolation: str = "read_uncommitted") -> list[bytes]:
    """Everything up to the present end of the topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level=isolation, enable_auto_commit=False)
    await consumer.start()
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    await consumer.seek_to_beginning(partition)
    end = (await consumer.end_offsets([partition]))[partition]
    values: list[bytes] = []
    while await consumer.position(partition) < end:
        batches = await consumer.getmany(timeout_ms=500)
        values += [record.value for records in batches.values() for record in records]
    await consumer.stop()
    return values


# -- clients


@pytest.mark.parametrize("codec", CODECS)
def test_codecs_of_both_clients(kafka: str, topic_prefix: str, codec: str) -> None:
    topic = create_topic(kafka, topic_prefix + "codec")
    produce(kafka, topic, VALUES, codec)

    async def with_aiokafka() -> list[bytes]:
        producer = AIOKafkaProducer(bootstrap_servers=kafka, compression_type=codec)
        await producer.start()
        for value in VALUES:
            await producer.send(topic, value)
        await producer.stop()
        return await aio_consume(kafka, topic)

    assert asyncio.run(with_aiokafka()) == VALUES + VALUES
    assert consume(kafka, topic, 2 * len(VALUES)) == VALUES + VALUES


def test_transactions_show_only_what_was_committed(kafka: str, topic_prefix: str) -> None:
    topic = create_topic(kafka, topic_prefix + "transactions")

    async def run() -> tuple[list[bytes], list[bytes]]:
        producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=topic_prefix + "writer")
        await producer.start()
        for value, keep in ((b"one", True), (b"two", False), (b"three", True)):
            await producer.begin_transaction()
            await producer.send_and_wait(topic, value)
            await (producer.commit_transaction() if keep else producer.abort_transaction())
        await producer.stop()
        return await aio_consume(kafka, topic, "read_committed"), await aio_consume(kafka, topic)

    committed, everything = asyncio.run(run())
    assert committed == [b"one", b"three"]
    assert everything == [b"one", b"two", b"three"]


def test_records_up_to_four_mebibytes(kafka: str, topic_prefix: str) -> None:
    topic = create_topic(kafka, topic_prefix + "large")
    produce(kafka, topic, [bytes(4_000_000)])
    with pytest.raises(MessageSizeTooLargeError):
        produce(kafka, topic, [bytes(4 * 1024 * 1024 + 1)])


def test_a_topic_nobody_created_stays_unknown(kafka: str, topic_prefix: str) -> None:
    consumer = KafkaConsumer(bootstrap_servers=kafka)
    assert not consumer.partitions_for_topic(topic_prefix + "misspelt")
    assert topic_prefix + "misspelt" not in consumer.topics()
    consumer.close()


# -- one broker for a data directory, for as long as it is wanted

STARTER = """
import sys, time
from pathlib import Path
from deploy.embedded.kafka import start_kafka
running = start_kafka(Path(sys.argv[1]), detached=sys.argv[2] == "detached")
print(running.pid, flush=True)
if sys.argv[2] == "owned":
    time.sleep(120)
"""


def starter(data_dir: Path, mode: str) -> "subprocess.Popen[str]":
    arguments = [sys.executable, "-c", STARTER, str(data_dir), mode]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def test_two_starts_at_once_give_one_broker_that_outlives_both(data_dir: Path) -> None:
    with starter(data_dir, "detached") as first, starter(data_dir, "detached") as second:
        pids = {int(run.communicate(timeout=PATIENCE_SECONDS)[0]) for run in (first, second)}
    running = find_running(data_dir)
    assert running is not None
    assert pids == {running.pid}
    assert start_kafka(data_dir) == running
    with pytest.raises(EmbeddedError, match=f"on port {running.port}, not 20999"):
        start_kafka(data_dir, port=20999)
    with pytest.raises(EmbeddedError, match="not with durable writes"):
        start_kafka(data_dir, durable=True)
    assert stop_kafka(data_dir)
    assert find_running(data_dir) is None
    assert not stop_kafka(data_dir)
    assert not process.is_alive(running.record)


def supervisor_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.parametrize("victim", ["owner", "supervisor"])
def test_an_owned_broker_dies_with_its_owner_and_the_next_start_succeeds(data_dir: Path, victim: str) -> None:
    with starter(data_dir, "owned") as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        running = find_running(data_dir)
        assert running is not None
        assert running.pid == pid
        with pytest.raises(EmbeddedError, match=f"ends with process {owner.pid}"):
            start_kafka(data_dir, detached=True)
        os.kill(owner.pid if victim == "owner" else supervisor_of(pid), signal.SIGKILL)
        if victim == "owner":
            owner.wait(PATIENCE_SECONDS)
            again = start_kafka(data_dir)  # while the old one is still on its way out
            assert again.pid != pid
            assert again.port == running.port
        gone = process.wait_until(lambda: not process.is_alive(running.record), 60.0)
        owner.kill()
    assert gone


# -- kill -9


def test_acknowledged_records_survive_kill_9_and_the_same_client_goes_on(data_dir: Path) -> None:
    first = start_kafka(data_dir)
    topic = create_topic(first.bootstrap, "kept")

    async def run() -> tuple[RunningKafka, list[bytes]]:
        producer = AIOKafkaProducer(bootstrap_servers=first.bootstrap, enable_idempotence=True)
        await producer.start()
        for value in VALUES:
            await producer.send_and_wait(topic, value)
        assert kill_kafka(first)
        assert find_running(data_dir) is None
        waiting = [asyncio.create_task(producer.send_and_wait(topic, value)) for value in (b"while down", b"still")]
        second = await asyncio.to_thread(start_kafka, data_dir, port=first.port)
        await asyncio.gather(*waiting)
        await producer.stop()
        return second, await aio_consume(second.bootstrap, topic)

    second, stored = asyncio.run(run())
    assert stored[: len(VALUES)] == VALUES
    assert sorted(stored[len(VALUES) :]) == [b"still", b"while down"]
    assert (second.bootstrap, second.pid != first.pid) == (first.bootstrap, True)


def test_another_controller_port_is_no_obstacle(data_dir: Path) -> None:
    first = start_kafka(data_dir, short_lived=True)
    topic = create_topic(first.bootstrap, "moved")
    produce(first.bootstrap, topic, VALUES)
    stop_kafka(data_dir)
    with socket.socket() as other:
        other.bind((process.LOOPBACK, first.record.ports["controller"]))
        other.listen()
        second = start_kafka(data_dir, short_lived=True)
        assert second.record.ports["controller"] != first.record.ports["controller"]
        assert consume(second.bootstrap, topic, len(VALUES)) == VALUES


# -- refusals


def test_a_changed_jar_is_refused(tmp_path: Path) -> None:
    ensure_jars(None, print)
    cache, copy = default_directory(LOCK_FILE.read_text()), tmp_path / "jars"
    copy.mkdir()
    victim = parse_lock(LOCK_FILE.read_text())[17].file_name
    for jar in cache.glob("*.jar"):
        (copy / jar.name).symlink_to(jar)
    (copy / victim).unlink()
    shutil.copy(cache / victim, copy / victim)
    with (copy / victim).open("r+b") as file:
        byte = file.read(1)
        file.seek(0)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(EmbeddedError, match=f"{victim} is not the jar .* delete that file"):
        start_kafka(tmp_path / "data", jars_dir=copy)
    assert find_running(tmp_path / "data") is None


def test_a_taken_port_is_refused_by_name(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind((process.LOOPBACK, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(EmbeddedError, match=f"port {port} on 127.0.0.1 is taken"):
            start_kafka(tmp_path, port=port)


def test_a_broker_that_is_not_up_in_time_is_stopped_and_its_log_named(data_dir: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"did not come up within 0 s .*broker\.log"):
        start_kafka(data_dir, timeout_seconds=0.1)
    assert process.read_record(data_dir / "kafka" / "running.json") is None


def test_a_data_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match="give another data directory"):
        start_kafka(tmp_path / "file")
