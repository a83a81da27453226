"""Write keys: who may send, and under which source name it is stored.

The file names each key, or `sha256:` and the key's SHA-256 in hex, so that the file need not hold secrets:

    write_keys:
      web-7f3a9c:            {source: web_shop, trust: browser, channel: web}
      sha256:9f86d081...:    {source: tills, trust: server}

`trust` says what who has the key may assert (docs/identity.md, "What a browser may say"): `browser` for a key that
others can read, in a page or an app; `server` for one that only your servers have.

Memory holds only hashes. Sources are the bounded set of labels in metrics; several keys may share one, to
change a key without a gap.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError

FILE_BYTES_MAX: Final = 1 << 20
KEYS_MAX: Final = 10_000
KEY_LENGTH_MAX: Final = 200
WORD: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")
NOBODY: Final = bytes(32)
Trust = Literal["browser", "server"]
FIELDS: Final = ("source", "trust", "channel")
TRUSTS: Final = "`trust: browser` (the key lies in a page or an app, anybody can read it) or `trust: server`"


class KeyFileError(ValueError):
    """The file of write keys cannot be used: where, and what to do."""


@dataclass(frozen=True, slots=True)
class Source:
    """`channel` is the default of touchpoints that name none."""

    name: str
    trust: Trust
    channel: str | None = None


class WriteKeys:
    """Compared by hash: a key that nearly fits takes as long as one that does not."""

    def __init__(self, by_digest: Mapping[bytes, Source]) -> None:
        self._by_digest = {digest: (digest, source) for digest, source in by_digest.items()}

    @property
    def sources(self) -> list[str]:
        return sorted({source.name for _, source in self._by_digest.values()})

    def __len__(self) -> int:
        return len(self._by_digest)

    def find(self, key: str) -> Source | None:
        if len(key) > KEY_LENGTH_MAX:
            return None
        digest = hashlib.sha256(key.encode(errors="replace")).digest()
        known, source = self._by_digest.get(digest, (NOBODY, None))
        return source if hmac.compare_digest(digest, known) else None


def key_of_header(authorization: str) -> str | None:
    """The key of `Basic base64(key:)` or `Bearer key`; None when it is neither."""
    scheme, _, credentials = authorization.partition(" ")
    match scheme.lower():
        case "bearer":
            return credentials.strip()
        case "basic":
            try:
                return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[0]
            except (binascii.Error, UnicodeDecodeError):
                return None
    return None


def load_keys(file: Path) -> WriteKeys:
    """Raises KeyFileError."""
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise KeyFileError(f"{file}: larger than {FILE_BYTES_MAX} bytes. Remove keys that nobody uses.")
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{file}: cannot be read ({type(error).__name__}). Name a file of write keys.") from error
    try:
        document = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        what = "a key is given twice" if isinstance(error, DuplicateKeyError) else "not valid YAML"
        raise KeyFileError(f"{file}:{line}: {what}.") from None  # The parser's own words may hold a key.
    return WriteKeys(_parsed(document, file))


def _parsed(document: object, file: Path) -> dict[bytes, Source]:
    entries = document.get("write_keys") if isinstance(document, Mapping) else None
    if not isinstance(document, Mapping) or not isinstance(entries, Mapping) or len(document) != 1 or not entries:
        raise KeyFileError(f"{file}:1: wants one entry `write_keys`, with a source for each key.")
    if len(entries) > KEYS_MAX:
        raise KeyFileError(f"{file}: more than {KEYS_MAX} keys.")
    return dict(_entry(key, value, f"{file}:{entries.lc.key(key)[0] + 1}") for key, value in entries.items())  # type: ignore[attr-defined]


def _entry(key: object, value: object, place: str) -> tuple[bytes, Source]:
    """One line of the file. A message never repeats the key: it is a secret."""
    if not isinstance(key, str) or not 8 <= len(key) <= KEY_LENGTH_MAX or not key.isascii():
        raise KeyFileError(f"{place}: a write key is text of 8 to {KEY_LENGTH_MAX} ASCII characters. Put it in quotes.")
    if not isinstance(value, Mapping) or not {"source"} <= set(value) <= set(FIELDS):
        raise KeyFileError(
            f"{place}: wants {{source: NAME, trust: browser|server, channel: NAME}}; the channel may be absent."
        )
    for field in ("source", "channel"):
        word = value.get(field, "-")
        if field in value and not (isinstance(word, str) and WORD.fullmatch(word)):
            raise KeyFileError(f"{place}: `{field}` wants 1 to 40 of a-z 0-9 _ . - and begins with a letter or digit.")
    if "trust" not in value:
        raise KeyFileError(f"{place}: `trust` is missing: add {TRUSTS}. Without it nobody knows what the key may say.")
    if value["trust"] not in ("browser", "server"):
        raise KeyFileError(f"{place}: wants {TRUSTS}.")
    hashed = DIGEST.fullmatch(key)
    digest = bytes.fromhex(hashed[1]) if hashed else hashlib.sha256(key.encode()).digest()
    return digest, Source(value["source"], value["trust"], value.get("channel"))
