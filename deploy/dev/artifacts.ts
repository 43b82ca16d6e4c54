import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, existsSync, readFileSync } from 'node:fs'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { WinnowError } from '../../services/runtime/errors.ts'
import { cachesFolder } from './caches.ts'
import { processStart } from './process-identity.ts'

const run = promisify(execFile)
const pomFile = fileURLToPath(new URL('./pom.xml', import.meta.url))
const checksumFile = fileURLToPath(new URL('./checksums.sha256', import.meta.url))

/** The broker's and the registry's programs, verified. */
export interface Artifacts {
  folder: string
  /** Folder of the broker's jars. */
  broker: string
  /** The registry's runnable jar. */
  registry: string
}

/** Where programs are cached, each set of pins in its own folder. */
export function cacheFolder(env: NodeJS.ProcessEnv): string {
  const pins = createHash('sha256').update(readFileSync(pomFile)).update(readFileSync(checksumFile)).digest('hex')
  return join(cachesFolder(env), pins.slice(0, 16))
}

/**
 * The pinned artifacts; if they are not in the cache yet, fetched with Maven (whose settings say from where) and verified. A folder is filled
 * aside and renamed into place, so that concurrent processes do not interfere. UNREACHABLE if Maven cannot fetch them.
 */
export async function ensureArtifacts(env: NodeJS.ProcessEnv, progress: (line: string) => void): Promise<Artifacts> {
  const folder = cacheFolder(env)
  const artifacts = { folder, broker: join(folder, 'broker'), registry: join(folder, 'registry') }
  if (!existsSync(join(folder, 'verified'))) await fill(folder, env, progress)
  const jar = (await readdir(artifacts.registry)).find((name) => name.endsWith('-runner.jar'))
  if (!jar)
    throw new WinnowError('CONFIGURATION', `${artifacts.registry} does not contain a registry`, {
      hint: `Remove ${folder} and start again.`,
    })
  return { ...artifacts, registry: join(artifacts.registry, jar) }
}

async function fill(folder: string, env: NodeJS.ProcessEnv, progress: (line: string) => void): Promise<void> {
  progress('fetching Kafka and the schema registry with Maven (150 MB, once)')
  await removeAbandoned(folder)
  const aside = `${folder}.filling-${process.pid}`
  await mkdir(aside, { recursive: true })
  try {
    const broker = join(aside, 'broker')
    await run('mvn', ['-B', '-q', '-f', pomFile, 'generate-resources', `-Dartifacts=${broker}`], {
      env,
      maxBuffer: 1 << 26,
    }).catch(failed)
    await verify(broker, readFileSync(checksumFile, 'utf8'))
    const archive = (await readdir(broker)).find((name) => name.endsWith('.tar.gz'))!
    await mkdir(join(aside, 'registry'))
    await run('tar', ['-xzf', join(broker, archive), '-C', join(aside, 'registry')])
    await rm(join(broker, archive))
    await writeFile(join(aside, 'verified'), `${new Date().toISOString()}\n`)
    await rename(aside, folder)
  } catch (error) {
    await rm(aside, { recursive: true, force: true })
    // Another process was faster; its folder has passed the same verification.
    if (existsSync(join(folder, 'verified'))) return
    throw error
  }
}

/** Folders that a killed process was filling. */
async function removeAbandoned(folder: string): Promise<void> {
  const [parent, prefix] = [dirname(folder), `${basename(folder)}.filling-`]
  for (const name of await readdir(parent).catch(() => [])) {
    if (!name.startsWith(prefix)) continue
    const pid = Number(name.slice(prefix.length))
    if (pid === process.pid || processStart(pid) === undefined)
      await rm(join(parent, name), { recursive: true, force: true })
  }
}

function failed(error: { stdout?: string; stderr?: string; message?: string; code?: unknown }): never {
  if (error.code === 'ENOENT')
    throw new WinnowError('UNREACHABLE', 'Maven is not installed (no mvn on the PATH)', { hint: howToInstall })
  const reason = /\[ERROR\] (.*)/.exec(error.stdout ?? '')?.[1] ?? error.message
  throw new WinnowError('UNREACHABLE', `Maven could not fetch the broker and the registry: ${reason}`, {
    hint: "Is the repository in Maven's settings (~/.m2/settings.xml) reachable?",
  })
}

export const howToInstall =
  'Install Docker, or Java 17 or later together with Maven (Debian: apt-get install openjdk-17-jdk-headless maven; macOS: brew install openjdk maven), or configure running brokers: WINNOW_BROKERS and WINNOW_REGISTRY_URL.'

/** Checks that the folder has exactly the files of a list in sha256sum's format, with their checksums; CONFIGURATION if not. */
export async function verify(folder: string, checksums: string): Promise<void> {
  const expected = new Map(
    checksums
      .trim()
      .split('\n')
      .map((line) => [line.slice(66), line.slice(0, 64)] as const),
  )
  const found = await readdir(folder)
  const differing = [...expected.keys()].filter((name) => !found.includes(name)).map((name) => `${name} is missing`)
  for (const name of found) {
    const hash = createHash('sha256')
    await pipeline(createReadStream(join(folder, name)), hash)
    const digest = hash.digest('hex')
    const pinned = expected.get(name)
    if (pinned === undefined) differing.push(`${name} is not expected`)
    else if (pinned !== digest) differing.push(`${name} has the checksum ${digest} instead of ${pinned}`)
  }
  if (differing.length === 0) return
  throw new WinnowError('CONFIGURATION', `fetched artifacts are not the pinned ones: ${differing.join('; ')}`, {
    hint: "Maven's repository serves other files than were pinned. Do not use them before you know why.",
  })
}
