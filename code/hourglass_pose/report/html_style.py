"""The style sheet of the HTML report: light and dark, wide and narrow, screen and paper."""

# Okabe and Ito's palette, one colour a joint group: (on a light page, on a dark page).
CURVE_COLOURS = (
    ('#c95400', '#ff8a3d'),
    ('#b57c00', '#f2b632'),
    ('#857800', '#e8dc4a'),
    ('#007a59', '#2fd0a2'),
    ('#2a86bd', '#7cc8f5'),
    ('#0063a0', '#4d9fe0'),
    ('#a3547f', '#e39cc2'),
)

_LIGHT, _DARK = [
    '\n'.join('  --curve-%d: %s;' % item for item in enumerate(colours)) for colours in zip(*CURVE_COLOURS)
]

STYLE = (
    """:root {
  color-scheme: light dark;
  --page: #f4f5f7; --card: #ffffff; --text: #1b1f24; --soft: #5c6570; --line: #dde1e6; --bar: #d8e6f5;
  --accent: #0063a0; --mark: #b04a00; --mean: #1b1f24; --grey: #8a929c;
"""
    + _LIGHT
    + """
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --card: #1d2126; --text: #e8ebee; --soft: #a0a9b3; --line: #343a42; --bar: #24405c;
    --accent: #6db4ee; --mark: #ff9a55; --mean: #ffffff; --grey: #8b949e;
"""
    + _DARK
    + """
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", sans-serif;
}
main { max-width: 1120px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 8px 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 0 0 12px; }
h3 { font-size: 1rem; margin: 20px 0 4px; }
p { margin: 4px 0 12px; }
a { color: var(--accent); }
code, pre { font: 0.85rem/1.45 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.soft, caption, figcaption, dt { color: var(--soft); }
nav { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 12px 0 20px; font-size: 0.95rem; }
section {
  background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 20px; margin: 0 0 20px;
}
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 12px; margin: 0 0 20px; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 14px 16px; }
.tile b { display: block; font-size: 1.75rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile.first b { color: var(--accent); }
.tile span { display: block; color: var(--soft); font-size: 0.85rem; }
.wide { overflow-x: auto; -webkit-overflow-scrolling: touch; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 0.93rem; }
th, td { padding: 6px 10px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--card); }
thead th { color: var(--soft); font-weight: 600; }
tbody th { font-weight: 400; }
tr.own > * { font-weight: 650; }
tr.metric th { padding-top: 16px; color: var(--accent); font-weight: 650; }
.plot { position: relative; height: clamp(220px, 42vw, 380px); margin: 8px 12px 44px 42px; }
.plot svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible; }
.plot path { fill: none; stroke-width: 2.2; vector-effect: non-scaling-stroke; stroke-linejoin: round; }
.plot .grid { stroke: var(--line); stroke-width: 1; }
.plot span { position: absolute; font-size: 0.78rem; color: var(--soft); white-space: nowrap; }
.plot .x { top: calc(100% + 4px); transform: translateX(-50%); }
.plot .y { right: calc(100% + 6px); transform: translateY(-50%); }
.plot .title { top: calc(100% + 22px); left: 0; right: 0; text-align: center; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; padding: 0; margin: 0 0 8px; list-style: none; }
.legend li { display: flex; align-items: center; gap: 7px; font-size: 0.88rem; }
.legend i { width: 22px; height: 0; border-top: 3px solid; }
.chips i { border-top-width: 5px; outline: 3px solid #1e1e21; border-radius: 1px; margin: 0 3px; }
.bars { display: grid; gap: 5px; margin: 0; }
.bars div { display: grid; grid-template-columns: 7.5em 1fr 3.6em; align-items: center; gap: 10px; font-size: 0.9rem; }
.bars .track { position: relative; height: 14px; background: var(--line); border-radius: 7px; overflow: hidden; }
.bars .track i { position: absolute; inset: 0 auto 0 0; background: var(--accent); border-radius: 7px; }
.bars .track u { position: absolute; top: 0; bottom: 0; width: 3px; margin-left: -1px; background: var(--mark); }
.bars b { text-align: right; font-weight: 600; font-variant-numeric: tabular-nums; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(280px, 1fr)); gap: 8px 32px; }
.photos { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 12px; }
figure { margin: 0; }
figure img { display: block; width: 100%; height: auto; border-radius: 8px; background: #1e1e21; }
figcaption { font-size: 0.8rem; overflow-wrap: anywhere; padding-top: 3px; }
dl { display: grid; grid-template-columns: minmax(8em, max-content) 1fr; gap: 4px 18px; margin: 0; }
dd { margin: 0; overflow-wrap: anywhere; }
pre { overflow-x: auto; margin: 12px 0 0; padding: 12px; border: 1px solid var(--line); border-radius: 8px; }
summary { cursor: pointer; font-weight: 600; }
@media (max-width: 560px) {
  main { padding: 12px 8px 40px; }
  section { padding: 14px 12px; border-radius: 10px; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: 8px; }
  .photos { grid-template-columns: repeat(2, 1fr); gap: 8px; }
  .bars div { grid-template-columns: 7.2em 1fr 3.2em; gap: 8px; }
}
@media print {
  body { background: none; }
  nav { display: none; }
  section, .tile { break-inside: avoid; border-color: #bbb; }
}
"""
)
