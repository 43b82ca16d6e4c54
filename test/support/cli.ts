import { expect } from 'vitest'
import type { CliContext } from '../../services/cli/context.ts'
import { buildProgram, runProgram } from '../../services/cli/program.ts'
import type { Config } from '../../services/config/config.ts'
import type { Runtime } from '../../services/connections/connections.ts'

/** Runs commands of the command line on connections that are open already. */
export function cliOn(runtime: Runtime, config: Config, folder: string) {
  return async (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> => {
    const written = { stdout: '', stderr: '' }
    const into = (name: keyof typeof written) => ({
      write: (text: string) => {
        written[name] += text
        return true
      },
    })
    let own = 0
    const exitCode = (code: number) => {
      own = code
    }
    const context = {
      ...{ env: {}, folder, stdout: into('stdout'), stderr: into('stderr'), exitCode },
      connect: async () => ({ config, runtime, [Symbol.asyncDispose]: async () => {} }),
    } as unknown as CliContext
    const code = await runProgram(await buildProgram(context, {}, args), args, context)
    return { code: code === 0 ? own : code, ...written }
  }
}

/** What commands say that have to succeed. @param winnow asked for each time: it may be made later */
export const sayingOn =
  (winnow: () => ReturnType<typeof cliOn>) =>
  async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await winnow()(...args)
    expect([code, stderr]).toEqual([0, expect.anything()])
    return stdout
  }
