"use strict";

const form = document.getElementById("check-in");
const students = document.getElementById("students");
const outcome = document.getElementById("outcome");
const button = form.querySelector("button");

function nonce() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function post(path, body, access) {
  const headers = { "Content-Type": "application/json" };
  if (access) headers.Authorization = `Bearer ${access}`;
  const reply = await fetch(path, { method: "POST", headers, body: JSON.stringify(body), credentials: "omit" });
  return reply.json();
}

function choose(candidates, access) {
  students.replaceChildren(
    ...candidates.map((candidate) => {
      const choice = document.createElement("button");
      choice.type = "button";
      choice.textContent = candidate.name;
      choice.addEventListener("click", () => attempt(() => scan(access, candidate.id)));
      return choice;
    }),
  );
  students.hidden = candidates.length === 0;
}

async function scan(access, student) {
  const body = { token: form.dataset.token, nonce: nonce() };
  if (student) body.student = student;
  const response = await post("/attendance/scan", body, access);
  if (response.error) {
    outcome.textContent = response.error.message;
    if (response.error.code === "ambiguous_student") choose((response.error.details || {}).candidates || [], access);
    return;
  }
  form.hidden = true;
  const already = response.status === "already_recorded";
  outcome.textContent = `${response.student.name}: ${already ? form.dataset.already : form.dataset.done}`;
}

async function attempt(action) {
  button.disabled = true;
  outcome.textContent = "";
  try {
    await action();
  } catch {
    outcome.textContent = form.dataset.away;
  } finally {
    button.disabled = false;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    const login = await post("/auth/login", { email: form.email.value, password: form.password.value });
    if (login.error) outcome.textContent = login.error.message;
    else await scan(login.access);
  });
});
