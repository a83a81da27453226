"""One Kafka node that wants to know who asks: SCRAM without TLS on one port, PLAIN over TLS on another.

The same Apache Kafka and the same settings as the embedded node; only listeners, users and a certificate come on top.
The certificate is made by the keytool inside every Java, so nothing else must be installed.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded import kafka_node as node
from deploy.embedded import process
from deploy.embedded.jars import ensure_jars
from deploy.embedded.java import Java, find_java

USER, PASSWORD, STORE_PASSWORD = "shop", "pass word; =:@", "test-only"
READY_SECONDS = 90.0
LISTENERS = """
listeners=PLAINTEXT://127.0.0.1:{plain},SASL_PLAINTEXT://127.0.0.1:{scram},SASL_SSL://127.0.0.1:{tls},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL_PLAINTEXT://127.0.0.1:{scram},SASL_SSL://127.0.0.1:{tls}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
inter.broker.listener.name=PLAINTEXT
listener.name.sasl_plaintext.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config={jaas}.scram.ScramLoginModule required;
listener.name.sasl_ssl.sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config={jaas}.plain.PlainLoginModule required user_{user}="{password}";
listener.name.sasl_ssl.ssl.keystore.type=PKCS12
listener.name.sasl_ssl.ssl.keystore.location=server.p12
listener.name.sasl_ssl.ssl.keystore.password={store_password}
"""


@dataclass(frozen=True)
class SecureKafka:
    """`settings`: the environment with which each kind of listener is reached."""

    settings: Mapping[str, Mapping[str, str]]


@contextmanager
def secure_kafka(directory: Path) -> Iterator[SecureKafka]:
    home = directory / "secure-kafka"
    (home / "tmp").mkdir(parents=True)
    java, class_path = find_java(), ensure_jars(None, lambda _: None)
    cluster = node.open_cluster(home, None)
    taken = frozenset((cluster.port, cluster.controller_port))
    scram = process.free_port(f"{home} scram", avoid=taken)
    tls = process.free_port(f"{home} tls", avoid=taken | {scram})
    ca_file = _certificate(java, home)
    listeners = LISTENERS.format(
        jaas="org.apache.kafka.common.security",
        plain=cluster.port,
        controller=cluster.controller_port,
        scram=scram,
        tls=tls,
        user=USER,
        password=PASSWORD,
        store_password=STORE_PASSWORD,
    )
    # Of a property that stands twice the last counts.
    properties = node.render_properties(cluster, log_dir="data", durable=False) + listeners
    (home / "server.properties").write_text(properties)
    known = f'SCRAM-SHA-512=[name="{USER}",password="{PASSWORD}"]'
    tool = ("kafka.tools.StorageTool", "format", "--standalone", "-t", cluster.cluster_id, "-c", "server.properties")
    _run(node.java_command(java, class_path, *tool, "--add-scram", known, short_lived=True), home)
    record = process.spawn(
        node.java_command(java, class_path, "kafka.Kafka", "server.properties", short_lived=True),
        log_path=home / "broker.log",
        ports={},
        cwd=home,
    )
    try:
        served = process.wait_until(lambda: node.serves(cluster.port) or not process.is_alive(record), READY_SECONDS)
        assert served
        assert process.is_alive(record), (home / "broker.log").read_text()[-2_000:]
        who = {"KAFKA_SASL_USERNAME": USER, "KAFKA_SASL_PASSWORD": PASSWORD}
        yield SecureKafka(
            {
                "SCRAM": who
                | {
                    "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{scram}",
                    "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
                    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
                },
                "PLAIN over TLS": who
                | {
                    "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{tls}",
                    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
                    "KAFKA_SASL_MECHANISM": "PLAIN",
                    "KAFKA_SSL_CAFILE": str(ca_file),
                },
            }
        )
    finally:
        process.terminate(record)


def _certificate(java: Java, home: Path) -> Path:
    """Self-signed, for 127.0.0.1 only: key in server.p12, what clients trust in the file returned."""
    tool = [str(java.executable), "sun.security.tools.keytool.Main"]
    store = ["-alias", "server", "-keystore", "server.p12", "-storepass", STORE_PASSWORD]
    extensions = ["-ext", "san=ip:127.0.0.1", "-ext", "bc=ca:true"]
    key = ["-keyalg", "RSA", "-keysize", "2048", "-validity", "2", "-dname", "CN=127.0.0.1", "-storetype", "PKCS12"]
    _run([*tool, "-genkeypair", *store, *key, *extensions], home)
    (home / "ca.pem").write_text(_run([*tool, "-exportcert", "-rfc", *store], home))
    return home / "ca.pem"


def _run(command: list[str], home: Path) -> str:
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
