import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'
import { anchorsOf, type Citation, citationsIn, linksIn, sectionsOf } from './citations.ts'

const root = join(import.meta.dirname, '../..')
const files = globSync(
  [
    '*.md',
    '*.json',
    'Dockerfile',
    '{schemas,topologies,services,deploy,test,docs}/**/*.{ts,js,mjs,py,md,yaml,sql,css}',
  ],
  { cwd: root, exclude: ['**/node_modules', '**/.venv', 'package-lock.json', 'test/docs/citations*'] },
)
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const markdown = files.filter((file) => file.endsWith('.md'))

/** The document that a citation means: of several of one name the one at the top, or in docs/. */
const documentOf = (name: string): string | undefined =>
  [name, join('docs', name)].find((path) => markdown.includes(path))

/** Whether the tree has the file or folder, or a file whose path ends so; a number of a decision stands for its file, the test of a block for its file. */
function exists(path: string, from: string): boolean {
  if (files.includes(`test/${path}.test.ts`)) return true
  if (existsSync(join(root, path)) || existsSync(join(root, dirname(from), path))) return true
  if (/^docs\/adr\/\d{4}$/.test(path)) return files.some((file) => file.startsWith(`${path}-`))
  return files.some((file) => file.endsWith(`/${path}`))
}

function fault(from: string, { path, section }: Citation): string | undefined {
  if (section === undefined) return exists(path, from) ? undefined : `${path} does not exist`
  const document = documentOf(path)
  if (document === undefined) return `${path} does not exist`
  return sectionsOf(read(document)).has(section) ? undefined : `${document} has no section "${section}"`
}

function faultOfLink(from: string, { path, anchor }: Citation): string | undefined {
  const target = path === '' ? from : normalize(join(dirname(from), path))
  if (!existsSync(join(root, target))) return `${target} does not exist`
  if (anchor === undefined || anchorsOf(read(target)).has(anchor)) return undefined
  return `${target} has no heading for #${anchor}`
}

const faultsOf = (from: string, citations: Citation[], of: typeof fault): string[] =>
  citations.flatMap((citation) => {
    const found = of(from, citation)
    return found === undefined ? [] : [`${from}: ${citation.text}: ${found}`]
  })

test('every file, section, heading and ADR that code or documents cite exists', () => {
  expect(files.flatMap((file) => faultsOf(file, citationsIn(read(file)), fault))).toEqual([])
})

test('every link in a document leads to an existing file and heading', () => {
  expect(markdown.flatMap((file) => faultsOf(file, linksIn(read(file)), faultOfLink))).toEqual([])
})

test('every npm script that a document names exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const named = markdown.flatMap((file) => [...read(file).matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name!))
  expect(named.length).toBeGreaterThan(5)
  for (const name of named) expect(Object.keys(scripts)).toContain(name)
})

test('a citation that is broken over lines of a comment is found, and a wrong one is reported', () => {
  const comment =
    '/**\n * How often (SELECTION.md,\n * "Score"), and "Select" and "Nothing" of SELECTION.md; docs/adr/0001; ADR 0002.\n */'
  expect(citationsIn(comment)).toEqual([
    { text: 'docs/adr/0001', path: 'docs/adr/0001' },
    { text: 'SELECTION.md', path: 'SELECTION.md' },
    { text: 'SELECTION.md', path: 'SELECTION.md' },
    { text: 'ADR 0002', path: 'docs/adr/0002' },
    { text: 'SELECTION.md, "Score"', path: 'SELECTION.md', section: 'Score' },
    { text: '"Select" and "Nothing" of SELECTION.md', path: 'SELECTION.md', section: 'Select' },
    { text: '"Select" and "Nothing" of SELECTION.md', path: 'SELECTION.md', section: 'Nothing' },
  ])
  expect(faultsOf('a.ts', citationsIn(comment), fault)).toEqual([
    'a.ts: "Select" and "Nothing" of SELECTION.md: docs/SELECTION.md has no section "Nothing"',
  ])
  expect(
    faultsOf('docs/a.md', linksIn('[a](none.md) [b](SELECTION.md#no-such) [c](SELECTION.md#a-round)'), faultOfLink),
  ).toEqual([
    'docs/a.md: ](none.md): docs/none.md does not exist',
    'docs/a.md: ](SELECTION.md#no-such): docs/SELECTION.md has no heading for #no-such',
  ])
})
