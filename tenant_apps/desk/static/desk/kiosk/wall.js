// Wall mode: the rotating code of a class session, large, for the phones of students.
"use strict";

import { call, Unreachable } from "./api.js";
import { clock } from "./answers.js";
import { text } from "./texts.js";

const AGAIN_AFTER = 4000;
const page = Object.fromEntries(["wall-code", "wall-session", "wall-note", "wall-left"].map((id) => [id, document.getElementById(id)]));

export class Wall {
  // `findSession()` returns the session to show, or `undefined`; it is asked at each renewal.
  constructor(findSession) {
    Object.assign(this, { findSession, timer: 0, ticking: 0, expires: 0, total: 1 });
  }

  start() {
    this.stop();
    this.ticking = setInterval(() => this.tick(), 500);
    return this.renew();
  }

  stop() {
    clearTimeout(this.timer);
    clearInterval(this.ticking);
    this.ticking = 0;
    this.clear("");
  }

  async renew() {
    clearTimeout(this.timer);
    let wait = AGAIN_AFTER;
    try {
      const session = this.findSession();
      if (!session) this.clear(text("no_session"));
      else wait = await this.show(session);
    } catch (error) {
      if (!(error instanceof Unreachable)) {
        this.stop();
        throw error;
      }
      if (Date.now() >= this.expires) this.clear(text("wall_away"));
    }
    if (this.ticking) this.timer = setTimeout(() => this.renew().catch((error) => this.failed?.(error)), wait);
  }

  async show(session) {
    const { status, body, clock: server } = await call("POST", "/qr", { class_session: session.id });
    if (status !== 201) {
      this.clear(body.error.message);
      return AGAIN_AFTER;
    }
    if (!this.ticking) return AGAIN_AFTER;
    // By the server's clock: that of a tablet may be wrong. The header has whole seconds.
    const lifetime = Math.max(2000, Date.parse(body.expires_at) - server);
    this.expires = Date.now() + lifetime;
    this.total = lifetime;
    page["wall-code"].src = body.image;
    page["wall-code"].hidden = page["wall-left"].hidden = false;
    page["wall-session"].textContent = `${session.name} · ${clock(session.starts_at)}`;
    page["wall-note"].textContent = text("wall_how");
    return lifetime;
  }

  tick() {
    const left = Math.max(0, this.expires - Date.now());
    page["wall-left"].value = left / this.total;
    // A code is honoured one period longer, but a code that is not renewed must not stay.
    if (!left && Date.now() > this.expires + AGAIN_AFTER && !page["wall-code"].hidden) this.clear(text("wall_away"));
  }

  clear(note) {
    page["wall-code"].hidden = page["wall-left"].hidden = true;
    page["wall-code"].removeAttribute("src");
    page["wall-session"].textContent = "";
    page["wall-note"].textContent = note;
  }
}
