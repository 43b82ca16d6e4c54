import { afterAll, beforeAll, expect, test } from 'vitest'
import { openRuntime } from '../../services/connections/connections.ts'
import { createLog } from '../../services/runtime/log.ts'
import { columnsOf } from '../../topologies/corpus-store.ts'
import { until } from '../support/kafka.ts'
import { casesOf } from './cases.ts'
import { runNamed, subcategories } from './corpus.ts'
import { killAt, Service } from './service.ts'
import { groupOf, type StationChildOptions } from './stations.ts'
import { openCorpus, type SunkCorpus } from './topics.ts'
import { openDatabase, openWorld, type World } from './world.ts'

let world: World
let expected: SunkCorpus
beforeAll(async () => {
  world = await openWorld()
  expected = await openCorpus(world)
})
afterAll(() => world.close())

const kills = casesOf(
  'label sink',
  { landing: 5, soak: 100 },
  {
    polled: 10,
    decoded: 10,
    // Before and after the insert, and before and after the commit of its offsets.
    'store before addLabels': 10,
    'store after addLabels': 10,
    processed: 10,
    'committed offsets': 10,
  },
)

test.concurrent.for(kills)(
  'after a label sink is killed at $name and restarted, every document is stored once, and the histogram is exact',
  async ({ crashes }, { onTestFinished }) => {
    const addresses = await openDatabase()
    const group = addresses.database!
    const services: Service[] = []
    const runtime = await openRuntime(addresses, createLog('test', 'warn'))
    onTestFinished(async () => {
      for (const service of services) await service.kill()
      await runtime.close()
    })
    const start = (crash?: StationChildOptions['crash']) => {
      const options: StationChildOptions = { station: 'label sink', addresses, group, ...(crash && { crash }) }
      services.push(new Service('label sink', 'station-child.ts', options))
      return services.at(-1)!
    }
    const last = await killAt(crashes, start, () => world.evict(groupOf('label sink', group)))
    await until(async () => {
      if (last.ended) throw new Error(last.errors)
      return JSON.stringify(await runtime.store.committed()) === JSON.stringify(expected.committed)
    }, 120_000)
    await last.stop()

    const [rows] = await runtime.clickHouse.sql.query<Record<string, string>>(
      'SELECT count() AS rows, uniqExact(doc) AS documents, (SELECT count() FROM documents FINAL) AS texts FROM corpus FINAL',
    )
    const count = `${expected.documents}`
    expect(rows).toEqual({ rows: count, documents: count, texts: count })
    const columns = columnsOf(runNamed('any'))
    expect(columns.map(({ actor }) => actor)).toEqual(Object.keys(subcategories))
    const view = await runtime.store.view({ columns, labelOffsets: expected.committed, readsOf: null })
    expect(inOrder(await view.groups())).toEqual(inOrder(expected.groups))
  },
)

const inOrder = (groups: SunkCorpus['groups']) =>
  groups.toSorted((a, b) => (JSON.stringify(a.labels) < JSON.stringify(b.labels) ? -1 : 1))
