// What all pages share: toasts that close, dialogs that open for a loaded part, and keys for lists.
"use strict";

// A toast stays for ten seconds, or until it is closed. Errors stay.
const toasts = document.getElementById("toasts");
new MutationObserver((changes) => {
  for (const change of changes) {
    for (const toast of change.addedNodes) {
      if (toast instanceof HTMLElement && !toast.classList.contains("error")) setTimeout(() => toast.remove(), 10_000);
    }
  }
}).observe(toasts, { childList: true });

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-close]");
  if (button) (button.closest("dialog")?.close(), button.closest(".toast")?.remove());
  if (event.target.closest("[data-print]")) window.print();
});

// A part that is loaded into the dialog opens it; an empty answer closes it.
const dialog = document.getElementById("dialog");
document.body.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target !== dialog) return;
  if (dialog.innerHTML.trim() && !dialog.open) dialog.showModal();
  if (!dialog.innerHTML.trim()) dialog.close();
});

// An error that is no page (a body that is too large, a server that is too busy) is the JSON of the API: a toast says it.
document.body.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  if (!(xhr.getResponseHeader("Content-Type") ?? "").startsWith("application/json")) return;
  event.detail.shouldSwap = false;
  const toast = Object.assign(document.createElement("div"), { className: "toast error", textContent: JSON.parse(xhr.responseText).error.message });
  toast.append(Object.assign(document.createElement("button"), { className: "quiet small", type: "button", textContent: "×" }));
  toast.lastChild.dataset.close = "";
  toasts.append(toast);
});

// On a phone, the bar at the bottom shows four entries; the others come with "More".
const more = document.querySelector("nav .more");
more?.addEventListener("click", () => more.setAttribute("aria-expanded", String(more.parentElement.classList.toggle("open"))));

// `data-submit-on-change`: a filter applies as soon as it is chosen.
document.addEventListener("change", (event) => {
  if (event.target.closest("[data-submit-on-change]")) event.target.form.requestSubmit();
});

// "/" goes to the search of the page; the arrow keys turn its pages, where nothing is being typed.
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, textarea, select, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    const search = document.querySelector('input[type="search"]');
    if (search) (event.preventDefault(), search.focus());
  }
  const turn = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
  if (turn) document.querySelector(`.pager a[rel="${turn}"]`)?.click();
});

document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

// A form is sent once: its buttons wait for the answer.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) return event.preventDefault();
  if (form.method === "post" && !form.hasAttribute("hx-post")) form.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));

// A part with `data-live` asks again every five seconds while the page is looked at (`hx-trigger="tick"`).
setInterval(() => {
  if (document.visibilityState === "visible") document.querySelectorAll("[data-live]").forEach((part) => part.dispatchEvent(new Event("tick")));
}, 5000);

// What scrolls sideways can be scrolled with the keyboard, too.
const makeScrollable = () => document.querySelectorAll(".table-wrap, .plot-wrap, .tabs, .scrolls").forEach((part) => {
  if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
});
makeScrollable();
document.body.addEventListener("htmx:afterSettle", makeScrollable);
window.addEventListener("resize", makeScrollable);

// An answer that did not come, or a failure of the server, leaves the page as it is and says so.
const sayNotAnswered = () => {
  document.querySelector(".toast.error")?.remove();
  const toast = document.createElement("div");
  toast.className = "toast error";
  toast.textContent = document.getElementById("not-saved")?.textContent ?? toasts.dataset.notAnswered;
  toasts.append(toast);
  setTimeout(() => toast.remove(), 8_000);
};
document.body.addEventListener("htmx:sendError", (event) => {
  if (event.detail.requestConfig.verb === "post") sayNotAnswered();
});
document.body.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status < 500 || event.detail.xhr.getResponseHeader("HX-Retarget")) return;
  event.detail.shouldSwap = false;
  if (event.detail.requestConfig.verb === "post") sayNotAnswered();
});
