import { createHash } from 'node:crypto'
import { escaped } from './escaped.ts'

/** What all pages look like; each adds to it, and may overrule it. */
const baseStyle = `
  :root { color-scheme: light dark; --line: #d5dbd7; --muted: #5c6660; --run: #136f60; --control: #d1495b }
  @media (prefers-color-scheme: dark) { :root { --line: #38413c; --muted: #9aa69f; --run: #4cc3ab; --control: #ff8193 } }
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
  h1 { font-size: 1.4rem } h2 { font-size: 1.05rem; margin-top: 2.2rem }
  .wide { overflow-x: auto }
  table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums }
  th, td { padding: 3px 14px 3px 0; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap }
  th { color: var(--muted); font-weight: 600 } .n { text-align: right }
  footer { color: var(--muted); margin-top: 2rem }`

export interface Page {
  /** Of the window. */
  readonly title: string
  /** CSS after that of all pages. */
  readonly style: string
  /** HTML; texts in it are `escaped`. */
  readonly body: string
  /** They run in this order, after the body is there. */
  readonly scripts?: readonly string[]
}

/** Plots that are drawn as an SVG when the page is written. */
export const drawnStyle = `
  svg { width: 100%; height: auto } svg text { fill: currentColor; font-size: 13px }
  svg .axis { stroke: var(--line) } svg path { fill: none; stroke-width: 2 }`

/** A page of one file. It loads nothing, and runs no script but those given: the browser is told to refuse all others. */
export const pageOf = ({ title, style, body, scripts = [] }: Page): string => `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policyOf(scripts)}">
<title>${escaped(title)} · winnow</title><style>${baseStyle}${style}
</style></head>
<body>
${body}
${scripts.map((script) => `<script>${script}</script>\n`).join('')}</body>
</html>
`

function policyOf(scripts: readonly string[]): string {
  for (const script of scripts)
    if (/<\/script|<!--/i.test(script)) throw new Error('this script would end within the page')
  const digests = scripts.map((script) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`)
  const allowed = digests.length === 0 ? "'none'" : digests.join(' ')
  return `default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src ${allowed}`
}

/** Data for the page's scripts, which find the element by its id. What is in it cannot end the element. */
export const dataOf = (id: string, data: unknown): string =>
  `<script type="application/json" id="${escaped(id)}">${JSON.stringify(data).replaceAll('<', '\\u003c')}</script>`

/**
 * A table that scrolls where it is wider than the page.
 * @param head as texts
 * @param rows as HTML
 * @param textColumns how many columns are texts, from the first one on; the others are numbers
 */
export function tableOf(head: readonly string[], rows: readonly (readonly string[])[], textColumns: number): string {
  const side = (i: number) => (i < textColumns ? '' : ' class="n"')
  const cells = (row: readonly string[]) => row.map((cell, i) => `<td${side(i)}>${cell}</td>`).join('')
  return `<div class="wide"><table><thead><tr>${head.map((title, i) => `<th${side(i)}>${escaped(title)}</th>`).join('')}</tr></thead>
<tbody>${rows.map((row) => `<tr>${cells(row)}</tr>`).join('\n')}</tbody></table></div>`
}
