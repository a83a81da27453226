"""The schemas in the server that editors run: it completes, explains and checks definition files."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.definition_files import load_catalogue
from schemas.export import export_schemas
from tests.integration.npm_packages import npm_packages
from tests.unit.definition_cases import MISSHAPED, SHAPED, with_break

NODE = Path(__file__).with_name("yaml_node")
CATALOGUE = Path("touchpoints.yaml")
SETTINGS = {"validate": True, "completion": True, "hover": True, "schemaStore": {"enable": False}}
SKETCH = """\
journey: x
version: 1
owner: team-a
instance: {key: customer}
start: {touchpoint: order_placed}
steps:
  paid:
    touchpoint:\x20
    within: 10m
    severity:\x20
    \n\
outcome: {success: paid}
breaks:
  gone_wrong:
    touchpoint: payment_declined
    never_with:\x20
    \n\
  quiet:
    idle: 3d
"""


class Editor:
    """Speaks the language server protocol over pipes. The test's own time limit ends a server that hangs."""

    def __init__(self, home: Path, schemas: Path) -> None:
        self.schemas, self.asked = schemas, 0
        self.server = subprocess.Popen(
            ["node", home / "node_modules/yaml-language-server/bin/yaml-language-server", "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.ask(
            "initialize", {"processId": None, "rootUri": None, "capabilities": {"workspace": {"configuration": True}}}
        )
        self._send({"method": "initialized", "params": {}})

    def ask(self, method: str, params: Any) -> Any:
        self.asked += 1
        self._send({"id": self.asked, "method": method, "params": params})
        return self._until(lambda said: said.get("id") == self.asked and "method" not in said)["result"]

    def open(self, name: str, schema: str, text: str) -> list[str]:
        """What is wrong with the file, each with its line."""
        head = f"# yaml-language-server: $schema={self.schemas}/files/{schema}.schema.json\n"
        document = {"uri": f"file:///{name}", "languageId": "yaml", "version": 1, "text": head + text}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        found = self._until(lambda said: said.get("params", {}).get("uri") == document["uri"])["params"]["diagnostics"]
        return [f"{each['range']['start']['line']}: {each['message']}" for each in found]

    def at(self, method: str, name: str, line: int, column: int) -> Any:
        """`line` counts from 1, without the line of the schema."""
        place = {"textDocument": {"uri": f"file:///{name}"}, "position": {"line": line, "character": column}}
        return self.ask(f"textDocument/{method}", place)

    def close(self) -> None:
        self.server.kill()
        self.server.communicate()

    def _send(self, said: dict[str, Any]) -> None:
        assert self.server.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **said}).encode()
        self.server.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.server.stdin.flush()

    def _until(self, wanted: Any) -> dict[str, Any]:
        while True:
            said = self._receive()
            if said.get("method") == "workspace/configuration":
                wishes = [SETTINGS if item.get("section") == "yaml" else {} for item in said["params"]["items"]]
                self._send({"id": said["id"], "result": wishes})
            elif "method" in said and "id" in said:
                self._send({"id": said["id"], "result": None})
            if wanted(said):
                return said

    def _receive(self) -> dict[str, Any]:
        assert self.server.stdout is not None
        length = 0
        while header := self.server.stdout.readline().strip():
            name, _, value = header.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        assert length, "the server has gone"
        said: dict[str, Any] = json.loads(self.server.stdout.read(length))
        return said


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    npm_packages(NODE)
    schemas = tmp_path_factory.mktemp("schemas")
    export_schemas(schemas, load_catalogue(CATALOGUE))
    running = Editor(NODE, schemas)
    yield running
    running.close()


@pytest.mark.timeout(120)
def test_what_is_shipped_has_no_complaint(editor: Editor) -> None:
    for file in sorted(Path("journeys").glob("*.yaml")):
        assert editor.open(file.name, "definition", file.read_text()) == []
    assert editor.open("touchpoints.yaml", "catalogue", CATALOGUE.read_text()) == []


@pytest.mark.timeout(120)
def test_slips_are_marked_at_their_line(editor: Editor) -> None:
    text = Path("journeys/checkout.yaml").read_text()
    for old, new in (
        ("within: 2h", "within: 2 hours"),
        ("if_missing", "if_mising"),
        ("delivery_chosen", "delivry_chosen"),
    ):
        text = text.replace(old, new)
    lines = text.split("\n")
    wrong = {
        number for number, line in enumerate(lines, 1) if "2 hours" in line or "mising" in line or "delivry" in line
    }
    assert {int(told.split(":")[0]) for told in editor.open("slips.yaml", "definition", text)} == wrong


@pytest.mark.timeout(120)
def test_breaks_of_every_shape_have_no_complaint_and_one_out_of_shape_has(editor: Editor) -> None:
    for number, (_, rule) in enumerate(SHAPED):
        assert editor.open(f"shaped_{number}.yaml", "definition", with_break(rule)) == [], rule
    for number, (rule, _, _, beyond) in enumerate(MISSHAPED):
        text = with_break(rule)
        first = text[: text.index("  trouble:")].count("\n") + 1
        lines = {int(told.split(":")[0]) for told in editor.open(f"misshaped_{number}.yaml", "definition", text)}
        assert bool(lines) != beyond, rule
        assert lines <= set(range(first, first + 2 + rule.count("\n"))), "marked within the break"


@pytest.mark.timeout(120)
def test_fields_values_and_touchpoints_are_completed_and_explained(editor: Editor) -> None:
    editor.open("sketch.yaml", "definition", SKETCH)

    def offered(line: int, column: int) -> list[str]:
        return [item["label"] for item in editor.at("completion", "sketch.yaml", line, column)["items"]]

    lines = SKETCH.split("\n")
    assert set(offered(lines.index("    touchpoint: ") + 1, 16)) == set(load_catalogue(CATALOGUE).touchpoints)
    assert set(offered(lines.index("    severity: ") + 1, 14)) == {"info", "warning", "error", "critical"}
    assert {"after", "handoff", "if_missing", "where"} <= set(offered(lines.index("    ") + 1, 4))
    explained = editor.at("hover", "sketch.yaml", lines.index("    within: 10m") + 1, 6)
    assert "Time allowed from reaching the step before" in explained["contents"]["value"]
    assert set(offered(lines.index("    never_with: ") + 1, 16)) == set(load_catalogue(CATALOGUE).touchpoints)
    in_break = set(offered(lines.index("    never_with: ") + 2, 4))
    assert {"where", "at_least", "cleared_by", "requires", "tolerate", "severity"} <= in_break
    explained = editor.at("hover", "sketch.yaml", lines.index("    idle: 3d") + 1, 6)
    assert "nothing happens for so long before success" in explained["contents"]["value"]
