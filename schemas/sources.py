"""sources.yaml: the sources that are watched, and when a silence of one counts.

What it means: docs/sources.md. An entry's key is a form, the name of a source in which one part may stand open:
`till-{store_id}` are all sources `till-…`, each on its own, and the open part is what a journey carries as
`store_id`. `schemas.sources_files` reads the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Final, NamedTuple

from pydantic import Field, StringConstraints

from schemas.calendar import Calendar
from schemas.definition import Duration, Word, duration_ms
from schemas.definition_shape import FORM
from schemas.records import Severity
from schemas.touchpoint import Contract

ENTRIES_MAX: Final = 200
SOURCES_MAX: Final = 2_000
"""That were heard; further ones are not watched."""
FORMS_KNOWN_MAX: Final = 4_096
"""Names of sources whose entry is remembered; then it begins anew."""

Form = Annotated[str, StringConstraints(pattern=FORM, min_length=1, max_length=100)]


class WatchedSource(Contract):
    """One source, or all of one form."""

    owner: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        description="The team that answers for the source. Its alert names it."
    )
    brings: Annotated[list[Word], Field(min_length=1, max_length=200)] = Field(
        description="Touchpoints that come from it. What waits for one of them waits while the source may be silent."
    )
    silent_after: Duration = Field(description="It is silent when nothing came for so long.")
    counting: Calendar | None = Field(
        None, description="Opening hours in which `silent_after` is counted. Without them all time counts."
    )
    catches_up: Duration | None = Field(
        None,
        description="Time that it needs, when it speaks again, to bring what it kept. Without it: none.",
    )
    severity: Severity = Field("error", description="Severity of the alert.")
    runbook: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(
        None, description="Where it says what to do. The alert carries it."
    )

    @property
    def silent_after_ms(self) -> int:
        return duration_ms(self.silent_after)

    @property
    def catches_up_ms(self) -> int:
        return duration_ms(self.catches_up) if self.catches_up is not None else 0


class SourceRules(Contract):
    """All watched sources by form: the whole of the file."""

    sources: Annotated[dict[Form, WatchedSource], Field(max_length=ENTRIES_MAX)] = {}


class SourceForm(NamedTuple):
    """A form taken apart. `property` None: the one source that is called `prefix`."""

    text: str
    prefix: str
    property: str | None
    suffix: str

    def fits(self, source: str) -> bool:
        if self.property is None:
            return source == self.prefix
        is_long = len(source) > len(self.prefix) + len(self.suffix)
        return is_long and source.startswith(self.prefix) and source.endswith(self.suffix)

    def of(self, value: str) -> str:
        """The source of this form for one value of its property."""
        return f"{self.prefix}{value}{self.suffix}"

    def meets(self, other: SourceForm) -> bool:
        """Whether one source could be of both."""
        if self.property is None:
            return other.fits(self.prefix)
        if other.property is None:
            return self.fits(other.prefix)
        return _is_begun(self.prefix, other.prefix) and _is_begun(self.suffix[::-1], other.suffix[::-1])


def _is_begun(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def form_of(text: str) -> SourceForm:
    prefix, brace, rest = text.partition("{")
    if not brace:
        return SourceForm(text, text, None, "")
    word, _, suffix = rest.partition("}")
    return SourceForm(text, prefix, word, suffix)


class SourceForms:
    """Which entry a source belongs to, asked for each touchpoint: one look into a dict for a source that was asked
    for before.
    """

    __slots__ = ("_forms", "_known")

    def __init__(self, forms: Iterable[SourceForm] = ()) -> None:
        self._forms = tuple(forms)
        self._known: dict[str, SourceForm | None] = {}

    def __bool__(self) -> bool:
        return bool(self._forms)

    def of(self, source: str) -> SourceForm | None:
        try:
            return self._known[source]
        except KeyError:
            if len(self._known) >= FORMS_KNOWN_MAX:
                self._known.clear()
            found = next((form for form in self._forms if form.fits(source)), None)
            self._known[source] = found
            return found


NO_FORMS: Final = SourceForms()


def forms_of(rules: SourceRules) -> SourceForms:
    return SourceForms(form_of(text) for text in rules.sources)


def bringers_of(rules: SourceRules) -> Mapping[str, tuple[SourceForm, ...]]:
    """By touchpoint: the forms whose sources bring it."""
    found: dict[str, tuple[SourceForm, ...]] = {}
    for text, entry in rules.sources.items():
        for name in entry.brings:
            found[name] = (*found.get(name, ()), form_of(text))
    return found


NOTHING_WATCHED: Final = SourceRules()
