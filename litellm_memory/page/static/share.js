// Sharing with one's team: a person proposes a memory of theirs, and a curator of the team decides.
import { ask, get, post, session } from "./api.js";
import { button, h, notice, show, visible } from "./parts.js";

const path = (id) => `v1/shared/of/${encodeURIComponent(id)}`;
const withdraw = (id) => ask("DELETE", `v1/shared/proposals/${encodeURIComponent(id)}`);
// Whoever looks at somebody else's memories proposes nothing for them.
const isOwn = () => !session.named || session.named === session.partition;

// The team that a person may propose to; null when there is none, or a policy or a pause keeps them from it.
export async function team() {
  if (!isOwn()) return null;
  const { layer, shared } = await get("v1/me");
  return layer && shared.allowed ? layer.label ?? layer.team : null;
}

// What became of one memory, with a button to propose it or to take that back.
export async function sharing(id) {
  const place = h("div", { class: "row", role: "group", "aria-label": "Shared with your team" });
  const name = await team().catch(() => null);
  if (name === null) return null;
  const act = (run) => async () => { try { await run(); await draw(); place.querySelector("button")?.focus(); } catch (error) { notice(error.message); } };
  async function draw() {
    const { memory, state } = await get(path(id));
    show(place, h("span", { role: "status" }, { proposed: `Proposed to ${visible(name)}: a curator decides.`, shared: `Shared with ${visible(name)}.` }[state] ?? ""),
      !state && button(`Share with ${visible(name)}`, act(() => post("v1/shared", { memory: id }))),
      state === "proposed" && button("Withdraw", act(() => withdraw(memory))));
  }
  await draw();
  return place;
}

// Proposes several, one after the other: what waits itself, or is over, is left out.
export async function share(ids) {
  const proposed = [];
  let shared = 0, last = "";
  for (const id of ids) {
    try {
      const copy = await post("v1/shared", { memory: id });
      copy.review ? proposed.push(copy.id) : shared++;
    } catch (error) { last = error.message; }
  }
  const left = ids.length - proposed.length - shared;
  const undo = async () => { await Promise.allSettled(proposed.map(withdraw)); notice("Withdrawn."); };
  const told = `Proposed: ${proposed.length}${shared ? `; shared already: ${shared}` : ""}${left ? `; left out: ${left}. ${last}` : "."}`;
  notice(told, proposed.length ? { label: "Withdraw", run: undo } : undefined, 600);
}
