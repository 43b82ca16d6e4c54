import type { CliContext } from '../services/cli/context.ts'
import { buildProgram, runProgram } from '../services/cli/program.ts'
import { acls } from './acls/command.ts'
import { connect, connectOrStart } from './connect.ts'
import { demo } from './demo/command.ts'
import { dev } from './dev/command.ts'
import { doctor } from './doctor/command.ts'

let exitCode = 0
const context: CliContext = {
  env: process.env,
  folder: process.cwd(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  connect: (options, serving) => connect(context, options, serving),
  connectOrStart: (options, onFailure) => connectOrStart(context, options, onFailure),
  exitCode: (code) => {
    exitCode = code
  },
}

// A reader that went away (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})
const code = await runProgram(
  buildProgram(context, [dev(context), demo(context), acls(context), doctor(context)]),
  process.argv.slice(2),
)
process.exitCode = code === 0 ? exitCode : code
