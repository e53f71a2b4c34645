// The list of memories, and the page of one.
import { bulk, ask, get, post, session } from "./api.js";
import { standing } from "./me.js";
import { share, sharing, team } from "./share.js";
import { score } from "./traces.js";
import { because, button, empty, facts, failed, field, h, notice, rested, said, show, table, visible, when } from "./parts.js";

const STATES = { in_force: "in force", pinned: "pinned", waiting: "waiting for review", replaced: "replaced", over: "over", any: "any state" };
const KINDS = ["fact", "preference", "decision", "instruction", "episode"];
const TEN_MINUTES = 600;
const TRIES = 30;
const asked = { query: "", user: "", project: "", kind: "", tag: "", client: "", state: "in_force", since: "", until: "" };

export async function forget(ids, after) {
  const { done, skipped } = await bulk("forget", ids);
  const many = done.length === 1 ? "Forgotten: one memory" : `Forgotten: ${done.length} memories`;
  const undo = async () => {
    const back = await bulk("undo", done);
    notice(back.skipped.length ? `${back.skipped.length} could not be brought back: ten minutes are over.` : "They are back.");
    await after();
  };
  notice(skipped.length ? `${many}; ${skipped.length} were gone already.` : `${many}.`, { label: "Undo", run: undo }, TEN_MINUTES);
  await after();
}

function body(cursor) {
  const given = { state: asked.state, limit: 50 };
  for (const name of ["query", "user", "project", "tag", "client"]) if (asked[name].trim()) given[name] = asked[name].trim();
  if (asked.kind) given.kinds = [asked.kind];
  if (asked.since) given.since = `${asked.since}T00:00:00Z`;
  if (asked.until) given.until = `${asked.until}T00:00:00Z`;
  if (cursor) given.cursor = cursor;
  return given;
}

