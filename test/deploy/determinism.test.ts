import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const clock = join('services', 'runtime', 'clock.ts')
/** Makes the token of a board that others can reach: nothing else is to guess it, and nothing is computed from it. */
const token = join('services', 'board', 'access.ts')
/** Makes the password of an embedded ClickHouse, likewise. */
const password = join('services', 'runtime', 'clickhouse', 'client.ts')
/** Makes keys of texts, likewise. */
const secret = join('services', 'texts', 'secret.ts')
/** What a replay could not compute again. */
const notFromTheSeed =
  /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bMath\.random\b|\brandomBytes\b|\brandomFill|\bgetRandomValues\b|\bprocess\.hrtime\b/

const sources = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file))

test('nothing but the clock reads the time, and nothing is random but by the seed', () => {
  const files = ['schemas', 'topologies', 'services'].flatMap(sources)
  expect(files.length).toBeGreaterThan(100)
  const found = files.filter((file) => notFromTheSeed.test(readFileSync(file, 'utf8')))
  expect(found.sort()).toEqual([token, password, secret, clock].sort())
})
