import type { Runtime } from '../connections/connections.ts'
import { defaultRun } from '../runs/default-run.ts'
import type { CliContext } from './context.ts'

/** The run that an option names, or the one that is most likely meant, which is said. @throws WinnowError CONFIGURATION */
export async function runMeant({ stderr }: CliContext, runtime: Runtime, given: string | undefined): Promise<string> {
  if (given !== undefined) return given
  const name = await defaultRun(runtime)
  stderr.write(`run ${name}, the newest; another: --run NAME\n`)
  return name
}
