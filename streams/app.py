"""The Faust application of a worker: its settings, its topics, its agents. Everything else is in the shell."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from typing import Any

import faust
from faust.auth import SASLCredentials, SSLCredentials

from streams.agent import add_agent
from streams.shell import Shell
from streams.transport import BatchTransport, subscribed


def build_app(shell: Shell) -> faust.App:
    """Call it inside the running loop, once per process. The shell must have been started."""
    settings = shell.settings
    app = faust.App(
        settings.app_id,
        broker=[f"kafka://{server}" for server in settings.bootstrap.split(",")],
        broker_credentials=credentials_of(settings.kafka),
        store="memory://",
        datadir=tempfile.mkdtemp(prefix="touchline-"),
        consumer_group_instance_id=settings.instance,
        canonical_url=f"http://{settings.instance}.invalid",  # the same in every life of the instance
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        stream_wait_empty=True,
        broker_commit_interval=settings.commit_interval_ms / 1000,
        broker_session_timeout=settings.session_timeout_ms / 1000,
        producer_acks=-1,
    )
    app.transport = BatchTransport(app, shell, settings)
    shell.fail = app.crash
    topics = subscribed([settings.physical(spec.source) for spec in shell.stages], app)
    for spec, topic in zip(shell.stages, topics, strict=True):
        add_agent(app, spec.name, topic)
    return app


def credentials_of(kafka: Mapping[str, Any]) -> SASLCredentials | SSLCredentials | None:
    """The clients' options in Faust's shape, for the producer that Faust makes itself. None: plain text."""
    context = kafka.get("ssl_context")
    if str(kafka.get("security_protocol", "")).startswith("SASL"):
        return SASLCredentials(
            username=kafka["sasl_plain_username"],
            password=kafka["sasl_plain_password"],
            mechanism=kafka["sasl_mechanism"],
            ssl_context=context,
        )
    return None if context is None else SSLCredentials(context)
