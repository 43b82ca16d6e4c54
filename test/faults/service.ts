import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Crash } from './cases.ts'

/** What a child is told: when to send itself a signal, and what else its program needs. */
export interface ChildOptions {
  readonly crash?: Crash & { readonly signal: 'SIGKILL' | 'SIGSTOP' }
}

const all = new Set<ChildProcess>()
process.on('exit', () => {
  for (const process_ of all) process_.kill('SIGKILL')
})

/** One of the programs beside this file, as a process of its own. */
export class Service {
  readonly name: string
  readonly #process: ChildProcess
  readonly #lines: string[] = []
  readonly #exited: Promise<[number | null, NodeJS.Signals | null]>
  #ended = false
  #errors = ''

  /** @param program file name of a program that takes its options as JSON */
  constructor(name: string, program: string, options: ChildOptions) {
    this.name = name
    const file = fileURLToPath(new URL(program, import.meta.url))
    this.#process = spawn(process.execPath, [file, JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'pipe'] })
    all.add(this.#process)
    createInterface({ input: this.#process.stdout! }).on('line', (line) => this.#lines.push(line))
    this.#process.stderr!.on('data', (bytes: Buffer) => {
      this.#errors += bytes.toString()
    })
    this.#exited = once(this.#process, 'close') as Promise<[number | null, NodeJS.Signals | null]>
    void this.#exited.then(() => {
      this.#ended = true
      all.delete(this.#process)
    })
  }

  get ended(): boolean {
    return this.#ended
  }

  /** What it said on stderr. */
  get errors(): string {
    return this.#errors
  }

  /** What it said on stdout so far. */
  get lines(): readonly string[] {
    return this.#lines
  }

  /** Resolves when it has said the line. @throws where it ended before, or takes too long */
  async said(line: string, timeoutMs = 120_000): Promise<void> {
    for (let waitedMs = 0; !this.#lines.includes(line); waitedMs += 10) {
      if (this.#ended) throw new Error(`${this.name} ended without saying "${line}": ${this.#errors}`)
      if (waitedMs > timeoutMs)
        throw new Error(`${this.name} did not say "${line}" in ${timeoutMs} ms: ${this.#errors}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  /** The exit code, or the signal that ended it. */
  async exited(): Promise<number | NodeJS.Signals> {
    const [code, signal] = await this.#exited
    return signal ?? code ?? -1
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** Drains and ends; one that has ended by itself is left alone. */
  async stop(): Promise<void> {
    if (!this.#ended) this.#process.kill('SIGTERM')
    await this.#exited
  }

  /** For the end of a test, whatever state it is in. */
  async kill(): Promise<void> {
    if (!this.#ended) this.#process.kill('SIGKILL')
    await this.#exited
  }
}

/**
 * Starts a service again and again, each time to be killed at the next failpoint; then once more, to finish.
 * @returns the last one, undisturbed
 * @throws where a point is not reached, because the work was done before or does not go on
 */
export async function killAt(
  crashes: readonly Crash[],
  start: (crash?: ChildOptions['crash']) => Service,
  between: () => Promise<void> = async () => {},
): Promise<Service> {
  for (const crash of crashes) {
    const killed = start({ ...crash, signal: 'SIGKILL' })
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      const message = () => `${crash.point} was not reached ${crash.visit} times by ${killed.name}: ${killed.errors}`
      timer = setTimeout(() => reject(new Error(message())), 120_000)
    })
    const end = await Promise.race([killed.exited(), late]).finally(() => clearTimeout(timer))
    if (end !== 'SIGKILL') throw new Error(`${killed.name} ended with ${end} before ${crash.point}: ${killed.errors}`)
    await between()
  }
  return start()
}
