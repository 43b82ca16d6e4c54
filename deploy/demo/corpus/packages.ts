import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const require = createRequire(import.meta.url)

/** The packages that are not installed. */
export function missingPackages(names: readonly string[]): string[] {
  return names.filter((name) => {
    try {
      resolved(name)
      return false
    } catch {
      return true
    }
  })
}

/** Folder of an installed package, resolved as by Node. Every package used here is a pinned, direct dependency. */
function packageFolder(name: string): string {
  let folder = dirname(resolved(name))
  while (!isFolderOf(name, folder)) folder = dirname(folder)
  return folder
}

function resolved(name: string): string {
  try {
    return require.resolve(`${name}/package.json`)
  } catch {
    // Its `exports` hide the manifest: go up from its entry point.
    return require.resolve(name)
  }
}

function isFolderOf(name: string, folder: string): boolean {
  const manifest = join(folder, 'package.json')
  return existsSync(manifest) && (JSON.parse(readFileSync(manifest, 'utf8')) as { name?: string }).name === name
}

/** `name@version`, for the corpus's manifest. */
export function packageVersion(name: string): string {
  const { version } = JSON.parse(readFileSync(join(packageFolder(name), 'package.json'), 'utf8')) as { version: string }
  return `${name}@${version}`
}

/** Files below a folder of a package by a pattern of their names, with slashes, sorted, without nested packages. */
export function filesOf(name: string, pattern: RegExp): { name: string; read: () => string }[] {
  const folder = packageFolder(name)
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => pattern.test(file) && !file.includes('node_modules/'))
    .sort((a, b) => (a < b ? -1 : 1))
    .map((file) => ({ name: file, read: () => readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n') }))
}
