// The roster: one undo at a time, no update of the list while it is being tapped, and a word when a tap was not saved.
"use strict";

const QUIET_MS = 4000; // After a tap the list is not exchanged for so long, so that the next tap meets the row it aims at.
let lastTap = 0;
document.addEventListener("pointerdown", (event) => {
  if (event.target.closest("#roster, #found")) lastTap = Date.now();
});
document.addEventListener("tick", (event) => {
  if (Date.now() - lastTap < QUIET_MS || document.querySelector("#roster .htmx-request")) event.stopImmediatePropagation();
}, true);

document.body.addEventListener("htmx:oobBeforeSwap", (event) => {
  if (event.detail.target.id === "toasts") document.querySelectorAll(".toast.undo").forEach((toast) => toast.remove());
});

// After a student was added by the search, its results are exchanged for nothing, and the next name can be typed at once.
document.body.addEventListener("htmx:oobAfterSwap", (event) => {
  const search = document.getElementById("search");
  if (search && event.detail.target.id === "found") (search.value = "", search.focus());
});
