import { Argument, Command } from 'commander'
import { type Preset, presetNamed, presetNames, presets } from '../../../topologies/selection/presets.ts'
import { resolveStrategy } from '../../../topologies/selection/strategy-config.ts'
import { json } from '../../runtime/json.ts'
import { table } from '../../terminal/table.ts'
import { type CliContext, example, print, widthOf } from '../context.ts'
import { summaries } from '../summaries.ts'

/** The four parts of a preset, with every default, and what a run needs for it. */
const described = (preset: Preset) => ({ ...preset, parts: resolveStrategy(preset.name) })

export const strategies = (context: CliContext): Command =>
  new Command('strategies')
    .description(summaries.strategies)
    .addHelpText('after', example('winnow strategies', 'winnow strategies show qurating-edu'))
    .addCommand(list(context), { isDefault: true })
    .addCommand(show(context))

const list = ({ stdout }: CliContext): Command =>
  new Command('list')
    .description('all of them, with the actors that a run needs for each (the default)')
    .option('--json', 'as JSON')
    .addHelpText('after', example('winnow strategies list --json'))
    .action(async ({ json: asJson }: { json?: boolean }) => {
      if (asJson) return await print(stdout, `${json(presets.map(described))}\n`)
      const rows = presets.map(({ name, summary, needs }) => [name, Object.keys(needs).join(', ') || '–', summary])
      const columns = [{ title: 'strategy' }, { title: 'actors it needs' }, { title: 'what it selects' }]
      await print(stdout, `${table(columns, rows, { width: widthOf(stdout) })}\n`)
    })

const show = ({ stdout }: CliContext): Command =>
  new Command('show')
    .description('the four parts of one, with source, formula, differences and cost')
    .addArgument(new Argument('<name>', 'of the strategy').choices(presetNames))
    .option('--json', 'as JSON')
    .addHelpText('after', example('winnow strategies show fineweb-edu'))
    .action(async (name: string, { json: asJson }: { json?: boolean }) => {
      const preset = presetNamed(name)!
      await print(stdout, asJson ? `${json(described(preset))}\n` : page(preset))
    })

function page(preset: Preset): string {
  const { name, summary, beside = {}, needs, source, formula, divergence, cost } = preset
  const { pool, score, mixture, sampler } = resolveStrategy(name)
  const lines: [string, string][] = [
    ['pool', pool.length === 0 ? 'everything' : json(pool)],
    ['score', json(score)],
    ['mixture', mixture === undefined ? 'none' : json(mixture)],
    ['sampler', json(sampler)],
    ...Object.entries(needs).map(([actor, what]): [string, string] => ['needs', `actor ${actor}; ${what}`]),
    ['source', source],
    ['formula', formula],
    ...(divergence === undefined ? [] : [['differs', divergence] as [string, string]]),
    ['cost', cost],
  ]
  const settings = Object.entries({ strategy: name, ...beside }).map(([key, value]) => `  ${key}: ${value}\n`)
  const control = score.kind === 'actors' ? '' : 'sampleDocuments: 0  # no rewards are asked for\n'
  const usage = `In run.yaml:\n\nselection:\n${settings.join('')}${control}`
  return `${name}: ${summary}\n\n${lines.map(([title, text]) => `${title.padEnd(9)}${text}`).join('\n')}\n\n${usage}`
}
