"""The style of the model report's page."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --page: #ffffff; --text: #1b2430; --muted: #566373; --grid: #e2e7ed;
  --track: #eef1f5; --matches: #1f6feb; --strangers: #a9b4c0; --favour: #1f6feb; --against: #c2570c;
  --precision: #1f6feb; --recall: #b4540a; --threshold: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --page: #0f1419; --text: #e6edf3; --muted: #9aa7b5; --grid: #27313c;
  --track: #1c242d; --matches: #58a6ff; --strangers: #5b6876; --favour: #58a6ff; --against: #f0883e;
  --precision: #58a6ff; --recall: #f0a35e; --threshold: #ff7b72; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 940px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 26px; margin: 0; }
h2 { font-size: 19px; margin: 40px 0 8px; padding-top: 20px; border-top: 1px solid var(--grid); }
h3 { font-size: 15px; margin: 22px 0 4px; }
h3 small { font-weight: 400; color: var(--muted); margin-left: 8px; }
p { margin: 8px 0; }
.version, .note { color: var(--muted); }
code { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 12px; margin: 20px 0; }
.figures div { border: 1px solid var(--grid); border-radius: 8px; padding: 10px 12px; display: flex;
  flex-direction: column; justify-content: space-between; }
.figures dt { color: var(--muted); font-size: 12px; line-height: 1.35; }
.figures dd { margin: 4px 0 0; font-size: 20px; font-weight: 600; font-variant-numeric: tabular-nums; }
svg { display: block; width: 100%; min-width: 660px; height: auto; margin: 6px 0; overflow: visible; }
svg text { font-family: inherit; fill: var(--text); }
.tick { font-size: 12.5px; font-variant-numeric: tabular-nums; }
text.tick { fill: var(--muted); }
text.tick.strong { fill: var(--text); }
.label { font-size: 13px; }
.axis { stroke: var(--muted); stroke-width: 1; }
.grid { stroke: var(--grid); stroke-width: 1; }
.threshold { stroke: var(--threshold); stroke-width: 1.5; stroke-dasharray: 4 3; }
.track { fill: var(--track); }
.matches { fill: var(--matches); }
.strangers { fill: var(--strangers); }
.favour { fill: var(--favour); }
.against { fill: var(--against); }
polyline { fill: none; stroke-width: 2; }
polyline.precision { stroke: var(--precision); }
polyline.recall { stroke: var(--recall); stroke-dasharray: 7 3; }
.legend { color: var(--muted); font-size: 13px; }
.key { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin: 0 6px 0 14px; vertical-align: -1px; }
.legend .key:first-child { margin-left: 0; }
.key.matches { background: var(--matches); } .key.strangers { background: var(--strangers); }
.key.favour { background: var(--favour); } .key.against { background: var(--against); }
.key.precision { background: var(--precision); } .key.recall { background: var(--recall); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
table.small { width: auto; min-width: 420px; }
th, td { padding: 5px 10px; text-align: right; border-bottom: 1px solid var(--grid); white-space: nowrap; }
thead th { color: var(--muted); font-weight: 500; font-size: 12.5px; white-space: normal; vertical-align: bottom; }
th:first-child { text-align: left; font-weight: 500; }
td.bar { width: 22%; min-width: 90px; }
td.bar span { display: block; height: 12px; min-width: 1px; background: var(--matches); border-radius: 2px; }
@media print { h2 { break-after: avoid; } svg, tr { break-inside: avoid; } }
"""
