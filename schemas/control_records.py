"""The records on touchpoints.raw beside the touchpoints: header `control` names the type, header `mac` proves that we
wrote it (`schemas.control`). Beats and marks carry time; sightings, namings and evidence are what owners of identifiers
tell each other; decisions are what people said. Namings and decisions go to `identities`, too. A switch and an
acknowledgement lie on `progress` alone.
"""

from __future__ import annotations

from typing import Literal

from schemas.records import At, Entry, Mode, Run
from schemas.touchpoint import Contract, Version1

DecisionKind = Literal["link", "unlink", "block", "lift"]


class Beat(Contract):
    """Log time has come this far: nothing that arrives later has an earlier one. In live runs the broker's time
    counts, and `log_time` is when the beat was sent: a broker whose clock is far ahead of it is not believed.
    """

    format_version: Version1 = 1
    type: Literal["beat"] = "beat"
    log_time: int


class Mark(Contract):
    """Round number `round` of the flush, the first for `log_time`: when every partition has processed it, all
    effects of earlier rounds are in the log.
    """

    format_version: Version1 = 1
    type: Literal["mark"] = "mark"
    at: At
    log_time: int
    round: int


class Evidence(Contract):
    """A touchpoint that carries a business key, told to the key's owner. `customer_id` is None when it names no
    person or device.
    """

    format_version: Version1 = 1
    type: Literal["evidence"] = "evidence"
    at: At
    key: str
    entry: Entry
    customer_id: str | None
    origin_partition: int
    rev: int
    weak: bool = False
    """A browser's claim: it counts only where no server claims the key."""


class Sighting(Contract):
    """Identifiers that one on-time touchpoint carries together, told to the owner of the contact graph.

    `asks`: the partition that tells wants to hear whom these contacts name, now and at each change.
    """

    format_version: Version1 = 1
    type: Literal["sighting"] = "sighting"
    at: At
    occurred_at: int
    user_id: str | None
    contacts: list[str]
    asks: bool


class Naming(Contract):
    """Whom a contact names from now on: the answer of the contact graph, to the partitions of raw that use it and to
    `identities`, for ClickHouse.

    `contact` is `kind:value`. `user_id` None: nobody. `customer_id` is the user's, or the contact's own. `rev` is the
    offset of the cause in the graph's partition.
    """

    format_version: Version1 = 1
    type: Literal["naming"] = "naming"
    at: At
    run: Run
    contact: str
    user_id: str | None
    customer_id: str
    rev: int


class Decision(Contract):
    """What a person decided about an identifier (docs/identity.md, "By hand"). `identifier` is `kind:value`, as it is
    stored: a personal one hashed.

    On `progress` as the person's word (its `at` is not looked at there), on raw as keep_time hands it to all
    partitions, on `identities` for ClickHouse.
    """

    format_version: Version1 = 1
    type: Literal["decision"] = "decision"
    at: At
    decision_id: str
    kind: DecisionKind
    identifier: str
    user_id: str | None
    reason: str
    decided_by: str
    decided_at: int


class Switch(Contract):
    """A person's word: this version of a definition is in this mode for journeys that start from `from_at` on, and not
    before the moment at which the word is distributed. Only on `progress`; what becomes of it is records.Switched.
    """

    format_version: Version1 = 1
    type: Literal["switch"] = "switch"
    definition: str
    version: int
    mode: Mode
    from_at: int
    reason: str
    decided_by: str
    decided_at: int


class Acknowledgement(Contract):
    """A person's word on one alert, as its record names it. `closes`: it is over, whatever the fold says. Only on
    `progress`; what becomes of it is records.Acknowledged, or a change of a source's own alert.
    """

    format_version: Version1 = 1
    type: Literal["acknowledgement"] = "acknowledgement"
    alert_id: str
    customer_id: str | None
    definition: str
    version: int
    anchor: str
    break_name: str
    occurrence: int
    closes: bool
    reason: str
    acknowledged_by: str
    acknowledged_at: int
