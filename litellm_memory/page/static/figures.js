// Usage in figures.
import { get } from "./api.js";
import { empty, field, h, show, table, visible } from "./parts.js";

const GROUPS = { day: "day", client: "client", model: "model", user: "user", project: "project" };
const ms = (value) => (value === null || value === undefined ? "" : Number(value.toFixed(1)));

export async function usage(place) {
  const by = h("select", { onchange: () => load() }, Object.entries(GROUPS).map(([value, label]) => h("option", { value }, label)));
  const since = h("input", { type: "date", onchange: () => load() });
  since.value = new Date(Date.now() - 30 * 864e5).toISOString().slice(0, 10);
  const calls = h("div", {}), times = h("div", {});
  let asking = 0;

  async function load() {
    const mine = ++asking;
    const from = since.value ? `since=${since.value}T00:00:00Z` : "";
    const [rows, days] = await Promise.all([get(`v1/usage?by=${by.value}&${from}`), get(`v1/times?${from}`)].map((each) => each.then((found) => found.data)));
    if (mine !== asking) return;
    if (by.value === "day") rows.sort((one, other) => String(other.day).localeCompare(String(one.day)));
    const most = Math.max(1, ...rows.map((row) => row.memory_tokens));
    const bar = (tokens) => h("meter", { min: "0", max: String(most), value: String(tokens), "aria-label": `Tokens of memory: ${tokens}` });
    show(calls, rows.length ? table([GROUPS[by.value], "calls", "memories given", "tokens of memory", "compared", "tokens in", "of them cached", "tokens out", "learned", "cost in $", "mean s"],
      rows.map((row) => [visible(row[by.value] ?? "unknown"), row.calls, row.recalled, row.memory_tokens, bar(row.memory_tokens), row.input_tokens, row.cached_tokens, row.output_tokens, row.learned, Number(row.cost.toFixed(4)), Number(row.latency.toFixed(2))]), "Calls")
      : empty("No call was counted in this time. Calls through the proxy show up here within seconds."));
    const slowest = Math.max(1, ...days.map((day) => day.p95 ?? 0));
    const learned = by.value === "day" && Object.fromEntries(rows.map((row) => [row.day, row.learned]));
    show(times, days.length ? table(["day", "requests", "p50 in ms", "p95 in ms", "compared", ...(learned ? ["learned"] : []), "forgotten"],
      days.map((day) => [day.day, day.requests, ms(day.p50), ms(day.p95), h("meter", { min: "0", max: String(slowest), value: String(day.p95 ?? 0), "aria-label": `p95: ${ms(day.p95) || 0} ms` }), ...(learned ? [learned[day.day] ?? 0] : []), day.forgotten]), "Memory's own time")
      : empty("Nothing was recalled or forgotten in this time."));
  }

  show(place, h("h1", {}, "Usage"), h("div", { class: "filters" }, field("By", by), field("From day", since)), h("h2", {}, "What calls cost"), calls,
    h("h2", {}, "What memory took of requests, and what was forgotten"),
    h("p", { class: "soft" }, "Milliseconds that a request waited for memory, over the newest 2,000 requests whose traces are kept."), times);
  await load();
}
