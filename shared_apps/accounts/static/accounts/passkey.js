// Signs in with a passkey, in the console or on the pages of a dojo: asks for a challenge, lets the browser sign it, and sends the form.
"use strict";
(function () {
  const button = document.getElementById("passkey-button");
  if (!button || !window.PublicKeyCredential || !PublicKeyCredential.parseRequestOptionsFromJSON) return;
  button.hidden = false;
  button.addEventListener("click", async function () {
    const error = document.getElementById("passkey-error");
    error.textContent = "";
    try {
      const answer = await fetch("/auth/passkey/options", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: "{}",
      });
      const asked = await answer.json();
      if (!answer.ok) throw new Error(asked.error.message);
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(asked.options);
      const credential = await navigator.credentials.get({ publicKey });
      const form = document.getElementById("login-form");
      form.elements.challenge.value = asked.challenge;
      form.elements.passkey.value = JSON.stringify(credential.toJSON());
      form.submit();
    } catch (problem) {
      error.textContent = problem.name === "NotAllowedError" ? "The passkey was not used." : problem.message;
    }
  });
})();
