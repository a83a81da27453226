"""`python -m sources.collector`: the collector as a process, with settings from the environment, until SIGTERM.

SIGHUP: read the file of write keys again, now.
"""

from __future__ import annotations

import asyncio
import signal
import sys

from schemas.settings import Settings, SettingsError, read_settings
from schemas.yaml_file import DefinitionError
from sources.collector.keys import KeyFileError
from sources.collector.start import collector_of, serve


async def run(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    collector = collector_of(settings)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, collector.keys.read_again)
    await serve(collector, settings.collector_host, settings.collector_port, stop)


def main() -> int:
    try:
        asyncio.run(run(read_settings()))
    except (SettingsError, DefinitionError, KeyFileError, OSError) as error:
        print(f"collector: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
