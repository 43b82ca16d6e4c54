import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { seedOf } from '../../../topologies/selection/u64.ts'
import { scaleRun } from './corpus.ts'
import type { Round, RoundOptions } from './round.ts'

const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url))

/** A process of this folder; it ends when its input does. */
export function start(name: string, argument: string) {
  const child = spawn(process.execPath, [pathOf(name), argument], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  return {
    lines: createInterface({ input: child.stdout }),
    stop: async () => {
      child.stdin.end()
      await ended
    },
    child: child as ChildProcess,
    ended,
  }
}

/** One round by a console of its own. */
export async function consoleRound(options: RoundOptions): Promise<Round> {
  const { lines, ended } = start('console.ts', JSON.stringify(options))
  let last = ''
  for await (const line of lines) last = line
  await ended
  return JSON.parse(last) as Round
}

/** Seconds of the same reselection in pure Python, and the digest of its ids. */
export function reselectInPython(lines: string, documents: number, { theta, weights }: Round) {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-bench-'))
  const [labels, config] = [join(folder, 'labels.jsonl'), join(folder, 'config.json')]
  const { actors } = scaleRun(documents).selection
  writeFileSync(labels, lines)
  const seeds = { select: `${seedOf(7, 1, 'select')}`, order: `${seedOf(7, 1, 'order')}` }
  const byActor = Object.fromEntries(actors.map(({ name }, a) => [name, weights[a]]))
  writeFileSync(config, JSON.stringify({ ...seeds, documents, theta, weights: byActor }))
  try {
    const output = execFileSync('python3', [pathOf('reselect.py'), labels, config], { encoding: 'utf8' })
    return JSON.parse(output) as { seconds: number; digest: string }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
