// Reads a JSON list of diagrams from stdin; answers what Mermaid understood of each, or its error.
import { JSDOM } from "jsdom";
import { readFileSync } from "node:fs";

const { window } = new JSDOM("");
Object.assign(globalThis, { window, document: window.document }); // Mermaid cleans labels with DOMPurify.
const { default: mermaid } = await import("mermaid");

const text = (label) => {
  const page = window.document.createElement("div");
  page.innerHTML = label.replace(/ﬂ°°/g, "&#").replace(/ﬂ°/g, "&").replace(/¶ß/g, ";"); // Its own code for entities.
  return page.innerHTML.split("<br>").map((line) => {
    page.innerHTML = line;
    return page.textContent;
  });
};

const answers = [];
for (const diagram of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    const { diagramType } = await mermaid.parse(diagram);
    const { db } = await mermaid.mermaidAPI.getDiagramFromText(diagram);
    answers.push({
      type: diagramType,
      nodes: Object.fromEntries([...db.getVertices().values()].map(({ id, text: label }) => [id, text(label)])),
      edges: db.getEdges().map(({ start, end, stroke, text: label }) => [start, stroke, end, text(label ?? "")[0]]),
    });
  } catch (error) {
    answers.push({ error: String(error) });
  }
}
console.log(JSON.stringify(answers));
