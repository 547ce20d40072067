// The class sessions of today, kept on the device for the time without a network.
"use strict";

import { call } from "./api.js";
import { clock } from "./answers.js";
import { readSetting, writeSetting } from "./store.js";

let known = [];

export async function loadSessions() {
  known = (await readSetting("sessions")) ?? [];
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

// The session with this id; without an id, and if `orNext`, the one that runs or comes next.
export function currentSession(id, orNext = true) {
  const open = sessions();
  return open.find((session) => session.id === id) ?? (orNext ? open[0] : undefined);
}
