import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')

test('tests that make temporary folders remove them', () => {
  const files = globSync('test/**/*.test.ts', { cwd: root })
  const made = files.filter((file) => /\bmkdtemp/.test(readFileSync(join(root, file), 'utf8')))
  const left = made.filter((file) => !/\brm(Sync)?\(/.test(readFileSync(join(root, file), 'utf8')))
  expect(made.length).toBeGreaterThan(50)
  expect(left.filter((file) => !file.endsWith('support/temporary.test.ts'))).toEqual([])
})
