import { expect, test } from 'vitest'

/** The page's modules are plain JavaScript for browsers; those that touch no document run here too. */
const pageModule = (name: string) => import(new URL(`../../../services/board/page/${name}`, import.meta.url).href)

const point = (step: number) => ({ step, tokens: step, round: 0, trainLoss: 1, referenceLoss: null })

test('a page open for hours holds no more than the server sends to a new page', async () => {
  const { apply, state } = await pageModule('store.js')
  for (let step = 0; step < 20_000; step += 10) {
    const progress = Array.from({ length: 10 }, (_, i) => point(step + i))
    const rounds = Array.from({ length: 2 }, (_, i) => ({ round: step / 5 + i }))
    apply({ runs: { long: { progress, rounds } } })
  }
  const { progress, rounds } = state.runs.get('long')
  expect([progress.length <= 4000, progress.at(-1).step]).toEqual([true, 19_999])
  expect([rounds.length, rounds.at(-1).round]).toEqual([2000, 3999])
  for (let i = 0; i < 100; i++) apply({ runs: { [`run-${i}`]: { info: {} } } })
  expect([state.runs.size, [...state.runs.keys()].at(-1)]).toEqual([16, 'run-99'])
})

test('a change replaces the round or report with the same number and keeps the order', async () => {
  const { apply, state } = await pageModule('store.js')
  apply({ runs: { ordered: { info: { name: 'ordered' }, rounds: [{ round: 2, late: 0 }], progress: [point(20)] } } })
  apply({ runs: { ordered: { rounds: [{ round: 1 }, { round: 2, late: 1 }], progress: [point(10)] } } })
  const { info, rounds, progress } = state.runs.get('ordered')
  expect(info).toEqual({ name: 'ordered' })
  expect(rounds).toEqual([{ round: 1 }, { round: 2, late: 1 }])
  expect(progress.map(({ step }: { step: number }) => step)).toEqual([10, 20])
})

test('what is written on a colour is black or white, whichever has the greater contrast', async () => {
  const { inkOn } = await pageModule('lines.js')
  const colors = ['rgb(64, 0, 75)', 'rgb(90, 174, 97)', 'rgb(153, 112, 171)', 'rgb(247, 247, 247)', 'rgb(0, 68, 27)']
  expect(colors.map(inkOn)).toEqual(['#fff', '#000', '#000', '#000', '#fff'])
})

test('rates, counts and ages are short, in a fitting unit', async () => {
  const { age, rate, short, shortTopic } = await pageModule('format.js')
  expect([900, 45_000, 240_000, 8_000_000, 300_000_000].map(age)).toEqual(['0.9 s', '45 s', '4 min', '2 h', '3 d'])
  expect([0, 0.4, 12.3, 1480].map(rate)).toEqual(['0/s', '0.4/s', '12/s', '1.5K/s'])
  expect(short(6021)).toBe('6K')
  expect(shortTopic('winnow.run.a.rewards')).toBe('rewards')
  expect(shortTopic('winnow.labels.domain')).toBe('labels.domain')
})

test('a page shows each round by the actors that it had, and every subcategory that there ever was', async () => {
  const { actorsEver, infoAt } = await pageModule('reading.js')
  const own = { name: 'shape', subcategories: ['round', 'square'], eta: 0.1 }
  const finer = [
    { ...own, subcategories: ['round', 'wide', 'oval'] },
    { name: 'colour', subcategories: ['red'], eta: 1 },
  ]
  const info = { name: 'r', actors: [own] }
  const rounds = [
    { round: 0, actors: null },
    { round: 1, actors: finer },
  ]
  expect(rounds.map((round) => infoAt(info, round).actors)).toEqual([[own], finer])
  expect(infoAt(info, undefined)).toBe(info)
  expect(actorsEver(info, rounds).map(({ name, subcategories }: typeof own) => [name, subcategories])).toEqual([
    ['shape', ['round', 'square', 'wide', 'oval']],
    ['colour', ['red']],
  ])
})
