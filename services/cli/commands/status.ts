import type { Command } from 'commander'
import { topics } from '../../../schemas/index.ts'
import { selectsBy } from '../../../topologies/selects-by.ts'
import { checkedOf, isThere } from '../../host/decontamination.ts'
import { readEvalSets } from '../../host/eval-sets.ts'
import { RunList } from '../../host/run-list.ts'
import { missingOfCorpus } from '../../runs/corpus-members.ts'
import { leftInWords, lookForErasuresLeft } from '../../runs/exclusions/left.ts'
import { lookAtRuns } from '../../runs/followed-run.ts'
import { gapInWords, heldBackInWords, logTrouble, openGaps } from '../../runs/gaps.ts'
import { labelerVersions, labelProgress } from '../../runs/label-progress.ts'
import { losingInWords, sourcesLosingMore } from '../../runs/losing-more.ts'
import { kindOf } from '../../runs/run-state.ts'
import { unreadableIn, unreadableLines } from '../../runs/unreadable.ts'
import { json } from '../../runtime/json.ts'
import { fittingTable, formatFixed } from '../../terminal/table.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print, widthOf } from '../context.ts'
import { summaries } from '../summaries.ts'

/** On a narrow terminal. */
const leftOut = ['selected', 'reference loss', 'training loss']

const nobodyCompares =
  'no decontamination is connected, and no round opens before its documents were compared with the evaluation sets: winnow up starts it, or winnow run decontamination'

/** @param compared evaluation sets, and the share of documents that were compared with them; null: there are none */
const comparedLine = (compared: { readonly sets: number; readonly share: number } | null): string =>
  compared === null
    ? ''
    : `\nevaluation sets: ${compared.sets}, ${Math.floor(compared.share * 100)}% of the documents are compared with them`

export const status = (context: CliContext): Command =>
  clusterCommand('status', summaries.status)
    .option('--json', 'as JSON')
    .addHelpText('after', example('winnow status', 'winnow status --json | jq .runs'))
    .action(async (options: GlobalOptions & { json?: boolean }) => {
      await using connection = await context.connect(options)
      const { config, runtime } = connection
      const versions = await labelerVersions(config)
      const labels = await labelProgress(runtime, versions)
      const deadLetters = (await runtime.kafka.endOffsets(topics.deadLetters.name)).reduce(
        (sum, offset) => sum + offset,
        0,
      )
      const list = await RunList.read(runtime)
      const looked = await lookAtRuns(runtime, list.runs.values())
      const runs = looked.map(({ run: { config: run, view, record }, state }) => {
        const manifest = view.lastManifest
        return {
          run: run.name,
          kind: kindOf(record, run),
          replayOf: record.replayOf,
          selectsBy: selectsBy(run),
          ...state,
          steps: run.steps,
          step: view.lastReport?.step ?? null,
          round: manifest?.round ?? null,
          selected: manifest?.documents ?? null,
          trainLoss: view.lastWith('trainLoss')?.trainLoss ?? null,
          referenceLoss: view.lastWith('referenceLoss')?.referenceLoss ?? null,
          theta: manifest && Object.fromEntries(manifest.actors.map((name, i) => [name, manifest.theta[i]])),
        }
      })
      const configs = looked.map(({ run }) => run.config)
      const sets = await readEvalSets(runtime)
      const trouble = await logTrouble(runtime, { labelers: versions, evalSets: sets.version, runs: configs })
      const compared =
        sets.version === undefined ? null : { sets: sets.active.length, share: await checkedOf(runtime, sets) }
      const comparesNobody = compared !== null && (await isThere(runtime)) === false
      const gaps = await openGaps(runtime, trouble)
      const { heldBack } = trouble
      const losing = await sourcesLosingMore(runtime, looked)
      const erasuresLeft = await lookForErasuresLeft(runtime)
      const missing =
        labels.complete + labels.refused < labels.documents ? await missingOfCorpus(runtime.kafka, versions) : undefined
      if (options.json) {
        const found = {
          corpus: labels,
          labelers: Object.fromEntries(versions),
          missing: missing ?? null,
          compared: compared && { ...compared, connected: !comparesNobody },
          deadLetters,
          gaps,
          heldBack,
          losing,
          erasuresLeft,
          runs,
          unreadable: unreadableIn(list),
        }
        return await print(context.stdout, `${json(found)}\n`)
      }
      const told = [
        ...(missing === undefined ? [] : [missing]),
        ...(comparesNobody ? [nobodyCompares] : []),
        ...gaps.map(gapInWords),
        ...heldBack.map(heldBackInWords),
        ...losing.map(losingInWords),
        ...(erasuresLeft.documents === 0 ? [] : [leftInWords(erasuresLeft)]),
      ].map((line) => `\n${line}`)
      const head = `corpus: ${labels.documents} documents, ${labels.complete} labelled by every actor; dead letters: ${deadLetters === 0 ? 'none' : `up to offset ${deadLetters}`}\nlabelers: ${[...versions].map(([actor, version]) => `${actor} ${version}`).join(', ')}${comparedLine(compared)}`
      const waiting = runs.flatMap(({ run, waitsFor }) => (waitsFor === null ? [] : `\n${run} waits for ${waitsFor}`))
      const columns = [
        { title: 'run' },
        { title: 'is' },
        { title: 'step', number: true },
        { title: 'round', number: true },
        { title: 'selected', number: true },
        { title: 'training loss', number: true },
        { title: 'reference loss', number: true },
        { title: 'theta' },
      ]
      const rows = runs.map(
        ({ run, kind, state, step, steps, round, selected, trainLoss, referenceLoss, theta, selectsBy: by }) => [
          run,
          state === 'replay' ? kind : state,
          state === 'replay' ? '–' : `${step ?? 0}/${steps}`,
          `${round ?? '–'}`,
          `${selected ?? '–'}`,
          formatFixed(trainLoss, 4),
          formatFixed(referenceLoss, 4),
          by ??
            Object.entries(theta ?? {})
              .map(([actor, value]) => `${actor} ${formatFixed(value, 3)}`)
              .join(' '),
        ],
      )
      const shown =
        rows.length === 0
          ? 'no runs yet'
          : `${fittingTable(columns, rows, leftOut, widthOf(context.stdout))}${waiting.join('')}`
      const unreadable = unreadableLines(list).map((line) => `\n${line}`)
      await print(context.stdout, `${head}${told.join('')}\n\n${shown}${unreadable.join('')}\n`)
    })
