"""Write keys: who is let in, and what a file that cannot be used is told. No message ever holds a key."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from sources.collector.keys import KeyFileError, Source, key_of_header, load_keys


def load(tmp_path: Path, text: str) -> object:
    file = tmp_path / "write_keys.yaml"
    file.write_text(text)
    return load_keys(file)


def test_keys_find_their_source(tmp_path: Path) -> None:
    file = tmp_path / "write_keys.yaml"
    hashed = hashlib.sha256(b"till-secret").hexdigest()
    file.write_text(
        "write_keys:\n  web-12345: {source: web_shop, channel: web, trust: browser}\n"
        f"  web-67890: {{source: web_shop, trust: server}}\n  sha256:{hashed}: {{trust: server, source: tills}}\n"
    )
    keys = load_keys(file)
    assert keys.find("web-12345") == Source("web_shop", "browser", "web")
    assert keys.find("web-67890") == Source("web_shop", "server", None)
    assert keys.find("till-secret") == Source("tills", "server", None)
    for stranger in ("", "web-1234", "web-123456", f"sha256:{hashed}", "x" * 10_000, "\ud800" * 8):
        assert keys.find(stranger) is None
    assert keys.sources == ["tills", "web_shop"]
    assert "till-secret" not in repr(vars(keys))
    assert "web-12345" not in repr(vars(keys))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "write_keys"),
        ("keys: {}", 1, "write_keys"),
        ("write_keys: {}", 1, "write_keys"),
        ("write_keys: {a: [", 1, "YAML"),
        ("write_keys:\n  secret-1: {source: a}\n  secret-1: {source: b}\n", 3, "twice"),
        ("write_keys:\n  secret-1: {source: a, trust: server}\n  secret-2: {channel: b}\n", 3, "source"),
        ("write_keys:\n  secret-1: {source: a, trust: server}\n  secret-2: {source: b}\n", 3, "`trust` is missing"),
        ("write_keys:\n  secret-1: {source: a, trust: b}\n", 2, "`trust: browser` "),
        ("write_keys:\n  secret-1: {source: a, trust: [server]}\n", 2, "`trust: browser` "),
        ("write_keys:\n  secret-1: {source: a, trust: server, color: b}\n", 2, "channel"),
        ("write_keys:\n  secret-1: {source: Café}\n", 2, "`source`"),
        ("write_keys:\n  secret-1: {source: a, channel: 7}\n", 2, "`channel`"),
        ("write_keys:\n  12345678: {source: a}\n", 2, "quotes"),
        ("write_keys:\n  short: {source: a}\n", 2, "8 to 200"),
    ],
)
def test_a_bad_file_is_told_by_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(KeyFileError) as caught:
        load(tmp_path, text)
    assert f"write_keys.yaml:{line}:" in str(caught.value)
    assert words in str(caught.value)
    assert "secret-" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"nowhere\.yaml"):
        load_keys(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("Basic " + base64.b64encode(b"abc:").decode(), "abc"),
        ("basic " + base64.b64encode(b"abc:password").decode(), "abc"),
        ("Bearer abc", "abc"),
        ("Basic ???", None),
        ("Basic " + base64.b64encode(b"\xff:").decode(), None),
        ("Digest abc", None),
        ("", None),
    ],
)
def test_the_key_of_a_header(header: str, key: str | None) -> None:
    assert key_of_header(header) == key
