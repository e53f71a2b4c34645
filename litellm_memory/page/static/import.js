// A file of another product: first what would be kept of it, then, when that is right, keeping it.
import { ask, session } from "./api.js";
import { button, empty, failed, field, h, notice, said, show, size, visible, when } from "./parts.js";

const FORMATS = ["", "litellm-memory", "mem0", "claude-mem", "chatgpt", "claude", "markdown", "maia", "ai-mem"];
const LINES_AT_ONCE = 200;
const LONGEST = 1_000_000;
const SHOWN = 100;
const TRIES = 20;

// A long import meets the limit of requests a minute, or another import: both pass.
async function patiently(run) {
  for (let tries = 1; ; tries++) {
    try { return await run(); } catch (error) { if (error.status !== 429 || tries === TRIES) throw error; }
    await new Promise((resolve) => setTimeout(resolve, 5000));
  }
}

export async function importing(place) {
  const file = h("input", { type: "file", "aria-describedby": "what", onchange: () => file.files[0] && read(file.files[0]) });
  const format = h("select", {}, FORMATS.map((name) => h("option", { value: name }, name || "find out")));
  const user = h("input", { type: "text", maxlength: "256", autocomplete: "off", placeholder: session.user });
  const out = h("div", { role: "status" });
  const drop = h("div", { class: "drop" }, h("p", { id: "what" }, "Drop a file here, or choose one: what ChatGPT, Claude, mem0, claude-mem, MAIA or ai-mem exported (a zip or its JSON), a list in Markdown, or an export of this."), field("File", file));
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); drop.classList.remove("over"); const [given] = event.dataTransfer.files; if (given) read(given); });

  async function read(given) {
    show(out, h("p", { class: "soft" }, `Reading ${given.name} (${size(given.size)}) …`));
    try {
      const named = format.value ? `&format=${encodeURIComponent(format.value)}` : "";
      const name = encodeURIComponent(given.name);
      const [head, ...rows] = await ask("POST", `v1/convert?name=${name}${named}`, given);
      const lines = rows.filter((row) => row.line).map((row) => row.line);
      const refused = rows.filter((row) => row.refused ?? row.problem);
      const would = await each(lines, "&dry_run=true", "Looking at what is here already");
      found(given, head.format, lines, refused, would);
    } catch (error) { show(out, failed(error)); }
  }

  // Sends lines a few at a time, so that there is progress, and what was sent is kept whatever happens to the next.
  async function each(lines, how, doing) {
    const bar = h("progress", { max: String(lines.length), value: "0", "aria-label": doing });
    const told = h("span", {}, `${doing}: 0 of ${lines.length}`);
    show(out, h("p", {}, told, bar));
    const sum = { imported: 0, known: 0, refused: 0, errors: [] };
    const whose = user.value.trim() ? `user=${encodeURIComponent(user.value.trim())}` : "";
    for (let at = 0; at < lines.length;) {
      const rows = [];
      for (let length = 0; at < lines.length && rows.length < LINES_AT_ONCE && length < LONGEST; at++) { rows.push(JSON.stringify(lines[at])); length += rows.at(-1).length; }
      const answer = await patiently(() => ask("POST", `v1/import?${whose}${how}`, rows.join("\n")));
      for (const name of ["imported", "known", "refused"]) sum[name] += answer[name];
      sum.errors.push(...answer.errors);
      bar.value = at;
      told.textContent = `${doing}: ${at} of ${lines.length}`;
    }
    return sum;
  }

  function found(given, name, lines, refused, would) {
    if (!lines.length) { show(out, empty(`${given.name} was read as ${name}, and nothing in it would be kept.`), problems(refused)); return; }
    const waits = lines.filter((line) => line.review).length;
    const keep = button(`Keep ${would.imported}`, async () => {
      try {
        const kept = await each(lines, "", "Keeping");
        show(out, h("p", {}, `${kept.imported} kept, ${kept.known} were here already, ${kept.refused} refused.`), problems(kept.errors.map((error) => ({ where: `line ${error.line}`, refused: error.message }))),
          h("p", {}, h("a", { href: "#/memories" }, "Look at the memories"), waits ? [" or ", h("a", { href: "#/review" }, "review what waits")] : null));
        notice("The import is done.");
      } catch (error) { show(out, failed(error), h("p", {}, "What was sent before is kept; the same file again goes on where it stopped.")); }
    }, { class: "main", disabled: !would.imported });
    show(out, h("h2", {}, "What would be kept"),
      h("p", {}, `${visible(given.name)}, read as ${name}: ${would.imported} new, ${would.known} here already, ${refused.length + would.refused} unreadable${waits ? `, ${waits} of them would wait for your word first` : ""}.`),
      h("div", { class: "row" }, keep, button("Never mind", () => { file.value = ""; show(out); })),
      h("ul", { class: "cards" }, lines.slice(0, SHOWN).map((line) => h("li", { class: "card" }, h("div", {}, said(line.text, true), line.review && h("p", { class: "why" }, "Would wait, because ", visible(line.review), "."), h("div", { class: "facts" }, h("span", {}, line.kind ?? "fact"), line.created && h("span", {}, when(line.created)), line.project && h("span", {}, visible(line.project))))))),
      lines.length > SHOWN && h("p", { class: "soft" }, `And ${lines.length - SHOWN} more.`), problems(refused));
  }

  const problems = (rows) => rows.length > 0 && h("details", {}, h("summary", {}, `Not readable: ${rows.length}`), h("ul", {}, rows.slice(0, SHOWN).map((row) => h("li", {}, visible(`${row.where ?? "file"}: ${row.refused ?? row.problem}`)))));
  show(place, h("h1", {}, "Import"), drop, h("div", { class: "filters" }, field("Written by", format), field("For the user", user)), out);
}
