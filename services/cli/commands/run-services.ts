import type { Command } from 'commander'
import type { RunLife } from '../../../schemas/index.ts'
import { narrate } from '../../host/narration.ts'
import { followProgress } from '../../host/progress.ts'
import { asksForNone } from '../../host/run.ts'
import { type RunHostHooks, startRunHost } from '../../host/run-host.ts'
import { keepExposures } from '../../runs/exposure/keep.ts'
import { membersOf } from '../../runs/followed-run.ts'
import { runNamed, runnable, setLife } from '../../runs/registry.ts'
import { tellWaiting } from '../../runs/tell-waiting.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { runUntilSignal } from '../../runtime/lifecycle.ts'
import { named, type Service } from '../../runtime/service.ts'
import { type CliContext, type Connection, clusterCommand, example, type GlobalOptions } from '../context.ts'

interface Options extends GlobalOptions {
  readonly run?: string
}
type Parts = NonNullable<RunHostHooks['parts']>

/** Everything that a run needs, in one process that exits when the run is done. */
export const start = (context: CliContext): Command =>
  clusterCommand('start', 'runs a run: influence worker, actors, console and trainer, until it is done')
    .argument('<run>', 'the run')
    .addHelpText('after', example('winnow run start first'))
    .action(async (name: string, options: Options) => {
      await serveRun(context, options, name, ['stations', 'trainer'])
    })

export const stations = (context: CliContext): Command =>
  partOf(context, 'stations', 'the influence worker, actors and console of a run', ['stations'])
export const influence = (context: CliContext): Command =>
  partOf(context, 'influence', 'another influence worker of a run', ['influence'])
export const trainer = (context: CliContext): Command =>
  partOf(context, 'trainer', 'the reference trainer of a run, until its last step', ['trainer'])

const partOf = (context: CliContext, name: string, description: string, parts: Parts): Command =>
  clusterCommand(name, description)
    .requiredOption('--run <name>', 'the run')
    .addHelpText('after', example(`${['winnow', 'run', name].join(' ')} --run pretraining-3`))
    .action(async (options: Options) => {
      await serveRun(context, options, options.run!, parts)
    })

/**
 * Serves a run until a signal, its end, or, if the trainer runs here, its last step. While the run is paused none of its services run here;
 * what it waits for is printed.
 */
async function serveRun(context: CliContext, options: Options, name: string, parts: Parts): Promise<void> {
  const say = (line: string) => context.stderr.write(`${line}\n`)
  const code = await runUntilSignal(async (started, signal, fail, finish) => {
    const { runtime, config } = started.use(await connectFor(context, options, name))
    const { run, life } = await runnable(runtime, name)
    if (run.shadowOf !== undefined && !parts.includes('stations')) throw nothingOf(parts, run.shadowOf, name)
    const serves = () => runtime.metrics?.readiness.serveUntil(signal)
    if (parts.includes('influence') && run.sampleDocuments === 0) throw asksForNone(name)
    const whole = parts.includes('trainer') && parts.includes('stations')
    if (whole) await setLife(runtime, name, 'active')
    else if (life === 'paused') {
      say(paused(name))
      // It does what it can: it waits to be resumed.
      serves()
    }
    if (parts.includes('stations') && (await isServed(runtime, name)))
      say(`a console of run ${name} is connected, or was some seconds ago: this one takes over`)
    const onStopped = (_run: string, life: RunLife | 'deleted') => {
      say(stopped(name, life))
      if (life !== 'paused' && life !== 'active') finish()
    }
    const own = narrate(run, say)
    const host = await startRunHost(runtime, {
      only: new Set([name]),
      parts,
      influence: config.influence,
      hooksOf: () => own,
      startBeside: (run) => keepExposures(runtime, run),
      onFailure: fail,
      onStarted: (_run, services) => {
        serves()
        say(running(services))
      },
      onStopped,
      onDone: () => {
        say(`run ${name} is done`)
        finish()
      },
    })
    started.defer(() => host.close())
    if (!parts.includes('trainer')) {
      const reports = await followProgress(runtime, run, {
        onProgress: parts.includes('stations') ? own.onProgress : undefined,
        onDone: () => say(`run ${name} is done: its trainer has made its last step; Ctrl-C stops`),
      })
      started.defer(() => reports?.close())
    }
    const telling = tellWaiting(runtime, name, say)
    started.defer(() => telling.close())
  })
  context.exitCode(code)
}

/** Connects first, because the run's name is checked on the cluster; metrics are served only for a run that exists. */
async function connectFor(context: CliContext, options: Options, name: string): Promise<Connection> {
  await using looking = await context.connect(options)
  await runNamed(looking.runtime, name)
  return await context.connect(options, { metrics: true })
}

/** Nobody trains on a shadow, and its rewards are its leader's. */
const nothingOf = ([part]: Parts, leader: string, name: string): WinnowError =>
  new WinnowError('CONFIGURATION', `${name} is a shadow of ${leader}: it has no ${part}`, {
    hint: `Its actors and its console: winnow run start ${name}.`,
  })

export const running = (services: readonly Service[]): string =>
  `running: ${services.map(named).join(', ')}; Ctrl-C drains and stops`

/** Whether a console is running; false if we may not see it. */
const isServed = async ({ kafka }: Connection['runtime'], name: string): Promise<boolean> =>
  (await membersOf(kafka, [name]).catch(() => undefined))?.get(name)?.has('console') === true

export const paused = (name: string): string =>
  `run ${name} is paused: nothing of it runs here until winnow run resume ${name}`

const stopped = (name: string, life: RunLife | 'deleted'): string => {
  if (life === 'paused') return paused(name)
  return life === 'deleted' ? `run ${name} was deleted` : `run ${name} has ended`
}
