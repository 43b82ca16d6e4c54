import type { SaidOf, Summary } from './summary.ts'

/** Web domains in a document; all of them are in the other formats. */
const domainsShown = 100

const number = (value: number): string => value.toLocaleString('en')

/** A document for people, in Markdown. */
export function summaryDocument(summary: Summary): string {
  const { run, checkpoint, tokens, documents, distinct, dates, unknown } = summary
  const share = (some: number) => `${((100 * some) / Math.max(1, tokens)).toFixed(2)}%`
  const rows = (of: readonly { name: string; documents: number; tokens: number }[]) =>
    of.map(({ name, documents, tokens }) => [name, number(documents), number(tokens), share(tokens)])
  const sums = (title: string, of: readonly { name: string; documents: number; tokens: number }[]) =>
    markdown([title, 'documents', 'tokens', 'of tokens'], rows(of))
  const said = (title: string, { said, notKnown }: SaidOf, shown = said.length) =>
    sums(title, [
      ...said.slice(0, shown).map(({ value, ...one }) => ({ name: value, ...one })),
      ...(said.length > shown ? [{ name: `${said.length - shown} more`, ...total(said.slice(shown)) }] : []),
      ...(notKnown.documents > 0 ? [{ name: 'not known', ...notKnown }] : []),
    ])
  const parts = [
    `# What the model was trained on`,
    `Checkpoint of step ${checkpoint.step} of run ${run}, SHA-256 ${checkpoint.digest}. ${number(tokens)} tokens of ${number(distinct)} documents, read ${number(documents)} times in all.`,
    `Made from the log of what was read, not from the corpus that was at hand. It follows no authority's template, and is no legal advice.`,
    `## Sources\n\n${sums('source', summary.sources)}`,
    ...summary.actors.map(({ actor, subcategories }) => `## By ${actor}\n\n${sums(actor, subcategories)}`),
    `## Licences\n\n${said('licence', summary.licences)}`,
    `## Languages\n\n${said('language', summary.languages)}`,
    `## Web domains\n\n${said('domain', summary.webDomains, domainsShown)}`,
    `## Dates\n\n${dates === null ? 'No row has a date.' : `From ${dates.first} to ${dates.last}, as rows have them.`}\n\n${said('year', summary.years)}`,
    `## What is not known\n\n${markdown(
      ['field', 'why'],
      unknown.map(({ field, why }) => [field, why]),
    )}`,
  ]
  return `${parts.join('\n\n')}\n`
}

const total = (of: readonly { documents: number; tokens: number }[]) => ({
  documents: of.reduce((sum, { documents }) => sum + documents, 0),
  tokens: of.reduce((sum, { tokens }) => sum + tokens, 0),
})

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ')
const markdown = (titles: readonly string[], rows: readonly (readonly string[])[]): string =>
  [titles, titles.map(() => '---'), ...rows.map((row) => row.map(cell))]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n')

/** The names that a Croissant 1.0 file uses. */
const croissantContext = {
  '@language': 'en',
  '@vocab': 'https://schema.org/',
  citeAs: 'cr:citeAs',
  column: 'cr:column',
  conformsTo: 'dct:conformsTo',
  cr: 'http://mlcommons.org/croissant/',
  data: { '@id': 'cr:data', '@type': '@json' },
  dataType: { '@id': 'cr:dataType', '@type': '@vocab' },
  dct: 'http://purl.org/dc/terms/',
  examples: { '@id': 'cr:examples', '@type': '@json' },
  extract: 'cr:extract',
  field: 'cr:field',
  fileObject: 'cr:fileObject',
  fileProperty: 'cr:fileProperty',
  fileSet: 'cr:fileSet',
  format: 'cr:format',
  includes: 'cr:includes',
  isLiveDataset: 'cr:isLiveDataset',
  jsonPath: 'cr:jsonPath',
  key: 'cr:key',
  md5: 'cr:md5',
  parentField: 'cr:parentField',
  path: 'cr:path',
  rai: 'http://mlcommons.org/croissant/RAI/',
  recordSet: 'cr:recordSet',
  references: 'cr:references',
  regex: 'cr:regex',
  repeated: 'cr:repeated',
  replace: 'cr:replace',
  sc: 'https://schema.org/',
  separator: 'cr:separator',
  source: 'cr:source',
  subField: 'cr:subField',
  transform: 'cr:transform',
} as const

/** Croissant 1.0 (docs.mlcommons.org/croissant): what was read as a dataset whose record sets are its sums. */
export function summaryCroissant(summary: Summary): object {
  const { run, checkpoint, tokens, distinct, unknown } = summary
  const said = ({ said }: SaidOf) => said.map(({ value, ...one }) => ({ name: value, ...one }))
  const sets = [
    ['sources', summary.sources],
    ...summary.actors.map(({ actor, subcategories }) => [`by-${actor}`, subcategories] as const),
    ['licences', said(summary.licences)],
    ['languages', said(summary.languages)],
    ['web-domains', said(summary.webDomains)],
    ['years', said(summary.years)],
  ] as const
  const filled = sets.filter(([, rows]) => rows.length > 0)
  return {
    '@context': croissantContext,
    '@type': 'sc:Dataset',
    name: `${run}-step-${checkpoint.step}`,
    description: `What the model of step ${checkpoint.step} of run ${run} was trained on: ${tokens} tokens of ${distinct} documents. Not known: ${unknown.map(({ field }) => field).join(', ')}.`,
    conformsTo: 'http://mlcommons.org/croissant/1.0',
    isLiveDataset: false,
    license: summary.licences.said.map(({ value }) => value),
    inLanguage: summary.languages.said.map(({ value }) => value),
    ...(summary.dates !== null && { temporalCoverage: `${summary.dates.first}/${summary.dates.last}` }),
    'rai:dataLimitations': unknown.map(({ field, why }) => `${field}: ${why}`),
    recordSet: filled.map(([id, rows]) => ({
      '@type': 'cr:RecordSet',
      '@id': id,
      name: id,
      field: (['name', 'documents', 'tokens'] as const).map((name) => ({
        ...{ '@type': 'cr:Field', '@id': `${id}/${name}`, name },
        dataType: name === 'name' ? 'sc:Text' : 'sc:Integer',
      })),
      data: rows.map(({ name, documents, tokens }) => ({
        ...{ [`${id}/name`]: name, [`${id}/documents`]: documents, [`${id}/tokens`]: tokens },
      })),
    })),
  }
}
