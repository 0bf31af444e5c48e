import { createHash } from "node:crypto";

/**
 * The one script of the pages: asks a security key where a page has a box for it, and leaves the answer in the form's field `key`. Without scripts the
 * box stays hidden, and everything else works.
 */
export const keyScript = `(() => {
"use strict";
const box = document.querySelector("[data-key]");
if (!box || !window.PublicKeyCredential) return;
const form = box.closest("form"), button = box.querySelector("button"), status = box.querySelector("[role=status]"), field = form.elements.namedItem("key");
const creates = box.dataset.key === "create";
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
const text = (buffer) => btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("")).replace(/\\+/g, "-").replace(/\\//g, "_").replace(/=+$/, "");
const known = (list) => (list || []).map((item) => ({ ...item, id: bytes(item.id) }));
const ask = async (options) => {
  const challenge = bytes(options.challenge);
  if (creates) return navigator.credentials.create({ publicKey: { ...options, challenge, user: { ...options.user, id: bytes(options.user.id) }, excludeCredentials: known(options.excludeCredentials) } });
  return navigator.credentials.get({ publicKey: { ...options, challenge, allowCredentials: known(options.allowCredentials) } });
};
const toJson = ({ id, rawId, type, response, authenticatorAttachment }) => {
  const answer = { clientDataJSON: text(response.clientDataJSON) };
  if (creates) Object.assign(answer, { attestationObject: text(response.attestationObject), transports: response.getTransports ? response.getTransports() : [] });
  else Object.assign(answer, { authenticatorData: text(response.authenticatorData), signature: text(response.signature) });
  return JSON.stringify({ id, rawId: text(rawId), type, authenticatorAttachment, clientExtensionResults: {}, response: answer });
};
box.hidden = false;
button.addEventListener("click", async () => {
  const sent = new URLSearchParams();
  for (const input of form.querySelectorAll("[data-first]")) {
    if (!input.reportValidity()) return;
  }
  for (const input of form.querySelectorAll("[data-sent]")) sent.set(input.name, input.value);
  button.disabled = true;
  status.textContent = "Waiting for your key …";
  try {
    const answer = await fetch(box.dataset.options, { method: "POST", body: sent });
    const options = await answer.json();
    if (!answer.ok) throw new Error(options.message);
    field.value = toJson(await ask(options));
    if (creates) {
      status.textContent = "The key has answered. Go on with the button below.";
      form.querySelector("[type=submit]").focus();
    } else {
      form.noValidate = true;
      form.submit();
    }
  } catch (error) {
    const refused = error.name === "NotAllowedError" || error.name === "InvalidStateError";
    status.textContent = !refused ? "That did not work: " + error.message : creates ? "No key was added: none answered in time, or it is registered already." : "No key of this user has answered. Look at the user name, or use a code.";
  }
  button.disabled = false;
});
})();`;

/** What a content security policy calls the script by. */
export const keyScriptHash = createHash("sha256").update(keyScript).digest("base64");
