import type { CliContext } from '../services/cli/context.ts'
import { buildProgram, runProgram } from '../services/cli/program.ts'
import { deployCommands } from './commands.ts'

let exitCode = 0
const context: CliContext = {
  env: process.env,
  folder: process.cwd(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  connect: async (options, serving) => (await import('./connect.ts')).connect(context, options, serving),
  connectOrStart: async (options, onFailure) =>
    (await import('./connect.ts')).connectOrStart(context, options, onFailure),
  exitCode: (code) => {
    exitCode = code
  },
}

// A reader that has gone away (`| head`) is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})
const args = process.argv.slice(2)
const code = await runProgram(await buildProgram(context, deployCommands, args), args)
process.exitCode = code === 0 ? exitCode : code

// A part that hangs may hold a connection open for minutes after all is said.
setInterval(() => {
  if (process.stdout.writableLength === 0 && process.stderr.writableLength === 0) process.exit()
}, 100).unref()
