"""Personal values in the bytes of a touchpoint, replaced where they stand; every other byte stays as it came.

A value is personal by the name of its field, at any depth: the kind's name or one of its `personal_fields`, or a name
that ends in one of them (`email`, `customerEmail`, `billing_phone`). Names are compared by their letters alone:
capitals, blanks, digits and a plural s make no difference (`E-Mail Address`, `email_1`, `phones`). From END_MIN letters
on a name is found at the end of a word, too (`useremail`); a shorter one is a word of its own, or a hotel would have a
tel. Texts and numbers are replaced; in a list or mapping below such a name, all of them. `true`, `false`, `null` and
empty texts say nothing and stay.

The bytes are not parsed but cut into texts, numbers and brackets, so a member that stands twice, or a document that is
cut short, is cleaned too, in one pass whose time grows with the length. What has no such field costs a look for a few
short byte strings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Final

import msgspec

from schemas.snake_case import snake_case

READ_MAX: Final = 20
"""Values of one touchpoint that are read, which is dear. A touchpoint needs three; one that is made of contacts must
not stop its neighbours, so what comes after these is only made unreadable.
"""
CORES: Final = ("mail", "phone")
"""Parts of many names: one look for each of these finds `e_mail`, `email_address` and `mail` alike."""
END_MIN: Final = 5
HONEST: Final = (
    *("headphone", "earphone", "microphone", "megaphone", "saxophone", "xylophone", "smartphone", "iphone"),
    *("automobile", "snowmobile", "ismobile", "voicemail", "freemail"),
)
"""Words that end in one of the names and hold nothing personal."""
EMPTY: Final = b'""'
NAME_MAX: Final = 100
"""Characters of a name that are looked at: its end."""
KEYS_KNOWN_MAX: Final = 4_096
Replace = Callable[[str, str], str | None]
"""(kind, value) -> what stands there instead; None: the value itself."""

_TOKEN: Final = re.compile(
    rb'(?P<text>"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z))(?P<colon>[ \t\r\n]*+:)?'
    rb"|(?P<number>-?[0-9][0-9.eE+-]*+)"
    rb"|(?P<open>[\[{])"
    rb"|(?P<close>[\]}])",
    re.DOTALL,
)
_decode_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.encode


class PersonalFields:
    """`names`: name of a field -> kind. `beyond`: what stands instead of values after the first READ_MAX."""

    def __init__(self, names: Mapping[str, str], beyond: str) -> None:
        self._beyond = _encode(beyond)
        named = {_words(name): kind for name, kind in names.items()}
        self._names = {"".join(words): kind for words, kind in named.items() if words}
        self._needles = [
            (word, _finder(word, is_short=names == {word.decode()})) for word, names in sorted(_needles(named).items())
        ]
        self._kinds: dict[bytes, str | None] = {}

    def may_stand_in(self, value: bytes) -> bool:
        """False: there is none. Where something is escaped the quick look is not sure."""
        lowered = value.lower()
        escaped = b"\\" in lowered
        for needle, is_name in self._needles:
            if needle in lowered and (escaped or is_name(value, lowered)):
                return True
        return escaped and b"\\u" in lowered

    def kind_of(self, name: str) -> str | None:
        words = _words(name)
        letters = "".join(words)
        if (kind := self._names.get(letters)) is not None:
            return kind
        if letters.endswith(HONEST):
            return None
        ends = {"".join(words[start:]) for start in range(1, len(words))}
        return next((kind for end, kind in self._names.items() if end in ends or _ends_so(letters, end)), None)

    def replaced(self, value: bytes, replace: Replace) -> bytes:
        """The same bytes where there is nothing to replace."""
        parts: list[bytes] = []
        done = depth = count = 0
        kind: str | None = None
        for token in _TOKEN.finditer(value):
            text = token["text"]
            if text is not None and token["colon"] is not None:
                if not depth:
                    kind = self._kind_of_key(text)
                continue
            if kind is None:
                continue
            if token["open"] is not None:
                depth += 1
                continue
            if token["close"] is not None:
                depth = max(0, depth - 1)
            else:
                count += 1
                instead = self._instead(kind, text, token["number"], replace) if count <= READ_MAX else self._beyond
                if instead is not None and text != EMPTY:
                    parts += (value[done : token.start()], instead)
                    done = token.end("text") if text is not None else token.end()
            if not depth:
                kind = None
        return b"".join((*parts, value[done:])) if parts else value

    @staticmethod
    def _instead(kind: str, text: bytes | None, number: bytes, replace: Replace) -> bytes | None:
        instead = replace(kind, _content(text) if text is not None else number.decode())
        return None if instead is None else _encode(instead)

    def _kind_of_key(self, key: bytes) -> str | None:
        """The same few keys in almost every touchpoint."""
        try:
            return self._kinds[key]
        except KeyError:
            kind = self.kind_of(_content(key)[-NAME_MAX:])
        if len(key) <= NAME_MAX:
            if len(self._kinds) >= KEYS_KNOWN_MAX:
                self._kinds.clear()
            self._kinds[key] = kind
        return kind


def _needles(named: Iterable[tuple[str, ...]]) -> dict[bytes, set[str]]:
    """What to look for, with the names that have it."""
    needles: dict[bytes, set[str]] = {}
    for words in filter(None, named):
        name = "".join(words)
        word = next((core for core in CORES if core in name), words[-1])
        needles.setdefault(word.encode(), set()).add(name)
    return needles


def _finder(word: bytes, is_short: bool) -> Callable[[bytes, bytes], bool]:
    """Looks for a name with this word in it, given the bytes and the same in small letters. A short name is a word of
    its own, so what has a hotel is not cut into pieces for it.
    """
    name = re.compile(re.escape(word) + rb'[^"]{0,%d}+"[ \t\r\n]{0,9}+:' % NAME_MAX)
    if not is_short or len(word) >= END_MIN:
        return lambda _, lowered: name.search(lowered) is not None

    def is_there(value: bytes, lowered: bytes) -> bool:
        at = lowered.find(word)
        while at >= 0:
            starts = value[at : at + 1].isupper() or not value[at - 1 : at].isalpha()
            if starts and name.match(lowered, at) is not None:
                return True
            at = lowered.find(word, at + 1)
        return False

    return is_there


def _ends_so(letters: str, end: str) -> bool:
    return len(end) >= END_MIN and letters.endswith(end)


@lru_cache(4_096)
def _words(name: str) -> tuple[str, ...]:
    """In small letters, without what is no letter; the last one in the singular."""
    letters = "".join(" " if letter == "_" else letter for letter in snake_case(name) if not letter.isdigit())
    *before, last = letters.split() or ("",)
    return (*before, last.removesuffix("s")) if last else ()


def _content(text: bytes) -> str:
    """Of a JSON text, also of one that is broken."""
    try:
        return _decode_text(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return text.strip(b'"').decode(errors="replace")
