// Scanners that type like a keyboard, at any time: what they type goes to the field of codes wherever the focus is.
"use strict";

import { shared } from "./texts.js";

const CODE = new RegExp(`[${shared.alphabet}]{${shared.shortest},}`, "i");
const COMPLETE = new RegExp(`[${shared.alphabet}]{${shared.shortest}}$|[${shared.alphabet}]{${shared.longest}}$`, "i");
// Scanners type a character in a few milliseconds.
const SETTLED_AFTER = 250;

export const looksLikeCode = (value) => CODE.test(value);

// `accept(text)` is called with each code. `isActive()` says whether the page takes codes now.
export function watchScanner(form, field, isActive, accept) {
  let timer = 0;
  const finish = () => {
    clearTimeout(timer);
    const value = field.value.trim();
    field.value = "";
    if (value) accept(value);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    finish();
  });
  // Not every scanner ends with Enter.
  field.addEventListener("input", () => {
    clearTimeout(timer);
    if (COMPLETE.test(field.value.trim())) timer = setTimeout(finish, SETTLED_AFTER);
  });
  document.addEventListener("keydown", (event) => {
    if (!isActive() || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === field) {
      if (event.key === "Tab" && field.value) (event.preventDefault(), finish());
      return;
    }
    // Codes have no digits: those of a PIN stay where they are typed.
    if (event.key.length !== 1 || /[0-9 ]/.test(event.key)) return;
    document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
    field.focus(); // this key is typed there, too
  }, true);
}
