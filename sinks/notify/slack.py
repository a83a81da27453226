"""What Slack gets: `{"text": ...}` for an incoming webhook. Pure.

Values are escaped as Slack asks (`&`, `<`, `>`): nothing that a touchpoint says can become a link, a mention or
`<!channel>`. The text of the template is its author's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Final

from schemas.templates import fill
from sinks.notify.incident import Incident, IncidentNews
from sinks.notify.wording import fields_of, shortened

TEMPLATE: Final = """
*{state}* {severity}: {journey}, {what}: {alerts}
{first_line}
Also: {sample}
Acknowledged by: {acknowledged_by}
Owner: {owner}, since {since}
Runbook: {runbook}
"""
PER_MINUTE: Final = 30
"""Without a rate of its own. Slack itself allows about one in a second."""
TEXT_MAX: Final = 3_500
LISTED_MAX: Final = 20
Runbook = Callable[[Incident], str | None]


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def text_of(news: IncidentNews, template: str, runbook: Runbook) -> str:
    fields = fields_of(news.incident, news.news, runbook(news.incident))
    return fill(template, fields, escaped)


def slack_text(all_news: Sequence[IncidentNews], template: str, runbook: Runbook) -> str:
    """One incident with all its lines; several with the first line of each."""
    texts = [text_of(news, template, runbook) for news in all_news]
    if len(texts) == 1:
        return _bounded(texts[0])
    lines = [f"{len(texts)} incidents changed; more than this route's rate, so here together:"]
    lines += [f"• {text.partition(chr(10))[0]}" for text in texts[:LISTED_MAX]]
    if len(texts) > LISTED_MAX:
        lines.append(f"and {len(texts) - LISTED_MAX} more")
    return _bounded("\n".join(lines))


def slack_body(text: str) -> bytes:
    return json.dumps({"text": text}, ensure_ascii=False).encode()


def _bounded(text: str) -> str:
    if len(text) <= TEXT_MAX:
        return text
    kept = text[:TEXT_MAX].rpartition("\n")[0] or shortened(text, TEXT_MAX)
    return f"{kept}\n…"
