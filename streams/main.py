"""`python -m streams.main`: a worker of this deployment, from the environment (docs/settings.md).

Exit code 2 when something must be mended by a person first: a setting, a definition, state of another build.
"""

from __future__ import annotations

import logging
import sys
from typing import NoReturn

from schemas.definition_files import DefinitionError, load_definitions
from schemas.identity_files import catalogue_of, identity_reader_of
from schemas.settings import Settings, SettingsError, kafka_client_options, read_settings
from schemas.sources_files import sources_of
from streams.product import Product
from streams.repeats import Repeats
from streams.settings import WorkerSettings
from streams.worker import REFUSED, run_worker

APP_ID = "touchline"
LOGIN_HORIZONS = 2
"""A login is kept for three horizons and a day, and what it speaks for may arrive one horizon late."""


def product_of(settings: Settings) -> Product:
    """Raises DefinitionError, SettingsError."""
    if settings.control_secret is None:
        raise SettingsError("TOUCHLINE_CONTROL_SECRET is missing. Set the same secret for collectors and workers.")
    catalogue, reader = catalogue_of(settings), identity_reader_of(settings)
    if reader.rules.login_before_ms > LOGIN_HORIZONS * settings.horizon_ms:
        raise SettingsError(
            f"windows.login_before of the identity rules is {reader.rules.windows.login_before}, more than"
            f" {LOGIN_HORIZONS} times TOUCHLINE_HORIZON_MS ({settings.horizon_ms}): logins are forgotten before that."
            " Shorten the one or lengthen the other."
        )
    return Product(
        definitions=load_definitions(settings.definitions_dir, catalogue),
        catalogue=catalogue,
        control_secret=settings.control_secret.get_secret_value().encode(),
        run=settings.run,
        horizon_ms=settings.horizon_ms,
        beats_here=settings.beats == "worker",
        reader=reader,
        sources=sources_of(settings, catalogue),
    )


def worker_settings_of(settings: Settings, product: Product) -> WorkerSettings:
    return WorkerSettings(
        app_id=settings.topic_prefix + APP_ID,
        instance=settings.worker_id,
        bootstrap=settings.kafka_bootstrap_servers,
        fingerprint=product.fingerprint(),
        topic_prefix=settings.topic_prefix,
        kafka=kafka_client_options(settings),
        session_timeout_ms=settings.session_timeout_ms,
        drain_timeout_ms=settings.drain_timeout_ms,
        stop_timeout_ms=settings.stop_timeout_ms,
        beat_interval_ms=settings.beat_interval_ms,
        health_host=settings.health_host,
        health_port=settings.health_port,
    )


def main() -> NoReturn:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    for handler in logging.getLogger().handlers:
        handler.addFilter(Repeats())
    try:
        settings = read_settings()
        product = product_of(settings)
    except (SettingsError, DefinitionError) as error:
        print(f"worker: {error}", file=sys.stderr)
        sys.exit(REFUSED)
    run_worker(worker_settings_of(settings, product), product.stages())


if __name__ == "__main__":
    main()
