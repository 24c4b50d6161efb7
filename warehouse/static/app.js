// What all pages share: the choice of colours, toasts, what happens when the server cannot be reached.
(() => {
  const names = { system: "Colours: system", light: "Colours: light", dark: "Colours: dark" };
  const next = { system: "light", light: "dark", dark: "system" };
  const button = document.getElementById("theme");
  // Nobody is signed in: what the one before looked for is no business of the next one.
  if (!button) sessionStorage.removeItem("customers");
  if (button) {
    const show = () => {
      document.getElementById("theme-name").textContent = names[localStorage.getItem("theme") ?? "system"];
    };
    button.hidden = false;
    button.addEventListener("click", () => {
      const chosen = next[localStorage.getItem("theme") ?? "system"];
      if (chosen === "system") localStorage.removeItem("theme");
      else localStorage.setItem("theme", chosen);
      document.dispatchEvent(new CustomEvent("theme:chosen"));
      show();
    });
    show();
  }

  const toast = (text, kind = "good") => {
    const shown = document.createElement("p");
    shown.className = `toast-line toast-${kind}`;
    shown.textContent = text;
    document.getElementById("toasts").append(shown);
    setTimeout(() => shown.remove(), kind === "bad" ? 12000 : 5000);
  };
  // A session that ended takes nothing that was entered with it: whoever signs in elsewhere goes on here.
  let door = null;
  const askToSignIn = () => {
    if (door) return;
    door = document.createElement("p");
    door.className = "toast-line toast-bad toast-stays";
    const link = document.createElement("a");
    Object.assign(link, { href: "/sign-in", target: "_blank", textContent: "Sign in in another tab" });
    door.append("Your session has ended. What you entered is still here. ", link, ", then come back.");
    document.getElementById("toasts").append(door);
  };
  const renew = async () => {
    if (!door || document.visibilityState !== "visible") return;
    const answer = await fetch("/", { headers: { accept: "text/html" } }).catch(() => null);
    if (!answer?.ok || answer.redirected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const token = fresh.querySelector("[name=csrf_token]")?.value;
    if (!token) return;
    for (const field of document.querySelectorAll("[name=csrf_token]")) field.value = token;
    document.body.setAttribute("hx-headers:inherited", JSON.stringify({ "x-csrf-token": token }));
    door?.remove();
    door = null;
    toast("You are signed in: go on.");
  };
  window.addEventListener("focus", renew);
  document.addEventListener("visibilitychange", renew);

  document.addEventListener("toast", (event) => {
    toast(typeof event.detail === "string" ? event.detail : (event.detail?.value ?? ""), "good");
  });
  document.addEventListener("htmx:response:error", (event) => {
    const status = event.detail?.ctx?.response?.status;
    if (status === 401) askToSignIn();
    else toast(status === 403 ? "You may not do this, or the page is out of date: load it again."
      : "That did not work. Try again, or load the page again.", "bad");
  });
  document.addEventListener("htmx:error", () => toast("The server does not answer. Try again in a moment.", "bad"));

  document.addEventListener("htmx:after:request", (event) => {
    if (event.detail?.ctx?.response?.status >= 400) return;
    for (const shown of document.querySelectorAll(".toast-bad:not(.toast-stays)")) shown.remove();
  });

  // Buttons that open and close a dialog: data-opens names it, data-closes closes the one around.
  document.addEventListener("click", (event) => {
    const opener = event.target.closest?.("[data-opens]");
    if (opener) document.getElementById(opener.dataset.opens)?.showModal();
    if (event.target.closest?.("[data-closes]")) event.target.closest("dialog")?.close();
  });
})();
