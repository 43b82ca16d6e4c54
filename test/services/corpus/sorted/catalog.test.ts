import { expect, test } from 'vitest'
import { StateCatalog } from '../../../../services/corpus/sorted/catalog.ts'
import type { Sql } from '../../../../services/runtime/clickhouse/sql.ts'
import { u64Max } from '../../../../topologies/selection/u64.ts'

const labels = { columns: [{ actor: 'parity', version: 'v1', topic: 'winnow.labels.parity' }] }
const whole = (state: number, parent: number) => ({ state, parent, offsets: '[]', documents: `${state}` })
const step = (state: number, parent: number) => ({ ...whole(state, parent), through: '9', done: '1', total: '2' })

/** Tables of states and steps, and what happens while each is read. */
function world() {
  const tables = { draw_states: [whole(1, 0)], draw_builds: [] as ReturnType<typeof step>[] }
  const while_ = { draw_states: async () => {}, draw_builds: async () => {} }
  const query = async (statement: string) => {
    const table = statement.includes('FROM draw_states') ? 'draw_states' : 'draw_builds'
    const rows = [...tables[table]]
    await while_[table]()
    return rows
  }
  const sql = { query, insert: async () => {}, settle: async () => {} } as unknown as Sql
  return { tables, while_, catalog: new StateCatalog(sql, labels) }
}
const recorded = (state: number, parent: number) => ({
  ...{ state, parent, offsets: '[]', documents: state, through: u64Max, done: 0, total: 0 },
})

test('what is recorded while states are read stays, and with it the chain that it is part of', async () => {
  const { catalog, while_ } = world()
  await catalog.refresh()
  while_.draw_builds = async () => await catalog.record(recorded(2, 1))
  await catalog.refresh()
  expect(catalog.chainOf(recorded(3, 2))).toEqual([3, 2, 1])
})

test('a state whose steps are recorded while states are read has all of them, or is not there yet', async () => {
  const { catalog, tables, while_ } = world()
  while_.draw_states = async () => {
    tables.draw_builds.push(step(2, 1))
    tables.draw_states.push(whole(3, 2))
    tables.draw_builds.push(step(4, 3))
  }
  await catalog.refresh()
  expect((await catalog.all()).map(({ state }) => state).toSorted()).toEqual([1, 2])
  while_.draw_states = async () => {}
  await catalog.refresh()
  expect((await catalog.all()).map(({ state }) => state).toSorted()).toEqual([1, 2, 3, 4])
})

test('a look that began earlier does not take the place of a later one', async () => {
  const { catalog, tables, while_ } = world()
  const held = Promise.withResolvers<void>()
  while_.draw_states = () => held.promise
  const early = catalog.refresh()
  tables.draw_states.push(whole(2, 1))
  while_.draw_states = async () => {}
  const late = catalog.refresh()
  held.resolve()
  await Promise.all([early, late])
  expect((await catalog.all()).map(({ state }) => state).toSorted()).toEqual([1, 2])
})

test('a state whose earlier ones are not recorded any more is refused, since its selections would lack their documents', async () => {
  const { catalog, tables } = world()
  tables.draw_states.push(whole(2, 1))
  const [, last] = await catalog.all()
  expect(catalog.chainOf(last!)).toEqual([2, 1])
  tables.draw_states = []
  await catalog.refresh()
  for (const follow of [() => catalog.chainOf(last!), () => catalog.baseOf(last!), () => catalog.cellsOf(last!)])
    await expect(async () => await follow()).rejects.toMatchObject({
      ...{
        code: 'GUARANTEE_VIOLATED',
        message: expect.stringContaining('state 1, which state 2 rests on'),
      },
    })
})
