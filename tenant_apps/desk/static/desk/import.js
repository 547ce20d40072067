// How much of the file has been sent. Then the bar is without a value until the answer comes.
"use strict";

const form = document.getElementById("import-form");
const bar = form.querySelector("progress");
form.addEventListener("htmx:xhr:progress", (event) => {
  const { lengthComputable, loaded, total } = event.detail;
  if (lengthComputable && loaded < total) bar.value = (100 * loaded) / total;
  else bar.removeAttribute("value");
});

// Another file or another option needs another preview.
form.addEventListener("change", () => document.getElementById("preview").replaceChildren());
