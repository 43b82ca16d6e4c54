import { type Command, Option } from 'commander'
import type { Campaign, CampaignFit, ProxyResult } from '../../../schemas/index.ts'
import { conclude, type NoConclusion } from '../../../topologies/campaign/conclude.ts'
import { proxiesOf } from '../../../topologies/campaign/grid.ts'
import { learns } from '../../../topologies/campaign/learned.ts'
import { extrapolate, lawsCheck } from '../../../topologies/campaign/nested.ts'
import { refitDifference } from '../../../topologies/campaign/refit.ts'
import { type WeightScale, weightScales } from '../../../topologies/campaign/weights.ts'
import { regMixSearch } from '../../../topologies/fits/best-mixture.ts'
import { type FitKind, fitKinds } from '../../../topologies/fits/fit.ts'
import { recordedConfig } from '../../../topologies/run-config.ts'
import { resultsOf } from '../../campaigns/fits-of-run.ts'
import { campaignNamed, writeFit } from '../../campaigns/recorded.ts'
import { systemClock } from '../../runtime/clock.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { formatFixed, percent, table } from '../../terminal/table.ts'
import {
  type CliContext,
  clusterCommand,
  example,
  type GlobalOptions,
  naturalNumber,
  positiveNumber,
  print,
  widthOf,
} from '../context.ts'

interface Options extends GlobalOptions {
  readonly fit?: FitKind
  readonly best: number
  readonly draws: number
  readonly budget?: number
  readonly scale?: WeightScale
  readonly check?: boolean
  readonly json?: boolean
}

export const fitting = (context: CliContext): Command =>
  clusterCommand('fit', 'fits the results of a campaign and records the best mixture, and what that makes of weights')
    .argument('<campaign>', 'the campaign')
    .addOption(
      new Option('--fit <kind>', 'the fit (default: by number of proxies and how well each orders)').choices(fitKinds),
    )
    .option(
      '--best <count>',
      'the mean of this many of the best draws; 1: the best alone, as in the paper',
      positiveNumber,
      regMixSearch.mean,
    )
    .option('--draws <count>', 'mixtures that are looked at', positiveNumber, regMixSearch.draws)
    .option(
      '--budget <tokens>',
      'no more of a subcategory than the corpus has, for so many tokens in all',
      naturalNumber,
    )
    .addOption(
      new Option(
        '--scale <scale>',
        'how shares become weights: lift with standardized rewards, share otherwise',
      ).choices(weightScales),
    )
    .option('--check', 'computes the recorded fit again and compares it to the bit, instead of recording one')
    .option('--json', 'the fit as JSON')
    .addHelpText('after', example('winnow proxies fit first-topic', 'winnow proxies fit first-topic --check'))
    .action(async (name: string, options: Options, command: Command) => {
      await using connection = await context.connect(options)
      const { runtime } = connection
      const found = await campaignNamed(runtime, name)
      const { plan, fit: recorded } = found
      const given = ['fit', 'best', 'draws', 'budget'].find((one) => command.getOptionValueSource(one) === 'cli')
      if (learns(plan) && given !== undefined)
        throw new WinnowError('USAGE', `--${given} says nothing of a mixture that ${plan.method} learned`)
      const results = await resultsOf(runtime, found)
      if (options.check) {
        await print(context.stdout, checked(plan, results, recorded))
        return
      }
      const made = concluded(plan, results, options)
      const value = { ...made, recordedMs: systemClock() }
      await writeFit(runtime, value)
      await print(context.stdout, options.json ? `${json(value)}\n` : shown(plan, value, widthOf(context.stdout)))
      if (value.proxies.length < proxiesOf(plan))
        context.stderr.write(
          `fitted to ${value.proxies.length} of ${proxiesOf(plan)} proxies: the others are not trained\n`,
        )
      context.stderr.write(flatLaws(plan, results))
      context.stderr.write(`recorded; to begin a run with these weights: npx winnow proxies apply ${name} run.yaml\n`)
    })

/** @throws WinnowError BAD_DATA, or USAGE for options that cannot be */
function concluded(plan: Campaign, results: readonly ProxyResult[], options: Options) {
  const { draws, best: mean, budget } = options
  const standardized = configOf(plan).selection.rewardTransform.kind === 'standardize'
  const bounds = budget === undefined ? undefined : plan.tokens.map((tokens) => Math.min(1, tokens / budget))
  const found = conclude(plan, results, {
    kind: options.fit ?? null,
    search: { draws, mean, ...(bounds && { bounds }) },
    scale: options.scale ?? (standardized ? 'lift' : 'share'),
  })
  if ('reason' in found) throw nothing(plan, found)
  return found
}

const configOf = ({ campaign, config }: Campaign) => recordedConfig({ run: campaign, config })

