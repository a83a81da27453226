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

NORMALISED_MAX: Final = 20
"""Values of one touchpoint that are normalised, which is dear. A touchpoint needs three."""
CORES: Final = ("mail", "phone")
"""Parts of many names: one look for each of these finds `e_mail`, `email_address` and `mail` alike."""
Replace = Callable[[str, str, bool], str | None]
"""(kind, value, whether there is time to normalise it) -> what stands there instead; None: the value itself."""

_TOKEN: Final = re.compile(
    rb'(?P<text>"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z))(?P<colon>[ \t\r\n]*:)?'
    rb"|(?P<number>-?[0-9][0-9.eE+-]*+)"
    rb"|(?P<open>[\[{])"
    rb"|(?P<close>[\]}])",
    re.DOTALL,
)
_decode_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.encode


class PersonalFields:
    """`names`: snake-case name of a field -> kind."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = {snake_case(name): kind for name, kind in names.items()}
        self._ends = tuple((f"_{name}", kind) for name, kind in self._names.items())
        self._tails = tuple(sorted({name.rpartition("_")[2].encode() for name in self._names}))
        words = {next((core for core in CORES if core in name), name.rpartition("_")[2]) for name in self._names}
        self._needles = [
            (word.encode(), re.compile(word.encode() + rb'[^"\\:]*+"[ \t\r\n]*:').search) for word in sorted(words)
        ]

    def may_stand_in(self, value: bytes) -> bool:
        """False: there is none. A name may be hidden in escapes, so these are looked at too."""
        lowered = value.lower()
        for needle, is_name in self._needles:
            if needle in lowered and is_name(lowered) is not None:
                return True
        return b"\\" in lowered and b"\\u" in lowered

    def kind_of(self, name: str) -> str | None:
        name = snake_case(name)
        if (kind := self._names.get(name)) is not None:
            return kind
        return next((kind for end, kind in self._ends if name.endswith(end)), None)

    def replaced(self, value: bytes, replace: Replace) -> bytes:
        """The same bytes where there is nothing to replace."""
        parts: list[bytes] = []
        done = depth = normalised = 0
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
                content = _content(text) if text is not None else token["number"].decode()
                instead = replace(kind, content, normalised < NORMALISED_MAX) if content else None
                normalised += 1
                if instead is not None:
                    begin = token.start()
                    parts += (value[done:begin], _encode(instead))
                    done = token.end("text") if text is not None else token.end()
            if not depth:
                kind = None
        return b"".join((*parts, value[done:])) if parts else value

    def _kind_of_key(self, key: bytes) -> str | None:
        if b"\\" not in key and not key[:-1].lower().endswith(self._tails):
            return None
        return self.kind_of(_content(key))


def _content(text: bytes) -> str:
    """Of a JSON text, also of one that is broken."""
    try:
        return _decode_text(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return text.strip(b'"').decode(errors="replace")
