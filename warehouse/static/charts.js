// Draws each <script type="application/json" data-chart="id"> into the canvas beside it, in the theme's colours.
(() => {
  const drawn = new Map();
  const series = ["accent", "web", "email", "orders", "support", "phone", "social", "sms", "chat", "store"];

  const colour = (name) => {
    const style = getComputedStyle(document.documentElement);
    for (const property of [`--ch-${name}`, `--state-${name}`, `--${name}`]) {
      const value = style.getPropertyValue(property).trim();
      if (value) return value;
    }
    return style.getPropertyValue("--ch-other").trim();
  };

  const written = (spec) => (value) => spec.money
    ? new Intl.NumberFormat("en-GB", { style: "currency", currency: spec.money, maximumFractionDigits: 0 }).format(value)
    : new Intl.NumberFormat("en-GB").format(value);

  const axes = (spec) => {
    const grid = { color: colour("chart-grid") };
    const ticks = { color: colour("chart-text") };
    const steps = { grid: { display: false }, ticks: { ...ticks, maxRotation: 0, autoSkipPadding: 12, autoSkip: !spec.horizontal }, stacked: !!spec.stacked };
    const amount = {
      grid, border: { display: false }, beginAtZero: true, stacked: !!spec.stacked,
      ticks: { ...ticks, maxTicksLimit: 5, precision: 0, callback: written(spec) },
    };
    return spec.horizontal ? { x: amount, y: steps } : { x: steps, y: amount };
  };

  const datasets = (spec) => spec.series.map((one, at) => {
    const fill = spec.type === "doughnut"
      ? spec.labels.map((_, slice) => colour(one.colors?.[slice] ?? series[slice % series.length]))
      : colour(one.color ?? series[at % series.length]);
    return {
      label: one.name, data: one.values, backgroundColor: fill, borderColor: spec.type === "line" ? fill : undefined,
      borderWidth: spec.type === "line" ? 2 : 0, borderRadius: spec.stacked ? 0 : 3, maxBarThickness: 28,
      pointRadius: spec.labels.length > 40 ? 0 : 2, tension: 0.25,
    };
  });

  const draw = (block) => {
    const figure = document.getElementById(block.dataset.chart);
    const canvas = figure?.querySelector("canvas");
    if (!canvas || !window.Chart) return;
    const spec = JSON.parse(block.textContent);
    drawn.get(block.dataset.chart)?.destroy();
    drawn.set(block.dataset.chart, new Chart(canvas, {
      type: spec.type,
      data: { labels: spec.labels, datasets: datasets(spec) },
      options: {
        animation: false, responsive: true, maintainAspectRatio: false, indexAxis: spec.horizontal ? "y" : "x",
        interaction: { mode: spec.type === "doughnut" ? "nearest" : "index", intersect: false },
        scales: spec.type === "doughnut" ? {} : axes(spec),
        plugins: {
          legend: {
            display: spec.series.length > 1 || spec.type === "doughnut", position: "bottom",
            labels: { color: colour("chart-text"), boxWidth: 10, boxHeight: 10, useBorderRadius: true, borderRadius: 2 },
          },
          tooltip: {
            filter: (item) => spec.type === "doughnut" || item.raw !== 0,
            callbacks: { label: (item) => ` ${item.dataset.label ?? item.label}: ${written(spec)(item.raw)}` },
          },
        },
      },
    }));
  };

  const all = (root) => root.querySelectorAll?.("script[data-chart]").forEach(draw);
  document.addEventListener("theme", () => all(document));
  document.addEventListener("htmx:after:swap", () => {
    for (const [id, chart] of drawn) if (!chart.canvas?.isConnected) { chart.destroy(); drawn.delete(id); }
    document.querySelectorAll("script[data-chart]").forEach((block) => { if (!drawn.has(block.dataset.chart)) draw(block); });
  });
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => all(document));
  else all(document);
})();
