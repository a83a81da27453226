"""What a deployment keeps secret: made once, whoever asks, and readable by its owner only."""

from __future__ import annotations

import json
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.embedded.process import EmbeddedError
from deploy.keys import load_secrets
from sources.collector.keys import load_keys


def test_two_that_ask_at_once_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(load_secrets, [tmp_path / "data"] * 8))
    assert all(one == found[0] for one in found)
    for name in ("secrets.json", "write-keys.yaml"):
        assert stat.S_IMODE((tmp_path / "data" / name).stat().st_mode) == 0o600


def test_the_collector_reads_the_keys_and_changed_ones_stay(tmp_path: Path) -> None:
    made = load_secrets(tmp_path)
    keys = load_keys(tmp_path / "write-keys.yaml")
    sources = {source: keys.find(key) for source, key in made.write_keys.items()}
    assert {source: found and found.name for source, found in sources.items()} == {name: name for name in sources}
    trust = {source: found and found.trust for source, found in sources.items()}
    assert trust == {"web": "browser", "app": "browser", "till": "server", "payments": "server"}
    (tmp_path / "write-keys.yaml").write_text("write_keys: {my-own-key: {source: web, trust: server}}\n")
    assert load_secrets(tmp_path) == made
    assert load_keys(tmp_path / "write-keys.yaml").find("my-own-key") is not None


def test_a_file_that_was_deleted_comes_back(tmp_path: Path) -> None:
    made = load_secrets(tmp_path)
    (tmp_path / "write-keys.yaml").unlink()
    assert load_secrets(tmp_path) == made
    assert load_keys(tmp_path / "write-keys.yaml").find(made.write_keys["web"]) is not None


def test_what_an_earlier_version_did_not_make_is_added_once(tmp_path: Path) -> None:
    """Its write keys had no trust: the file is made anew, unless somebody has changed it."""
    made = load_secrets(tmp_path)
    file, keys_file = tmp_path / "secrets.json", tmp_path / "write-keys.yaml"
    old = json.loads(file.read_text())
    for name in ("personal_key", "proof_secret"):
        del old[name]
    file.write_text(json.dumps(old))
    keys_file.write_text(re.sub(", trust: [a-z]+", "", keys_file.read_text()))
    found = load_secrets(tmp_path)
    assert (found.control_secret, found.write_keys, found.admin_token) == (
        made.control_secret,
        made.write_keys,
        made.admin_token,
    )
    assert min(len(found.personal_key), len(found.proof_secret)) >= 32
    assert found.personal_key not in (made.personal_key, found.proof_secret)
    assert load_secrets(tmp_path) == found
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load_keys(keys_file).find(made.write_keys["till"]) is not None
    keys_file.write_text("write_keys: {my-own-key: {source: web}}\n")
    load_secrets(tmp_path)
    assert "my-own-key" in keys_file.read_text()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"control_secret": "c", "admin_token": "a", "write_keys": []}'])
def test_a_damaged_file_is_told_and_kept(tmp_path: Path, text: str) -> None:
    (tmp_path / "secrets.json").write_text(text)
    with pytest.raises(EmbeddedError, match=r"secrets\.json is damaged: .*delete"):
        load_secrets(tmp_path)
    assert (tmp_path / "secrets.json").read_text() == text


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match="TOUCHLINE_DATA_DIR"):
        load_secrets(tmp_path / "file")
