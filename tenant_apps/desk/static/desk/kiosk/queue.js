// The queue of scans. A scan is written to it before anything is shown, and leaves it only when the API has answered it
// for good. A repeated request has the same nonce, so nothing is recorded twice.
"use strict";

import { call, NotPaired, Unreachable } from "./api.js";
import { countQueued, dequeue, enqueue, oldestQueued, readSetting, writeSetting } from "./store.js";

const BATCH = 100;
const WAIT_AFTER_FAILURE = 8000;
const KEPT_REFUSALS = 20;

const inFlight = new Set();
let unreachableSince = 0;
let changed = () => {};

// `listener({waiting, isReachable, isPaired})` is called whenever the queue or the connection changes.
export function watchQueue(listener) {
  changed = async (isPaired = true) =>
    listener({ waiting: Math.max(0, (await countQueued()) - inFlight.size), isReachable: unreachableSince === 0, isPaired });
  changed();
}

export function newNonce() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Records a scan. Returns the body of the API's answer, or `null` if it waits to be sent. Raises `NotPaired`, and what
// IndexedDB raises if the scan could neither be kept nor sent.
export async function record(token, classSession) {
  let fault = null;
  const scan = { token, nonce: newNonce(), scanned_at: new Date().toISOString(), class_session: classSession ?? null };
  // A device without room can still send what it cannot keep.
  const seq = await enqueue(scan).catch((error) => ((fault = error), null));
  // A line of students does not wait for a network that failed a moment ago.
  if (!fault && Date.now() - unreachableSince < WAIT_AFTER_FAILURE) return (changed(), null);
  if (!fault) inFlight.add(seq);
  try {
    const request = { token, nonce: scan.nonce, ...(classSession ? { class_session: classSession } : {}) };
    const { status, body } = await call("POST", "/attendance/scan", request);
    if (!isFinal(status, body)) throw new Unreachable();
    if (!fault) await dequeue([seq]);
    noteReachable(true);
    return body;
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    noteReachable(false);
    if (fault) throw fault;
    return null;
  } finally {
    inFlight.delete(seq);
    changed();
  }
}

// Whether this is the API's last word about a scan, not something that a router or a proxy says in between.
function isFinal(status, body) {
  if (body?.status === "recorded" || body?.status === "already_recorded") return true;
  const code = body?.error?.code;
  return Boolean(code) && (status === 400 || status === 409 || code === "class_session_not_found");
}

function noteReachable(reachable) {
  unreachableSince = reachable ? 0 : Date.now();
}

let sending = null;

// Sends what waits, oldest first. Returns when nothing is left or the API cannot be reached. Raises `NotPaired`.
export function sendQueued() {
  sending ??= sendAll().finally(() => {
    sending = null;
    changed();
  });
  return sending;
}

async function sendAll() {
  for (;;) {
    const waiting = (await oldestQueued(BATCH + inFlight.size)).filter((scan) => !inFlight.has(scan.seq)).slice(0, BATCH);
    if (!waiting.length) return;
    try {
      const left = await send(waiting);
      noteReachable(true);
      changed();
      if (left) return;
    } catch (error) {
      if (error instanceof NotPaired) throw error;
      if (!(error instanceof Unreachable)) throw error;
      noteReachable(false);
      return;
    }
  }
}

// Sends scans in one request; returns how many must be sent again. If the API does not accept the request as a whole,
// halves of it are sent, so that one bad scan does not hold up the others.
async function send(scans) {
  const { status, body } = await call("POST", "/attendance/sync", { sent_at: new Date().toISOString(), scans }, { timeout: 20_000 });
  if (status >= 400) {
    if (status !== 400 && status !== 413) throw new Unreachable(body.error.code);
    if (scans.length === 1) return await finish(scans, [{ nonce: scans[0].nonce, status: "refused", code: body.error.code }]);
    const middle = scans.length >> 1;
    return (await send(scans.slice(0, middle))) + (await send(scans.slice(middle)));
  }
  if (!Array.isArray(body.results)) throw new Unreachable();
  return await finish(scans, body.results);
}

async function finish(scans, results) {
  const byNonce = new Map(results.map((result) => [result.nonce, result]));
  const final = scans.filter((scan) => ["recorded", "already_recorded", "refused"].includes(byNonce.get(scan.nonce)?.status));
  const refused = final.filter((scan) => byNonce.get(scan.nonce).status === "refused");
  if (refused.length) {
    const known = (await readSetting("refused")) ?? [];
    const more = refused.map((scan) => ({ at: scan.scanned_at, code: byNonce.get(scan.nonce).code }));
    await writeSetting("refused", [...more.reverse(), ...known].slice(0, KEPT_REFUSALS));
  }
  await dequeue(final.map((scan) => scan.seq));
  return scans.length - final.length;
}
