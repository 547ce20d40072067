// The class sessions of today, kept on the device for the time without a network.
"use strict";

import { call } from "./api.js";
import { clock } from "./answers.js";
import { readSetting, writeSetting } from "./store.js";

let known = [];
let location = "";

export async function loadSessions() {
  known = (await readSetting("sessions")) ?? [];
  location = (await readSetting("device"))?.location ?? "";
  const { status, body } = await call("GET", "/class-sessions?status=scheduled&page_size=50");
  if (status !== 200) return;
  known = body.results.map(({ id, name, starts_at, ends_at, location }) => ({ id, name, starts_at, ends_at, location }));
  await writeSetting("sessions", known);
}

// Those that are not over, the earliest first, each with a label.
export function sessions() {
  return known
    .filter((session) => Date.parse(session.ends_at) > Date.now())
    .map((session) => ({ ...session, label: [clock(session.starts_at), session.name, session.location].filter(Boolean).join(" · ") }));
}

// The session with this id; without it, and if `orNext`, the one that runs or comes next: at the device's location, if
// there is one.
export function currentSession(id, orNext = true) {
  const open = sessions();
  const next = open.find((session) => location && session.location === location) ?? open[0];
  return open.find((session) => session.id === id) ?? (orNext ? next : undefined);
}
