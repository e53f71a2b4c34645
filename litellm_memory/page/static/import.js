// Files of other products: first what would be kept of them and for whom, then, when that is right, keeping it.
import { ask, post, session } from "./api.js";
import { button, empty, failed, field, h, notice, said, show, size, table, visible, when } from "./parts.js";

const MEMORIES = ["litellm-memory", "litellm", "mem0", "claude-mem", "chatgpt", "claude", "markdown", "maia", "ai-mem"];
const CONVERSATIONS = ["claude-code", "codex", "gemini-cli", "opencode", "open-webui", "spend-logs"];
const ENDINGS = /\.(zip|json|jsonl|ndjson|md|markdown|txt)$/i;
const LINES_AT_ONCE = 200;
const CONVERSATIONS_AT_ONCE = 20;
const LONGEST = 1_000_000;
const SHOWN = 100;
const TRIES = 20;
const REASONS = { another_partition: "of another key, whose own they are" };

// A long import meets the limit of requests a minute, or another import: both pass.
async function patiently(run) {
  for (let tries = 1; ; tries++) {
    try { return await run(); } catch (error) { if (error.status !== 429 || tries === TRIES) throw error; }
    await new Promise((resolve) => setTimeout(resolve, 5000));
  }
}

// The rows in batches that a request takes.
function* batches(rows, most) {
  for (let at = 0; at < rows.length;) {
    const batch = [];
    for (let length = 0; at < rows.length && batch.length < most && length < LONGEST; at++) { batch.push(rows[at]); length += JSON.stringify(rows[at]).length; }
    yield batch;
  }
}

function bar(place, doing, most) {
  const shown = h("progress", { max: String(Math.max(most, 1)), value: "0", "aria-label": doing });
  const told = h("span", {}, `${doing}: 0 of ${most}`);
  show(place, h("p", {}, told, shown));
  return (more) => { shown.value += more; told.textContent = `${doing}: ${shown.value} of ${most}`; };
}

// What one file holds: lines of an import, or conversations; or why it cannot be read.
async function opened(file, format) {
  const name = file.webkitRelativePath || file.name;
  const about = { name, format, lines: [], talks: [], refused: [], problem: null };
  try {
    const named = format ? `&format=${encodeURIComponent(format)}` : "";
    const [head, ...rows] = await patiently(() => ask("POST", `v1/convert?name=${encodeURIComponent(file.name)}${named}`, file));
    about.format = head.format;
    about.lines = rows.filter((row) => row.line).map((row) => row.line);
    about.talks = rows.filter((row) => row.conversation).map((row) => row.conversation);
    about.refused = rows.filter((row) => row.refused ?? row.problem);
  } catch (error) {
    if (error.status === 401) throw error;
    about.problem = error.message.startsWith(file.name) ? error.message : `${name}: ${error.message}`;
  }
  return about;
}

async function sendLines(lines, user, dry, step) {
  const sum = { imported: 0, known: 0, refused: 0, waiting: 0, errors: [], memories: [] };
  const whose = user ? `&user=${encodeURIComponent(user)}` : "";
  for (const batch of batches(lines, LINES_AT_ONCE)) {
    const answer = await patiently(() => ask("POST", `v1/import?dry_run=${dry}${whose}`, batch.map((line) => JSON.stringify(line)).join("\n")));
    for (const name of ["imported", "known", "refused", "waiting"]) sum[name] += answer[name];
    sum.errors.push(...answer.errors);
    if (sum.memories.length < SHOWN) sum.memories.push(...answer.memories);
    step(batch.length);
  }
  return sum;
}

