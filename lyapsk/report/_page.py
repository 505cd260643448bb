"""The frame of the report, in HTML and CSS."""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>lyapsk: $title</title>
<style>
:root { color-scheme: light; --ink: #1d2733; --soft: #4f5c69; --line: #d9dfe5; --mark: #31688e; }
* { box-sizing: border-box; }
body { margin: 0; background: #f5f7f9; color: var(--ink);
  font: 1.0625rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
main { max-width: 58rem; margin: 0 auto; padding: 2.5rem 1.25rem 3rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 1rem; }
h2 { font-size: 1.25rem; margin: 0 0 .75rem; }
article > h2 { font-size: 1.5rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1.25rem; margin: 0 0 .75rem; }
p { margin: 0 0 1.5rem; max-width: 44rem; overflow-wrap: anywhere; }
section { background: #fff; border: 1px solid var(--line); border-radius: 8px;
  padding: 1.25rem; margin: 0 0 1.5rem; }
figure { margin: 0; }
figure > div { display: flex; flex-wrap: wrap; gap: 1rem; justify-content: center;
  align-items: flex-start; }
img { flex: 1 1 18rem; min-width: 0; max-width: min(100%, 46rem); height: auto; }
figcaption, .reading { color: var(--soft); margin: .75rem 0 0; max-width: none; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; color: var(--soft); padding: 0 .5rem .25rem; }
th, td { padding: .5rem .5rem; border-bottom: 1px solid var(--line); text-align: right;
  font-variant-numeric: tabular-nums; }
th:first-child { text-align: left; font-weight: 400; }
thead th { color: var(--soft); font-weight: 600; }
tbody tr:last-child > * { border-bottom: 0; font-weight: 600; color: var(--mark); }
dl { display: grid; grid-template-columns: auto 1fr; gap: .25rem 1rem;
  margin: 0; color: var(--soft); overflow-wrap: anywhere; }
dd { margin: 0; }
ul { margin: 0; padding-left: 1.25rem; overflow-wrap: anywhere; }
@media (max-width: 30rem) {
  main { padding: 1.5rem .75rem; }
  section { padding: 1rem .75rem; }
  dl { display: block; }
  dt { font-weight: 600; }
  dd { margin: 0 0 .5rem; }
}
</style>
</head>
<body>
<main>
<h1>How well will these networks learn?</h1>
<p>$lead</p>
$parts
</main>
</body>
</html>
"""

TABLE = """<table>
<caption>$caption</caption>
<thead><tr>
<th scope="col">predictor</th><th scope="col">R²</th><th scope="col">Spearman</th>
</tr></thead>
<tbody>
$rows
</tbody>
</table>
<p class="reading">Scores of networks that the predictor had not seen. R² is the share of the
variance that it explains, Spearman how well it puts the networks in order: 1 is perfect, 0 is
chance.</p>"""
