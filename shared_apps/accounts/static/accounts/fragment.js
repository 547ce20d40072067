// A secret in a link (a mailed one, or that of the console) is in the fragment of its address. It leaves the address bar, and the history, at once.
"use strict";

const secret = document.querySelector("[data-from-fragment]");
if (location.hash.length > 1) {
  secret.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
}
