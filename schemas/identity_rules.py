"""The rules of `identity.yaml`: which identifiers count, how they are spelt, and how many of them are too many.

What a rule does: docs/identity.md. The description of each field is said here, once: the JSON Schema for editors
and the messages of `touchline validate` are made from it. A file may leave out everything; what it does not say is
as below. `schemas.identity_files` reads it, `schemas.identity_checks` says what the shapes alone cannot.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, cast

from pydantic import ConfigDict, Field, model_validator

from schemas.definition import Duration, duration_ms
from schemas.identifiers import (
    BUILT_IN_KINDS,
    BUSINESS_KINDS,
    CONTACT_KINDS,
    DEVICE_KINDS,
    UNIQUE_KIND,
    IdentifierKinds,
)
from schemas.touchpoint import Contract

IGNORED_MAX: Final = 1_000
PATTERNS_MAX: Final = 20
FIELDS_MAX: Final = 20

Normaliser = Literal["none", "email", "phone", "lower"]
Ignored = Annotated[str, Field(min_length=1, max_length=200)]
Pattern = Annotated[str, Field(min_length=1, max_length=200)]
FieldName = Annotated[str, Field(min_length=2, max_length=60)]
Priority = Annotated[int, Field(ge=1, le=100)]
Most = Annotated[int, Field(ge=1, le=1_000)]

_MOST: Final = "An identifier linked with more values of this kind than this is crowded: none of its links counts."
_PRIORITY: Final = "Place in the order of routing, among the kinds of its group: devices, contacts, business keys."
_GROUP: Final = (
    "What it is: a `device` belongs to its logins, a `contact` joins by its links, a `business_key` belongs to whoever "
    "claims it first."
)


class KindRules(Contract):
    """What every kind has."""

    normalise: Normaliser = Field(
        "none",
        description="How the value is spelt the same way: as an e-mail address, as a phone number (E.164), in small "
        "letters. What cannot be read that way is not usable. `none`: as sent.",
    )
    ignore: Annotated[list[Ignored], Field(max_length=IGNORED_MAX)] = Field(
        [], description="Values that are no identifiers. Blanks around, quotes and capitals make no difference."
    )
    ignore_matching: Annotated[list[Pattern], Field(max_length=PATTERNS_MAX)] = Field(
        [],
        description="Regular expressions for more of them. Each is held against the whole normalised value. At most "
        "three * + {n} in one, and none after a group: others may take for ever on a value made for it.",
    )


class UserRules(KindRules):
    """The unique kind: who carries a user_id is that user."""

    most: Most = Field(10, description=_MOST)


class DeviceRules(KindRules):
    """A device belongs to its logins. It is never part of a link."""

    priority: Priority = Field(description=_PRIORITY)


class ContactRules(KindRules):
    """A contact joins touchpoints by its links."""

    personal: bool = Field(
        False, description="Nothing after the collector holds the value in clear, only its hash under a secret key."
    )
    personal_fields: Annotated[list[FieldName], Field(max_length=FIELDS_MAX)] = Field(
        [],
        description="More names of fields that hold such a value, anywhere in a touchpoint. A field is meant that is "
        "called so, or whose name ends in it: customerEmail, billing_phone. Capitals, blanks, digits and a plural s "
        "make no difference; a name of fewer than five letters ends others only as a word of its own. The kind's own "
        "name is always meant.",
    )
    most: Most = Field(10, description=_MOST)
    priority: Priority = Field(description=_PRIORITY)


class KeyRules(KindRules):
    """A business key names an order, a receipt, a ticket or a claim."""

    priority: Priority = Field(description=_PRIORITY)


class AnonymousIdRules(DeviceRules):
    """Of anonymous_id: a browser, by its cookie."""

    priority: Priority = Field(1, description=_PRIORITY)


class DeviceIdRules(DeviceRules):
    """Of device_id: an app on one device."""

    priority: Priority = Field(2, description=_PRIORITY)


class EmailRules(ContactRules):
    """Of email."""

    normalise: Normaliser = Field("email", description=KindRules.model_fields["normalise"].description)
    personal: bool = Field(True, description=ContactRules.model_fields["personal"].description)
    personal_fields: Annotated[list[FieldName], Field(max_length=FIELDS_MAX)] = Field(
        ["e_mail", "mail", "email_address"], description=ContactRules.model_fields["personal_fields"].description
    )
    priority: Priority = Field(1, description=_PRIORITY)


class PhoneRules(ContactRules):
    """Of phone."""

    normalise: Normaliser = Field("phone", description=KindRules.model_fields["normalise"].description)
    personal: bool = Field(True, description=ContactRules.model_fields["personal"].description)
    personal_fields: Annotated[list[FieldName], Field(max_length=FIELDS_MAX)] = Field(
        ["telephone", "phone_number", "tel", "mobile"],
        description=ContactRules.model_fields["personal_fields"].description,
    )
    priority: Priority = Field(2, description=_PRIORITY)


class LoyaltyCardRules(ContactRules):
    """Of loyalty_card."""

    priority: Priority = Field(3, description=_PRIORITY)


class OrderIdRules(KeyRules):
    """Of order_id."""

    priority: Priority = Field(1, description=_PRIORITY)


class ReceiptIdRules(KeyRules):
    """Of receipt_id."""

    priority: Priority = Field(2, description=_PRIORITY)


class TicketIdRules(KeyRules):
    """Of ticket_id."""

    priority: Priority = Field(3, description=_PRIORITY)


class ClaimIdRules(KeyRules):
    """Of claim_id."""

    priority: Priority = Field(4, description=_PRIORITY)


class OwnDeviceRules(DeviceRules):
    """Of a device of one's own."""

    group: Literal["device"] = Field(description=_GROUP)


