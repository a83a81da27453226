"""What a person does with alerts: finds one by what they typed, acknowledges, closes, silences. No HTTP here.

Works on the outbox's file beside the notifier, with a connection of its own. What it says about an alert goes to
Kafka and comes back as the alert's next state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import ValidationError

from schemas.records import Alert
from schemas.times import to_ms
from sinks.notify.acknowledge import Words, acknowledgement_of
from sinks.notify.board import PREFIX_MIN, Entry
from sinks.notify.forms import (
    INCIDENT_MAX,
    STATES,
    AlertView,
    Answered,
    Listed,
    SilenceForm,
    Silences,
    SilenceView,
    WordForm,
    alert_view,
    silence_view,
)
from sinks.notify.incident import Labels, labels_of
from sinks.notify.outbox import Outbox
from sinks.notify.quiet import SILENCES_MAX, Silence, silence_of


class Refused(Exception):
    """What was asked for cannot be done. `status` is that of HTTP."""

    def __init__(self, status: int, text: str, candidates: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.status, self.candidates = status, tuple(candidates)


Runbook = Callable[[Labels], str | None]


class Desk:
    """Not thread-safe. `now_ms`: wall clock. `words` None: the deployment's control secret is not known here."""

    def __init__(self, outbox: Outbox, words: Words | None, runbook: Runbook, now_ms: Callable[[], int]) -> None:
        self._outbox = outbox
        self._board = outbox.board
        self._words = words
        self._runbook = runbook
        self._now_ms = now_ms

    # -- alerts --

    def listed(self, state: str, incident: str | None, limit: int) -> Listed:
        if state not in STATES:
            raise Refused(400, f"state: one of {', '.join(STATES)}")
        now, states = self._now_ms(), STATES[state]
        entries = self._board.listed(states, incident, limit)
        views = [self._view(entry, now) for entry in entries]
        return Listed(alerts=views, total=self._board.counted(states, incident), held=self._board.held())

    def show(self, said: str) -> AlertView:
        return self._view(self._found(said), self._now_ms(), with_evidence=True)

    def _view(self, entry: Entry, now: int, with_evidence: bool = False) -> AlertView:
        alert = entry.alert
        runbook = alert.runbook or self._runbook(labels_of(alert))
        return alert_view(entry, self._outbox.hold(alert, now), runbook, with_evidence)

    def _found(self, said: str) -> Entry:
        found = self._board.named(said)
        exact = [entry for entry in found if entry.alert.alert_id == said]
        if exact or len(found) == 1:
            return (exact or found)[0]
        if found:
            each = [entry.alert.alert_id for entry in found]
            raise Refused(409, f"{said} may be one of several open alerts: type more of it", each)
        if len(said) < PREFIX_MIN:
            raise Refused(404, f"no open alert is called {said}; {PREFIX_MIN} characters of its id will do")
        raise Refused(
            404,
            f"no open alert is called {said}: it has ended, was never told of, or there is a typing error",
            self._board.near(said),
        )

    # -- a word on them --

    def say(self, said: str, form: WordForm, *, closes: bool) -> tuple[Answered, list[Alert]]:
        """The answer, and the alerts of which the workers are to hear."""
        entry = self._found(said)
        if closes and not form.reason.strip():
            raise Refused(400, "reason: say why it is closed; that is for good")
        if entry.alert.state == "acknowledged" and not closes:
            return Answered(word="acknowledge", asked=[], already=1), []
        return Answered(word="close" if closes else "acknowledge", asked=[entry.alert.alert_id]), [entry.alert]

    def say_of_incident(self, incident: str) -> tuple[Answered, list[Alert]]:
        """All of its open alerts that nobody looks after yet."""
        entries = self._board.listed(STATES["firing"], incident, INCIDENT_MAX)
        already = self._board.counted(STATES["acknowledged"], incident)
        if not entries and not already:
            near = self._board.incidents_near(incident)
            raise Refused(404, f"no open alert belongs to an incident {incident}", near)
        asked = [entry.alert.alert_id for entry in entries]
        left = self._board.counted(STATES["firing"], incident) - len(asked)
        answer = Answered(word="acknowledge", asked=asked, already=already, left=left)
        return answer, [entry.alert for entry in entries]

    def send(self, alerts: Sequence[Alert], form: WordForm, *, closes: bool) -> None:
        """Raises KafkaError. Blocks; touches no database, so another thread may call it."""
        if not alerts:
            return
        if self._words is None:
            raise Refused(503, "TOUCHLINE_CONTROL_SECRET is not set here, and the workers believe nobody without it")
        now = self._now_ms()
        reason = form.reason.strip()
        self._words.send([acknowledgement_of(one, closes=closes, by=form.by, reason=reason, now=now) for one in alerts])

    # -- silences --

    def silences(self) -> Silences:
        return Silences(silences=[self._silence_view(one) for one in self._outbox.silences(self._now_ms())])

    def silence(self, form: SilenceForm) -> SilenceView:
        now = self._now_ms()
        from_at = now if form.from_time is None else to_ms(form.from_time)
        try:
            made = silence_of(form.matchers, from_at, to_ms(form.until), form.reason, form.by, now)
        except ValidationError as error:
            raise Refused(400, str(error.errors(include_input=False)[0]["msg"])) from None
        except ValueError as error:
            raise Refused(400, str(error)) from None
        if not self._outbox.add_silence(made, now):
            raise Refused(409, f"there are {SILENCES_MAX} silences already: remove one, or make one that matches more")
        return self._silence_view(made)

    def unsilence(self, said: str) -> SilenceView:
        standing = self._outbox.silences(self._now_ms())
        found = [one for one in standing if one.silence_id == said] or [
            one for one in standing if len(said) >= PREFIX_MIN and one.silence_id.startswith(said)
        ]
        if len(found) != 1:
            ids = [one.silence_id for one in found or standing]
            what = "may be one of several silences" if found else "is no silence that stands"
            raise Refused(409 if found else 404, f"{said} {what}", ids[:5])
        view = self._silence_view(found[0])
        self._outbox.remove_silence(found[0].silence_id)
        return view

    def _silence_view(self, silence: Silence) -> SilenceView:
        return silence_view(silence, self._board.held_by(silence.silence_id))
