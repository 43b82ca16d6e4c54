import type { Command } from 'commander'
import { changeInWords } from '../../../topologies/rounds/configuration.ts'
import { otherTextInWords } from '../../../topologies/rounds/other-text.ts'
import { steeringInWords } from '../../../topologies/rounds/steering.ts'
import { guardsInWords } from '../../../topologies/selection/guards-config.ts'
import { readChanges } from '../../runs/actor-changes.ts'
import { lookAtRuns } from '../../runs/followed-run.ts'
import { recordOf } from '../../runs/registry.ts'
import { differencesOf, flat } from '../../runs/run-settings.ts'
import { kindOf } from '../../runs/run-state.ts'
import { json } from '../../runtime/json.ts'
import { table } from '../../terminal/table.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print, widthOf } from '../context.ts'

interface Options extends GlobalOptions {
  readonly diff?: string
  readonly json?: boolean
}

export const show = (context: CliContext): Command =>
  clusterCommand('show', 'the whole configuration of a run and its state, or how it differs from another')
    .argument('<run>', 'the run')
    .option('--diff <other>', 'only what differs from this run')
    .option('--json', 'as JSON')
    .addHelpText('after', example('winnow run show first', 'winnow run show first --diff first-control'))
    .action(async (name: string, { diff, ...options }: Options) => {
      await using connection = await context.connect(options)
      const { runtime } = connection
      const record = await recordOf(runtime, name)
      const width = widthOf(context.stdout)
      if (diff !== undefined) {
        const other = await recordOf(runtime, diff)
        const found = differencesOf(JSON.parse(record.config), JSON.parse(other.config))
        if (options.json) return await print(context.stdout, `${json(found)}\n`)
        const columns = [{ title: 'key', whole: true }, { title: name }, { title: diff }]
        const rows = found.map(({ key, here, there }) => [key, inWords(here), inWords(there)])
        return await print(context.stdout, `${table(columns, rows, { width })}\n`)
      }
      const [looked] = await lookAtRuns(runtime, [record], { archived: true })
      const { run, state } = looked!
      const {
        configuration,
        waiting,
        promotions,
        steerings,
        lastOpened: ofLast,
      } = await readChanges(runtime, run.config)
      const changes = [
        ...configuration.changes.map(({ round, change }) => ({ ...change, round })),
        ...waiting.map((change) => ({ ...change, round: null })),
      ]
      const promoted = [
        ...configuration.promotions.map(({ round, promoted }) => ({ shadow: promoted.shadow, round })),
        ...promotions.slice(-1).map(({ shadow }) => ({ shadow, round: null })),
      ]
      const steered = [
        ...configuration.steerings.map(({ round, steering }) => ({ ...steering, round })),
        ...steerings.map((steering) => ({ ...steering, round: null })),
      ]
      const { guards = null } = configuration.last.selection
      const otherText = ofLast?.otherText ?? null
      const kind = kindOf(record, run.config)
      const { replayOf, life, recordedMs, selectionVersion, config } = record
      if (options.json) {
        const facts = { run: name, kind, ...state, replayOf, life, recordedMs, selectionVersion }
        return await print(
          context.stdout,
          `${json({ ...facts, config: JSON.parse(config), changes, promoted, steered, guards, otherText })}\n`,
        )
      }
      const when = recordedMs === null ? '' : `, recorded ${new Date(recordedMs).toISOString()}`
      const waits = state.waitsFor === null ? '' : `; waits for ${state.waitsFor}`
      const rows = [...flat(JSON.parse(config))].map(([key, value]) => [key, inWords(value)])
      const told = [
        ...changes.map((change) => changeInWords(change, change.round)),
        ...promoted.map(({ shadow, round }) => promotionInWords(shadow, round)),
        ...steered.map((one) => steeringInWords(one, one.round)),
        ...(guards === null ? [] : guardsInWords(guards).map((guard) => `guard: ${guard}`)),
        ...(otherText === null ? [] : [`round ${ofLast!.round}: ${otherTextInWords(otherText)}`]),
      ]
        .map((line) => `${line}\n`)
        .join('')
      const head = `${name}: ${kind}${when}\n${state.state}${waits}\n${told}`
      await print(
        context.stdout,
        `${head}\n${table([{ title: 'key', whole: true }, { title: 'value' }], rows, { width })}\n`,
      )
    })

const promotionInWords = (shadow: string, round: number | null): string =>
  round === null
    ? `goes on as its shadow ${shadow} once that has selected as far`
    : `goes on as its shadow ${shadow} from round ${round} on`

const inWords = (value: unknown): string => {
  if (value === undefined) return '–'
  return Array.isArray(value) ? value.join(', ') : String(value)
}
