// What works, what is wrong with what is kept, what waits, and how clients are told apart.
import { ask, bulk, get, post, session } from "./api.js";
import { SWITCHES, state } from "./me.js";
import { button, empty, failed, field, h, notice, said, show, size, table, visible, when } from "./parts.js";

const PROBLEMS = { own_block: "It repeats a block that memory gave", machine_text: "No person wrote it", secret: "It holds a secret", instruction_like: "It speaks to the model or its tools", duplicate: "An older memory says the same", unused: "It was not given for half a year, nor did it come here since" };
const TEN_MINUTES = 600;

export async function health(place) {
  const parts = ["flaws", "state", "jobs", "people"].map((name) => [name, h("div", {}, h("p", { class: "soft" }, "Counting …"))]);
  const at = Object.fromEntries(parts);
  const state = await get("ready", { named: false });
  const problems = Object.entries(state.problems);
  const fill = (name, work) => work.then((found) => show(at[name], found)).catch((error) => show(at[name], failed(error)));
  const audit = () => fill("flaws", get("v1/audit").then((found) => flaws(found, audit)));
  show(place, h("h1", {}, "Health"), h("p", {}, state.ready ? "Memory works: it is recalled and learned." : "Memory does not work."),
    problems.length ? h("dl", {}, problems.map(([name, sentence]) => [h("dt", {}, name), h("dd", {}, visible(sentence))])) : h("p", { class: "soft" }, "Nothing needs you."),
    h("h2", {}, "What is wrong with what is kept"), at.flaws, h("h2", {}, "What is kept and what waits"), at.state,
    h("h2", {}, "Erasures"), at.jobs, h("h2", {}, "Who has memories here"), at.people);
  await Promise.all([audit(), fill("state", get("v1/state").then(kept)), fill("jobs", get("v1/jobs").then(jobs)),
    fill("people", get("v1/namespaces?limit=200").then(({ data }) => (data.length ? table(["user", "memories", "projects", "last given"], data.map((one) => [visible(one.user), one.memories, one.projects.length, when(one.last_used)]), "Users") : empty("Nobody yet."))))]);
}

function flaws(found, again) {
  const share = `Of the newest ${found.memories} memories in force, ${(100 * found.junk_rate).toFixed(1)} % are junk.`;
  const groups = Object.keys(PROBLEMS).map((problem) => [problem, found.flaws.filter((flaw) => flaw.problem === problem)]).filter(([, list]) => list.length);
  return [h("p", {}, share), !groups.length && h("p", { class: "soft" }, "Nothing is wrong with them."), groups.map(([problem, list]) => h("details", {},
    h("summary", {}, `${PROBLEMS[problem]}: ${list.length}`),
    h("div", { class: "row" }, button(mending(problem), () => mend(problem, list.map((flaw) => flaw.memory), again), { class: problem === "instruction_like" ? "" : "bad", "aria-label": `${mending(problem)}: ${PROBLEMS[problem]}` })),
    h("ul", { class: "cards" }, list.slice(0, 50).map((flaw) => h("li", { class: "card" }, h("div", {}, said(flaw.text, true), h("p", { class: "soft" }, visible(flaw.fix)), h("a", { href: `#/memories/${flaw.memory}`, "aria-label": `About it: ${visible(flaw.text).slice(0, 60)}` }, "About it"))))),
    list.length > 50 && h("p", { class: "soft" }, `And ${list.length - 50} more.`)))];
}

const mending = (problem) => ({ secret: "Redact them", instruction_like: "Let them wait for review" })[problem] ?? "Forget them";

async function mend(problem, ids, again) {
  try {
    if (problem === "secret") {
      const { data } = await post("v1/audit/secrets", { fix: true });
      notice(data.length ? "The secrets are redacted; the files are rewritten now. Change the secrets too." : "There was nothing to redact.");
    } else if (problem === "instruction_like") {
      await bulk("wait", ids.slice(0, 500), { reason: "the audit found that it speaks to the model or its tools" });
      notice("They wait for review.");
    } else {
      const { done } = await bulk("forget", ids.slice(0, 500));
      notice(`Forgotten: ${done.length}.`, { label: "Undo", run: async () => { await bulk("undo", done); notice("They are back."); await again(); } }, TEN_MINUTES);
    }
    await again();
  } catch (error) { notice(error.message); }
}

