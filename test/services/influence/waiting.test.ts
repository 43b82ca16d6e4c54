import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { demoGraphs } from '../../../deploy/demo/model.ts'
import { createRunInfluence } from '../../../services/influence/model.ts'
import { openModel } from '../../../services/model/model.ts'
import { withRetries } from '../../../services/runtime/retry.ts'
import { tinyRun } from '../../topologies/loop.ts'
import { scaledCheckpoint, temporaryFolder } from '../model/support.ts'

test('a request for a checkpoint that is still being copied waits until it is complete', async () => {
  await using folder = await temporaryFolder()
  const model = await openModel({ graphs: demoGraphs })
  const reference = join(folder.path, 'reference.jsonl')
  await writeFile(reference, '{"text": "the ship left harbour at dawn"}\n')
  const run = tinyRun({}, { reference: { reward: reference, evaluation: reference, corpus: reference } })
  const influence = await createRunInfluence(run, model)
  const checkpoint = await scaledCheckpoint(model, '1', 1, join(folder.path, 'whole.safetensors'))
  const texts = ['past cliffs where gulls cried', 'an invoice of 240 units']
  const expected = await influence.score(checkpoint, texts)

  const whole = await readFile(checkpoint.path)

  const copied = { ...checkpoint, path: join(folder.path, 'copying.safetensors') }
  // With a store of its own, which has not seen the whole one.
  const another = await openModel({ graphs: demoGraphs })
  const slow = await createRunInfluence(run, another)
  const parts = [whole.length >> 2, whole.length - 8, whole.length]
  const waits: number[] = []
  const policy = {
    attemptsMax: 5,
    delayMsFirst: 10,
    delayMsMax: 1000,
    sleep: async (ms: number) => {
      waits.push(ms)
      await writeFile(copied.path, whole.subarray(0, parts[waits.length - 1]))
    },
  }
  expect(
    await withRetries(
      policy,
      () => slow.score(copied, texts),
      () => {},
    ),
  ).toEqual(expected)
  // Missing, begun, all but the end, whole.
  expect(waits).toEqual([10, 20, 40])
  await Promise.all([model.close(), another.close()])
})
