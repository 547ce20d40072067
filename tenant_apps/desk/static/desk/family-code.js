// The code of a student on a phone: renewed before it expires, on a screen that stays awake.
"use strict";

const place = document.getElementById("code");
const away = document.getElementById("code-away");
const RETRY = 3;
let next = Date.now() + seconds() * 1000;
let renewing = false;

function seconds() {
  return Number(place.querySelector("img").dataset.seconds);
}

async function renew() {
  if (renewing) return;
  renewing = true;
  try {
    const response = await fetch(place.dataset.renew, { headers: { "HX-Request": "true" }, cache: "no-store", signal: AbortSignal.timeout(5000) });
    const target = response.headers.get("HX-Redirect");
    if (target) return location.assign(target);
    if (response.status !== 200) throw new Error(response.status);
    const part = new DOMParser().parseFromString(await response.text(), "text/html");
    place.replaceChildren(...part.body.children);
    next = Date.now() + seconds() * 1000;
    away.hidden = true;
    place.classList.remove("old");
  } catch {
    next = Date.now() + RETRY * 1000;
    away.hidden = false;
    place.classList.add("old");
  } finally {
    renewing = false;
  }
}

setInterval(() => {
  if (document.visibilityState !== "visible") return;
  const left = Math.max(0, (next - Date.now()) / 1000);
  place.querySelector("progress").value = left;
  if (!left) renew();
}, 250);

async function keepAwake() {
  if (document.visibilityState === "visible") await navigator.wakeLock?.request("screen").catch(() => {});
}
document.addEventListener("visibilitychange", keepAwake);
keepAwake();
