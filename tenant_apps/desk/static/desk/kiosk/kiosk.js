// The kiosk at the door: which view is shown, what is sent, and what a touch or a code does.
"use strict";

import { busy, clock, idle, play, showCheckIn, showChoice, showRefusal, showStored, unlockSound } from "./answers.js";
import { NotPaired, Unreachable } from "./api.js";
import { Camera } from "./camera.js";
import { Menu } from "./menu.js";
import { watchPairing } from "./pairing.js";
import { record, sendQueued, watchQueue } from "./queue.js";
import { looksLikeCode, watchScanner } from "./scanner.js";
import { currentSession, loadSessions, sessions } from "./sessions.js";
import { readSetting, removeSetting, writeSetting } from "./store.js";
import { shared, text } from "./texts.js";
import { Wall } from "./wall.js";

const SEND_EVERY = 10_000;
const LOOK_EVERY = 5 * 60_000;

const root = document.documentElement;
const field = document.getElementById("code");
const wall = new Wall(() => currentSession(settings.session));
const camera = new Camera(document.getElementById("video"), shared.zxing, (code) => accept(code));
const settings = { mode: "scan", session: "", facing: "user", sound: true };
let view = "loading";

function showView(name) {
  view = name;
  for (const section of document.querySelectorAll("[data-view]")) section.hidden = section.dataset.view !== name;
  document.getElementById("bar").hidden = !["scan", "wall"].includes(name);
}

// --- codes ------------------------------------------------------------------------------------------------------------

let accepting = Promise.resolve();

// Codes are handled one after the other, in the order in which they came.
function accept(code, session) {
  accepting = accepting.then(() => handle(code, session)).catch(failed);
  return accepting;
}

async function handle(code, chosen) {
  if (view !== "scan") return;
  if (!looksLikeCode(code) || code.length > shared.longest_text) return showRefusal("qr_invalid");
  busy();
  const body = await record(code, chosen ?? currentSession(settings.session, false)?.id);
  if (!body) return showStored();
  if (!body.error) return showCheckIn(body);
  const { code: reason, message, details } = body.error;
  if (reason === "ambiguous_session" && details?.candidates?.length) {
    return showChoice(details.candidates, (session) => accept(code, session));
  }
  // The code that the wall shows is a link, for phones.
  showRefusal(reason === "qr_invalid" && code.includes("/check-in/") ? "session_code" : reason, message);
}

// --- views ------------------------------------------------------------------------------------------------------------

let wakeLock = null;

async function keepAwake() {
  if (!["scan", "wall"].includes(view) || document.visibilityState !== "visible") return;
  wakeLock = await navigator.wakeLock?.request("screen").catch(() => null);
}

async function begin() {
  camera.stop();
  wall.stop();
  showView(settings.mode);
  keepAwake();
  await writeSetting("running", true);
  if (settings.mode === "wall") return wall.start().catch(failed);
  idle();
  field.focus();
  const problem = settings.facing === "off" ? "off" : await camera.start(settings.facing);
  const note = document.getElementById("camera-note");
  note.textContent = problem && problem !== "off" ? text(`camera_${problem}`) : "";
  root.classList.toggle("no-camera", problem !== "");
  root.classList.toggle("mirrored", settings.facing === "user");
}

function failed(error) {
  if (error instanceof NotPaired) return unpaired();
  if (error instanceof Unreachable) return;
  showRefusal("", error?.name === "QuotaExceededError" ? text("storage_full") : text("storage_failed"));
  console.error(error);
}

async function unpaired() {
  await removeSetting("device");
  askToPair(text("not_paired_any_more"));
}

// A device that is paired goes on with its token until it has another one.
async function askToPair(why) {
  camera.stop();
  wall.stop();
  document.getElementById("pair-back").hidden = !(await readSetting("device"));
  showView("pair");
  pairing.say(why);
}

const pairing = watchPairing({
  back: begin,
  async done() {
    await look();
    showView("ready");
  },
});
wall.failed = failed;
camera.ended = begin;

// --- the state of the connection ---------------------------------------------------------------------------------------

watchQueue(async ({ waiting, isReachable }) => {
  root.classList.toggle("offline", !isReachable);
  const state = document.getElementById("state");
  state.textContent = waiting ? text(waiting === 1 ? "waiting_one" : "waiting_many", { n: waiting }) : isReachable ? text("online") : text("offline");
  state.className = waiting ? "badge warn" : isReachable ? "badge good" : "badge bad";
  const refused = (await readSetting("refused")) ?? [];
  document.getElementById("refused-later").hidden = !refused.length;
  document.getElementById("refused-later").textContent = text("refused_later", { n: refused.length });
});

async function look() {
  if (!(await readSetting("device"))) return;
  await sendQueued().catch(failed);
  await loadSessions().catch(failed);
  document.getElementById("which").textContent = currentSession(settings.session, settings.mode === "wall")?.label ?? "";
}

setInterval(() => view !== "pair" && sendQueued().catch(failed), SEND_EVERY);
setInterval(look, LOOK_EVERY);
setInterval(() => {
  document.getElementById("now").textContent = clock(Date.now());
}, 1000);
window.addEventListener("online", () => sendQueued().catch(failed));
document.addEventListener("visibilitychange", keepAwake);

// --- the menu -----------------------------------------------------------------------------------------------------------

const menu = new Menu(settings, {
  async change() {
    await writeSetting("choices", settings);
    await look();
    begin();
  },
  async leave() {
    camera.stop();
    wall.stop();
    wakeLock?.release();
    await removeSetting("running");
    if (document.fullscreenElement) await document.exitFullscreen();
    location.assign("/");
  },
  async unpair() {
    await removeSetting("device");
    await removeSetting("pin");
    await removeSetting("running");
    location.reload();
  },
  repair: () => askToPair(text("pair_again")),
});

document.getElementById("menu-button").addEventListener("click", () => menu.open(sessions()));

document.getElementById("start").addEventListener("click", () => {
  if (settings.sound) unlockSound().then(() => play("already"));
  root.requestFullscreen?.().catch(() => {});
  begin();
});
document.addEventListener("pointerdown", () => settings.sound && unlockSound());
document.addEventListener("keydown", () => settings.sound && unlockSound());

watchScanner(document.getElementById("code-form"), field, () => view === "scan", (code) => accept(code));

// --- the beginning ------------------------------------------------------------------------------------------------------

async function open() {
  navigator.storage?.persist?.();
  Object.assign(settings, await readSetting("choices"));
  const device = await readSetting("device");
  document.getElementById("device").textContent = device?.name ?? "";
  if (!device) return showView("pair");
  await look();
  if (!(await readSetting("device"))) return;
  // After a crash the kiosk goes on by itself; the first touch brings back sound.
  if (await readSetting("running")) return begin();
  showView("ready");
}

async function watchVersions() {
  const worker = navigator.serviceWorker;
  if (!worker) return;
  const hadOne = Boolean(worker.controller);
  const registration = await worker.register(shared.worker, { scope: shared.scope, updateViaCache: "none" });
  // A new version takes over when nothing is being scanned. What waits is on disk.
  worker.addEventListener("controllerchange", () => hadOne && accepting.then(() => location.reload()));
  setInterval(() => registration.update().catch(() => {}), LOOK_EVERY);
}

if (window.isSecureContext) open().catch(failed);
else showView("insecure");
watchVersions().catch((error) => console.warn(error));