async function sendTalks(talks, dry, named, step) {
  const sum = { taken: 0, known: 0, left: new Map(), owners: new Map(), memories: [], refused: [] };
  const more = (of, name, count) => of.set(name, (of.get(name) ?? 0) + count);
  async function send(batch) {
    let answer;
    try { answer = await patiently(() => post(`v1/import/conversations?dry_run=${dry}`, { conversations: batch }, { named })); } catch (error) {
      if (![413, 422].includes(error.status)) throw error;
      // One of them is too much for a request: it alone is left out.
      if (batch.length > 1) { const half = batch.length >> 1; await send(batch.slice(0, half)); await send(batch.slice(half)); } else { sum.refused.push({ where: "a conversation", refused: error.message }); step(1); }
      return;
    }
    sum.taken += answer.taken; sum.known += answer.known; sum.memories.push(...answer.memories);
    for (const [reason, count] of Object.entries(answer.left_out)) more(sum.left, reason, count);
    for (const one of answer.owners) more(sum.owners, JSON.stringify([one.partition, one.user]), one.messages);
    step(batch.length);
  }
  for (const batch of batches(talks, CONVERSATIONS_AT_ONCE)) await send(batch);
  return sum;
}

export async function importing(place) {
  const pick = (folder) => h("input", { type: "file", multiple: true, webkitdirectory: folder, "aria-describedby": "what", onchange: (event) => read([...event.target.files]) });
  const [file, folder] = [pick(false), pick(true)];
  const option = (name) => h("option", { value: name }, name || "find out");
  const format = h("select", {}, option(""), h("optgroup", { label: "Memories" }, MEMORIES.map(option)), h("optgroup", { label: "Conversations" }, CONVERSATIONS.map(option)));
  const user = h("input", { type: "text", maxlength: "256", autocomplete: "off", placeholder: session.user });
  const out = h("div", { role: "status" });
  const drop = h("div", { class: "drop" }, h("p", { id: "what" }, "Drop files here, or choose some: transcripts of Claude Code, Codex, Gemini CLI and opencode, exports of Open WebUI and LiteLLM's spend logs, what ChatGPT, Claude, mem0, claude-mem, MAIA or ai-mem exported (a zip or its JSON), lists in Markdown, or an export of this."), h("p", { class: "soft" }, "Lists and exports of memories are kept as they are. What ChatGPT and Claude exported is kept as messages, each with its answer, and no facts are drawn from it. From transcripts, chats of Open WebUI and spend logs facts are learned, as from requests of today."), h("div", { class: "filters" }, field("File", file), field("Folder", folder)));
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault(); drop.classList.remove("over");
    const folders = [...event.dataTransfer.items].some((one) => one.webkitGetAsEntry?.()?.isDirectory);
    if (folders) show(out, failed(new Error("A folder cannot be dropped: choose it with the field Folder."))); else read([...event.dataTransfer.files]);
  });

  async function read(chosen) {
    // Of a folder only what may be an export; what somebody names is read whatever it is called.
    const files = chosen.filter((one) => !one.webkitRelativePath || ENDINGS.test(one.name)).sort((one, other) => one.lastModified - other.lastModified);
    if (!files.length) { if (chosen.length) show(out, empty("There is no file in this folder that could be an export.")); return; }
    try {
      const step = bar(out, files.length === 1 ? `Reading ${files[0].name} (${size(files[0].size)})` : "Reading files", files.length);
      const sources = [];
      for (const one of files) { sources.push(await opened(one, format.value)); step(1); }
      await whose(sources);
    } catch (error) { show(out, failed(error)); }
  }

  // Chats of several people: whose they become is said before anything else.
  async function whose(sources) {
    const talks = sources.flatMap((one) => one.talks);
    const people = new Map();
    if (!user.value.trim()) for (const one of talks) if (one.user && !one.caller) people.set(one.user, (people.get(one.user) ?? 0) + 1);
    const rows = session.operator && talks.some((one) => one.caller);
    if (people.size < 2 && !rows) return look(sources, { as: new Map([...people.keys()].map((name) => [name, name])), own: false });
    const several = people.size > 1;
    const choices = [...people].map(([name, count], at) => {
      const box = h("input", { type: session.operator ? "checkbox" : "radio", name: "whose", checked: session.operator, "aria-label": `The chats of ${visible(name)}` });
      const as = h("input", { type: "text", maxlength: "256", value: name, autocomplete: "off", "aria-label": `The user that ${visible(name)} becomes` });
      return { name, box, as, row: [box, visible(name), count, as] };
    });
    const own = h("select", {}, h("option", { value: "" }, "each goes to the partition of its own key"), h("option", { value: "1" }, "only those of the partition that is chosen at the top"));
    const go = button("Look at what would be kept", () => {
      const as = new Map((several ? choices.filter((one) => one.box.checked) : choices).map((one) => [one.name, one.as.value.trim() || one.name]));
      look(sources, { as, own: rows && !own.value }).catch((error) => show(out, failed(error)));
    }, { class: "main" });
    found(h("h2", {}, "Whose are they?"),
      several && h("p", { class: "soft" }, session.operator ? `These are chats of ${people.size} people. Choose whose are kept, and the user that each becomes.` : `These are chats of ${people.size} people: choose your own.`),
      several && table(["keep", "there", "chats", "user here"], choices.map((one) => one.row), "People"),
      rows && field("Rows of the spend logs", own), h("div", { class: "row" }, go, never()));
  }

  // On a small screen what was found stands below the form, where nobody would look for it.
  const found = (...inside) => { show(out, ...inside); out.scrollIntoView(); };
  const never = () => button("Never mind", () => { file.value = folder.value = ""; show(out); });
  const total = (sources) => sources.reduce((sum, one) => sum + one.lines.length + one.talks.length, 0);

  // Sends what the files hold a little at a time, so that there is progress, and what was sent is kept whatever
  // happens to the next. ``own``: each row of spend logs goes to the partition of its own key.
  async function send(sources, { as, own }, dry, doing) {
    const step = bar(out, doing, total(sources));
    const given = user.value.trim();
    const told = (one) => (given ? { ...one, user: given } : one.user && !one.caller ? { ...one, user: as.get(one.user) } : one);
    const answers = [];
    for (const one of sources) {
      const mine = one.talks.filter((talk) => given || !talk.user || talk.caller || as.has(talk.user)).map(told);
      const named = !(own && mine.every((talk) => talk.caller));
      answers.push({ source: one, skipped: one.talks.length - mine.length, lines: await sendLines(one.lines, given, dry, step), talks: await sendTalks(mine, dry, named, step) });
    }
    return answers;
  }

  async function look(sources, choice) {
    const answers = await send(sources, choice, true, "Looking at what is here already");
    const sum = (of) => answers.reduce((all, one) => all + of(one), 0);
    const imported = sum((one) => one.lines.imported), taken = sum((one) => one.talks.taken);
    // As the sidecar would keep them: what is in the file may hold secrets.
    const kept = answers.flatMap((one) => one.lines.memories), learned = answers.flatMap((one) => one.talks.memories);
    const waits = sum((one) => one.lines.waiting) + learned.filter((one) => one.review).length;
    const keep = button([imported || !taken ? `Keep ${imported}` : "", taken ? `${imported ? " and learn" : "Learn"} from ${count(taken, "message")}` : ""].join(""), async () => {
      try { done(await send(sources, choice, false, "Keeping"), waits); } catch (error) {
        show(out, failed(error), h("p", {}, "What was sent before is kept; the same files again go on where it stopped."));
      }
    }, { class: "main", disabled: !imported && !taken });
    found(h("h2", {}, "What would be kept"), answers.map(summary), waits > 0 && h("p", { class: "soft" }, `${waits} of them would wait for your word first.`), owners(answers),
      imported + taken > 0 || sources.some((one) => !one.problem) ? h("div", { class: "row" }, keep, never()) : null, cards([...kept, ...learned], sum((one) => one.source.lines.length) + learned.length));
  }

  const count = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;

  // What becomes of it: messages stay as they were said, and from statements a model and the search know more.
  const isMessage = (one) => one.kind === "episode";
  const kinds = (memories) => {
    const said = memories.filter(isMessage).length, facts = memories.length - said;
    return [facts > 0 && count(facts, "fact"), said > 0 && `${count(said, "message")} as ${said === 1 ? "it was" : "they were"} said`].filter(Boolean).join(" and ");
  };
  function as(lines) {
    const said = lines.filter(isMessage), answered = said.filter((one) => one.reply).length;
    const replies = !answered ? "" : answered < said.length ? `, ${answered} of them with the answer` : said.length === 1 ? ", with its answer" : ", each with its answer";
    const told = `This file holds ${kinds(lines)}${replies}.`;
    return said.length ? `${told} A message is found by what is in it; no facts are drawn from it.` : `${told} Each is kept as it is.`;
  }

  function summary({ source, skipped, lines, talks }) {
    if (source.problem) return h("p", { class: "error", role: "alert" }, visible(source.problem));
    const head = `${visible(source.name)}, read as ${source.format}: `;
    const refused = [...source.refused, ...talks.refused];
    const left = [...talks.left.values()].reduce((sum, one) => sum + one, 0);
    if (!source.lines.length && !source.talks.length) return [h("p", {}, `${head}nothing in it would be kept.`), problems(refused)];
    if (source.lines.length) return [h("p", {}, `${head}${lines.imported} new, ${lines.known} here already, ${refused.length + lines.refused} unreadable.`), h("p", { class: "soft" }, as(source.lines)), problems(refused)];
    const drawn = talks.memories.length ? `${kinds(talks.memories)} would be learned from them.` : "";
    const others = skipped ? `, ${count(skipped, "chat")} of others left out` : "";
    return [h("p", {}, `${head}${count(talks.taken, "message")} to learn from, ${talks.known} known already, ${left} left out${others}.`), drawn && h("p", { class: "soft" }, drawn),
      left > 0 && h("details", {}, h("summary", {}, `Left out: ${count(left, "message")}`), h("ul", {}, [...talks.left].map(([reason, number]) => h("li", {}, `${number} ${visible(REASONS[reason] ?? reason.replaceAll("_", " "))}`)))), problems(refused)];
  }

  function owners(answers) {
    const sum = new Map();
    for (const one of answers) for (const [owner, number] of one.talks.owners) sum.set(owner, (sum.get(owner) ?? 0) + number);
    if (!sum.size) return null;
    const rows = [...sum].map(([owner, number]) => { const [partition, name] = JSON.parse(owner); return [visible(name), ...(session.operator ? [h("code", {}, visible(partition.slice(0, 12)))] : []), number]; });
    return table(["user", ...(session.operator ? ["partition"] : []), "messages"], rows, "For whom");
  }

  const cards = (memories, all) => [h("ul", { class: "cards" }, memories.slice(0, SHOWN).map((one) => h("li", { class: "card" }, h("div", {}, said(one.text, true), one.review && h("p", { class: "why" }, "Would wait, because ", visible(one.review), "."),
    h("div", { class: "facts" }, [one.kind ?? "fact", one.said && when(one.said), one.project && visible(one.project), one.user && `user ${visible(one.user)}`].filter(Boolean).map((each) => h("span", {}, each))))))),
    all > SHOWN && h("p", { class: "soft" }, `And ${all - SHOWN} more.`)];

  function done(answers, waits) {
    const told = answers.filter((one) => !one.source.problem).map(({ source, lines, talks }) => [
      source.lines.length > 0 && h("p", {}, `${visible(source.name)}: ${lines.imported} kept, ${lines.known} were here already, ${lines.refused} refused.`),
      source.talks.length > 0 && h("p", {}, `${visible(source.name)}: ${count(talks.taken, "message")} being learned from, ${talks.known} known already.`),
      problems([...lines.errors.map((error) => ({ where: `line ${error.line}`, refused: error.message })), ...talks.refused])]);
    found(told, h("p", {}, h("a", { href: "#/memories" }, "Look at the memories"), waits ? [" or ", h("a", { href: "#/review" }, "review what waits")] : null));
    notice("The import is done.");
  }

  const problems = (rows) => rows.length > 0 && h("details", {}, h("summary", {}, `Not readable: ${rows.length}`), h("ul", {}, rows.slice(0, SHOWN).map((row) => h("li", {}, visible(`${row.where ?? "file"}: ${row.refused ?? row.problem}`)))));
  show(place, h("h1", {}, "Import"), drop, h("div", { class: "filters" }, field("Written by", format), field("For the user", user)), out);
}
