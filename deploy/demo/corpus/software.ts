import { filesOf } from './packages.ts'
import { paragraphsOf } from './texts.ts'
import type { Work } from './work.ts'

/** Packages with hand-written sources that are the same on every platform, and where those are. */
const code: readonly [name: string, files: RegExp][] = [
  ['avsc', /^lib\/[^/]+\.js$/],
  ['commander', /^lib\/[^/]+\.js$/],
  // Not its hundreds of protocol versions, which are all alike.
  ['kafkajs', /^src\/(?!protocol\/requests\/).*\.js$/],
  ['pino', /^(lib|examples)\/[^/]+\.js$/],
  ['rxjs', /^src\/.*\.ts$/],
  ['zod', /^src\/(v3|v4\/(core|classic|mini))\/[^/]+\.ts$/],
]

const manuals: readonly [name: string, files: RegExp][] = [
  ['@clickhouse/client', /\.md$/],
  ['avsc', /\.md$/],
  ['chdb', /\.md$/],
  ['commander', /\.md$/],
  ['fast-check', /\.md$/],
  ['kafkajs', /^README\.md$/],
  ['pino', /\.md$/],
  ['rxjs', /^README\.md$/],
  ['zod', /\.md$/],
]

export const softwarePackages = [...new Set([...code, ...manuals].map(([name]) => name)), '@types/node']

/** Source files, without the licence comment at the top of many of them. */
export function sourceCode(): Work[] {
  return code.flatMap(([name, files]) =>
    filesOf(name, files)
      .map(({ name: file, read }) => ({
        file,
        text: read().replace(/^(\s*\/\*[\s\S]*?\*\/|\s*'use strict';?\s*$)+/m, ''),
      }))
      .filter(({ text }) => !text.split('\n').some((line) => line.length > 300))
      .map(({ file, text }) => ({
        source: 'Code' as const,
        title: `${name} ${file}`,
        path: `${name}/${file}`,
        paragraphs: text.split(/\n\s*\n(?=\S)/).filter((block) => block.trim() !== ''),
      })),
  )
}

/** READMEs and guides, and the reference of Node's modules from its type declarations. No changelogs, which are lists of links. */
export function documentation(): Work[] {
  const written = manuals.flatMap(([name, files]) =>
    filesOf(name, files)
      .filter(({ name: file }) => !/change|license|notice|contribut|agents|skill\.md/i.test(file))
      .map(({ name: file, read }) => ({
        source: 'Manuals' as const,
        title: `${name} ${file}`,
        path: `${name}/${file}`,
        paragraphs: paragraphsOf(plainMarkdown(read())),
      })),
  )
  const reference = filesOf('@types/node', /^(?!index)[a-z_]+\.d\.ts$/).map(({ name: file, read }) => ({
    source: 'Manuals' as const,
    title: `Node.js reference: ${file.replace('.d.ts', '')}`,
    path: `@types/node/${file}`,
    paragraphs: commentsOf(read()),
  }))
  return [...written, ...reference]
}

/** Markdown without badges, comments and HTML. */
const plainMarkdown = (text: string): string =>
  text
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(/\[?!\[[^\]]*\]\([^)]*\)(\]\([^)]*\))?/g, '')
    .replace(/^\[[^\]]+\]: .*$/gm, '')
    .replace(
      /<\/?(a|b|br|center|code|details|div|em|h\d|i|img|kbd|p|picture|source|span|strong|sub|summary|sup|table|td|th|tr)\b[^>\n]*>/gi,
      '',
    )

/** The longer documentation comments of a file, without asterisks and tags. */
const commentsOf = (text: string): string[] =>
  [...text.matchAll(/\/\*\*([\s\S]*?)\*\//g)]
    .map(([, comment = '']) =>
      comment
        .replace(/^\s*\* ?/gm, '')
        .replace(/^@\w+.*$/gm, '')
        .replace(/\{@link (\w+)[^}]*\}/g, '$1')
        .trim(),
    )
    .filter((comment) => comment.length > 150)