class OwnContactRules(ContactRules):
    """Of a contact of one's own."""

    group: Literal["contact"] = Field(description=_GROUP)


class OwnKeyRules(KeyRules):
    """Of a business key of one's own."""

    group: Literal["business_key"] = Field(description=_GROUP)


OwnRules = Annotated[OwnDeviceRules | OwnContactRules | OwnKeyRules, Field(discriminator="group")]


class Kinds(Contract):
    """The kinds of identifiers by name: those of the contract, and those that say their group, which are a team's own
    (`schemas.own_kinds` says what they may be called).
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, OwnRules] = Field(init=False)
    by_group: ClassVar[Mapping[str, type[KindRules]]] = {
        "device": OwnDeviceRules,
        "contact": OwnContactRules,
        "business_key": OwnKeyRules,
    }

    user_id: UserRules = UserRules()
    anonymous_id: AnonymousIdRules = AnonymousIdRules()
    device_id: DeviceIdRules = DeviceIdRules()
    email: EmailRules = EmailRules()
    phone: PhoneRules = PhoneRules()
    loyalty_card: LoyaltyCardRules = LoyaltyCardRules()
    order_id: OrderIdRules = OrderIdRules()
    receipt_id: ReceiptIdRules = ReceiptIdRules()
    ticket_id: TicketIdRules = TicketIdRules()
    claim_id: ClaimIdRules = ClaimIdRules()

    @model_validator(mode="before")
    @classmethod
    def sort(cls, given: Any) -> Any:
        """Where a kind stands in the file makes no difference, to the fingerprint neither."""
        return dict(sorted(given.items(), key=lambda one: str(one[0]))) if isinstance(given, dict) else given

    @property
    def own(self) -> Mapping[str, OwnDeviceRules | OwnContactRules | OwnKeyRules]:
        """By name."""
        return self.__pydantic_extra__ or {}

    def own_of(self, group: str) -> tuple[str, ...]:
        return tuple(kind for kind, rules in self.own.items() if rules.group == group)


class Windows(Contract):
    """How long something counts."""

    login_before: Duration = Field("72h", description="A login speaks for what follows on the device within this time.")
    link: Duration = Field("400d", description="A link is forgotten so long after its last touchpoint.")


class IdentityLimits(Contract):
    """From where on nothing is joined any more."""

    kiosk_users: Annotated[int, Field(ge=1, le=1_000)] = Field(
        4, description="More user_ids than this on one device in a day make the day a kiosk day."
    )
    kiosk_touchpoints: Annotated[int, Field(ge=10, le=100_000)] = Field(
        1_000, description="More touchpoints than this on one device in a day make the day a kiosk day."
    )
    component: Annotated[int, Field(ge=2, le=1_000)] = Field(
        50, description="A component with more identifiers than this names no user."
    )
    kept: Annotated[int, Field(ge=100, le=100_000)] = Field(
        5_000, description="Touchpoints that one identifier remembers: the ones that occurred last."
    )
    key_touchpoints: Annotated[int, Field(ge=10, le=5_000)] = Field(
        200, description="A business key that more touchpoints than this carry is worn out: it has no customer."
    )


class IdentityRules(Contract):
    """Which identifiers count, and what they may join: docs/identity.md."""

    unique: Literal["user_id"] = Field(
        "user_id", description="The kind of which a person has exactly one. Two of its values are never one person."
    )
    identifiers: Kinds = Field(Kinds(), description="Rules of each kind of identifier.")
    ignore: Annotated[list[Ignored], Field(max_length=IGNORED_MAX)] = Field(
        [],
        description="Values that are no identifiers, whatever the kind. Beside the built-in placeholders.",
    )
    phone_region: Annotated[str, Field(max_length=2)] | None = Field(
        None,
        description="The country (ISO 3166, two capitals) of phone numbers that do not begin with +. Without it they "
        "are not usable.",
    )
    windows: Windows = Field(Windows(), description="How long something counts.")
    limits: IdentityLimits = Field(IdentityLimits(), description="From where on nothing is joined any more.")

    @property
    def kinds(self) -> IdentifierKinds:
        """Which there are: who needs to know gets it from here."""
        if not self.identifiers.own:
            return BUILT_IN_KINDS
        own = self.identifiers.own_of
        return IdentifierKinds(
            (*DEVICE_KINDS, *own("device")), (*CONTACT_KINDS, *own("contact")), (*BUSINESS_KINDS, *own("business_key"))
        )

    def of(self, kind: str) -> KindRules:
        found: KindRules = getattr(self.identifiers, kind)
        return found

    def contact(self, kind: str) -> ContactRules:
        found: ContactRules = getattr(self.identifiers, kind)
        return found

    @property
    def most(self) -> Mapping[str, int]:
        """By kind, of those that links are made of."""
        contacts = self.kinds.contacts
        return {UNIQUE_KIND: self.identifiers.user_id.most} | {kind: self.contact(kind).most for kind in contacts}

    @property
    def personal_kinds(self) -> tuple[str, ...]:
        return tuple(kind for kind in self.kinds.contacts if self.contact(kind).personal)

    @property
    def login_before_ms(self) -> int:
        return duration_ms(self.windows.login_before)

    @property
    def link_ms(self) -> int:
        return duration_ms(self.windows.link)

    def by_priority(self, kinds: tuple[str, ...]) -> tuple[str, ...]:
        """`kinds`: those of one group."""
        return tuple(sorted(kinds, key=self.priority))

    def priority(self, kind: str) -> int:
        """Of a device, contact or business key: a user_id has none."""
        return cast(int, getattr(self.identifiers, kind).priority)

    @property
    def routing_order(self) -> tuple[str, ...]:
        """As schemas.identifiers.ROUTING_ORDER, with the groups in the order that the priorities give them."""
        kinds = self.kinds
        devices, contacts, keys = map(self.by_priority, (kinds.devices, kinds.contacts, kinds.keys))
        return (*devices, UNIQUE_KIND, *contacts, *keys)


BUILT_IN: Final = IdentityRules()
