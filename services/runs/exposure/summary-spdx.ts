import type { SaidOf, Summary } from './summary.ts'

/** What SPDX wants of models and datasets that no log knows; who publishes the summary adds it, and may then name the profiles ai and dataset. */
const toBeAdded =
  'Profiles ai and dataset are not named as conformed to: download locations, suppliers, originators, release times and the licence of the model are for the publisher to add.'

interface Sums {
  readonly name: string
  readonly documents: number
  readonly tokens: number
}

/**
 * SPDX 3.0.1 as JSON-LD (spdx.github.io/spdx-spec/v3.0.1): the checkpoint as an AI package that was trained on a dataset package, which is what was read. Its sources are packages in it; each kind of sums is an
 * annotation of it, in JSON, and adds up to the tokens of the summary with what is not known.
 * @param createdMs milliseconds since the epoch: of something that does not change, so that the same summary is the same bytes
 */
export function summarySpdx(summary: Summary, createdMs: number): object {
  const { run, checkpoint, tokens, documents, distinct, dates, unknown } = summary
  const name = `${run} step ${checkpoint.step}`
  const base = `https://spdx.org/spdxdocs/winnow-${encodeURIComponent(run)}-${checkpoint.step}-${checkpoint.digest.slice(0, 32)}`
  const elements: { spdxId: string }[] = []
  const add = (type: string, part: string, more: object): string => {
    const spdxId = `${base}#${part}`
    elements.push({ type, spdxId, creationInfo, ...more } as { spdxId: string })
    return spdxId
  }
  const agent = add('SoftwareAgent', 'winnow', { name: 'winnow' })
  const model = add('ai_AIPackage', 'model', {
    name,
    software_primaryPurpose: 'model',
    software_packageVersion: `step ${checkpoint.step}`,
    verifiedUsing: [{ type: 'Hash', algorithm: 'sha256', hashValue: checkpoint.digest }],
    ai_informationAboutTraining: `${tokens} tokens of ${distinct} documents, read ${documents} times in all.`,
    ai_limitation: `Not known: ${unknown.map(({ field, why }) => `${field}: ${why}`).join('; ')}.`,
  })
  const dataset = (part: string, title: string, description: string) =>
    add('dataset_DatasetPackage', part, {
      ...{ name: title, description, software_primaryPurpose: 'data' },
      ...{ dataset_datasetType: ['text'], dataset_hasSensitivePersonalInformation: 'noAssertion' },
    })
  const said = dates === null ? '' : ` Dates of rows: from ${dates.first} to ${dates.last}.`
  const read = dataset('read', `what ${name} has read`, `${tokens} tokens of ${distinct} documents.${said}`)
  const sources = summary.sources.map((source, i) => dataset(`source-${i}`, source.name, sized(source)))
  const relate = (part: string, relationshipType: string, from: string, to: readonly string[], whole = true) => {
    const completeness = whole ? 'complete' : 'incomplete'
    if (to.length > 0) add('Relationship', part, { relationshipType, from, to, completeness })
  }
  relate('trained-on', 'trainedOn', model, [read], false)
  relate('contains', 'contains', read, sources)
  const licences = summary.licences.said.map(({ value }, i) =>
    // What rows say need not be of the licence list.
    add('simplelicensing_LicenseExpression', `licence-${i}`, {
      name: value,
      simplelicensing_licenseExpression: `LicenseRef-${value.replaceAll(/[^A-Za-z0-9.-]+/g, '-')}`,
    }),
  )
  relate('licences', 'hasDeclaredLicense', read, licences, summary.licences.notKnown.documents === 0)
  for (const [kind, sums] of sumsOf(summary))
    add('Annotation', `sums-${encodeURIComponent(kind)}`, {
      ...{ annotationType: 'other', subject: read, contentType: 'application/json' },
      statement: JSON.stringify({ kind, sums }),
    })
  const creation = {
    ...{ type: 'CreationInfo', '@id': creationInfo, specVersion: '3.0.1', createdBy: [agent] },
    created: `${new Date(createdMs).toISOString().slice(0, 19)}Z`,
    comment: 'The time is that of the recording of the run, so that the same summary is the same bytes.',
  }
  const document = {
    ...{ type: 'SpdxDocument', spdxId: `${base}#document`, creationInfo, name: `Training data of ${name}` },
    comment: `${toBeAdded} It follows no authority's template, and is no legal advice.`,
    profileConformance: ['core', 'software', 'simpleLicensing'],
    rootElement: [model],
    element: elements.map(({ spdxId }) => spdxId),
  }
  return { '@context': 'https://spdx.org/rdf/3.0.1/spdx-context.jsonld', '@graph': [creation, document, ...elements] }
}

const creationInfo = '_:creation'

const sized = ({ documents, tokens }: Omit<Sums, 'name'>): string => `${tokens} tokens of ${documents} readings.`

function sumsOf(summary: Summary): [kind: string, sums: readonly (Omit<Sums, 'name'> & { name: string | null })[]][] {
  const withUnknown = ({ said, notKnown }: SaidOf) => [
    ...said.map(({ value, documents, tokens }) => ({ name: value, documents, tokens })),
    // A row may say "not known" too.
    ...(notKnown.documents > 0 ? [{ name: null, ...notKnown }] : []),
  ]
  const plain = (all: readonly Sums[]) => all.map(({ name, documents, tokens }) => ({ name, documents, tokens }))
  return [
    ['source', plain(summary.sources)],
    ...summary.actors.map(({ actor, subcategories }) => [actor, plain(subcategories)] as [string, Sums[]]),
    ['licence', withUnknown(summary.licences)],
    ['language', withUnknown(summary.languages)],
    ['web domain', withUnknown(summary.webDomains)],
    ['year', withUnknown(summary.years)],
  ]
}
