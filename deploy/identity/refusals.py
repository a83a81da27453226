"""What is said when a question cannot be answered or a decision makes no sense: what is wrong, and what to do instead.

No text holds the clear value of a personal kind. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from deploy.identity.words import listed, short
from schemas.identifiers import IdentifierKinds


def unknown_kind(kind: str, near: str | None, kinds: IdentifierKinds) -> str:
    if kind == "account_id":
        return "account_id names a company that people act for; it attributes nothing, so there is nothing to decide"
    said = kind if kind.isascii() and kind.isprintable() and len(kind) <= 40 else "that"
    hint = f" Did you mean {near}?" if near else ""
    return f"{said} is no kind of identifier.{hint} The kinds are {', '.join(kinds.all)}"


def too_many_decisions(most: int) -> str:
    return (
        f"{most:,} decisions stand already, and the workers keep no more. Take some back first (touchline identity"
        " lift); v_identity_decisions in ClickHouse lists them. Nothing was written"
    )


def without_kind() -> str:
    return (
        "say what kind of identifier it is, for example user_id:u1, email:anna@example.com or order_id:7788;"
        " or give a customer's id"
    )


def is_a_touchpoint(touchpoint_id: str) -> str:
    return f"that is the id of a touchpoint: `touchline identity why {touchpoint_id}` says whose it is"


def empty_value(kind: str) -> str:
    return f"{kind}: what comes after the colon is empty"


def long_value(kind: str, most: int) -> str:
    return f"the value of {kind} has more than {most} characters; no identifier has"


def placeholder(kind: str) -> str:
    return f"this value of {kind} stands for no identifier (as null, unknown or guest do): it joins nothing"


def not_usable(kind: str) -> str:
    return (
        f"this value of {kind} does not count as an identifier: it cannot be read as one, or identity.yaml ignores it."
        " It is stored with its touchpoints and joins nothing"
    )


def user_in_link(verb: str, value: str) -> str:
    return (
        f"{verb} takes a device or a contact, then the user: touchline identity {verb} loyalty_card:2900-17 {value}"
        " --reason ... Two users are never one customer: what carries a user_id belongs to that user, for ever"
    )


def key_in_link(verb: str, kind: str) -> str:
    return (
        f"{verb} takes a device or a contact; {kind} belongs to whoever claimed it first, and never joins people."
        f" If its owner is wrong, split what named the claimant, or `touchline identity block {kind}:...`"
    )


def not_a_user(verb: str, kind: str) -> str:
    return f"{verb} needs a user, for example user_id:u1 or just u1; {kind} is none"


def nobody_of_customer(beginning: str) -> str:
    return f"no customer {beginning} is known: no touchpoint and no contact stands for it"


def nothing_begins(identifier: str) -> str:
    return f"nothing stored begins with {identifier}"


def ambiguous(beginning: str, found: Sequence[str]) -> str:
    return f"{beginning} may be {' or '.join(found)}: type more of it"


def nothing_to_lift(identifier: str, user: str | None) -> str:
    about = f" and user {user}" if user else ""
    return (
        f"no decision on {short(identifier)}{about} is in force;"
        f" `touchline identity show {short(identifier)}` lists those that are"
    )


def which_to_lift(identifier: str, found: Sequence[tuple[str, str | None]]) -> str:
    each = listed([f"{kind} {user or ''}".strip() for kind, user in found])
    return f"{len(found)} decisions on {short(identifier)} are in force ({each}): say which with --user"


def no_reason() -> str:
    return "say why with --reason: whoever looks at this customer next will read it"


def no_touchpoint(wanted: str) -> str:
    return (
        f"no touchpoint {wanted} is stored. `touchline trace {wanted}` also looks at what is under way, and at"
        " what could not be read"
    )


def no_proof_secret() -> str:
    return (
        "this deployment has no proof secret, so no browser can prove a user_id: docs/settings.md says how to set one"
    )
