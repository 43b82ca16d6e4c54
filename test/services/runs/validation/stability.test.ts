import { expect, onTestFinished, test } from 'vitest'
import { startBoard } from '../../../../services/board/board.ts'
import type { Config } from '../../../../services/config/config.ts'
import { stabilityOfRun } from '../../../../services/runs/validation/stability.ts'
import type { Stability } from '../../../../topologies/evaluation/stability.ts'
import { cliOn } from '../../../support/cli.ts'
import { until } from '../../../support/kafka.ts'
import { fillByParity, memoryRuntime, parityRun, recordRun } from '../../../support/memory-runtime.ts'

test('the stability of a run is that of its recorded rewards: the order of weights holds where that of the rewards turns around', async () => {
  const runtime = await memoryRuntime()
  await fillByParity(runtime.store, 40, (n) => `${n}`, 4)
  const actors = { parity: { subcategories: ['a', 'b', 'c', 'd'], eta: 0.5 } }
  const run = parityRun('turning', { actors }, { steps: 8, sampleDocuments: 16 })
  let sign = 1
  const turnsAround = async (round: number) => {
    if (round === 3) sign = -0.01
  }
  await recordRun(runtime, run, (text) => sign * (Number(text) % 4), turnsAround)
  const found = await stabilityOfRun(runtime, run)
  expect(found.map(({ from, to }) => [from, to])).toEqual([
    [0, 1],
    [1, 2],
    [2, 3],
  ])
  // Before round 1 there is no reward, and all weights are equal.
  expect(found[0]).toMatchObject({ weights: { spearman: null }, rewards: { subcategories: 0, spearman: null } })
  const same = expect.closeTo(1, 12)
  expect(found[1]).toMatchObject({ weights: { spearman: same }, rewards: { spearman: same, kendall: 1 } })
  expect(found[2]).toMatchObject({ weights: { spearman: same }, rewards: { subcategories: 4, kendall: -1 } })
  const said = await cliOn(runtime, {} as Config, '/')('influence', 'stability', run.name, '--json')
  expect(said).toMatchObject({ code: 0 })
  const lines = said.stdout.trim().split('\n')
  expect(lines.map((line): Stability => JSON.parse(line))).toEqual(found)

  // The board's route has the same; nothing is searched here.
  const clickHouse = { sql: {} } as unknown as typeof runtime.clickHouse
  const board = await startBoard({ ...runtime, kafka: runtime.kafka, clickHouse }, { port: 0 })
  onTestFinished(() => board.close())
  const asked = async () =>
    (await (await fetch(`${board.url}/api/runs/${run.name}/stability`)).json()) as { pairs?: Stability[] }
  await until(async () => (await asked()).pairs?.length === found.length)
  expect(await asked()).toEqual({ pairs: found })
})
