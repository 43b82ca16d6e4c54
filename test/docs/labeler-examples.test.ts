import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfig } from '../../services/config/load.ts'

const page = readFileSync(join(import.meta.dirname, '../../docs/labelers.md'), 'utf8')
const blocks = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text]) => text!)

test.each(blocks.map((block) => [block.split(':')[0]!, block]))('the example of %s configures actors', (_, block) => {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-examples-'))
  const indented = block.replaceAll(/^(?=.)/gm, '  ')
  writeFileSync(join(folder, 'winnow.yaml'), `actors:\n${indented}`)
  try {
    const { actors } = loadConfig({ folder, env: {} })
    expect(actors.length).toBeGreaterThan(0)
    for (const { subcategories } of actors) expect(subcategories.length).toBeGreaterThan(0)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
