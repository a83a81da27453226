"""The files and commands of one embedded Kafka node; kafka.py decides when to use them.

Formatting happens in a directory of its own that is renamed when complete, so that a start cut short leaves
nothing half made. Readiness is asked on the wire, with a Metadata request: no client library, no retries.
"""

import base64
import json
import shutil
import socket
import struct
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from string import Template
from typing import Final

from deploy.embedded import process
from deploy.embedded.java import Java
from deploy.embedded.process import EmbeddedError

FORMAT_SECONDS: Final = 60.0
PROBE_SECONDS: Final = 2.0
MAX_HEAP: Final = "512m"
TEMPLATE: Final = Path(__file__).with_name("server.properties")
DURABLE_LINE: Final = "log.flush.interval.messages=1"


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a data directory keeps over restarts."""

    cluster_id: str
    port: int
    controller_port: int


def cluster_id_of(raw: uuid.UUID) -> str:
    """16 bytes in URL-safe base64, as Kafka writes it. Never begins with `-`, which looks like an option."""
    return base64.urlsafe_b64encode(bytes([raw.bytes[0] & 0x7F]) + raw.bytes[1:]).decode().rstrip("=")


def render_properties(cluster: Cluster, *, log_dir: str, durable: bool) -> str:
    return Template(TEMPLATE.read_text()).substitute(
        port=cluster.port,
        controller_port=cluster.controller_port,
        log_dir=log_dir,
        flush_interval=1 if durable else 2**63 - 1,
    )


def java_command(java: Java, class_path: Sequence[Path], main: str, *arguments: str, short_lived: bool) -> list[str]:
    newer = ["--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED"]
    return [
        str(java.executable),
        "-Xms128m",
        f"-Xmx{MAX_HEAP}",
        "-XX:+UseSerialGC",  # least memory and quickest start on two cores
        *(["-XX:TieredStopAtLevel=1"] if short_lived else []),  # its code is never hot enough to be worth C2
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",
        "-XX:ErrorFile=crash-%p.log",
        *(newer if java.major >= 24 else []),  # both only silence warnings
        "-Djava.awt.headless=true",
        "-Djava.io.tmpdir=tmp",  # native codecs are unpacked there, and left there by a kill -9
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
        "-cp",
        ":".join(str(path) for path in class_path),
        main,
        *arguments,
    ]


def open_cluster(home: Path, port: int | None) -> Cluster:
    """The directory's own cluster, or a new one, with ports free now. Checks that the data is its own."""
    stored = _stored_cluster(home)
    if stored is None and (home / "data").exists():
        raise foreign_data(home)
    chosen = port or _keep_or_choose(stored.port if stored else None, f"{home}", frozenset())
    # The broker that was killed a moment ago may still be closing its sockets.
    if not process.wait_until(lambda: process.is_free(chosen), 2.0):
        raise port_taken(chosen)
    controller = _keep_or_choose(stored.controller_port if stored else None, f"{home} controller", frozenset({chosen}))
    cluster = Cluster(stored.cluster_id if stored else cluster_id_of(uuid.uuid4()), chosen, controller)
    process.write_whole(home / "cluster.json", json.dumps(asdict(cluster)))
    return cluster


def _keep_or_choose(last: int | None, key: str, avoid: frozenset[int]) -> int:
    if last is not None and last not in avoid and process.wait_until(lambda: process.is_free(last), 1.0):
        return last
    return process.free_port(key, avoid=avoid)


def _stored_cluster(home: Path) -> Cluster | None:
    path = home / "cluster.json"
    if not path.exists():
        return None
    try:
        stored = json.loads(path.read_text())
        cluster = Cluster(str(stored["cluster_id"]), int(stored["port"]), int(stored["controller_port"]))
    except (ValueError, KeyError, TypeError) as error:
        raise EmbeddedError(f"{path} is damaged: delete {home} to begin with an empty Kafka") from error
    meta = home / "data" / "meta.properties"
    known = meta.read_text().splitlines() if meta.exists() else []
    if (home / "data").exists() and f"cluster.id={cluster.cluster_id}" not in known:
        raise foreign_data(home)
    return cluster


def format_data(home: Path, cluster: Cluster, java: Java, class_path: Sequence[Path]) -> None:
    shutil.rmtree(home / "data.new", ignore_errors=True)
    process.write_whole(home / "format.properties", render_properties(cluster, log_dir="data.new", durable=False))
    arguments = ("format", "--standalone", "-t", cluster.cluster_id, "-c", "format.properties")
    command = java_command(java, class_path, "kafka.tools.StorageTool", *arguments, short_lived=True)
    try:
        done = subprocess.run(command, cwd=home, check=False, capture_output=True, text=True, timeout=FORMAT_SECONDS)
        output, code = done.stdout + done.stderr, done.returncode
    except subprocess.TimeoutExpired:
        output, code = f"no answer within {FORMAT_SECONDS:.0f} s", -1
    if code != 0:
        (home / "format.log").write_text(output)
        cause = cause_of(output, home, cluster.port)
        raise cause or EmbeddedError(
            f"Kafka could not prepare {home / 'data'} (code {code}): read {home / 'format.log'} and try again"
        )
    (home / "data.new").replace(home / "data")


def metadata_request() -> bytes:
    """Metadata version 1 about no topic, with its length in front."""
    client = b"touchline"
    body = struct.pack(f">hhih{len(client)}si", 3, 1, 0, len(client), client, 0)
    return struct.pack(">i", len(body)) + body


def serves(port: int) -> bool:
    """The broker answers and counts itself among the live ones: from then on topics can be created."""
    try:
        with socket.create_connection((process.LOOPBACK, port), timeout=PROBE_SECONDS) as connection:
            connection.sendall(metadata_request())
            with connection.makefile("rb") as answer:
                _length, _correlation, brokers = struct.unpack(">iii", answer.read(12))
    except (OSError, struct.error):
        return False
    return bool(brokers > 0)


def cause_of(log: str, home: Path, port: int) -> EmbeddedError | None:
    """What the broker's log says about a failed start, for the causes a person can remove."""
    if "Address already in use" in log:
        return port_taken(port)
    if "No space left on device" in log:
        return disk_full(home)
    if "InconsistentClusterId" in log or "InconsistentBrokerMetadata" in log or "Invalid cluster.id" in log:
        return foreign_data(home)
    return None


def port_taken(port: int) -> EmbeddedError:
    return EmbeddedError(
        f"port {port} on {process.LOOPBACK} is taken by another program:"
        " choose another port for Kafka, or end that program"
    )


def disk_full(home: Path) -> EmbeddedError:
    return EmbeddedError(
        f"the disk under {home} is full or nearly so: free some space, or give another data directory"
        " (TOUCHLINE_DATA_DIR)"
    )


def foreign_data(home: Path) -> EmbeddedError:
    return EmbeddedError(
        f"{home / 'data'} holds the data of another Kafka cluster, or none: give another data directory,"
        f" or delete {home} to begin with an empty Kafka"
    )
