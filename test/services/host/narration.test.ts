import { expect, test } from 'vitest'
import type { Manifest } from '../../../schemas/index.ts'
import { narrate } from '../../../services/host/narration.ts'
import { testRun } from '../../support/run.ts'

const run = testRun('r', { actors: { shape: ['round', 'square'], colour: ['red', 'green', 'blue'] } })

function toldOf(manifest: Partial<Manifest>): string {
  const lines: string[] = []
  const weights = [
    [0.5, -0.5],
    [0.1, 0.9, -0.3],
  ]
  const selected = { round: 1, theta: [1, 1], weights, documents: 10, ...manifest } as Manifest
  narrate(run, (line) => lines.push(line)).onConsole?.({ kind: 'selected', run, manifest: selected })
  return lines.join('\n')
}

test('a round reports what each actor favours: with a negative theta, what it weighs least', () => {
  expect(toldOf({ theta: [0.75, 0.25] })).toContain('favoured: shape round (theta 0.75), colour green (theta 0.25)')
  expect(toldOf({ theta: [0.75, -0.07] })).toContain(
    'favoured: shape round (theta 0.75), colour blue (theta -0.07, its weights turned round)',
  )
})

test('the first round and all rounds of a control are drawn at random and favour nothing', () => {
  expect(toldOf({ round: 0 })).toMatch(/round 0 selected 10 documents, drawn at random$/)
  expect(toldOf({ theta: [0, 0] })).toMatch(/drawn at random$/)
})
