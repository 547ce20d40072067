// Lists with boxes to tick: all at once, and how many are.
"use strict";

const boxes = (name) => [...document.querySelectorAll(`input[type="checkbox"][name="${name}"]`)];

const count = () => {
  for (const place of document.querySelectorAll("[data-checked-count]")) {
    const all = boxes(place.dataset.checkedCount);
    place.textContent = all.filter((box) => box.checked).length;
  }
};

document.addEventListener("change", (event) => {
  const all = event.target.closest("[data-check-all]");
  if (all) boxes(all.dataset.checkAll).forEach((box) => (box.checked = all.checked));
  count();
});
window.addEventListener("pageshow", count);
