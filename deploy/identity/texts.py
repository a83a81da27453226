"""Every sentence about identity, in words that a support agent understands. Pure; no markup. See also `refusals`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from deploy.identity.words import (
    counted,
    day,
    distance,
    grouped,
    listed,
    short,
    short_customer,
    short_id,
    span,
    times,
    when,
)
from schemas.control_records import Decision

if TYPE_CHECKING:
    from deploy.identity.naming import Naming
    from deploy.identity.tree import Leaf, Mark
    from deploy.identity.why import Claimed, Marker, Why

RULES: Final = {
    "user_id": "it names the user itself",
    "login": "the user was signed in on this device",
    "manual": "somebody linked it by hand",
    "contact": "its e-mail, phone or card",
    "device": "nobody is known on this device at that time; the device stands for itself",
    "business_key": "the order, receipt, ticket or claim it names belongs to that customer",
    "waiting": "it names only an order, receipt, ticket or claim that nobody has claimed yet",
    "subject": "it names nobody: it is about a store, product or brand",
}


# -- why ---------------------------------------------------------------------------------------------------------------


def reasons(why: Why) -> list[str]:
    """What decided it, the weightiest first."""
    touch, said = why.touch, list[str]()
    if touch.too_late:
        said.append("It arrived too late (more than three days): it is stored, and is evidence for nothing.")
    if touch.user_id is not None:
        said.append(f"It carries user_id:{touch.user_id}. What carries a user_id belongs to that user, for ever.")
    elif touch.said_user_id is not None and not touch.too_late:
        said.append(
            f"It says user_id:{touch.said_user_id}, but a browser said so without a proof, or the value does not count:"
            " it names nobody."
        )
    said += [by_hand(one) for one in why.decisions if not touch.too_late]
    if why.kiosk is not None:
        said.append(
            f"On {day(why.kiosk.day_at)} this device was a kiosk: {counted(why.kiosk.users, 'user')} and"
            f" {counted(why.kiosk.touchpoints, 'touchpoint')} in one day. Nobody's sign-in counts on such a day."
        )
    said += [marker(one) for one in (why.before, why.after) if one is not None and why.kiosk is None]
    if why.fell_out:
        said.append("So many touchpoints of the same device or contact came after it that only what it carries counts.")
    elif touch.on_device and touch.user_id is None and why.before is None and why.after is None and why.kiosk is None:
        said.append("Nobody signed in or out on this device within three days of it.")
    said += [naming(one) for one in why.namings]
    if (ignored := sorted(set(touch.said_contacts) - set(touch.contacts))) and touch.user_id is None:
        words = listed([short(one) for one in ignored])
        said.append(f"It also says {words}: a browser's word, or a value that does not count. It joins nothing.")
    said += [claimed(one, touch.origin == one.key) for one in why.claims]
    if why.owner.by == "subject":
        said.append("It names no person, device or order.")
    return said


def because(why: Why) -> str:
    """The rule that is stored, in words."""
    by = why.touch.owner.by
    if by == "contact" and why.owner.by == "contact" and why.user_id is None:
        return "its e-mail, phone or card, which names no one user and stands for itself"
    return RULES.get(by, by)


def marker(one: Marker) -> str:
    where = f"{distance(one.distance_ms)} {one.side}"
    what = f"{one.touch.name} {short_id(one.touch.touchpoint_id)}"
    if one.fault == "logout":
        hidden = " what was before it does not count" if one.side == "before" else " what comes after it does not count"
        return f"{where}: signed out ({what});{hidden}."
    if one.fault == "too_far":
        return f"{where}: user_id:{one.user_id} signed in ({what}), too far away to count."
    if one.fault == "by_hand":
        return f"{where}: user_id:{one.user_id} signed in ({what}), but a person decided that this counts for nobody."
    return f"{where}: user_id:{one.user_id} signed in on this device ({what})."


def naming(one: Naming) -> str:
    contact, user = short(one.contact), one.user_id
    if one.how == "blocked":
        return f"{contact} names nobody: it is blocked by hand."
    if one.how == "by_hand":
        return f"{contact} names user_id:{user}: somebody linked it by hand."
    if one.how == "unlinked":
        return f"{contact} names nobody: it was unlinked from user_id:{one.users[0]} by hand."
    if one.how in ("link", "chain", "own_links") and one.path:
        return f"{contact} names user_id:{user}: {path(one)}."
    if one.how == "several":
        if one.is_too_large:
            return f"{contact} names nobody: {len(one.near)} identifiers or more hang together with it."
        return f"{contact} names nobody: it hangs together with {listed([f'user_id:{name}' for name in one.users])}."
    return f"{contact} names nobody: {lonely(one)}."


def path(one: Naming) -> str:
    """How a contact leads to its user."""
    if len(one.path) == 1:
        link = one.path[0]
        seen = f"seen together {times(link.touchpoints)}, last on {day(link.last_at)}"
        nearer = ", its own link, though other users are near" if one.how == "own_links" else ""
        return f"{seen} ({link.last_name} {short_id(link.last_id)}){nearer}"
    steps = [f"{short(link.other)} ({link.last_name} {short_id(link.last_id)})" for link in one.path]
    return "seen together with " + ", that with ".join(steps)


def lonely(one: Naming) -> str:
    crowded = [blamed for _, fault, blamed in one.faults if fault == "crowded"]
    if crowded:
        blamed = "it" if one.contact in crowded else short(crowded[0])
        return f"{blamed} is crowded: seen with too many others to say anything about one person"
    if one.faults:
        return "a person decided that its links do not count"
    return "it was never seen together with a user"


def claimed(one: Claimed, is_its_own: bool) -> str:
    if one.is_blocked:
        return f"{one.key} is blocked by hand: it belongs to nobody."
    if one.is_worn:
        return f"{one.key} is worn out: more touchpoints carry it than any order has. It belongs to nobody."
    if one.touch is None:
        return f"{one.key} waits: nothing that names a person or a device has carried it yet."
    who = f"user_id:{one.touch.user_id}" if one.touch.user_id else short(one.touch.origin)
    weak = " (a browser's word; a server's would count before it)" if one.is_weak else ""
    claim = f"{one.touch.name} {short_id(one.touch.touchpoint_id)} of {who}, {when(one.touch.occurred_at)}"
    first = f"{one.key} belongs to customer {short_customer(one.customer_id)}: claimed first by {claim}{weak}."
    return first if is_its_own else f"{first} Journeys about it are that customer's."


def by_hand(one: Decision) -> str:
    return f"{deed(one)} by {one.decided_by} on {day(one.decided_at)}: “{one.reason}”."


def headline(decision: Decision) -> str:
    """What is about to be decided."""
    about = short(decision.identifier)
    words = {
        "link": f"link {about} to user_id:{decision.user_id}",
        "unlink": f"split {about} from user_id:{decision.user_id}",
        "block": f"block {about}",
        "lift": f"lift the decision on {about}",
    }
    return words[decision.kind]


def deed(one: Decision) -> str:
    about = short(one.identifier)
    words = {
        "link": f"{about} was linked to user_id:{one.user_id}",
        "unlink": f"{about} was unlinked from user_id:{one.user_id}",
        "block": f"{about} was blocked",
        "lift": f"the decision on {about} was lifted",
    }
    return words[one.kind]


def changes(why: Why) -> list[str]:
    """What would change the answer."""
    touch, user = why.touch, why.user_id
    if touch.too_late or touch.user_id is not None:
        return ["Nothing: this answer is final."]
    if why.owner.by == "login":
        return [
            "A sign-in of another user, or a sign-out, between them.",
            f"touchline identity split {short(touch.origin)} --from {user}: no sign-in of that user here counts.",
        ]
    if why.owner.by == "manual":
        return [f"touchline identity lift {short(touch.origin)}: the rules decide again."]
    if why.owner.by == "contact" and user is not None:
        named = next((one.contact for one in why.namings if one.user_id == user), touch.contacts[0])
        if any(one.contact == named and one.how == "by_hand" for one in why.namings):
            return [f"touchline identity lift {short(named)} --user {user}: the rules decide again."]
        split = f"touchline identity split {short(named)} --from {user}: that contact does not name that user."
        device = ["A sign-in of another user on the same device within three days."] if touch.on_device else []
        return [*device, "Another user seen with the same e-mail, phone or card.", split]
    if why.owner.by == "waiting":
        if any(one.is_worn and one.key == touch.origin for one in why.claims):
            return [f"Nothing, until {touch.origin} is forgotten: thirty days after its last touchpoint."]
        return [f"A touchpoint that carries {touch.origin} and a person or device."]
    if why.owner.by == "business_key":
        return [f"An earlier claim on {touch.origin}, or its claimant changing hands."]
    if why.owner.by in ("device", "contact"):
        device = ["A sign-in on this device within three days of it."] if touch.on_device and not why.kiosk else []
        about = short(touch.contacts[0] if touch.contacts else touch.origin)
        taken = [one for one in why.decisions if one.kind in ("unlink", "block")]
        device += [f"touchline identity lift {short(one.identifier)}: takes “{one.reason}” back." for one in taken]
        return [*device, f"touchline identity link {about} USER: it counts for that user."]
    return []


def difference(why: Why) -> str:
    stored, now = why.touch.owner, why.owner
    forgotten = "" if why.remembered else " It is older than the workers remember, so it keeps the customer it has."
    return (
        f"ClickHouse shows {short_customer(stored.customer_id)} ({stored.by}); by the rules over its rows it is"
        f" {short_customer(now.customer_id)} ({now.by}). Either a change is on its way: look again in a minute. Or what"
        f" decided is not in ClickHouse, or is forgotten.{forgotten}"
    )


# -- show --------------------------------------------------------------------------------------------------------------

GROUPS: Final = {
    "devices": "signs in on",
    "users": "users",
    "claim": "claimed first by",
    "contacts": "e-mail, phone, card",
    "keys": "orders, receipts, tickets, claims",
    "apart": "seen together, but not joined",
}
EDGES: Final = {
    "login": "sign-in",
    "link": "link",
    "chain": "chain",
    "claim": "claim",
    "seen": "seen",
    "by_hand": "by hand",
}


def edge(leaf: Leaf) -> str:
    if leaf.edge is None:
        return "by hand"
    one = leaf.edge
    seen = f"{EDGES[one.rule]} {grouped(one.touchpoints)}×, {span(one.first_at, one.last_at)}"
    return f"{seen}, {one.last_name} {short_id(one.last_id)}"


def mark(one: Mark) -> str:
    number = grouped(one.number)
    words = {
        "crowded": f"crowded: {short(one.text)} is seen with {number} of a kind; such links do not count",
        "kiosk": f"kiosk on {counted(one.number, 'day')}, last {one.text}",
        "blocked": "blocked by hand",
        "worn": "worn out: more touchpoints carry it than any order has; it belongs to nobody",
        "unlinked": f"unlinked by hand from user_id:{one.text}",
        "waiting": f"waits for its first claim ({counted(one.number, 'touchpoint')})",
        "shared": f"{number} users sign in here",
        "several": f"names {'user_id:' + one.text if one.text else 'nobody'}: several users are near",
        "own_links": "other users are near; its own link decides",
    }
    return words[one.kind]


def more(count: int) -> str:
    return f"and {grouped(count)} more"


# -- before and after --------------------------------------------------------------------------------------------------


def older(count: int) -> str:
    return (
        f"{counted(count, 'touchpoint')}: the workers have forgotten them, so no journey moves; ClickHouse shows them"
        " with their new customer where a contact attributes them"
    )


def still(one: Decision, contacts: Sequence[str]) -> str:
    words = listed([short(contact) for contact in contacts])
    joined = f"joined with user_id:{one.user_id} through {short(one.identifier)}"
    return f"{words}: {joined}. Where that is wrong, split it as well"


def not_taken(seconds: int) -> str:
    return (
        f"Kafka has the decision, but after {seconds} s ClickHouse does not show it: `touchline status` tells who is"
        " behind. It will count as soon as they catch up; there is no need to send it again. Only if as many"
        " decisions stood as the workers keep, they refused it (decisions_refused in their metrics): lift"
        " others, then send it again"
    )


def taken(moved: int, of: int) -> str:
    if not of:
        return "The decision is in force."
    if moved == of:
        return f"The decision is in force: {counted(of, 'touchpoint')} changed hands."
    return f"The decision is in force: {grouped(moved)} of {counted(of, 'touchpoint')} have changed hands so far."


def sent() -> str:
    return "Kafka has the decision; the workers take it next. `touchline identity show` tells when it is in force."


def waiting() -> str:
    return "Kafka has the decision; waiting until the workers have taken it and ClickHouse shows it"


def next_step(one: Decision) -> str:
    about = short(one.identifier)
    if one.kind == "lift":
        return f"touchline identity show {about} shows how it stands now."
    user = f" --user {one.user_id}" if one.user_id else ""
    return (
        f"touchline identity show {about} shows how it stands now; touchline identity lift {about}{user} takes it back."
    )


def never_seen(identifier: str) -> str:
    return f"no touchpoint with {short(identifier)} has been seen yet; the decision will count for those that come"
