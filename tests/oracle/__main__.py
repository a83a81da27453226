"""`python tests/oracle DIR [--json] [--killed]`: 0 nothing differs, 1 something does, 2 DIR cannot be read."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python tests/oracle", description="Hold a run against the oracle.")
    parser.add_argument("directory", type=Path, help="what `touchline demo --export DIR` left (docs/simulation.md)")
    parser.add_argument("--json", action="store_true", help="the whole report as one JSON object")
    parser.add_argument("--killed", action="store_true", help="requests may have reached Kafka twice")
    options = parser.parse_args(arguments)
    if not __package__:
        sys.path[0] = str(Path(__file__).resolve().parents[2])
    from tests.oracle.compare import compare

    try:
        report = compare(options.directory, killed=options.killed)
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"{options.directory}: not a run as docs/simulation.md describes it: {error!r}", file=sys.stderr)
        return 2
    print(json.dumps(report.as_json(), indent=1) if options.json else report.as_text())
    return 0 if report.right else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
