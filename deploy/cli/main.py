"""The command line: `touchline --help`.

Exit codes: 0 it went well; 1 what was asked for is not so (a run that differs, a definition with flaws, a part that is
down); 2 it could not be done, with one sentence that says what to do.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

import typer
from kafka.errors import KafkaError
from rich.console import Console

from deploy.cli import alerts, backtest, dead_letters, definitions, demo, explain, identity, parts, records, tail, trace
from deploy.cli.alerts_client import NotReached
from deploy.demo.once import RunFailed
from deploy.embedded.process import EmbeddedError
from deploy.identity.asked import Unclear
from deploy.topics import TopicsDiffer
from schemas.definition_files import DefinitionError
from schemas.settings import SettingsError
from sources.simulation.driver import DeliveryFailed

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Follows every customer across web, app and store, and alerts while a broken journey can still be saved.",
)
for module in (demo, parts, tail, trace, dead_letters, definitions, explain, backtest, identity, alerts, records):
    module.register(app)

EXPECTED = (EmbeddedError, SettingsError, DefinitionError, TopicsDiffer, RunFailed, DeliveryFailed, Unclear, NotReached)


def main() -> NoReturn:
    """What can go wrong for reasons outside the program becomes one sentence; anything else is a bug and shows its
    trace.
    """
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    try:
        _refuse_what_is_no_text(sys.argv[1:])
        app(standalone_mode=True)
    except EXPECTED as error:
        errors.print(f"touchline: {error}")
    except KafkaError as error:
        errors.print(f"touchline: Kafka does not answer ({type(error).__name__}). Is it up? `touchline status` tells.")
    except KeyboardInterrupt:
        errors.print("touchline: stopped")
        sys.exit(130)
    sys.exit(2)


def _refuse_what_is_no_text(arguments: Sequence[str]) -> None:
    """Python lets bytes that are not UTF-8 through; nothing that we talk to takes them. Raises Unclear."""
    for number, argument in enumerate(arguments, 1):
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise Unclear(f"argument {number} is not text in UTF-8: type it again") from None
