// Requests of the kiosk to the API, with the token of the device.
"use strict";

import { readSetting } from "./store.js";

// There was no answer that can be relied on: no network, a timeout, a server that is away, a page of some other server.
export class Unreachable extends Error {
  constructor(code = "unreachable", message = "") {
    super(message || code);
    this.code = code;
  }
}

// The token of this device is not valid any more.
export class NotPaired extends Error {}

const TEMPORARY = new Set([408, 425, 429]);
const DOJO_AWAY = new Set(["tenant_not_found", "tenant_suspended", "idempotency_in_progress"]);

// Returns `{status, body, clock}` for every final answer of the API, refusals too. `clock` is the server's, in ms.
export async function call(method, path, body, { timeout = 5000, withToken = true } = {}) {
  const device = withToken && (await readSetting("device"));
  const headers = { Accept: "application/json" };
  if (device) headers.Authorization = `Bearer ${device.access}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response, answer;
  try {
    response = await fetch(path, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "omit", cache: "no-store", redirect: "error", signal: AbortSignal.timeout(timeout),
    });
    answer = await response.json();
  } catch {
    throw new Unreachable();
  }
  const code = answer?.error?.code;
  if (response.status === 401 && code) throw new NotPaired(code);
  if (response.status >= 500 || TEMPORARY.has(response.status) || DOJO_AWAY.has(code)) {
    throw new Unreachable(code, answer?.error?.message);
  }
  if (response.status >= 400 && !code) throw new Unreachable();
  return { status: response.status, body: answer, clock: Date.parse(response.headers.get("Date") ?? "") || Date.now() };
}
