import { html } from './html.js'
import { hashOf } from './route.js'

/** Keys whose values are ids of documents, as decimal strings. */
const idKeys = new Set(['docId', 'docIds', 'doc'])
const linkOf = (key, value, run) => {
  if (idKeys.has(key) && /^\d+$/.test(value)) return hashOf('documents', { run, id: value })
  if (key === 'run' || key === 'replayOf') return hashOf('actors', { run: value })
  return undefined
}

/** A decoded record as JSON, with links to documents and runs. */
export const RecordValue = ({ value }) => html`<pre>${lines(value, '', undefined, value?.run)}</pre>`

function lines(value, indent, key, run) {
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]'
    const parts = value.map((one) => lines(one, `${indent}  `, key, run))
    return ['[\n', ...separated(parts, indent), `\n${indent}]`]
  }
  if (value !== null && typeof value === 'object') {
    const parts = Object.entries(value).map(([name, one]) => [
      `${JSON.stringify(name)}: `,
      lines(one, `${indent}  `, name, run),
    ])
    return parts.length === 0 ? '{}' : ['{\n', ...separated(parts, indent), `\n${indent}}`]
  }
  const href = typeof value === 'string' ? linkOf(key, value, run) : undefined
  return href === undefined ? JSON.stringify(value) : html`<a href=${href}>${JSON.stringify(value)}</a>`
}

const separated = (parts, indent) => parts.flatMap((part, i) => [i > 0 ? ',\n' : '', `${indent}  `, part])
