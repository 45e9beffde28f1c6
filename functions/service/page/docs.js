"use strict";

// This file stands at <root>/docs/docs.js, whatever the root is.
const here = document.currentScript.src;
const description = new URL("../openapi.json", here).href;
const form = document.getElementById("login");
const told = document.getElementById("told");

const ui = SwaggerUIBundle({
  url: description,
  dom_id: "#api",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "none",
  filter: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  syntaxHighlight: { theme: "idea" },
  validatorUrl: null,
});

function tell(text, kind) {
  told.textContent = text;
  told.className = kind;
}

async function login() {
  const fields = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
  const api = await (await fetch(description)).json();
  const root = new URL(api.servers[0].url, description).href.replace(/\/$/, "");
  const response = await fetch(`${root}/api/v1/auth/login`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(fields),
  });
  const answer = await response.json();
  if (!response.ok) {
    throw new Error(answer.detail || answer.title || `The log-in answered ${response.status}.`);
  }
  const schema = api.components.securitySchemes.bearer;
  ui.authActions.authorizeWithPersistOption({ bearer: { name: "bearer", schema, value: answer.access_token } });
  tell("Logged in: operations below now carry your token.", "good");
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  tell("Logging in…", "");
  try {
    await login();
  } catch (error) {
    tell(error.message, "bad");
  } finally {
    button.disabled = false;
  }
});