function nothing(plan: Campaign, found: NoConclusion): WinnowError {
  const refused = (what: string, hint: string) => new WinnowError('BAD_DATA', `${what}; nothing is recorded`, { hint })
  const { campaign, actor } = plan
  if (learns(plan) && found.reason === 'few proxies')
    return refused(`campaign ${campaign} has no result yet`, `Train it: winnow proxies run ${campaign}.`)
  if (found.reason === 'few proxies') {
    const what = plan.method === 'dmlaw' ? 'mixtures trained on every model' : 'results'
    return refused(
      `campaign ${campaign} has ${found.rows} ${what} and a fit needs ${found.wanted}`,
      `Train more: winnow proxies run ${campaign}; or plan a campaign with more.`,
    )
  }
  if (found.reason === 'few points') {
    return refused(
      `the curve of proxy ${found.proxy} has ${found.points} losses and a law of steps needs ${found.wanted}`,
      'Plan a campaign with more: winnow proxies plan --method dmlaw --points 8.',
    )
  }
  if (found.reason === 'no variance') {
    return refused(
      `all proxies of ${campaign} reached the same loss, so that no mixture is better than another`,
      'Give them more steps or another reference: the file may be too small or have nothing to do with the corpus.',
    )
  }
  if (found.reason === 'flat') {
    return refused(
      `the fit ${found.kind} of ${campaign} predicts the same loss for every mixture, so that none is better than another`,
      `Train more proxies, or for longer, or fit it otherwise: winnow proxies fit ${campaign} --fit linear`,
    )
  }
  if (found.reason === 'no tokens')
    return refused(`no subcategory of ${actor} had tokens`, 'Plan a campaign on a labelled corpus.')
  return refused('none of the draws is within what the corpus can give', 'Raise --draws, or lower --budget.')
}

/** Of data mixing laws: a warning where losses do not fall, so that nothing can be extrapolated. */
function flatLaws(plan: Campaign, results: readonly ProxyResult[]): string {
  if (plan.method !== 'dmlaw') return ''
  const found = extrapolate(plan, results)
  if ('reason' in found || found.flat === 0) return ''
  const models = plan.models.length
  const laws = found.losses.length * (models === 1 ? 1 : models + 1)
  return `${found.flat} of ${laws} laws found no fall with steps or sizes, and predict the mean of what was measured: train for longer\n`
}

/** @throws WinnowError REPLAY_DIFFERS if the fit comes out differently */
function checked(plan: Campaign, results: readonly ProxyResult[], recorded: CampaignFit | undefined): string {
  if (recorded === undefined) {
    throw new WinnowError('CONFIGURATION', `campaign ${plan.campaign} has no fit yet`, {
      hint: `Make one: winnow proxies fit ${plan.campaign}.`,
    })
  }
  const difference = refitDifference(plan, results, recorded)
  if (difference === undefined) return 'identical\n'
  throw new WinnowError('REPLAY_DIFFERS', `the fit of ${plan.campaign} comes out differently, first in ${difference}`)
}

/** Below this a fit, or the laws that it is made from, are hardly better than noise. What was learned is no fit, and none was held out. */
export const hardlyOrders = ({ kind, heldOut }: Pick<CampaignFit, 'kind' | 'heldOut'>): boolean =>
  heldOut.some((one) => (one.kind === kind || one.kind === lawsCheck) && (one.spearman ?? 0) < 0.5)

function shown(plan: Campaign, value: CampaignFit, width: number | undefined): string {
  const { subcategories } = configOf(plan).selection.actors.find(({ name }) => name === plan.actor)!
  const total = plan.tokens.reduce((a, b) => a + b, 0)
  const number = true
  const columns = [
    { title: plan.actor },
    { title: 'corpus', number },
    { title: 'mixture', number },
    { title: 'weight', number },
  ]
  const cells = subcategories.map((name, at) => [
    name,
    percent(plan.tokens[at]! / total),
    percent(value.shares[at]!),
    formatFixed(value.weights[at], 4),
  ])
  const mixture = table(columns, cells, { width })
  if (learns(plan))
    return `${mixture}\n\nmean of the weights over ${value.mean} updates; the proxy reached a loss of ${value.loss.toFixed(4)}\n`
  const fits = value.heldOut.map(({ kind, spearman }) => [
    kind === value.kind ? `${kind} (taken)` : kind === lawsCheck ? lawsName(plan) : kind,
    spearman === null ? 'does not vary' : formatFixed(100 * spearman, 1),
  ])
  const order = table([{ title: 'fit' }, { title: 'order of proxies left out, Spearman x 100', number }], fits, {
    width,
  })
  const warning = hardlyOrders(value)
    ? '\nIt hardly orders what it has not seen: train more proxies, or for longer, before you rely on it.\n'
    : ''
  const at = plan.target === null ? '' : ` at ${plan.target.parameters} parameters after ${plan.target.steps} steps`
  return `${mixture}\n\n${order}\n${warning}predicted loss${at} ${value.loss.toFixed(4)}\n`
}

/** What the laws of a grid did not see (`extrapolate`). */
const lawsName = ({ models }: Campaign): string =>
  models.length > 1 ? 'laws, of the largest model' : 'laws, of the second half of curves'
