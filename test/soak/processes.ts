import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { exitCodes } from '../../topologies/errors.ts'
import { residentMiB } from './memory.ts'
import type { Life } from './verdict.ts'

const main = join(import.meta.dirname, '../../deploy/main.ts')
const redirect = join(import.meta.dirname, 'redirect.ts')

/** What a command needs to find the servers, with or without the proxies on its way. */
export interface Surroundings {
  readonly folder: string
  readonly env: NodeJS.ProcessEnv
  /** Ports of proxies by `host:port`. Left out: straight to the servers. */
  readonly proxies?: Readonly<Record<string, number>>
}

/**
 * As in a container of that size: without a limit Node lets garbage be for hours, and what is lost cannot be told from what nobody has collected yet.
 * A young generation that may have three times 16 MiB, V8's default, is at times 13 and at times 56 MiB, for minutes each.
 */
const boundedHeap = ['--max-old-space-size=160', '--max-semi-space-size=4']

function start(
  args: readonly string[],
  { folder, env, proxies }: Surroundings,
  options: readonly string[] = [],
): ChildProcess {
  const own = proxies === undefined ? {} : { WINNOW_SOAK_PROXIES: JSON.stringify(proxies) }
  const by = proxies === undefined ? [] : ['--import', redirect]
  return spawn(process.execPath, [...options, ...by, main, ...args], {
    ...{ cwd: folder, env: { ...env, NODE_ENV: 'production', ...own } },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Runs a command of winnow to its end. */
export async function winnow(
  args: readonly string[],
  surroundings: Surroundings,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = start(args, surroundings)
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name]!.setEncoding('utf8').on('data', (text: string) => {
      said[name] += text
    })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code: code ?? -1, ...said }
}

/** Waits of who starts a service again, doubling while it lives less than a minute. */
const [restartSecondsFirst, restartSecondsMax, livedSeconds] = [1, 30, 60]

/** A service of winnow, started again when it ends because a server was away, as an orchestrator does. Its output is in a file. */
export class Kept {
  readonly name: string
  readonly #samples: { process: string; atSeconds: number[]; residentMiB: number[] }[] = []
  /** An end that no outage explains. */
  broken: string | null = null
  #child: ChildProcess | undefined
  #stopping = false
  readonly #args: readonly string[]
  readonly #surroundings: Surroundings
  readonly #now: () => number
  readonly #over: Promise<void>

  /** @param now seconds since the soak began */
  constructor(name: string, args: readonly string[], surroundings: Surroundings, now: () => number) {
    this.name = name
    this.#args = args
    this.#surroundings = surroundings
    this.#now = now
    this.#over = this.#keep()
  }

  get lives(): readonly Life[] {
    return this.#samples
  }

  async #keep(): Promise<void> {
    const file = createWriteStream(join(this.#surroundings.folder, `${this.name}.log`))
    let wait = restartSecondsFirst
    while (!this.#stopping) {
      const began = this.#now()
      const child = start(this.#args, this.#surroundings, boundedHeap)
      this.#child = child
      for (const stream of [child.stdout!, child.stderr!]) stream.pipe(file, { end: false })
      this.#samples.push({ process: this.name, atSeconds: [], residentMiB: [] })
      const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
      if (this.#stopping && code === exitCodes.ok) break
      if (code !== exitCodes.unreachable) {
        this.broken = `${this.name} ended with ${signal ?? code}: ${join(this.#surroundings.folder, `${this.name}.log`)}`
        break
      }
      if (this.#now() - began > livedSeconds) wait = restartSecondsFirst
      for (let left = wait; left > 0 && !this.#stopping; left--) await sleep(1000)
      wait = Math.min(restartSecondsMax, 2 * wait)
    }
    file.end()
  }

  /** Notes how much memory the running process has. */
  sample(): void {
    const { pid, exitCode, signalCode } = this.#child ?? {}
    if (pid === undefined || exitCode !== null || signalCode !== null) return
    const mib = residentMiB(pid)
    const life = this.#samples.at(-1)
    if (mib === undefined || life === undefined) return
    life.atSeconds.push(this.#now())
    life.residentMiB.push(mib)
  }

  /** Drains and ends. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#child?.kill('SIGTERM')
    await this.#over
  }
}
