// The menu of a kiosk, behind its PIN: mode, session, camera, sound; leaving; pairing anew.
"use strict";

import { checkPin } from "./pin.js";
import { readSetting, removeSetting } from "./store.js";
import { clock } from "./answers.js";
import { shared, text } from "./texts.js";

const CLOSES_AFTER = 90_000;

export class Menu {
  // `settings` is changed by the menu; `actions` are `change`, `leave`, `unpair` and `repair`.
  constructor(settings, actions) {
    Object.assign(this, { settings, actions, timer: 0 });
    this.lock = document.getElementById("lock");
    this.menu = document.getElementById("menu");
    this.form = document.getElementById("menu-form");
    this.lockForm = document.getElementById("lock-form");
    this.lockForm.addEventListener("submit", (event) => (event.preventDefault(), this.unlock()));
    this.form.addEventListener("submit", (event) => (event.preventDefault(), this.apply()));
    for (const button of document.querySelectorAll("[data-cancel]")) button.addEventListener("click", () => button.closest("dialog").close());
    document.getElementById("forgotten").addEventListener("click", () => (this.lock.close(), actions.repair()));
    document.getElementById("leave").addEventListener("click", () => actions.leave());
    document.getElementById("unpair").addEventListener("click", () => (document.getElementById("unpair-sure").hidden = false));
    document.getElementById("unpair-yes").addEventListener("click", () => actions.unpair());
  }

  open(sessions) {
    this.sessions = sessions;
    this.lockForm.reset();
    document.getElementById("lock-error").textContent = "";
    this.closeLater(this.lock);
    this.lock.showModal();
  }

  closeLater(dialog) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => dialog.close(), CLOSES_AFTER);
  }

  async unlock() {
    const result = await checkPin(this.lockForm.elements.unlock.value);
    this.lockForm.reset();
    if (result !== "right") {
      document.getElementById("lock-error").textContent = text(result === "wait" ? "pin_wait" : "pin_wrong");
      return;
    }
    this.lock.close();
    await this.fill();
    this.closeLater(this.menu);
    this.menu.showModal();
  }

  async fill() {
    const { mode, session, facing, sound } = this.form.elements;
    mode.value = this.settings.mode;
    session.replaceChildren(new Option(text("any_session"), ""), ...this.sessions.map((one) => new Option(one.label, one.id)));
    session.value = this.sessions.some((one) => one.id === this.settings.session) ? this.settings.session : "";
    facing.value = this.settings.facing;
    sound.checked = this.settings.sound;
    document.getElementById("unpair-sure").hidden = true;
    const refused = (await readSetting("refused")) ?? [];
    document.getElementById("refused").hidden = !refused.length;
    document.getElementById("refused-list").replaceChildren(
      ...refused.map(({ at, code }) => Object.assign(document.createElement("li"), { textContent: `${clock(at)} ${shared.refusals[code]?.[0] ?? code}` })),
    );
  }

  async apply() {
    const { mode, session, facing, sound } = this.form.elements;
    Object.assign(this.settings, { mode: mode.value, session: session.value, facing: facing.value, sound: sound.checked });
    await removeSetting("refused"); // they have been seen here, and stay in the list of the desk
    this.menu.close();
    await this.actions.change();
  }
}
