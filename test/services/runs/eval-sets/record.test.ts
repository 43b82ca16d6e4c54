import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { readEvalSets } from '../../../../services/host/eval-sets.ts'
import { readItems } from '../../../../services/runs/eval-sets/items.ts'
import { addSetsOfRun } from '../../../../services/runs/eval-sets/of-run.ts'
import { addEvalSet, removeEvalSet } from '../../../../services/runs/eval-sets/record.ts'
import { memoryRuntime, parityRun } from '../../../support/memory-runtime.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-eval-sets-'))
afterAll(() => rmSync(folder, { recursive: true }))

const file = (name: string, rows: readonly object[]): string => {
  const path = join(folder, name)
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  return path
}
const opened = async () => {
  const runtime = await memoryRuntime()
  onTestFinished(() => runtime.close())
  return runtime
}
const set = (items: readonly string[]) => ({
  ...{ name: 'birds', ngram: 13, share: 0.5, items, by: 'somebody', origin: 'birds.jsonl' },
})

test('the items of a set of any size come back as they were, in order', async () => {
  const runtime = await opened()
  // More than fit into one record.
  const items = Array.from({ length: 40 }, (_, i) => `${i} ${'long '.repeat(3000)}`)
  expect(await addEvalSet(runtime, set(items))).toBe(true)
  const { texts, active } = await readEvalSets(runtime)
  expect(active[0]!.chunks).toBeGreaterThan(2)
  expect(texts).toEqual([{ name: 'birds', ngram: 13, share: 0.5, items }])
})

test('documents are compared again after a set was added, also the same again, and not after one was removed', async () => {
  const runtime = await opened()
  const versions = [(await readEvalSets(runtime)).version]
  const version = async () => versions.push((await readEvalSets(runtime)).version)
  await addEvalSet(runtime, set(['one']), () => 1)
  await version()
  await addEvalSet(runtime, { ...set(['two']), name: 'fish' }, () => 2)
  await version()
  await removeEvalSet(runtime, 'fish', 'somebody', () => 3)
  await version()
  await addEvalSet(runtime, { ...set(['two']), name: 'fish' }, () => 4)
  await version()
  expect(versions[0]).toBeUndefined()
  expect(versions[3]).toBe(versions[2])
  expect(new Set(versions).size).toBe(4)
  expect((await readEvalSets(runtime)).texts.map(({ items }) => items)).toEqual([['one'], ['two']])
  await expect(removeEvalSet(runtime, 'cats', 'somebody')).rejects.toThrow(/there is no evaluation set cats/)
  await expect(addEvalSet(runtime, { ...set(['x']), name: 'a b' })).rejects.toThrow(/is no name of an evaluation set/)
})

test('items are the texts of the fields that are named, in their order, with lists of texts', async () => {
  const path = file('rows.jsonl', [{ q: 'which?', choices: ['a', 'b'], other: 1 }, { q: 'who?' }])
  expect(await readItems([path], ['q', 'choices'])).toEqual(['which?\na\nb', 'who?'])
  await expect(readItems([path], ['other'])).rejects.toThrow(/rows.jsonl:1: has no text in other/)
  await expect(readItems([file('none.jsonl', [])], ['q'])).rejects.toThrow(/no rows/)
})

test('the samples that a run is rewarded and evaluated by are sets, all of them, and are recorded once', async () => {
  const runtime = await opened()
  const reward = file('reward.jsonl', [{ text: 'one' }, { context: 'two and ', continuation: 'three' }])
  const evaluation = file('evaluation.jsonl', [{ text: 'four' }])
  const run = parityRun('mine', {}, { reference: { reward, evaluation, corpus: 'c', samplesMax: 1 } })
  expect(await addSetsOfRun(runtime, run)).toEqual(['run/mine/reward', 'run/mine/evaluation'])
  expect(await addSetsOfRun(runtime, run)).toEqual([])
  const { texts, active } = await readEvalSets(runtime)
  expect(texts.map(({ name, items }) => [name, items])).toEqual([
    ['run/mine/evaluation', ['four']],
    ['run/mine/reward', ['one', 'two and three']],
  ])
  expect(active.map(({ by }) => by)).toEqual(['run mine', 'run mine'])
})

test('samples that are a set already, of another run or of this one, are no second set', async () => {
  const runtime = await opened()
  const reward = file('shared.jsonl', [{ text: 'one' }])
  const evaluation = file('held-out.jsonl', [{ text: 'two' }])
  const of = (name: string, more: object = {}) =>
    addSetsOfRun(runtime, parityRun(name, {}, { reference: { reward, evaluation, corpus: 'c', ...more } }))
  expect(await of('mine')).toEqual(['run/mine/reward', 'run/mine/evaluation'])
  expect(await of('control')).toEqual([])
  // Removed by hand, they are sets again for who asks.
  await removeEvalSet(runtime, 'run/mine/reward', 'somebody')
  expect(await of('control')).toEqual(['run/control/reward'])
})
