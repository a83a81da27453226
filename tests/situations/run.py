"""`make situations`: plays the situations on real Kafka, workers and ClickHouse, and judges what came of them.

Exit code 0: all as expected; 1: a difference, each named; 2: a file of a situation cannot be used, or the run did not
come to its end.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from deploy.embedded.process import EmbeddedError
from schemas.times import to_ms
from tests.situations.collect import collect
from tests.situations.compare import differences
from tests.situations.drawing import draw
from tests.situations.expectation import read_expectation
from tests.situations.naming import Naming
from tests.situations.outcome import Outcome, decode, encode
from tests.situations.play import TimeStandsStill, play
from tests.situations.script import Script, SituationError, names, read_script, refuse_shared
from tests.situations.world import NotSettled, Say, running

NOW: Final = to_ms("2026-03-07T20:00:00Z")
"""Saturday evening: when somebody looks at what came of it all."""


def play_all(scripts: Sequence[Script], home: Path, say: Say) -> list[Outcome]:
    """Blocks for about two minutes. Raises SituationError, EmbeddedError, TimeStandsStill, NotSettled."""
    refuse_shared(scripts)
    if late := [script.name for script in scripts if script.lines[-1].arrives_at >= NOW]:
        raise SituationError(f"{late[0]}: something arrives after Saturday evening, when the run ends")
    with running(home, say) as world:
        naming = Naming(world.worker_environment)
        asyncio.run(play(world, scripts, NOW, naming, say))
        say("reading what came of it")
        return collect(world, scripts, naming)


def main() -> int:
    options = _parser().parse_args()
    console, errors = Console(width=options.width, highlight=False), Console(stderr=True, highlight=False)
    began = time.monotonic()

    def say(text: str) -> None:
        errors.print(f"[dim]{time.monotonic() - began:5.0f} s  {text}")

    try:
        wanted = options.situation or names()
        if unknown := [name for name in wanted if name not in names()]:
            raise SituationError(f"no situation {unknown[0]}; there are: {', '.join(names())}")
        scripts = [read_script(name) for name in wanted]
        expectations = [read_expectation(name) for name in wanted]
        if options.load is not None:
            kept = {outcome.name: outcome for outcome in decode(options.load.read_bytes())}
            outcomes = [kept[name] for name in wanted]
        else:
            with tempfile.TemporaryDirectory(prefix="touchline-situations-") as folder:
                outcomes = play_all(scripts, options.home or Path(folder), say)
    except (SituationError, EmbeddedError, TimeStandsStill, NotSettled) as error:
        print(f"situations: {error}", file=sys.stderr)
        return 2
    if options.save is not None:
        options.save.write_bytes(encode(outcomes))
    failed: list[str] = []
    for script, expected, outcome in zip(scripts, expectations, outcomes):
        found = differences(expected, outcome)
        draw(console, script, expected, outcome, found)
        failed += found
    for text in failed:
        console.print(Text(f"✘ {text}", style="red"), soft_wrap=True)
    console.print(f"{len(scripts)} situations, {len(failed)} differences, {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make situations", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("situation", nargs="*", help="only these; all share one run")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the outcomes as JSON")
    parser.add_argument("--load", type=Path, metavar="FILE", help="judge outcomes that were saved; play nothing")
    parser.add_argument("--home", type=Path, metavar="DIR", help="keep logs and data there")
    parser.add_argument("--width", type=int, help="columns; default: the terminal's")
    return parser


if __name__ == "__main__":
    sys.exit(main())
