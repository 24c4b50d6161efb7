// The reader's choice of light or dark, before anything is painted: as the system says, unless they chose.
(() => {
  // Without scripts the page stays plain, and the style sheet follows the system by itself.
  document.documentElement.classList.remove("plain");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const chosen = localStorage.getItem("theme");
    const theme = chosen ?? (dark.matches ? "dark" : "light");
    if (document.documentElement.dataset.bsTheme === theme) return;
    document.documentElement.dataset.bsTheme = theme;
    document.dispatchEvent(new CustomEvent("theme"));
  };
  dark.addEventListener("change", apply);
  document.addEventListener("theme:chosen", apply);
  apply();
})();
