"""`tail`: every watcher sees its source's lines in order, bounded, and is told what it missed."""

from __future__ import annotations

import pytest

from sources.collector.recent import CLIENTS_MAX, KEPT_MAX, QUEUE_MAX, Line, Recent, TooManyClients


def lines(source: str, count: int) -> list[Line]:
    return [Line(received_at=at, verdict="accepted", source=source) for at in range(count)]


def test_watchers_see_their_source_and_are_told_what_they_missed() -> None:
    recent = Recent()
    with recent.watching("web") as own, recent.watching(None) as everything:
        assert recent.add(lines("web", 600) + lines("tills", 600)) == 200
        assert [own.queue.get_nowait() for _ in range(own.queue.qsize())] == lines("web", 600)
        assert (own.dropped, everything.dropped) == (0, 1_200 - QUEUE_MAX)
    assert recent.watchers == 0


def test_the_ring_keeps_the_newest() -> None:
    recent = Recent()
    recent.add(lines("web", KEPT_MAX + 10))
    recent.add(lines("tills", 1))
    assert recent.kept("tills", 5) == lines("tills", 1)
    assert recent.kept("web", 2) == lines("web", KEPT_MAX + 10)[-2:]
    assert recent.kept(None, 0) == []
    assert len(recent.kept(None, 10_000)) == KEPT_MAX


def test_watchers_are_bounded() -> None:
    recent = Recent()
    held = [recent.watching(None) for _ in range(CLIENTS_MAX)]
    for one in held:
        one.__enter__()
    with pytest.raises(TooManyClients), recent.watching(None):
        pass
    for one in held:
        one.__exit__(None, None, None)
    with recent.watching(None):
        assert recent.watchers == 1
