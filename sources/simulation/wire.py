"""From a plan to bytes: what the client would really send, with its clock, and over which road."""

from __future__ import annotations

import hmac
import json
from datetime import UTC, datetime
from typing import Any, Final

from sources.simulation.plan import Plan

PERSONAL_KEY: Final = "personal key of the simulation"
PROOF_SECRET: Final = "proof secret of the simulation"  # noqa: S105  # it guards nobody
"""No secrets: they guard nobody, and make a run the same wherever it takes place."""
BROKEN: Final = "ticket_opened"
"""Mode `control`, and its property ticket_id is required."""
SEGMENT_TYPES = {"page_viewed": "page", "screen_viewed": "screen", "identified": "identify"}


def rfc3339(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03d}Z"


def proof_of(user_id: str) -> str:
    """What the shop's server gives the browser or the app at login."""
    return hmac.digest(PROOF_SECRET.encode(), user_id.encode(), "sha256").hex()


def bytes_of(plan: Plan) -> bytes:
    """One item of a Segment batch, one touchpoint of the JSON route, or one record value. Equal plans give equal
    bytes.
    """
    if plan.fault is not None:
        return _spoilt(plan)
    if plan.emitter in ("web", "app"):
        return _json(_segment(plan))
    return _json(_native(plan))


def _segment(plan: Plan) -> dict[str, Any]:
    kind = SEGMENT_TYPES.get(plan.name, "track")
    item: dict[str, Any] = {
        "type": kind,
        "messageId": plan.message_id,
        "timestamp": rfc3339(plan.occurred_at + plan.skew_ms),
        "anonymousId": plan.identifiers.get("anonymous_id"),
        "userId": plan.identifiers.get("user_id"),
        "context": {"library": {"name": "simulation", "version": "1"}, "locale": "en-GB"},
        "integrations": {},
    }
    if (user_id := plan.identifiers.get("user_id")) is not None:
        item["context"]["user_proof"] = proof_of(user_id)
    if device := plan.identifiers.get("device_id"):
        item["context"]["device"] = {"id": device}
    if kind == "track":
        item["event"] = plan.name.replace("_", " ").title()
    if kind in ("page", "screen"):
        item["name"] = plan.properties.get("name")
    item["traits" if kind == "identify" else "properties"] = plan.properties
    return item


def _native(plan: Plan) -> dict[str, Any]:
    item: dict[str, Any] = {
        "message_id": plan.message_id,
        "name": plan.name,
        "occurred_at": rfc3339(plan.occurred_at + plan.skew_ms),
        "identifiers": plan.identifiers,
        "properties": plan.properties,
    }
    if plan.channel is not None:
        item["channel"] = plan.channel
    if plan.name == "review_published":
        item["subject"] = {"kind": "brand", "id": "house"}
    return item


def _spoilt(plan: Plan) -> bytes:
    """Bytes that cannot be a touchpoint. Segment items and records end as dead letters, the JSON route refuses them."""
    segment = {"type": "track", "messageId": plan.message_id, "anonymousId": plan.identifiers["anonymous_id"]}
    native = {"message_id": plan.message_id, "name": "page_viewed", "occurred_at": rfc3339(plan.occurred_at)}
    return {
        "segment_no_event": _json(segment),
        "segment_bad_time": _json(segment | {"event": "Page Viewed", "timestamp": "yesterday"}),
        "native_no_name": _json({"message_id": plan.message_id, "occurred_at": rfc3339(plan.occurred_at)}),
        "native_unknown_field": _json(native | {"colour": "blue"}),
        "kafka_bytes": b"\xff\xfe\x00" + plan.message_id.encode(),
        "kafka_cut": _json(native)[:-7],
        "contract_control": _json(native | {"name": BROKEN, "properties": {"topic": "delivery"}}),
        "contract_monitor": _json(native | {"name": "product_viewed", "properties": {"product_id": 7}}),
    }[plan.fault or ""]


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
