// What a kiosk shows and plays after a scan.
"use strict";

import { shared, text } from "./texts.js";

const SHOWN_FOR = 12_000;
const RECENT = 6;
const HIGH = 880;
const TUNES = {
  recorded: [[660, 0.1], [HIGH, 0.16]],
  already: [[660, 0.16]],
  stored: [[520, 0.1], [520, 0.1]],
  refused: [[220, 0.18], [165, 0.28]],
  birthday: [[523, 0.12], [659, 0.12], [784, 0.12], [1047, 0.25]],
};

let audio = null;

// Browsers allow sound only after a touch or a key.
export function unlockSound() {
  audio ??= new AudioContext();
  return audio.resume();
}

export function play(name) {
  if (audio?.state !== "running") return;
  let at = audio.currentTime;
  for (const [frequency, seconds] of TUNES[name]) {
    const [tone, volume] = [audio.createOscillator(), audio.createGain()];
    tone.type = name === "refused" ? "square" : "triangle";
    tone.frequency.value = frequency;
    volume.gain.setValueAtTime(name === "refused" ? 0.12 : 0.35, at);
    volume.gain.exponentialRampToValueAtTime(0.001, at + seconds);
    tone.connect(volume).connect(audio.destination);
    tone.start(at);
    tone.stop(at + seconds);
    at += seconds;
  }
}

const panel = document.getElementById("answer");
const recent = document.getElementById("recent");
let timer = 0;

export function clock(instant) {
  return new Intl.DateTimeFormat(shared.language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: shared.timezone }).format(new Date(instant));
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter(Boolean));
  return made;
}

function clone(id) {
  return document.getElementById(id)?.content.firstElementChild?.cloneNode(true);
}

// The belts of ranks are drawn by the server; here is only the place where they are.
function belts(ranks) {
  return ranks.slice(0, 3).map((rank) => {
    const drawn = clone(`rank-${rank.id}`);
    drawn?.setAttribute("aria-hidden", "true");
    return element("p", { className: "rank" }, drawn, element("span", { textContent: rank.name }));
  });
}

// Shows a card: `kind` is "recorded", "already", "stored", "refused" or "busy".
function show(kind, title, ...content) {
  clearTimeout(timer);
  panel.className = `answer ${kind}`;
  panel.replaceChildren(clone(`icon-${kind}`) ?? "", element("h2", { textContent: title }), ...content.filter(Boolean));
  if (kind !== "busy") timer = setTimeout(idle, SHOWN_FOR);
}

export function idle() {
  panel.className = "answer idle";
  panel.replaceChildren(clone("icon-idle") ?? "", element("h2", { textContent: text("show_code") }), element("p", { textContent: text("show_code_how") }));
}

export function busy() {
  show("busy", text("checking"));
}

function remember(kind, name) {
  const item = element("li", { className: kind }, clone(`icon-${kind}`), element("span", { textContent: name }), element("time", { textContent: clock(Date.now()) }));
  recent.prepend(item);
  while (recent.children.length > RECENT) recent.lastElementChild.remove();
}

export function showCheckIn(body) {
  const { student, attendance, alerts } = body;
  const kind = body.status === "recorded" ? "recorded" : "already";
  const name = student.preferred_name || student.name;
  const where = kind === "recorded" ? attendance.class_session.name : text("already_at", { session: attendance.class_session.name, time: clock(attendance.checked_in_at) });
  const notes = alerts.map((alert) => element("p", { className: `alert ${alert.code}` }, clone(`icon-${alert.code}`), element("span", { textContent: shared.alerts[alert.code] ?? alert.message })));
  const hasBirthday = alerts.some((alert) => alert.code === "birthday");
  show(kind, name, ...belts(student.ranks), element("p", { className: "where", textContent: where }), attendance.late ? element("p", { className: "late", textContent: text("late") }) : null, ...notes);
  remember(kind, name);
  play(hasBirthday && kind === "recorded" ? "birthday" : kind);
}

export function showStored() {
  show("stored", text("stored"), element("p", { textContent: text("stored_how", { time: clock(Date.now()) }) }));
  remember("stored", text("stored_short"));
  play("stored");
}

export function showRefusal(code, message) {
  const [title, what] = shared.refusals[code] ?? [text("refused"), message];
  show("refused", title, element("p", { textContent: what }));
  remember("refused", title);
  play("refused");
}

// Several sessions are open: `choose(session)` is called with the one that is tapped.
export function showChoice(candidates, choose) {
  const choices = candidates.map((one) => {
    const button = element("button", { type: "button", className: "choice", textContent: one.starts_at ? `${clock(one.starts_at)} ${one.name}` : one.name });
    button.addEventListener("click", () => choose(one.id));
    return button;
  });
  show("busy", text("which_session"), element("div", { className: "choices" }, ...choices));
  timer = setTimeout(idle, 2 * SHOWN_FOR);
  play("already");
}
