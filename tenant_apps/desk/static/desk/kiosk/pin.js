// The PIN that leaves the kiosk. Only a salted hash of it is on the device, and after some wrong ones it waits.
"use strict";

import { readSetting, writeSetting } from "./store.js";

const ROUNDS = 200_000;
const FREE_ATTEMPTS = 5;
const WAIT = 30_000;

async function hash(pin, salt) {
  const key = await crypto.subtle.importKey("raw", new TextEncoder().encode(pin), "PBKDF2", false, ["deriveBits"]);
  const bits = await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations: ROUNDS }, key, 256);
  return Array.from(new Uint8Array(bits)).join();
}

export async function setPin(pin) {
  const salt = crypto.getRandomValues(new Uint8Array(16));
  await writeSetting("pin", { salt, hash: await hash(pin, salt), wrong: 0, after: 0 });
}

// Returns "right", "wrong" or "wait".
export async function checkPin(pin) {
  const stored = await readSetting("pin");
  if (!stored) return "right";
  if (Date.now() < stored.after) return "wait";
  const isRight = (await hash(pin, stored.salt)) === stored.hash;
  const wrong = isRight ? 0 : stored.wrong + 1;
  await writeSetting("pin", { ...stored, wrong, after: wrong >= FREE_ATTEMPTS ? Date.now() + WAIT : 0 });
  return isRight ? "right" : "wrong";
}
