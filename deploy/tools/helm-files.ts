import { readFileSync } from 'node:fs'
import { helmValuesSchema } from './helm-values.ts'

/** Files of the chart that are made or copied, since a chart can read only what is in its own folder: by their paths in it. */
export function helmFiles(): Record<string, string> {
  return {
    'values.schema.json': `${JSON.stringify(helmValuesSchema(), null, 2)}\n`,
    'files/alerts.yaml': readFileSync(new URL('../prometheus/alerts.yaml', import.meta.url), 'utf8'),
  }
}
