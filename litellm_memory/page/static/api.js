// Requests to the sidecar as the person who is signed in. Texts go in bodies, never into an address.

export const session = { csrf: "", operator: false, partition: "", user: "", min_score: 0, named: "" };

export class Failed extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

export async function ask(method, path, body, { named = true, headers = {} } = {}) {
  const url = new URL(`api/${path}`, document.baseURI);
  if (named && session.operator && session.named) url.searchParams.set("partition", session.named);
  const sent = { method, headers: { ...headers }, credentials: "same-origin", cache: "no-store" };
  if (method !== "GET") sent.headers["x-csrf-token"] = session.csrf;
  // A file is sent as it is, and text as lines of an import.
  if (body instanceof Blob) sent.body = body;
  else if (typeof body === "string") { sent.headers["content-type"] = "application/x-ndjson"; sent.body = body; }
  else if (body !== undefined) { sent.headers["content-type"] = "application/json"; sent.body = JSON.stringify(body); }
  let answer;
  try { answer = await fetch(url, sent); } catch { throw new Failed(0, "The sidecar does not answer: is the proxy running?"); }
  const text = await answer.text();
  if (answer.ok && answer.headers.get("content-type")?.startsWith("application/x-ndjson")) return text.split("\n").filter(Boolean).map((row) => JSON.parse(row));
  let read = null;
  try { read = text ? JSON.parse(text) : null; } catch { /* a proxy in between answered in its own words */ }
  if (answer.ok) return read;
  const told = read?.error?.message ?? (read && path === "ready" ? null : `The sidecar answered ${answer.status}.`);
  if (told === null) return read;
  if (answer.status === 401) dispatchEvent(new CustomEvent("signed-out", { detail: told }));
  throw new Failed(answer.status, told);
}

export const get = (path, options) => ask("GET", path, undefined, options);
export const post = (path, body, options) => ask("POST", path, body ?? {}, options);
export const bulk = (action, ids, more = {}) => post("v1/bulk", { action, ids, ...more });

export function began(found) { Object.assign(session, found); session.named ||= found.partition; }
