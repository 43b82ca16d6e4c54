import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { againstOrder, circlesIn, importGraph, readSources, roomsIn } from '../../deploy/tools/import-graph.ts'

const root = join(import.meta.dirname, '../..')
const graph = importGraph(readSources(root))
const rooms = roomsIn(readFileSync(join(root, 'docs/ARCHITECTURE.md'), 'utf8'))

/** Of files of services/. */
const graphOf = (sources: Record<string, string>) =>
  importGraph(new Map(Object.entries(sources).map(([file, text]) => [inServices(file), text])))

const inServices = (path: string) => `services/${path}`

test('rooms of services/ import only rooms above them in the table of docs/ARCHITECTURE.md', () => {
  expect(rooms).toContain('runtime')
  expect(graph.get('services/cli/program.ts')).toContain('services/cli/context.ts')
  expect(againstOrder(graph, rooms)).toEqual([])
})

test('no files import each other in a cycle', () => {
  expect(graph.size).toBeGreaterThan(300)
  expect(circlesIn(graph)).toEqual([])
})

test('imports of values and types and dynamic imports are found; packages and JSON are ignored', () => {
  const found = graphOf({
    'a/one.ts': `
      import { z } from 'zod'
      import type { Two } from './two.ts'
      export {
        type Three,
        three,
      } from "../b/three.ts"
      import data from './data.json' with { type: 'json' }
      const four = await import('./deep/four.ts')`,
    'a/two.ts': "import '../b/three.ts'",
    'b/three.ts': '',
    'a/deep/four.ts': "import { two } from '../two.ts'",
  })
  expect(found.get(inServices('a/one.ts'))).toEqual(['a/deep/four.ts', 'a/two.ts', 'b/three.ts'].map(inServices))
  expect(found.get(inServices('a/two.ts'))).toEqual([inServices('b/three.ts')])
  expect(found.get(inServices('b/three.ts'))).toEqual([])
  expect(found.get(inServices('a/deep/four.ts'))).toEqual([inServices('a/two.ts')])
})

test('an import against the order of the table is named, and so is a room missing from table or tree', () => {
  const found = graphOf({
    'ground/one.ts': "import type { Two } from '../roof/two.ts'",
    'roof/two.ts': "import { three } from '../ground/three.ts'",
    'ground/three.ts': '',
    'shed/four.ts': "import { two } from '../roof/two.ts'",
  })
  expect(againstOrder(found, ['ground', 'roof', 'cellar'])).toEqual([
    `${inServices('shed')} is not in the table`,
    'the table has cellar, services/ has not',
    `${inServices('ground/one.ts')} imports ${inServices('roof/two.ts')}: roof stands below ground in the table`,
  ])
})

test('all cycles are found, however long, without the files that only lead into one', () => {
  const found = graphOf({
    'a.ts': "import './b.ts'",
    'b.ts': "import './c.ts'; import './d.ts'",
    'c.ts': "import './a.ts'",
    'd.ts': "import './e.ts'",
    'e.ts': "import './d.ts'",
    'f.ts': "import './a.ts'; import './g.ts'",
    'g.ts': '',
  })
  expect(circlesIn(found)).toEqual([['d.ts', 'e.ts'].map(inServices), ['a.ts', 'b.ts', 'c.ts'].map(inServices)])
})
