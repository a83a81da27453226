"""How `touchline tail` shows a line of the collector. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from rich.text import Text

COLOURS: Final = {"accepted": "green", "refused": "bold red"}


def line_text(line: dict[str, Any]) -> Text:
    """Time, verdict, source, name, ids; for a refused one what was wrong and in which field."""
    verdict = line["verdict"]
    at = datetime.fromtimestamp(line["received_at"] / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
    text = Text.assemble(
        (at, "dim"),
        " ",
        (f"{verdict:<8}", COLOURS.get(verdict, "")),
        f" {line['source']:<10} {line.get('name') or '(no name)':<20}",
        (f" {line['channel']}" if line.get("channel") else "", "dim"),
    )
    if verdict == "refused":
        text.append(f" {line.get('failure') or 'refused'}", "red")
        text.append(f" in {line['field']}" if line.get("field") else "", "red")
    if line.get("message_id"):
        text.append(f"  {line['message_id']}")
    if line.get("touchpoint_id"):
        text.append(f"  {line['touchpoint_id']}", "dim")
    return text


def dropped_text(count: int) -> Text:
    return Text(f"{count} lines were left out: they came faster than this terminal takes them", style="yellow")
