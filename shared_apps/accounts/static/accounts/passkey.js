// Signs in with a passkey, and makes a new one, in the console or on the pages of a dojo: the browser signs a challenge, and the form sends it.
"use strict";
(function () {
  // The second step of a sign-in has its challenge in the form; without a password the challenge is asked for.
  async function challengeFor(button, form) {
    if (button.dataset.options) return { challenge: form.elements.challenge.value, options: JSON.parse(button.dataset.options) };
    const answer = await fetch("/auth/passkey/options", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: "{}",
    });
    const asked = await answer.json();
    if (!answer.ok) throw new Error(asked.error.message);
    return asked;
  }

  async function signIn(button) {
    const form = document.getElementById("login-form");
    const asked = await challengeFor(button, form);
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(asked.options);
    const credential = await navigator.credentials.get({ publicKey });
    form.elements.challenge.value = asked.challenge;
    form.elements.passkey.value = JSON.stringify(credential.toJSON());
    form.submit();
  }

  async function make(button) {
    const form = document.getElementById(button.dataset.form ?? "new-passkey-form");
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(JSON.parse(button.dataset.options));
    const credential = await navigator.credentials.create({ publicKey });
    form.elements.passkey.value = JSON.stringify(credential.toJSON());
    form.submit();
  }

  function connect(id, act, isSupported) {
    const button = document.getElementById(id + "-button");
    if (!button) return;
    if (!isSupported) {
      button.hidden = true;
      const notice = document.getElementById("no-passkeys");
      if (notice) notice.hidden = false;
      return;
    }
    button.hidden = false;
    button.addEventListener("click", async function () {
      const error = document.getElementById(id + "-error");
      error.textContent = "";
      try {
        await act(button);
      } catch (problem) {
        error.textContent = problem.name === "NotAllowedError" ? (button.dataset.fault ?? "The passkey was not used.") : problem.message;
      }
    });
  }

  const has = (name) => Boolean(window.PublicKeyCredential && PublicKeyCredential[name]);
  connect("passkey", signIn, has("parseRequestOptionsFromJSON"));
  connect("new-passkey", make, has("parseCreationOptionsFromJSON"));
})();
