import type { Command } from 'commander'
import { boardOptions, boardPort, startBoard } from '../../board/board.ts'
import { json } from '../../runtime/json.ts'
import { runUntilSignal } from '../../runtime/lifecycle.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, naturalNumber } from '../context.ts'
import { summaries } from '../summaries.ts'

interface Options extends GlobalOptions {
  readonly port?: number
  readonly host?: string
  readonly json?: boolean
}

export const board = (context: CliContext): Command =>
  clusterCommand('board', summaries.board)
    .option('--port <n>', `port (default: ${boardPort}, or a free one if that is taken)`, naturalNumber)
    .option(
      '--host <address>',
      'address to listen on (default: 127.0.0.1); any other requires a token: WINNOW_BOARD_TOKEN, or a random one that is printed, or a proxy of identities (docs/board/README.md)',
    )
    .option('--json', 'the address, as JSON')
    .addHelpText('after', example('winnow board', 'winnow board --port 0', 'winnow board --host 0.0.0.0'))
    .action(async ({ port, host, ...options }: Options) => {
      const code = await runUntilSignal(async (started) => {
        const { runtime } = started.use(await context.connect(options))
        const served = await startBoard(runtime, {
          ...boardOptions(context.env),
          ...(port !== undefined && { port }),
          ...(host !== undefined && { host }),
        })
        started.defer(() => served.close())
        context.stdout.write(options.json ? `${json({ url: served.url })}\n` : `board: ${served.url}\n`)
        context.stderr.write('served until Ctrl-C\n')
      })
      context.exitCode(code)
    })
