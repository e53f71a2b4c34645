// What waits for its owner's word, as cards that the keyboard goes through.
import { ask, bulk, get, post } from "./api.js";
import { button, empty, facts, failed, h, notice, said, show, visible } from "./parts.js";

export async function review(place) {
  const undone = [];
  let rows = [], at = 0, next = null, editing = false, last = Promise.resolve();
  const list = h("ul", { class: "cards", "aria-label": "What waits" });
  const more = h("div", {});
  const chosen = new Set();
  const bar = h("div", { class: "row bulk", role: "toolbar", "aria-label": "All chosen" });

  async function load(cursor) {
    const found = await get(`v1/review?limit=50${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    rows = cursor ? [...rows, ...found.data] : found.data;
    next = found.next_cursor;
    draw();
  }

  function draw(focus = true) {
    editing = false;
    at = Math.max(0, Math.min(at, rows.length - 1));
    list.replaceChildren(...rows.map(card));
    show(more, next && button("Show more", () => safely(() => load(next))),
      !rows.length && empty("Nothing waits for your word. What reads like an order to the model, or was only inferred, would stand here before it is ever used."));
    const ids = () => [...chosen];
    show(bar, rows.length > 0 && [h("span", {}, `${chosen.size} chosen`),
      button(chosen.size === rows.length ? "Choose none" : "Choose all shown", () => { const all = chosen.size !== rows.length; chosen.clear(); if (all) rows.forEach((row) => chosen.add(row.id)); draw(false); }),
      button("Accept chosen", () => many("accept", ids()), { disabled: !chosen.size }), button("Reject chosen", () => many("reject", ids()), { disabled: !chosen.size, class: "bad" })]);
    if (focus) list.children[at]?.focus();
  }

  function card(row, index) {
    const box = h("input", { type: "checkbox", checked: chosen.has(row.id), tabindex: "-1", "aria-label": "Choose", onchange: () => { box.checked ? chosen.add(row.id) : chosen.delete(row.id); draw(false); } });
    const keyed = (text, key, run, about) => h("button", { type: "button", onclick: (event) => { event.stopPropagation(); at = index; run(); }, ...about }, text, h("kbd", { "aria-hidden": "true" }, key));
    return h("li", { class: index === at ? "card now" : "card", tabindex: index === at ? "0" : "-1", onfocus: () => { if (at !== index) { at = index; mark(); } } },
      box, h("div", {}, said(row.text, true), waits(row), facts(row),
        h("div", { class: "row" }, keyed("Accept", "a", accept, { class: "main" }), !row.forgets && keyed("Edit", "e", edit), keyed("Reject", "r", reject, { class: "bad" }), keyed("Skip", "s", skip))));
  }

  // A wish to forget is judged by what would go with it.
  const waits = (row) => !row.forgets ? h("p", { class: "why" }, "Waits, because ", visible(row.reason), ".")
    : [h("p", { class: "why" }, row.forgets.length ? "Waits, because it asks to forget this:" : "Waits, because it asks to forget what is not here any more."),
      row.forgets.length > 0 && h("ul", { class: "goes", "aria-label": "What would be forgotten" }, row.forgets.map((one) => h("li", {}, said(one.text, true), facts(one), h("a", { href: `#/memories/${one.id}`, "aria-label": `About it: ${visible(one.text).slice(0, 60)}` }, "About it"))))];

  // How an accepted one is undone: what a wish forgot comes back with it, anything else waits again.
  const undoing = (row) => row.forgets ? { action: "undo", row, ids: [row.id, ...row.forgets.map((one) => one.id)] } : { action: "wait", row };

  const mark = () => [...list.children].forEach((one, index) => { one.classList.toggle("now", index === at); one.tabIndex = index === at ? 0 : -1; });
  // One after another: a quick hand presses the next key before the last answer is here.
  const safely = (run) => (last = last.then(run).catch((error) => notice(error.message)));
  const done = (ids) => { rows = rows.filter((row) => !ids.includes(row.id)); ids.forEach((id) => chosen.delete(id)); if (!rows.length && next) return load(next); draw(); };

  const accept = (text) => safely(async () => {
    const row = rows[at];
    if (!row) return;
    const word = typeof text === "string" ? { action: "edit", text, read: row.text } : { action: "accept", read: row.text };
    const kept = await post(`v1/review/${row.id}`, word);
    undone.push(kept.id === row.id ? undoing(row) : { action: "known", row });
    notice(row.forgets ? `Accepted: ${row.forgets.length === 1 ? "one memory is" : `${row.forgets.length} memories are`} forgotten.` : "Accepted.", { label: "Undo", run: undo }, 600);
    await done([row.id]);
  });
  const reject = () => safely(async () => {
    const row = rows[at];
    if (!row) return;
    await bulk("reject", [row.id]);
    undone.push({ action: "undo", row, ids: [row.id] });
    notice("Rejected and forgotten.", { label: "Undo", run: undo }, 600);
    await done([row.id]);
  });
  const skip = () => { at = (at + 1) % Math.max(1, rows.length); mark(); list.children[at]?.focus(); };

  function edit() {
    if (!rows[at] || rows[at].forgets) return;
    const text = h("textarea", { "aria-label": "The text as it shall be kept", maxlength: "8000" }); text.value = rows[at].text;
    const form = h("form", { onsubmit: (event) => { event.preventDefault(); accept(text.value.trim()); } }, text,
      h("div", { class: "row" }, h("button", { type: "submit", class: "main" }, "Accept as edited"), button("Cancel", () => draw())));
    text.addEventListener("keydown", (event) => { event.stopPropagation(); if (event.key === "Escape") draw(); });
    editing = true;
    show(list.children[at].querySelector("div"), form);
    text.focus();
  }

  const many = (action, ids) => safely(async () => {
    const known = rows.filter((row) => ids.includes(row.id));
    const told = await bulk(action, ids);
    for (const row of known) if (told.done.includes(row.id)) undone.push(action === "accept" ? undoing(row) : { action: "undo", row, ids: [row.id] });
    notice(`${action === "accept" ? "Accepted" : "Rejected"}: ${told.done.length}.`, { label: "Undo all", run: async () => { for (let left = told.done.length; left > 0; left--) await undo(); } }, 600);
    await done(ids);
  });

  const undo = () => safely(async () => {
    const last = undone.pop();
    if (!last) { notice("There is nothing to undo."); return; }
    if (last.action === "known") { notice("That was known already and went into what was known: nothing to undo."); return; }
    const { row } = last;
    const told = await (last.action === "undo" ? bulk("undo", last.ids) : bulk("wait", [row.id], { reason: row.reason }));
    if (!told.done.includes(row.id)) { notice("It cannot be undone any more: ten minutes are over, or it was changed since."); return; }
    if (last.action === "wait") await ask("PATCH", `v1/memories/${row.id}`, { text: row.text, review: row.reason });
    notice("Undone: it waits again.");
    at = 0;
    await load();
  });

  const keys = { a: accept, e: edit, r: reject, s: skip, u: undo, ArrowDown: skip, j: skip, k: () => { at = (at + Math.max(1, rows.length) - 1) % Math.max(1, rows.length); mark(); list.children[at]?.focus(); } };
  keys.ArrowUp = keys.k;
  place.onkeydown = (event) => {
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) && event.target.type !== "checkbox";
    if (editing || typing || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  };
  show(place, h("h1", {}, "Review"), h("p", { class: "soft" }, "Nothing here is given to a model until you accept it. Keys: ",
    [["a", "accept"], ["e", "edit"], ["r", "reject"], ["s", "skip"], ["u", "undo"]].map(([key, what]) => [h("kbd", {}, key), ` ${what} `])), bar, list, more);
  try { await load(); } catch (error) { show(more, failed(error)); }
}
