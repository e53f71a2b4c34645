// What memory did to requests, and a dry run of it.
import { get, post, session } from "./api.js";
import { button, empty, facts, failed, field, h, said, show, table, visible, when } from "./parts.js";

const PATHS = ["/v1/chat/completions", "/v1/messages", "/v1/responses"];
const bodyOf = { "/v1/responses": (text) => ({ input: text }) };

const why = (one) => h("a", { href: `#/traces/${one.id}`, "aria-label": `Why, for the request of ${new Date(one.at).toLocaleString()}` }, "why");

export async function traces(place) {
  const rows = [];
  const list = h("div", {}), more = h("div", {});
  async function load(cursor) {
    const found = await get(`v1/traces?limit=50${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    if (!cursor) rows.length = 0;
    rows.push(...found.data);
    show(list, rows.length ? table(["when", "reason", "what was done", "given", "tokens", "user", "client", "model"], rows.map((one) => [when(one.at), why(one), `${one.status}: ${one.reason}`, one.count, one.tokens, visible(one.user), visible(one.client ?? ""), visible(one.model ?? "")]), "Requests")
      : empty("No request came by yet, or their traces are no longer kept (", h("code", {}, "traces.keep_days"), "). Ask a model something through the proxy, or ", h("a", { href: "#/try" }, "try a question here"), "."));
    show(more, found.next_cursor && button("Show more", () => load(found.next_cursor)));
  }
  show(place, h("h1", {}, "Traces"), h("div", { class: "row" }, h("p", { class: "soft" }, "What memory did to each request, newest first."), button("Look again", () => load())), list, more);
  await load();
}

export async function trace(place, id) {
  const found = await get(`v1/traces/${encodeURIComponent(id)}`);
  show(place, h("p", {}, h("a", { href: "#/traces" }, "All traces")), h("h1", {}, "What was done to a request"), told(found));
}

const memories = (count) => count === 1 ? "one memory" : `${count} memories`;
const block = (one) => [one.text && h("pre", { dir: "auto", tabindex: "0", role: "group", "aria-label": "Block" }, visible(one.text)), one.note && h("p", { class: "why" }, visible(one.note))];

// The newest block is read first; those of earlier messages are the longest part of a long conversation.
function stood(blocks) {
  if (!blocks.length) return null;
  const newest = blocks.at(-1), earlier = blocks.slice(0, -1).reverse();
  return [h("h2", {}, "What stood in the prompt"),
    h("p", { class: "soft" }, newest.first_given ? `First given with this request: ${memories(newest.count)}.` : `Given with an earlier request, and put back: ${memories(newest.count)}.`), block(newest),
    earlier.length > 0 && h("details", {}, h("summary", {}, `Blocks of earlier messages: ${earlier.length}`), earlier.map((one) => [h("p", { class: "soft" }, `${memories(one.count)}:`), block(one)]))];
}

// What it said then, which the block still tells, before what it says today.
function looked(one) {
  if (one.text === null) return [h("p", { class: "soft" }, "It was forgotten since.")];
  const newer = one.superseded_by && h("p", { class: "why" }, "A newer one took its place: ", h("a", { href: `#/memories/${one.superseded_by}` }, "what replaced it"), ".");
  if (one.stood === null) return [said(one.text, true), newer];
  return [h("p", { class: "soft" }, "It stood in the block so:"), said(one.stood, true),
    h("p", { class: "why" }, "It was corrected since, and says today:"), said(one.text, true), newer];
}

function told(found) {
  const about = [["when", when(found.at)], ["outcome", `${found.status}: ${found.reason}`], ["user", found.user], ["project", found.project], ["session", found.session], ["client", found.client], ["model", found.model], ["route", found.route]];
  const stages = Object.entries(found.stages);
  const longest = Math.max(1e-6, ...stages.map(([, ms]) => ms));
  return [found.why.map((why) => h("p", {}, visible(why))),
    h("dl", {}, about.filter(([, value]) => value).map(([name, value]) => [h("dt", {}, name), h("dd", {}, typeof value === "string" ? visible(value) : value)])),
    stood(found.blocks),
    h("h2", {}, "What was looked at"),
    found.candidates.length ? h("ul", { class: "cards" }, found.candidates.map((one) => h("li", { class: "card" }, h("div", {},
      score(one.score, found.min_score ?? session.min_score), ...looked(one),
      h("p", { class: one.left_out ? "why" : "soft" }, visible(one.because)),
      one.text !== null && h("a", { href: `#/memories/${one.memory}` }, "About it"))))) : h("p", { class: "soft" }, "No memory was looked at."),
    stages.length > 0 && [h("h2", {}, "How long it took"), table(["stage", "ms", "share"], stages.map(([name, ms]) => [name, Number(ms.toFixed(2)), h("meter", { min: "0", max: String(longest), value: String(ms), "aria-label": name })]), "Stages")],
    found.learned.length > 0 && [h("h2", {}, "What was learned"), h("ul", { class: "cards" }, found.learned.map((one) => h("li", { class: "card" }, h("div", {},
      one.text ? said(one.text, true) : null, h("p", { class: "soft" }, visible(`${one.what}${one.reason ? `: ${one.reason}` : ""}`)), one.text && h("a", { href: `#/memories/${one.memory}` }, "About it")))))]];
}

export const score = (value, least) => h("div", { class: "score" }, h("meter", { min: "0", max: "1", low: String(least), value: String(value), "aria-label": "Score" }), h("span", {}, `${value.toFixed(2)} (${least} is needed)`));

export async function tryIt(place) {
  const text = h("textarea", { maxlength: "8000", required: true, placeholder: "When do we release?" });
  const input = () => h("input", { type: "text", maxlength: "256", autocomplete: "off" });
  const [user, project, client] = [input(), input(), input()];
  const path = h("select", {}, PATHS.map((name) => h("option", {}, name)));
  const answer = h("div", { role: "status" });
  const go = async (event) => {
    event.preventDefault();
    const headers = {};
    if (user.value.trim()) headers["x-memory-user-id"] = user.value.trim();
    if (project.value.trim()) headers["x-memory-project"] = project.value.trim();
    if (client.value.trim()) headers["user-agent"] = client.value.trim();
    const body = bodyOf[path.value]?.(text.value) ?? { messages: [{ role: "user", content: text.value }] };
    try {
      const found = await post("v1/preview", { path: path.value, headers, body }, { named: false });
      show(answer, h("h2", {}, found.block ? `It would get ${found.count} ${found.count === 1 ? "memory" : "memories"} in ${found.tokens} tokens` : "It would get no memory"),
        found.block && h("pre", { dir: "auto" }, visible(found.block)), found.trace ? told(found.trace) : h("p", {}, visible(`${found.status}: ${found.reason}`)));
    } catch (error) { show(answer, failed(error)); }
  };
  show(place, h("h1", {}, "Try it"), h("p", { class: "soft" }, "What a request with your key would get. Nothing is kept or sent to a model."),
    h("form", { onsubmit: go }, field("What the person says", text),
      h("div", { class: "filters" }, field("User (x-memory-user-id)", user), field("Project (x-memory-project)", project), field("User-Agent of the client", client), field("Route", path)),
      h("button", { type: "submit", class: "main" }, "Try it")), answer);
}
