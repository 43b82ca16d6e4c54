import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Run } from '../../../schemas/index.ts'
import { avroType } from '../../../services/runtime/avro.ts'
import { checkSelectionVersion, selectionVersion } from '../../../topologies/selection/version.ts'

const firstVersion = join(import.meta.dirname, '../../../schemas/published/Run.v1.avsc')

test('a run recorded before versions existed counts as version 1, and is refused by name', () => {
  const written = avroType(JSON.parse(readFileSync(firstVersion, 'utf8')))
  const reader = avroType(Run.avro)
  const body = written.toBuffer({ run: 'old', config: '{}', replayOf: null })
  const run = reader.fromBuffer(body, reader.createResolver(written)) as Run
  expect(run.selectionVersion).toBe(1)
  expect(() => checkSelectionVersion(run)).toThrow(
    expect.objectContaining({ code: 'CONFIGURATION', message: expect.stringContaining('run old') }),
  )
})

test('only the current version is computed', () => {
  const accepted = [1, 2, 3, 4].filter((version) => {
    try {
      checkSelectionVersion({ run: 'any', selectionVersion: version })
      return true
    } catch {
      return false
    }
  })
  expect(accepted).toEqual([selectionVersion])
})
