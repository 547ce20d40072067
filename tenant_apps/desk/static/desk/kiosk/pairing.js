// Pairing: a code of the desk for the token of this device, and the PIN that leaves the kiosk.
"use strict";

import { call, NotPaired, Unreachable } from "./api.js";
import { setPin } from "./pin.js";
import { writeSetting } from "./store.js";
import { shared, text } from "./texts.js";

const PIN = /^[0-9]{4,8}$/;

// `done()` is called when the device is paired, `back()` to go on without. Returns `{say}`, which shows why to pair.
export function watchPairing({ done, back }) {
  const form = document.getElementById("pair-form");
  const notice = document.getElementById("pair-notice");
  const button = form.querySelector("button");

  const say = (message) => {
    notice.textContent = message;
    notice.hidden = !message;
  };
  const fault = (name, message) => {
    const error = document.getElementById(`${name}-error`);
    error.textContent = message;
    form.elements[name].setAttribute("aria-invalid", String(Boolean(message)));
    error.closest(".field").classList.toggle("faulty", Boolean(message));
    if (message) form.elements[name].focus();
    return Boolean(message);
  };

  document.getElementById("pair-back").addEventListener("click", () => back());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    say("");
    const { code, pin, again } = form.elements;
    for (const name of ["again", "pin", "code"]) fault(name, "");
    if (fault("code", code.value.trim() ? "" : text("code_missing"))) return;
    if (fault("pin", PIN.test(pin.value) ? "" : text("pin_shape"))) return;
    if (fault("again", pin.value === again.value ? "" : text("pin_differs"))) return;
    button.disabled = true;
    try {
      const { status, body } = await call("POST", "/devices/pairing", { code: code.value }, { withToken: false });
      if (status !== 201) return void fault("code", shared.refusals[body.error.code]?.[1] ?? body.error.details?.code?.[0] ?? body.error.message);
      await setPin(pin.value);
      await writeSetting("device", { access: body.access, ...body.device });
      document.getElementById("device").textContent = body.device.name;
      form.reset();
      await done();
    } catch (error) {
      if (!(error instanceof Unreachable) && !(error instanceof NotPaired)) throw error;
      say(error.code === "throttled" ? error.message : text("pair_away"));
    } finally {
      button.disabled = false;
    }
  });
  return { say };
}
