// The builder: what a button has just added, or what is nearest to what it removed, gets the keyboard.
document.addEventListener("htmx:after:swap", () => {
  const builder = document.getElementById("builder");
  const wanted = builder?.querySelector("[data-focus]");
  if (!wanted) return;
  wanted.removeAttribute("data-focus");
  wanted.focus();
});
