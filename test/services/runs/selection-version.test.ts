import { expect, test } from 'vitest'
import { Run, topics } from '../../../schemas/index.ts'
import type { Config } from '../../../services/config/config.ts'
import { runnable } from '../../../services/runs/registry.ts'
import { cliOn } from '../../support/cli.ts'
import { memoryRuntime, parityRun } from '../../support/memory-runtime.ts'
import { recordOf } from '../../support/run.ts'

/** A log with a run that an earlier winnow recorded, and one of this version. */
async function world() {
  const runtime = await memoryRuntime()
  const producer = await runtime.kafka.producer()
  const record = (name: string, version: object) => ({
    ...{ topic: topics.runs.name, key: name },
    value: runtime.codec.encode(Run, { ...recordOf(parityRun(name)), ...version }),
  })
  await producer.send([record('old', { selectionVersion: 1 }), record('new', {})])
  await producer.close()
  return { runtime, winnow: cliOn(runtime, { actors: [] } as unknown as Config, '/') }
}

const refused = 'run old selects by version 1 of SELECTION.md, this winnow by version 2'

test.each([
  ['replay', '--run', 'old'],
  ['compare', 'old', 'new'],
  ['compare', 'new', 'old'],
  ['explain', '7', '--run', 'old'],
])('a run recorded by version 1 of SELECTION.md is refused by winnow %s %s %s', async (...args) => {
  const { winnow } = await world()
  expect(await winnow(...args)).toMatchObject({ code: 3, stderr: expect.stringContaining(refused) })
})

test('no console is started for a run recorded by version 1 of SELECTION.md', async () => {
  const { runtime } = await world()
  await expect(runnable(runtime, 'old')).rejects.toMatchObject({
    code: 'CONFIGURATION',
    message: expect.stringContaining(refused),
  })
})
