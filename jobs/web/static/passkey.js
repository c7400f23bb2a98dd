// Asks the browser for a passkey: to sign in with one, or to make one. Without this script there are name and password.
// A form with data-passkey ("get" or "create") is shown where the browser can do it; data-begin says what is asked for.
(() => {
  "use strict";
  const form = document.querySelector("form[data-passkey]");
  // Browsers have it in a secure context alone: under https, or on localhost.
  if (!form || !window.PublicKeyCredential || !navigator.credentials) return;
  const problem = form.querySelector("[role=alert]"), button = form.querySelector("button");

  const octets = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

  const asked = (options) => {
    options.challenge = octets(options.challenge);
    if (options.user) options.user.id = octets(options.user.id);
    for (const list of [options.excludeCredentials, options.allowCredentials]) {
      for (const one of list || []) one.id = octets(one.id);
    }
    return { publicKey: options };
  };

  const written = (credential) => {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (credential.response[name]) response[name] = text(credential.response[name]);
    }
    return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response });
  };

  const say = (words) => {
    problem.textContent = words || "";
    problem.hidden = !words;
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    say("");
    button.disabled = true;
    try {
      const begun = await fetch(form.dataset.begin, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      const options = await begun.json();
      if (!begun.ok) return say(options.problem);
      const credential = await navigator.credentials[form.dataset.passkey](asked(options));
      form.elements.answer.value = written(credential);
      form.submit();
    } catch (error) {
      say(error.name === "InvalidStateError" ? form.dataset.known : form.dataset.failed);
    } finally {
      button.disabled = false;
    }
  });
  for (const one of document.querySelectorAll("[data-without-passkeys]")) one.hidden = true;
  form.hidden = false;
})();
