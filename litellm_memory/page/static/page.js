// Starts the page: who is signed in, which view the address names.
import { ask, began, get, post, session } from "./api.js";
import { button, failed, field, h, notice, show, visible } from "./parts.js";
import { memories, memory } from "./memories.js";
import { review } from "./review.js";
import { trace, traces, tryIt } from "./traces.js";
import { usage } from "./figures.js";
import { clients, health } from "./health.js";
import { importing } from "./import.js";

const VIEWS = { memories: "Memories", review: "Review", traces: "Traces", try: "Try it", usage: "Usage", health: "Health", clients: "Who am I", import: "Import" };
const shown = { memories: (place, id) => (id ? memory(place, id) : memories(place)), review, traces: (place, id) => (id ? trace(place, id) : traces(place)), try: tryIt, usage, health, clients, import: importing };
const [top, nav, whose, main] = ["top", "nav", "whose", "main"].map((id) => document.getElementById(id));

async function view() {
  const [name, id] = location.hash.replace(/^#\//, "").split("/");
  const known = name in VIEWS ? name : "memories";
  document.title = `${VIEWS[known]} – Memory`;
  for (const link of nav.children) link.dataset.view === known ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  const place = h("div", { "aria-busy": "true" }, h("p", { class: "soft", role: "status" }, "Loading …"));
  show(main, place);
  try { await shown[known](place, id && decodeURIComponent(id)); } catch (error) {
    if (error.status !== 401) show(place, failed(error), h("p", {}, h("a", { href: "#/memories" }, "All memories")));
  }
  // Another view may have been asked for meanwhile, and has the focus.
  if (place.isConnected && !place.contains(document.activeElement)) main.focus({ preventScroll: true });
  place.ariaBusy = null;
}

function signedOut(why) {
  top.hidden = true;
  document.title = "Sign in – Memory";
  const key = h("input", { type: "password", name: "key", autocomplete: "off", spellcheck: "false", required: true, maxlength: "4096" });
  const told = h("div", {}, why && h("p", { class: "error", role: "alert" }, why));
  const go = h("button", { type: "submit", class: "main" }, "Sign in");
  const enter = async (event) => {
    event.preventDefault();
    go.disabled = true;
    try { began(await post("session", { key: key.value })); key.value = ""; await start(); } catch (error) { show(told, failed(error)); go.disabled = false; key.focus(); }
  };
  show(main, h("div", { class: "signin" }, h("h1", {}, "What is remembered, and why"),
    h("p", {}, "Sign in with your LiteLLM key. You see exactly what that key may see: your own memory, or with the master key each partition's."), told,
    h("form", { onsubmit: enter }, field("LiteLLM key", key), go),
    h("p", { class: "soft" }, "The key is kept by the sidecar alone, for twelve hours at most, and by no browser.")));
  key.focus();
}

async function partitions() {
  if (!session.operator) return;
  const found = (await get("v1/partitions?limit=500", { named: false })).data;
  if (!found.some((one) => one.partition === session.partition)) found.unshift({ partition: session.partition, user: session.user });
  const pick = h("select", { onchange: () => { session.named = pick.value; view(); } },
    found.map((one) => h("option", { value: one.partition, selected: one.partition === session.named }, `${one.partition.slice(0, 8)} (${visible(one.label ?? one.user ?? "no name")})`)));
  whose.prepend(h("label", {}, "Partition ", pick));
}

async function start() {
  top.hidden = false;
  show(nav, Object.entries(VIEWS).map(([name, label]) => h("a", { href: `#/${name}`, "data-view": name }, label)));
  const leave = async () => { try { await ask("DELETE", "session", undefined, { named: false }); } catch { /* it was over already */ } session.named = ""; signedOut(); };
  show(whose, button("Sign out", leave));
  await partitions().catch((error) => notice(error.message));
  await view();
}

// In LiteLLM's Admin UI, LiteLLM tells who looks. Who may frame this page is up to the policy that it came with.
addEventListener("message", async (event) => {
  if (event.source !== parent || parent === window || event.data?.type !== "litellm-auth" || !top.hidden) return;
  try { began(await post("plugin-auth", { session_claim: event.data.session_claim }, { named: false })); await start(); } catch (error) { signedOut(error.message); }
});
addEventListener("hashchange", () => { if (!top.hidden) view(); });
addEventListener("signed-out", (event) => { if (!top.hidden) signedOut(event.detail); });

try { const found = await get("session", { named: false }); if (found) { began(found); await start(); } else signedOut(); } catch (error) { signedOut(error.message); }
