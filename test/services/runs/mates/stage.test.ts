import { expect, test } from 'vitest'
import { asDocumentId } from '../../../../schemas/index.ts'
import type { ProbesOfRun } from '../../../../services/runs/mates/probes-of-run.ts'
import { fitStage, stageSettings } from '../../../../services/runs/mates/stage.ts'
import { testRun } from '../../../support/run.ts'

const words = 'ship sea gull tide sail deck oven flour salt bread crust dough court law judge plea oath jury'.split(' ')

/** Texts of one of three kinds; only those of ships help. */
function probesOf(count: number, lossOf: (kind: number, n: number) => number): ProbesOfRun {
  const texts = Array.from({ length: count }, (_, n) => {
    const kind = n % 3
    return Array.from({ length: 5 + (n % 6) }, (_, i) => words[6 * kind + ((n * (i + 2) + i) % 6)]).join(' ')
  })
  const ids = texts.map((_, n) => asDocumentId(BigInt(n)))
  return {
    ...{ run: 'first', rewardOffsets: [], checkpoint: 'c', heldOut: [], config: testRun('first') },
    rounds: [{ round: 4, checkpoint: 'c' }],
    probes: ids.map((docId, n) => ({ docId, weight: 1, loss: lossOf(n % 3, n) })),
    texts: new Map(ids.map((docId, n) => [docId, texts[n]!])),
  }
}

const helpful = (kind: number, n: number) => (kind === 0 ? -1 : 0.5) + ((n * 48271) % 101) / 200
const settings = stageSettings('7')

test('a stage is fitted to the texts of its probes, and records what it follows from and how far it may be trusted', async () => {
  const { fit, model } = await fitStage(probesOf(90, helpful), settings)
  expect(fit).toMatchObject({ run: 'first', rounds: [4], checkpoint: 'c', probes: 90, measured: 90 })
  expect(fit.spearman).toBeGreaterThan(0.4)
  expect(fit.chance).toBeCloseTo(1.645 / Math.sqrt(89), 3)
  expect(JSON.parse(fit.settings)).toEqual({ regressor: 'hashed', ...settings })
  expect(JSON.parse(model)).toMatchObject({ task: 'influence', kind: 'regression', training: { inputs: fit.inputs } })
  expect((await fitStage(probesOf(90, helpful), settings)).model).toBe(model)
  const other = await fitStage(
    probesOf(90, (kind, n) => helpful(kind, n) + (n === 5 ? 1e-12 : 0)),
    settings,
  )
  expect(other.fit.inputs).not.toBe(fit.inputs)
})

test.each([
  ['few probes', probesOf(31, helpful), 'rewards of 31 documents to learn from, and a fit needs 32'],
  ['rewards that are noise', probesOf(90, (_, n) => ((n * 48271) % 101) / 100), 'noise has up to 0.174'],
])('%s are refused as bad data, with nothing recorded', async (_, given, message) => {
  const refused = fitStage(given, settings)
  await expect(refused).rejects.toMatchObject({ code: 'BAD_DATA', message: expect.stringContaining(message) })
  await expect(refused).rejects.toThrow('nothing is recorded')
})
