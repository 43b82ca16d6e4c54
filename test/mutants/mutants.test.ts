import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { mutants } from './mutants.ts'
import { pythonMutants } from './python.ts'

const root = join(import.meta.dirname, '../..')

test.each([...mutants, ...pythonMutants])('a mutant still applies: $name', ({ file, find, replace }) => {
  expect(replace).not.toBe(find)
  expect(readFileSync(join(root, file), 'utf8').split(find)).toHaveLength(2)
})
