import { type Block, commandsIn } from './documents.ts'
import { until } from './kafka.ts'
import { type Running, replacing, type Shell, signalGroup } from './shell.ts'

/** What a test does about one command. */
export interface Treatment {
  /** First words of the commands that this is for. */
  readonly of: string
  /** Made, started or looked up before the command runs. */
  readonly before?: () => unknown
  /** It runs until a signal: after it has said this, it gets one and must end with 0. */
  readonly serves?: string
  /** As with `serves`, but it is left running. */
  readonly stays?: string
}

/** A start of everything on a busy machine, and of one service. */
const waitMs = { stays: 240_000, serves: 90_000 }

/**
 * Runs the commands of the blocks, one after the other, in `cwd`. Each must end with exit code 0; what one says is handed to `said`. Returns
 * those that still run; `started` is told of each process, to end it whatever happens.
 */
export async function runDocumented(
  blocks: readonly Block[],
  options: {
    shell: Shell
    cwd: string
    /** What stands for something else in documents, and what that is now. */
    given: () => readonly (readonly [string, string])[]
    treatments?: readonly Treatment[]
    started: (running: Running) => void
    said?: (command: string, text: string) => void
  },
): Promise<Running[]> {
  const { shell, cwd, given, treatments = [], started, said } = options
  const staying: Running[] = []
  for (const { file, line, text } of blocks)
    for (const command of commandsIn(text)) {
      const { before, serves, stays } = treatments.find(({ of }) => command.startsWith(of)) ?? {}
      await before?.()
      const awaited = serves ?? stays
      const now = replacing(command, given())
      // A signal is for what serves, not for a shell around it.
      const running = shell(awaited === undefined ? now : `exec ${now}`, cwd)
      started(running)
      const where = () => `${file}:${line}: ${now}\n${running.said.text.slice(-4000)}`
      if (awaited !== undefined) {
        await until(
          () => running.said.text.includes(awaited) || running.child.exitCode !== null,
          stays === undefined ? waitMs.serves : waitMs.stays,
        ).catch(() => {})
        if (!running.said.text.includes(awaited)) throw new Error(`did not say '${awaited}': ${where()}`)
        if (stays !== undefined) {
          staying.push(running)
          continue
        }
        signalGroup(running, 'SIGINT')
      }
      const code = await running.ended
      if (code !== 0) throw new Error(`exit code ${code}: ${where()}`)
      said?.(command, running.said.text)
    }
  return staying
}
