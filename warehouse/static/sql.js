// The page of analysts: names go into the query, the dictionary is searched, queries of this tab are kept.
(() => {
  const editor = document.getElementById("query");
  const form = document.getElementById("sql-form");
  const key = "cdp-sql-queries";
  const most = 20;

  const insert = (text) => {
    editor.focus();
    editor.setRangeText(text, editor.selectionStart, editor.selectionEnd, "end");
  };
  const use = (text) => {
    editor.value = text;
    editor.focus();
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-insert], [data-query]");
    if (button?.dataset.insert !== undefined) insert(button.dataset.insert);
    else if (button?.dataset.query !== undefined) use(button.dataset.query);
  });
  editor.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit(form.querySelector("button:not([data-plain])"));
    }
  });
  // A download is a plain form: htmx must not take it.
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-plain]");
    if (!button) return;
    event.preventDefault();
    if (!form.reportValidity()) return;
    const plain = document.createElement("form");
    plain.method = "post";
    plain.action = button.getAttribute("formaction");
    plain.hidden = true;
    const given = { csrf_token: form.elements.csrf_token.value, query: editor.value, format: button.value };
    for (const [name, value] of Object.entries(given)) {
      const field = document.createElement("textarea");
      field.name = name;
      field.value = value;
      plain.append(field);
    }
    document.body.append(plain);
    plain.submit();
    plain.remove();
    remember();
  });

  const kept = () => JSON.parse(sessionStorage.getItem(key) ?? "[]");
  const show = () => {
    const queries = kept();
    document.getElementById("history").hidden = queries.length === 0;
    document.getElementById("history-list").replaceChildren(...queries.map((query) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sql-insert";
      button.dataset.query = query;
      button.textContent = query.replace(/\s+/g, " ").slice(0, 160);
      item.append(button);
      return item;
    }));
  };
  const remember = () => {
    const query = editor.value.trim();
    if (!query) return;
    sessionStorage.setItem(key, JSON.stringify([query, ...kept().filter((one) => one !== query)].slice(0, most)));
    show();
  };
  form.addEventListener("submit", remember);
  show();

  const find = document.getElementById("find");
  const found = document.getElementById("found");
  find.addEventListener("input", () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (text) => words.every((word) => text.includes(word));
    let count = 0;
    for (const table of document.querySelectorAll("#tables > details")) {
      const own = table.dataset.words.toLowerCase();
      const name = own.split(" ")[0];
      let any = false;
      for (const column of table.querySelectorAll("li")) {
        const fit = fits(own) || fits(`${name} ${column.dataset.words.toLowerCase()}`);
        column.hidden = !fit;
        any ||= fit;
        count += words.length > 0 && fit ? 1 : 0;
      }
      table.hidden = !any;
      table.open = words.length > 0 && any;
    }
    found.textContent = words.length ? `${count} columns` : "";
  });
})();