function kept(found) {
  const { waiting } = found;
  const told = [["memories", found.memories], ["wait for your word", waiting.review ? h("a", { href: "#/review" }, String(waiting.review)) : 0], ["exchanges to be learned, of everybody", waiting.to_learn], ["of them for a model", waiting.for_model], ["could not be learned", waiting.failed]];
  return [h("dl", {}, told.map(([name, value]) => [h("dt", {}, name), h("dd", {}, typeof value === "number" ? value.toLocaleString() : value)])),
    found.stored && table(["in the data directory", "size"], found.stored.map((one) => [visible(one.name), size(one.bytes)]), "Stores and their sizes")];
}

const STEPS = { forgetting: 1, scrubbing: 2, done: 3 };

function jobs({ data }) {
  if (!data.length) return h("p", { class: "soft" }, "Nothing was erased in the last thirty days.");
  return table(["asked", "step", "progress", "forgotten", "done", "problem"], data.map((job) => [when(job.requested), job.progress,
    h("progress", { max: "3", value: String(STEPS[job.progress]), "aria-label": `Erasure: ${job.progress}` }), job.forgotten, job.finished ? when(job.finished) : "", visible(job.problem ?? "")]), "Erasures");
}

function switches(place, me) {
  const change = async (name, to) => {
    try { switches(place, await ask("PUT", "v1/me", { [name]: to })); place.querySelector(`[data-what=${name}] button`)?.focus(); } catch (error) { notice(error.message); }
  };
  const policy = (one) => (one.policy ? `${one.policy}, by ${one.policy_from}` : "none");
  const acts = (name, what, one) => [
    one.policy === "opt_in" && button(one.agreed ? `No longer agree to ${what}` : `Agree to ${what}`, () => change(name, { agreed: !one.agreed })),
    one.by === "person" && !one.allowed ? button(`Resume ${what}`, () => change(name, { paused: false })) : one.allowed && button(`Pause ${what}`, () => change(name, { paused: true }))].filter(Boolean);
  show(place, table(["what", "now", "policy", "change"], Object.entries(SWITCHES).map(([name, what]) => [what, h("span", {}, state(me[name])), visible(policy(me[name])), h("span", { "data-what": name }, acts(name, what, me[name]))]), "What memory may do for you"));
}

export async function clients(place) {
  const mine = h("div", {});
  const name = h("input", { type: "text", maxlength: "256", autocomplete: "off", value: "user-agent" });
  const value = h("input", { type: "text", maxlength: "4096", autocomplete: "off", placeholder: "claude-cli/2.0 (external, cli)" });
  const answer = h("div", { role: "status" });
  const rules = h("div", {});
  const go = async (event) => {
    event.preventDefault();
    try {
      const found = await post("v1/identify", { headers: { [name.value.trim()]: value.value } });
      const told = [["client", found.client], ["user", found.user_id], ["project", found.project], ["session", found.session], ["gets no memory, because", found.refused]];
      show(answer, h("dl", {}, told.map(([what, who]) => [h("dt", {}, what), h("dd", {}, who ? visible(who) : "none")])),
        h("p", { class: "soft" }, found.matched_pattern ? visible(`The user comes from the rule ${found.matched_pattern.pattern} for ${found.matched_pattern.header}.`) : found.is_default ? "No rule and no header names a user, so it is the default one." : "The user comes from the key or a memory header."));
    } catch (error) { show(answer, failed(error)); }
  };
  show(place, h("h1", {}, "Who am I"), h("p", { class: "soft" }, "How a client is told from others. Your key decides the partition; headers and these rules only who it is inside."),
    h("dl", {}, [["partition", session.named || session.partition], ["rights", session.operator ? "an operator's: every partition" : "your own partition"]].map(([what, who]) => [h("dt", {}, what), h("dd", {}, h("code", {}, who))])),
    h("h2", {}, "What memory may do for you"), mine,
    h("h2", {}, "Try a header"), h("form", { onsubmit: go }, h("div", { class: "filters" }, field("Header", name), field("Its value", value)), h("button", { type: "submit", class: "main" }, "Who is it?")), answer,
    h("h2", {}, "The rules, in order"), rules);
  switches(mine, await get("v1/me"));
  const found = await get("memory-routing/rules", { named: false });
  show(rules, found.length ? table(["header", "pattern", "client", "project", "user", "from"], found.map((rule) => [rule.header, h("code", {}, visible(rule.pattern ?? "")), ...[rule.client, rule.project, rule.user_id, rule.source].map((cell) => visible(cell ?? ""))]), "Rules") : empty("There are none."));
}
