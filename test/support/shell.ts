import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** Commands that a shell runs, in a process group of their own. */
export interface Running {
  readonly child: ChildProcess
  /** What they have written so far, both streams together. */
  readonly said: { text: string }
  readonly ended: Promise<number | null>
}

export type Shell = (commands: string, cwd: string) => Running

/**
 * A shell as a reader of the documents has it, where `npx winnow` is this checkout. The folder holds what this takes; the environment has no
 * WINNOW_ variables but those given.
 */
export function shellIn(folder: string, given: NodeJS.ProcessEnv): Shell {
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  const npx = join(bin, 'npx')
  writeFileSync(
    npx,
    `#!/bin/sh\n[ "$1" = winnow ] || exit 127\nshift\nexec '${process.execPath}' '${root}/deploy/bin.mjs' "$@"\n`,
  )
  chmodSync(npx, 0o755)
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('WINNOW_')))
  const env = { ...own, NODE_ENV: 'production', PATH: `${bin}${delimiter}${process.env.PATH}`, ...given }
  return (commands, cwd) => {
    const child = spawn('sh', ['-e', '-c', commands], { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    const said = { text: '' }
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (part: string) => {
        said.text += part
      })
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
    return { child, said, ended }
  }
}

/** Signals the whole group, if it still runs. */
export function signalGroup({ child }: Running, signal: NodeJS.Signals): void {
  if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, signal)
}

/** The same commands with other addresses and the like. */
export const replacing = (commands: string, given: readonly (readonly [string, string])[]): string =>
  given.reduce((text, [there, here]) => text.replaceAll(there, here), commands)
