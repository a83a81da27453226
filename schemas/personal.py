"""Personal values in the bytes of a touchpoint, replaced where they stand; every other byte stays as it came.

A value is personal by the name of its field, at any depth: the kind's name or one of its `personal_fields`, or a name
that ends in one of them, in snake or camel case (`email`, `customerEmail`, `billing_phone`). Texts and numbers are
replaced; in a list or mapping below such a name, all of them. `true`, `false`, `null` and empty texts say nothing and
stay.

The bytes are not parsed but cut into texts, numbers and brackets, so a member that stands twice, or a document that is
cut short, is cleaned too, in one pass whose time grows with the length. What has no such field costs a look for a few
short byte strings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from schemas.snake_case import snake_case

READ_MAX: Final = 20
"""Values of one touchpoint that are read, which is dear. A touchpoint needs three; one that is made of contacts must
not stop its neighbours, so what comes after these is only made unreadable.
"""
CORES: Final = ("mail", "phone")
"""Parts of many names: one look for each of these finds `e_mail`, `email_address` and `mail` alike."""
EMPTY: Final = b'""'
NAME_MAX: Final = 100
"""Characters of a name that are looked at: its end."""
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
    """`names`: snake-case name of a field -> kind. `beyond`: what stands instead of values after the first READ_MAX."""

    def __init__(self, names: Mapping[str, str], beyond: str) -> None:
        self._beyond = _encode(beyond)
        self._names = {snake_case(name): kind for name, kind in names.items()}
        self._ends = tuple((f"_{name}", kind) for name, kind in self._names.items())
        self._tails = tuple(sorted({name.rpartition("_")[2].encode() for name in self._names}))
        words = {next((core for core in CORES if core in name), name.rpartition("_")[2]) for name in self._names}
        self._needles = [
            (word.encode(), re.compile(word.encode() + rb'[^"]{0,%d}+"[ \t\r\n]{0,9}+:' % NAME_MAX).search)
            for word in sorted(words)
        ]

    def may_stand_in(self, value: bytes) -> bool:
        """False: there is none. Where something is escaped the quick look is not sure."""
        lowered = value.lower()
        escaped = b"\\" in lowered
        for needle, is_name in self._needles:
            if needle in lowered and (escaped or is_name(lowered) is not None):
                return True
        return escaped and b"\\u" in lowered

    def kind_of(self, name: str) -> str | None:
        name = snake_case(name)
        if (kind := self._names.get(name)) is not None:
            return kind
        return next((kind for end, kind in self._ends if name.endswith(end)), None)

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
        if b"\\" not in key and not key[:-1].lower().endswith(self._tails):
            return None
        return self.kind_of(_content(key)[-NAME_MAX:])


def _content(text: bytes) -> str:
    """Of a JSON text, also of one that is broken."""
    try:
        return _decode_text(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return text.strip(b'"').decode(errors="replace")