export async function memories(place) {
  const chosen = new Set();
  const list = h("ul", { class: "cards", "aria-label": "Memories" });
  const mine = h("div", {});
  const told = h("p", { class: "soft", role: "status" });
  const more = h("div", { class: "row" });
  const actions = h("div", { class: "row bulk", role: "toolbar", "aria-label": "What to do with the chosen ones", hidden: true });
  let asking = 0, shares = false;
  team().then((name) => { shares = name !== null; }, () => {});

  async function load(cursor, tries = 0) {
    // An Undo may come when this list was left and another one is shown.
    if (!place.isConnected) { if (/^(#\/memories)?$/.test(location.hash)) dispatchEvent(new Event("hashchange")); return; }
    const mine = ++asking;
    list.ariaBusy = "true";
    try {
      const found = await post("v1/browse", body(cursor));
      if (mine !== asking) return;
      if (!cursor) { list.replaceChildren(); chosen.clear(); }
      add(found.data);
      show(more, found.next_cursor && button("Show more", () => load(found.next_cursor)));
      const count = list.querySelectorAll(".card").length;
      const whose = found.users.length > 1 ? ` among the memories of ${found.users.map(visible).join(", ")}` : "";
      told.textContent = `${count}${found.next_cursor ? " or more" : ""} ${count === 1 ? "memory" : "memories"}${whose}`;
      if (!count) show(more, found.next_cursor ? button("Look further", () => load(found.next_cursor)) : nothing());
      choose();
    } catch (error) {
      if (mine !== asking) return;
      // Soon after a start a person's memories are still being read, which takes some seconds where there are many.
      if (error.status === 503 && asked.query.trim() && tries < TRIES) {
        told.textContent = "The memories are still being read, or the search is away: this goes on by itself …";
        setTimeout(() => mine === asking && load(cursor, tries + 1), 1000);
        return;
      }
      list.replaceChildren(); show(more, failed(error)); told.textContent = "";
    }
    if (mine === asking) list.ariaBusy = null;
  }

  function nothing() {
    const narrowed = Object.entries(asked).some(([name, value]) => value && !(name === "state" && value === "in_force"));
    if (narrowed) return empty("Nothing matches. Take a filter away, or choose “any state”.");
    return empty("Nothing is remembered yet. Talk to a model through the proxy, and what you tell it about yourself and your work shows up here; or add one with ", h("code", {}, "litellm-memory add"), ".");
  }

  function add(rows) {
    let below = list.querySelector(".divide");
    for (const row of rows) {
      if (row.score !== null && row.score < session.min_score && !below) {
        below = h("li", { class: "divide" }, "Below this line a request would not be given them: their score is under recall.min_score.");
        list.append(below);
      }
      list.append(card(row));
    }
  }

  function card({ memory, score: found }) {
    const box = h("input", { type: "checkbox", "aria-label": `Choose: ${visible(memory.text).slice(0, 60)}`, onchange: () => { box.checked ? chosen.add(memory.id) : chosen.delete(memory.id); choose(); } });
    const wait = memory.review && h("p", { class: "why" }, "Waits: ", because(memory.review));
    const acts = h("div", { class: "row" },
      h("a", { href: `#/memories/${memory.id}`, "aria-label": `About it: ${visible(memory.text).slice(0, 60)}` }, "About it"),
      button(memory.pinned ? "Unpin" : "Pin", () => each(memory.pinned ? "unpin" : "pin", [memory.id])),
      button("Forget", () => act(() => forget([memory.id], load)), { class: "bad" }));
    const bar = found !== null && score(found, session.min_score);
    return h("li", { class: "card" }, box, h("div", {}, bar, said(memory.text, true), wait, facts(memory), acts));
  }

  const act = async (run) => { list.ariaBusy = "true"; try { await run(); } catch (error) { notice(error.message); list.ariaBusy = null; } };
  const each = (action, ids, extra) => act(async () => {
    const { skipped } = await bulk(action, ids, extra);
    if (skipped.length) notice(`${skipped.length} could not be changed.`);
    await load();
  });

  function choose() {
    const divide = list.querySelector(".divide");
    const isGiven = (one) => !divide || divide.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_PRECEDING;
    const all = [...list.querySelectorAll("input[type=checkbox]")].filter(isGiven);
    actions.hidden = chosen.size === 0;
    const tag = h("input", { type: "text", placeholder: "a tag", maxlength: "256", class: "small", "aria-label": "Tag to put on or take off" });
    const ids = () => [...chosen];
    const tagged = (action) => () => tag.value.trim() ? each(action, ids(), { tag: tag.value.trim() }) : tag.focus();
    show(actions, h("span", {}, `${chosen.size} chosen`),
      button(chosen.size === all.length ? "Choose none" : "Choose all shown", () => { const on = chosen.size !== all.length; for (const one of all) if (one.checked !== on) one.click(); }),
      button("Pin", () => each("pin", ids())), button("Unpin", () => each("unpin", ids())), tag,
      button("Tag", tagged("tag")), button("Untag", tagged("untag")), shares && button("Share", () => act(async () => { await share(ids()); list.ariaBusy = null; })),
      button("Forget", () => act(() => forget(ids(), load)), { class: "bad" }));
  }

  const soon = rested(() => place.isConnected && load());
  // An answer to fewer letters that is still on its way is not shown any more.
  const changed = (name, control) => { asked[name] = control.value; asking++; list.ariaBusy = "true"; soon(); };
  const bound = (name, control) => { control.value = asked[name]; control.addEventListener("input", () => changed(name, control)); return control; };
  const text = (name, about = {}) => bound(name, h("input", { type: "text", maxlength: "256", autocomplete: "off", ...about }));
  const choice = (name, options) => bound(name, h("select", {}, Object.entries(options).map(([value, label]) => h("option", { value }, label))));
  show(place, h("h1", {}, "Memories"), mine,
    h("form", { role: "search", onsubmit: (event) => { event.preventDefault(); load(); } },
      field("Search, ranked as for a request", bound("query", h("input", { type: "search", id: "search", maxlength: "8000", autocomplete: "off", placeholder: "what do I want to find?" }))),
      h("details", { open: matchMedia("(min-width: 48rem)").matches }, h("summary", {}, "Filters"), h("div", { class: "filters" },
        field("State", choice("state", STATES)), field("Kind", choice("kind", { "": "any kind", ...Object.fromEntries(KINDS.map((kind) => [kind, kind])) })),
        field("User", text("user", { list: "users" })), field("Project", text("project")), field("Tag", text("tag")), field("Client", text("client")),
        field("From day", bound("since", h("input", { type: "date" }))), field("Before day", bound("until", h("input", { type: "date" })))))),
    h("datalist", { id: "users" }), actions, told, list, more);
  standing(mine).catch((error) => show(mine, failed(error)));
  await load();
}

export async function memory(place, id) {
  const again = () => memory(place, id).catch((error) => show(place, failed(error), back()));
  const back = () => h("p", {}, h("a", { href: "#/memories" }, "All memories"));
  const about = await get(`v1/history/${encodeURIComponent(id)}`);
  const it = about.memory;
  const text = h("textarea", { "aria-label": "Text", maxlength: "8000" }); text.value = it.text;
  const tags = h("input", { type: "text" }); tags.value = it.tags.join(", ");
  const kind = h("select", {}, KINDS.map((name) => h("option", { value: name, selected: name === it.kind }, name)));
  const project = h("input", { type: "text", maxlength: "256" }); project.value = it.project ?? "";
  const act = async (run) => { try { await run(); } catch (error) { notice(error.message); } };

  const save = () => act(async () => {
    const wanted = { text: text.value.trim(), kind: kind.value, tags: tags.value.split(",").map((tag) => tag.trim()).filter(Boolean), project: project.value.trim() || null };
    const changed = Object.fromEntries(Object.entries(wanted).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(it[name])));
    if (!Object.keys(changed).length) { notice("Nothing is changed."); return; }
    const before = Object.fromEntries(Object.keys(changed).map((name) => [name, it[name]]));
    await ask("PATCH", `v1/memories/${id}`, changed);
    notice("Saved.", { label: "Undo", run: () => act(async () => { await ask("PATCH", `v1/memories/${id}`, before); await again(); }) }, TEN_MINUTES);
    await again();
  });
  // Undo may be asked for when the list is shown already.
  const gone = async () => { if (location.hash === "#/memories") dispatchEvent(new Event("hashchange")); else location.hash = "#/memories"; };
  const others = (title, list) => list.length > 0 && [h("h2", {}, title), h("ul", { class: "cards" }, list.map((one) =>
    h("li", { class: "card" }, h("div", {}, said(one.text, true), facts(one), h("a", { href: `#/memories/${one.id}` }, "About it")))))];
  const call = it.origin.call_id;
  show(place, back(), h("h1", {}, "One memory"), said(it.text),
    it.reply && [h("p", { class: "soft" }, "Kept with the answer:"), said(it.reply, true)],
    it.review && h("p", { class: "why" }, "It waits for your word, because ", because(it.review), ". ", h("a", { href: "#/review" }, "Review")), facts(it),
    h("div", { class: "row" },
      button(it.pinned ? "Unpin" : "Pin", () => act(async () => { await bulk(it.pinned ? "unpin" : "pin", [id]); await again(); })),
      button("Correct", () => text.focus()),
      button("Forget", () => act(() => forget([id], gone)), { class: "bad" })),
    await sharing(id),
    h("h2", {}, "Where it came from"),
    h("dl", {}, [["said by", it.origin.role], ["client", it.origin.client ?? "none named"], ["session", it.session ?? "none named"],
      ["on", when(it.created)], ...(it.kept ? [["came here", when(it.kept)]] : []), ["request", call ? h("a", { href: `#/traces/${call}` }, "what was done with it") : "none: it was added or imported"],
      ["confidence", it.confidence.toFixed(2)], ["tokens", String(it.tokens)], ["id", h("code", {}, it.id)]]
      .map(([name, value]) => [h("dt", {}, name), h("dd", {}, typeof value === "string" ? visible(value) : value)])),
    others("It replaced", about.replaced),
    about.replaced_by && others(`Replaced, because ${visible(it.superseded_by.reason)}`, [about.replaced_by]),
    h("h2", {}, "When it was given"),
    about.given.length
      ? table(["when", "reason", "score", "client", "conversation", "model"], about.given.map((one) => [when(one.at), h("a", { href: `#/traces/${one.trace}` }, "why"), Number(one.score.toFixed(2)), visible(one.client ?? ""), visible(one.session ?? ""), visible(one.model ?? "")]), "Requests that it was given to")
      : h("p", { class: "soft" }, it.uses ? `It was given ${it.uses} times; the traces of that are no longer kept.` : "It was not given to any request yet."),
    h("h2", {}, "Correct it"),
    h("form", { onsubmit: (event) => { event.preventDefault(); save(); } }, field("Text", text),
      h("div", { class: "filters" }, field("Kind", kind), field("Tags, with commas between", tags), field("Project", project)),
      h("button", { class: "main", type: "submit" }, "Save")));
}
