import { globSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'

/** Files, from the root of the repository, with their imports. Imports of types count: they too tie one file to another. */
export type ImportGraph = ReadonlyMap<string, readonly string[]>

const specifier = /\b(?:from|import)\s*\(?\s*(['"])(\.{1,2}\/[^'"\n]+)\1/g

/** @param sources the text of each file; imports of files that are not among them (JSON, packages) are left out */
export function importGraph(sources: ReadonlyMap<string, string>): ImportGraph {
  const graph = new Map<string, string[]>()
  for (const [file, text] of sources) {
    const targets = [...text.matchAll(specifier)].map(([, , path]) => posix.join(posix.dirname(file), path!))
    graph.set(file, [...new Set(targets)].filter((target) => sources.has(target)).sort())
  }
  return graph
}

/** The sources of the four folders. */
export function readSources(root: string): Map<string, string> {
  const files = globSync('{schemas,topologies,services,deploy}/**/*.{ts,js,mjs}', { cwd: root }).sort()
  return new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]))
}

/** Groups of files that import one another, directly or by way of others: strongly connected components (Tarjan 1972). */
export function circlesIn(graph: ImportGraph): string[][] {
  const numbers = new Map<string, number>()
  const lowest = new Map<string, number>()
  const stack: string[] = []
  const circles: string[][] = []

  function visit(file: string): number {
    const number = numbers.size
    numbers.set(file, number)
    lowest.set(file, number)
    stack.push(file)
    for (const target of graph.get(file)!) {
      const reached = numbers.has(target) ? (stack.includes(target) ? numbers.get(target)! : number) : visit(target)
      lowest.set(file, Math.min(lowest.get(file)!, reached))
    }
    if (lowest.get(file) === number) {
      const component = stack.splice(stack.indexOf(file))
      if (component.length > 1) circles.push(component.sort())
    }
    return lowest.get(file)!
  }

  for (const file of graph.keys()) if (!numbers.has(file)) visit(file)
  return circles
}

/** The rooms of services/ in the order in which docs/ARCHITECTURE.md lists them: one imports only those above it. */
export function roomsIn(architecture: string): string[] {
  const [, , table = ''] = /Inside `services\/`(.*?)\n\n(.*?)(?:\n\n|$)/s.exec(architecture) ?? []
  return [...table.matchAll(/^\| `([a-z-]+)` /gm)].map(([, room]) => room!)
}

const roomOf = (file: string): string | undefined => /^services\/([^/]+)\//.exec(file)?.[1]

/** Imports against the order of the rooms, and rooms that are not in the table or not in the tree, a line each. */
export function againstOrder(graph: ImportGraph, rooms: readonly string[]): string[] {
  const floors = new Map(rooms.map((room, floor) => [room, floor]))
  const there = new Set([...graph.keys()].map(roomOf).filter((room) => room !== undefined))
  const imports = [...graph].flatMap(([file, targets]) => {
    const floor = floors.get(roomOf(file) ?? '')
    return targets
      .filter((target) => floor !== undefined && (floors.get(roomOf(target) ?? '') ?? -1) > floor)
      .map((target) => `${file} imports ${target}: ${roomOf(target)} stands below ${roomOf(file)} in the table`)
  })
  return [
    ...[...there].filter((room) => !floors.has(room)).map((room) => `services/${room} is not in the table`),
    ...rooms.filter((room) => !there.has(room)).map((room) => `the table has ${room}, services/ has not`),
    ...imports,
  ]
}
