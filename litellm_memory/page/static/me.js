// What memory may do for whoever is signed in, and their own switch.
import { ask, get, session } from "./api.js";
import { button, h, notice, show, when } from "./parts.js";

export const SWITCHES = { recall: "recall", learn: "learning" };
export const SAYS = { settings: "the settings say so", policy: "a policy says so", key: "the key, its team, organization or project says so", person: "you paused it" };

export const state = (one) => [one.allowed ? "on" : `off: ${SAYS[one.by]}`, one.until && [", until ", when(one.until)]];

// One line with the state of both and a button that turns both; nothing where another's partition is looked at.
export async function standing(place) {
  if (session.named !== session.partition) return;
  draw(place, await get("v1/me"));
}

function draw(place, me) {
  const all = Object.keys(SWITCHES);
  const paused = all.filter((name) => me[name].by === "person" && !me[name].allowed), on = all.filter((name) => me[name].allowed);
  const turn = async (names, to) => {
    try { draw(place, await ask("PUT", "v1/me", Object.fromEntries(names.map((name) => [name, { paused: to }])))); place.querySelector("button")?.focus(); } catch (error) { notice(error.message); }
  };
  show(place, h("div", { class: "row standing" }, h("span", {}, "For you: ", all.map((name, at) => [at ? "; " : "", `${SWITCHES[name]} is `, state(me[name])]), "."),
    paused.length ? button("Resume", () => turn(paused, false)) : on.length > 0 && button("Pause memory", () => turn(on, true)), h("a", { href: "#/clients" }, "More")));
}
