import type { Command } from 'commander'
import { startBoard } from '../../board/board.ts'
import { runUntilSignal } from '../../runtime/lifecycle.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, naturalNumber } from '../context.ts'

export const board = (context: CliContext): Command =>
  clusterCommand('board', 'the web page: dataflow, actors, selections, training, documents, dead letters, runs')
    .option('--port <n>', 'port on 127.0.0.1 (default: 7077, or any free one where that is taken)', naturalNumber)
    .addHelpText('after', example('winnow board', 'winnow board --port 0'))
    .action(async ({ port, ...options }: GlobalOptions & { port?: number }) => {
      const code = await runUntilSignal(async () => {
        const connection = await context.connect(options)
        try {
          const served = await startBoard(connection.runtime, port === undefined ? {} : { port })
          context.stdout.write(`${served.url}\n`)
          context.stderr.write('the board is served until Ctrl-C\n')
          return [connection, served]
        } catch (error) {
          await connection.close()
          throw error
        }
      })
      context.exitCode(code)
    })
