// The texts of the page in the language of the dojo, and what else the server tells the scripts.
"use strict";

export const shared = JSON.parse(document.getElementById("kiosk-shared").textContent);

// The text of this name with `{places}` filled.
export function text(name, values = {}) {
  return shared.texts[name].replace(/\{(\w+)\}/g, (_, place) => values[place] ?? "");
}
