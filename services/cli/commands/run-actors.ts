import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { z } from 'zod'
import type { ActorChange } from '../../../schemas/index.ts'
import { parseConfigWith } from '../../../topologies/selection/config.ts'
import { defaultActors } from '../../../topologies/selection/default-actors.ts'
import { campaignNamed } from '../../campaigns/recorded.ts'
import type { ActorLabels, Config } from '../../config/config.ts'
import { readYaml } from '../../config/load.ts'
import { labelerConfig, labelerVersion, subcategoriesBy } from '../../labeler/labeler.ts'
import { wantChange } from '../../runs/actor-changes.ts'
import { systemClock } from '../../runtime/clock.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print } from '../context.ts'
import { withBy } from './eval-set.ts'

export interface ChangeOptions extends GlobalOptions {
  readonly fromRound: number | 'auto'
  readonly by: string
  readonly why: string
  readonly json?: boolean
}
interface AddOptions extends ChangeOptions {
  readonly labeler: string
  readonly actor?: string
  readonly eta: number
  readonly theta?: number
  readonly weights?: string
  readonly weightsFrom?: string
}

/** What a change has of an added actor, empty for other changes. */
const nothingAdded = {
  ...{ subcategories: [], eta: 0, initialWeights: [], initialTheta: null },
  ...{ labelerVersion: '', labeler: '', labelerFolder: '', fit: null, mapping: null },
} satisfies Partial<ActorChange>

const etaDefault = 0.1

export const addActor = (context: CliContext): Command =>
  changing(clusterCommand('add-actor', 'adds a criterion to a live run: it is labelled, then it joins with a round'))
    .argument('<run>', 'the run')
    .requiredOption(
      '--labeler <actor-or-file>',
      'an actor of winnow.yaml, or a file with its subcategories and labeler as there',
    )
    .option('--actor <name>', 'its name in the run (default: that in winnow.yaml, or the name in the file)')
    .option('--eta <number>', 'learning rate of its weights and theta; 0: it only watches', finite, etaDefault)
    .option('--theta <number>', 'initial theta (default: the mean of the thetas when it joins)', finite)
    .option('--weights <list-or-file>', 'initial weights: 0.1,0.2,..., or a file with a list of them (default: equal)')
    .option('--weights-from <campaign>', "initial weights: a campaign's, of proxies over this actor of winnow.yaml")
    .addHelpText(
      'after',
      example(
        'winnow run add-actor first --labeler toxicity.yaml --from-round auto',
        'winnow run add-actor first --labeler language --theta 0.2 --weights 0.7,0.3',
      ),
    )
    .action(async (run: string, options: AddOptions) => {
      await using connection = await context.connect(options)
      const { labels, folder } = labelsOf(context, connection.config, options)
      const { name: actor, subcategories, labeler } = labels
      const initialWeights = await initialWeightsOf(context, connection.runtime, subcategories, options)
      const change: ActorChange = {
        ...{ run, id: randomUUID(), kind: 'add', actor, fromRound: notBefore(options), subcategories },
        ...{ eta: options.eta, initialWeights },
        ...{ initialTheta: options.theta ?? null, labelerVersion: await labelerVersion(labels, labeler, folder) },
        ...{ labeler: JSON.stringify(labeler), labelerFolder: folder, recordedMs: systemClock() },
        ...{ fit: null, mapping: null, by: options.by, why: options.why },
      }
      await want(context, connection.runtime, change, options)
      context.stderr.write(
        `labelled where 'winnow dev' or 'winnow up' runs, from the start of the corpus; it joins once its labels cover what the last selection saw: winnow run show ${run}\n`,
      )
    })

const change = (context: CliContext, name: string, kind: 'remove' | 'freeze', description: string): Command =>
  changing(clusterCommand(name, description))
    .argument('<run>', 'the run')
    .argument('<actor>', 'its actor')
    .addHelpText('after', example(`${['winnow', 'run', name].join(' ')} first topic --from-round auto`))
    .action(async (run: string, actor: string, options: ChangeOptions) => {
      await using connection = await context.connect(options)
      const { by, why } = options
      const fromRound = notBefore(options)
      const asked = { run, id: randomUUID(), kind, actor, fromRound, recordedMs: systemClock() }
      const wanted = { ...nothingAdded, ...asked, by, why }
      await want(context, connection.runtime, wanted, options)
    })

export const removeActor = (context: CliContext): Command =>
  change(context, 'remove-actor', 'remove', 'takes an actor out of a live run, or calls off an addition')
export const freezeActor = (context: CliContext): Command =>
  change(
    context,
    'freeze-actor',
    'freeze',
    'keeps weights and theta of an actor as they are; no rewards are asked for it',
  )

/** What every change of a live run's actors has. */
export const changing = (command: Command): Command =>
  withBy(command)
    .option('--why <text>', 'recorded, and shown where the change is', '')
    .option('--from-round <round>', 'auto: as soon as possible; a number: not before this round', roundOf, 'auto')
    .option('--json', 'what was asked for, as JSON')

