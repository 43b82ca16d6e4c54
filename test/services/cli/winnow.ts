import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { deployCommands } from '../../../deploy/commands.ts'
import type { CliContext } from '../../../services/cli/context.ts'
import { buildProgram, runProgram } from '../../../services/cli/program.ts'

const main = fileURLToPath(new URL('../../../deploy/main.ts', import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Started {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  /** Resolves when standard error holds `part`; rejects if the program ends before. */
  said(part: string): Promise<void>
}

/** The command line as a person starts it: a process of its own, with no WINNOW_ variable but those given. */
export function startWinnow(args: readonly string[], env: NodeJS.ProcessEnv = {}, folder?: string): Started {
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('WINNOW_')))
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...own, NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(folder !== undefined && { cwd: folder }),
  })
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]!.setEncoding('utf8').on('data', (part: string) => {
      text[name] += part
    })
  }
  const ended = new Promise<Ended>((resolve) => child.on('close', (code) => resolve({ code, ...text })))
  const said = (part: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = () => text.stderr.includes(part) && resolve()
      child.stderr!.on('data', look)
      look()
      void ended.then(({ code, stderr }) => reject(new Error(`ended with ${code} before it said '${part}': ${stderr}`)))
    })
  return { child, ended, said }
}

export const winnow = (args: readonly string[], env?: NodeJS.ProcessEnv, folder?: string): Promise<Ended> =>
  startWinnow(args, env, folder).ended

/** The same program in this process, which is quicker, for what is refused before anything is started or connected. */
export async function winnowInside(args: readonly string[], folder: string): Promise<Omit<Ended, 'stdout'>> {
  let stderr = ''
  let own = 0
  const write = (text: string) => {
    stderr += text
  }
  const refuse = () => Promise.reject(new Error('connected'))
  const outside = {
    env: {},
    folder,
    stderr: { write },
    connect: refuse,
    connectOrStart: refuse,
    exitCode: (code: number) => {
      own = code
    },
  }
  const context = outside as unknown as CliContext
  const code = await runProgram(await buildProgram(context, deployCommands, args), args, outside)
  return { code: code === 0 ? own : code, stderr }
}
