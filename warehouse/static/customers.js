// The arrow keys lead from the search box into the results and back; Enter opens one. The text never stands in the
// address, so the tab keeps it: whoever comes back from a customer finds the search as they left it.
(() => {
  const box = document.getElementById("text");
  const links = () => [...document.querySelectorAll("#customer-rows a.stretch")];
  addEventListener("pagehide", () => {
    sessionStorage.setItem("customers", JSON.stringify({ at: location.search, text: box.value }));
  });
  addEventListener("load", () => {
    const before = JSON.parse(sessionStorage.getItem("customers") ?? "{}");
    const isBack = performance.getEntriesByType("navigation")[0]?.type === "back_forward";
    if (!isBack || !before.text || before.at !== location.search || box.value) return;
    box.value = before.text;
    box.form.requestSubmit();
  });
  // Results that arrive while one of them has the focus leave it where it was.
  let place = -1;
  document.addEventListener("htmx:before:swap", () => { place = links().indexOf(document.activeElement); });
  document.addEventListener("htmx:after:swap", () => { if (place >= 0) (links()[place] ?? box).focus(); });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const found = links();
    const at = found.indexOf(document.activeElement);
    if (at < 0 && document.activeElement !== box) return;
    const next = at + (event.key === "ArrowDown" ? 1 : -1);
    if (next >= found.length || (at < 0 && next < 0)) return;
    event.preventDefault();
    (next < 0 ? box : found[next]).focus();
  });
})();