export const notBefore = ({ fromRound }: Pick<ChangeOptions, 'fromRound'>): number | null =>
  fromRound === 'auto' ? null : fromRound

export async function want(
  context: CliContext,
  runtime: Parameters<typeof wantChange>[0],
  wanted: ActorChange,
  options: ChangeOptions,
): Promise<void> {
  await wantChange(runtime, wanted)
  const when = wanted.fromRound === null ? 'the next round that is ready' : `round ${wanted.fromRound}`
  const text = `${wanted.kind} ${wanted.actor}: from ${when}\n`
  await print(context.stdout, options.json ? `${json(wanted)}\n` : text)
}

const actorFile = z.strictObject({
  name: z.string().optional(),
  subcategories: z.array(z.string().min(1)).min(1).optional(),
  labeler: labelerConfig,
})

/** The actor of winnow.yaml, or of a file, and what paths in its labeler's settings are relative to. */
export function labelsOf(
  { folder }: Pick<CliContext, 'folder'>,
  config: Config,
  { labeler: given, actor }: Pick<AddOptions, 'labeler' | 'actor'>,
): { labels: ActorLabels; folder: string } {
  const configured = config.actors.find(({ name }) => name === given)
  if (configured !== undefined)
    return { labels: { ...configured, name: actor ?? configured.name }, folder: config.baseFolder }
  const path = resolve(folder, given)
  if (!existsSync(path)) {
    const names = config.actors.map(({ name }) => name).join(', ')
    throw new WinnowError('CONFIGURATION', `--labeler ${given} is neither an actor of winnow.yaml nor a file`, {
      hint: `Actors: ${names}. A file has "subcategories" and "labeler" as an actor of winnow.yaml has them (docs/labelers.md).`,
    })
  }
  const file = parseConfigWith(actorFile, readYaml(path))
  const name = actor ?? file.name
  if (name === undefined)
    throw new WinnowError('CONFIGURATION', `${path} names no actor`, {
      hint: 'Give it a "name", or name it with --actor.',
    })
  const subcategories =
    file.subcategories ??
    subcategoriesBy(file.labeler) ??
    (Object.hasOwn(defaultActors, name) ? defaultActors[name] : undefined)
  if (subcategories === undefined)
    throw new WinnowError('CONFIGURATION', `${path}: subcategories is missing`, { hint: 'List their names, in order.' })
  return { labels: { name, subcategories: [...subcategories], labeler: file.labeler }, folder: dirname(path) }
}

async function initialWeightsOf(
  context: CliContext,
  runtime: Parameters<typeof campaignNamed>[0],
  subcategories: readonly string[],
  { labeler, weights, weightsFrom }: AddOptions,
): Promise<number[]> {
  if (weightsFrom === undefined) return weightsOf(context, subcategories, weights)
  if (weights !== undefined) throw new WinnowError('CONFIGURATION', 'give --weights or --weights-from, not both')
  const { plan, fit } = await campaignNamed(runtime, weightsFrom)
  if (fit === undefined)
    throw new WinnowError('CONFIGURATION', `campaign ${weightsFrom} has no fit`, {
      hint: `winnow proxies fit ${weightsFrom} makes one.`,
    })
  if (plan.actor === labeler && fit.weights.length === subcategories.length) return fit.weights
  throw new WinnowError(
    'CONFIGURATION',
    `campaign ${weightsFrom} is of actor ${plan.actor} with ${fit.weights.length} subcategories; this is ${labeler} with ${subcategories.length}`,
    { hint: 'Plan one for it: winnow proxies plan --actor.' },
  )
}

export function weightsOf(
  { folder }: CliContext,
  subcategories: readonly string[],
  given: string | undefined,
): number[] {
  if (given === undefined) return subcategories.map(() => 1 / subcategories.length)
  const path = resolve(folder, given)
  const weights = existsSync(path) ? fitted(path, subcategories) : given.split(',').map(Number)
  if (weights.length === subcategories.length && weights.every(Number.isFinite)) return weights
  throw new WinnowError('CONFIGURATION', `--weights ${given}: not ${subcategories.length} finite numbers`, {
    hint: `One for each of ${subcategories.join(', ')}, or a file with a list of them, or with a number by name.`,
  })
}

/** What a fit (RegMix's, for example) has written: a list, or numbers by the names of subcategories. */
function fitted(path: string, subcategories: readonly string[]): number[] {
  const found = parseConfigWith(z.union([z.array(z.number()), z.record(z.string(), z.number())]), readYaml(path))
  return Array.isArray(found) ? found : subcategories.map((name) => found[name] ?? Number.NaN)
}

function roundOf(text: string): number | 'auto' {
  if (text === 'auto') return text
  const round = Number(text)
  if (text.trim() === '' || !Number.isSafeInteger(round) || round < 1 || round >= 2 ** 31)
    throw new InvalidArgumentError('must be auto or a round, 1 or more')
  return round
}

function finite(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('must be a finite number')
  return value
}
