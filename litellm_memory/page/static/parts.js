// Small pieces that the views are made of. Everything is put in as text: no string ever becomes markup.

const hidden = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\u{e0000}-\u{e007f}]/gu;

// Signs that hide or turn around what is read are written out, so that what is accepted is what is seen.
export const visible = (text) => String(text).replace(hidden, (sign) => `⟨U+${sign.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);

export function h(name, about = {}, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(about)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key in made && typeof value !== "string") made[key] = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  for (const each of inside.flat(3)) if (each !== null && each !== undefined && each !== false) made.append(each);
  return made;
}

export const show = (place, ...inside) => place.replaceChildren(...inside.flat(3).filter((each) => each));
export const field = (label, control) => h("label", {}, label, control);
export const button = (text, onclick, about = {}) => h("button", { type: "button", onclick, ...about }, text);
export const empty = (...inside) => h("p", { class: "empty" }, ...inside);

export function said(text, short = false) {
  const box = h("p", { class: short ? "said short" : "said", dir: "auto" }, visible(text));
  if (!short || text.length < 600) { box.classList.remove("short"); return box; }
  const more = button("Show all of it", () => { box.classList.remove("short"); more.remove(); });
  return [box, more];
}

export function when(time) {
  if (!time) return "never";
  const at = new Date(time);
  return h("time", { datetime: time, title: at.toISOString() }, at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }));
}

// Why a memory waits: of a wish to forget, how many it means and not their ids; Review shows which.
export function because(review) {
  const ids = /^it asks to forget memory ([0-9a-f, ]+)$/.exec(review);
  if (!ids) return visible(review);
  const count = ids[1].split(",").length;
  return count === 1 ? "it asks to forget a memory" : `it asks to forget ${count} memories`;
}

export function facts(memory) {
  const told = [memory.kind, when(memory.created), memory.project && `project ${visible(memory.project)}`, `user ${visible(memory.user)}`];
  told.push(memory.origin.client && `from ${visible(memory.origin.client)}`, memory.pinned && "pinned", memory.superseded_by && "replaced");
  told.push(memory.valid_until && ["until ", when(memory.valid_until)], memory.uses > 0 && `given ${memory.uses}×`);
  return h("div", { class: "facts" }, told.filter(Boolean).map((each) => h("span", {}, each)),
    memory.tags.map((tag) => h("span", { class: "tag" }, visible(tag))));
}

export function notice(text, action, seconds = 8) {
  const box = h("div", {}, text);
  const gone = setTimeout(() => box.remove(), seconds * 1000);
  if (action) box.append(button(action.label, async () => { clearTimeout(gone); box.remove(); await action.run(); }));
  box.append(button("Close", () => { clearTimeout(gone); box.remove(); }));
  const place = document.getElementById("notice");
  // The newest first: Tab comes to its Undo before those of earlier changes.
  place.prepend(box);
  while (place.children.length > 3) place.lastChild.remove();
}

export const failed = (error) => h("p", { class: "error", role: "alert" }, visible(error.message));

export function table(columns, rows, label = "Table") {
  const number = (value) => typeof value === "number";
  return h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": label }, h("table", {},
    h("thead", {}, h("tr", {}, columns.map((name, at) => h("th", { scope: "col", class: rows.some((row) => number(row[at])) && "number" }, name)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", { class: number(cell) && "number" }, number(cell) ? cell.toLocaleString() : cell)))))));
}

export const size = (bytes) => (bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

// Typing a question of ten letters asks once, when the hand rests.
export function rested(run, wait = 200) {
  let timer;
  return (...given) => { clearTimeout(timer); timer = setTimeout(() => run(...given), wait); };
}
