import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { labelerVersions } from '../../runs/label-progress.ts'
import { systemClock } from '../../runtime/clock.ts'
import { json } from '../../runtime/json.ts'
import { showLive } from '../../terminal/live.ts'
import { whileWaiting } from '../../terminal/progress.ts'
import { screenOf } from '../../top/screen.ts'
import { Watch } from '../../top/watch.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print, widthOf } from '../context.ts'
import { summaries } from '../summaries.ts'

/** Rates are differences: one screen needs two measurements. */
const betweenLooksMs = 1000

export const top = (context: CliContext): Command =>
  clusterCommand('top', summaries.top)
    .option('--once', 'print once and exit, as without a terminal')
    .option('--json', 'once, as JSON')
    .addHelpText('after', example('winnow top', 'winnow top --once', "winnow top --json | jq '.runs[].theta'"))
    .action(async (options: GlobalOptions & { once?: boolean; json?: boolean }) => {
      await using connection = await context.connect(options)
      const { config, runtime, pid } = connection
      const { stdin, stdout, stderr } = context
      const labelers = await labelerVersions(config)
      const watch = new Watch({ runtime, labelers, clock: systemClock, ...(pid !== undefined && { pid }) })
      if (!options.once && !options.json && stdin.isTTY && stdout.isTTY) {
        const stopped = new AbortController()
        const stop = () => stopped.abort()
        process.once('SIGINT', stop).once('SIGTERM', stop)
        await showLive({ stdin, stdout, signal: stopped.signal }, () => watch.look(), screenOf)
        process.off('SIGINT', stop).off('SIGTERM', stop)
        return
      }
      const looking = async () => {
        await watch.look()
        await sleep(betweenLooksMs)
        return await watch.look()
      }
      const numbers = await whileWaiting(stderr, systemClock, 'measuring rates', looking())
      if (options.json) return await print(stdout, `${json(numbers)}\n`)
      const columns = widthOf(stdout)
      await print(stdout, `${screenOf(numbers, columns === undefined ? {} : { columns }).join('\n')}\n`)
    })
