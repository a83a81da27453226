"""The touchpoint contract: what teams send, as JSON, to the collector or to the topic `touchpoints.raw` (format
`touchline`).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.checked import Checked, JsonObject, check_tree
from schemas.times import PATTERN, to_ms

Time = Annotated[str, Field(max_length=35), Checked(to_ms, schema=(("format", "date-time"), ("pattern", PATTERN)))]
"""RFC 3339 with an offset, kept to the millisecond: `schemas.times`."""
Version1 = Annotated[int, Field(ge=1, le=1)]
"""Not Literal[1]: pydantic takes `true` and `1.0` for that."""
Name = Annotated[str, Field(min_length=1, max_length=100)]
Value = Annotated[str, Field(min_length=1, max_length=200)]


class Contract(BaseModel):
    """Closed: an unknown field is an error that names it, not a silent loss."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class OpenContract(Contract):
    """Unknown fields are left out. They too are JSON within the limits: nothing is skipped unread."""

    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def check_whole(cls, item: Any) -> Any:
        if isinstance(item, dict):
            check_tree(item, 0)
        return item


class Identifiers(Contract):
    """Who, or which business object, the touchpoint names. All may be absent. `account_id`: the company that the person
    acts for; it routes and attributes nothing.
    """

    omits_absent: ClassVar[bool] = True
    """The fast encoder writes those that are there, not eleven fields that are mostly null."""

    user_id: Value | None = None
    anonymous_id: Value | None = None
    device_id: Value | None = None
    email: Value | None = None
    phone: Value | None = None
    loyalty_card: Value | None = None
    order_id: Value | None = None
    receipt_id: Value | None = None
    ticket_id: Value | None = None
    claim_id: Value | None = None
    account_id: Value | None = None


class Subject(Contract):
    """What a touchpoint is about when it names nobody: a store, a product, a brand."""

    kind: Literal["store", "product", "brand"]
    id: Value


class Touchpoint(Contract):
    """One customer interaction on one channel."""

    format_version: Version1 = 1
    message_id: Name
    name: Name
    occurred_at: Time
    sent_at: Time | None = None
    sequence: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    channel: Annotated[str, Field(min_length=1, max_length=40)] | None = None
    identifiers: Identifiers = Identifiers()
    subject: Subject | None = None
    properties: JsonObject = {}
    context: JsonObject = {}
