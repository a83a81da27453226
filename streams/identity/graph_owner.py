"""The owner of the contact graph at work, in the one raw partition that `CONTACT_GRAPH` names.

It hears of identifiers that were seen together, judges whom each contact names, and tells every change to the owner
of the contact, to the partitions that asked, and to ClickHouse. Attribution never feeds back into the graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from schemas.control_records import Decision, Sighting
from streams.identity.effects import Emission
from streams.identity.heard import Heard
from streams.identity.limits import DAY_MS, Limits


class GraphOwner:
    """Nothing here but effects and notes for the changelog: the answers are `contacts.Graph`'s."""

    def __init__(self, heard: Heard, emission: Emission, limits: Limits) -> None:
        self._heard, self._graph, self._emission = heard, heard.graph, emission
        self._link_days = limits.link_ms // DAY_MS
        self._group_of = limits.kinds.group_of
        self._today = 0

    def sighting(self, sighting: Sighting) -> None:
        asker, day = sighting.at[1], sighting.occurred_at // DAY_MS
        changed, touched = self._graph.add(sighting.user_id, sighting.contacts, sighting.occurred_at)
        if sighting.asks:
            for contact in sighting.contacts:
                self._graph.ask(contact, asker, day)
                touched.add(contact)
        self._tell(changed)
        self._note({*touched, *changed})
        if sighting.asks:
            for contact in sighting.contacts:
                node = self._graph.nodes.get(contact)
                if contact not in changed and node is not None and node.names is not None:
                    self._emission.naming(contact, node.names, asker)

    def decided(self, decision: Decision, order: int) -> bool:
        """Takes the decision, too. False: there are too many, so it is refused, and ClickHouse never hears of it."""
        if not self._heard.hearsay.decisions.has_room(decision):
            return False
        if self._group_of(decision.identifier.partition(":")[0]) not in ("user", "contact"):
            self._heard.decides(decision, order)
        else:
            changed = self._graph.decided(decision.identifier, lambda: self._heard.decides(decision, order))
            self._tell(changed)
            self._note({decision.identifier, *changed})
        self._emission.decided(decision)
        return True

    def expire(self, log_time: int) -> None:
        """Forget what W = `log_time` has left behind, to the day."""
        today = log_time // DAY_MS
        if today > self._today:
            self._today = today
            changed, touched = self._graph.expire(today - self._link_days)
            self._tell(changed)
            self._graph.forget_askers(touched, today - self._link_days)
            self._note({*touched, *changed})

    def _tell(self, changed: Mapping[str, str | None]) -> None:
        for contact, user_id in changed.items():
            for partition in self._emission.heard_by(contact, self._graph.nodes[contact].askers):
                self._emission.naming(contact, user_id, partition)
            self._emission.named(contact, user_id)

    def _note(self, names: Set[str]) -> None:
        self._graph.drop_idle(names)
        self._heard.nodes_changed(sorted(names))
