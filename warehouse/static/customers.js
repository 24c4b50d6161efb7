// The arrow keys lead from the search box into the results and back; Enter opens one.
(() => {
  const box = document.getElementById("text");
  const links = () => [...document.querySelectorAll("#customer-rows a.stretch")];
  document.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const found = links();
    const at = found.indexOf(document.activeElement);
    // Results that arrive while one of them has the focus leave it to the page.
    if (at < 0 && ![box, document.body].includes(document.activeElement)) return;
    const next = at + (event.key === "ArrowDown" ? 1 : -1);
    if (next >= found.length || (at < 0 && next < 0)) return;
    event.preventDefault();
    (next < 0 ? box : found[next]).focus();
  });
})();
