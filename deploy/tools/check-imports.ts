// Part of `npm run lint`: the rooms of services/ import one another in the order of docs/ARCHITECTURE.md alone, and no files import in circles.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { againstOrder, circlesIn, importGraph, readSources, roomsIn } from './import-graph.ts'

const root = join(import.meta.dirname, '../..')
const graph = importGraph(readSources(root))
const rooms = roomsIn(readFileSync(join(root, 'docs/ARCHITECTURE.md'), 'utf8'))
const faults = [
  ...againstOrder(graph, rooms).map((fault) => `${fault} (docs/ARCHITECTURE.md, Rooms)`),
  ...circlesIn(graph).map((files) => `these import one another: ${files.join(', ')}`),
]
for (const fault of faults) console.error(fault)
process.exitCode = faults.length > 0 ? 1 : 0
