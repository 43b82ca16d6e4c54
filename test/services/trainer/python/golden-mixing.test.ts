import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { goldenMixingFile, goldenMixingText } from './golden-mixing.ts'

test('what the updates of DoReMi and DoGE in Python are held to is what topologies/mixing makes', () => {
  expect(JSON.parse(readFileSync(goldenMixingFile, 'utf8'))).toEqual(JSON.parse(goldenMixingText()))
})
