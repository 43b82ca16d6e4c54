import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Log } from '../../services/runtime/log.ts'
import type { Artifacts } from './artifacts.ts'
import { type JavaProgram, portNames, startBroker } from './broker.ts'
import type { Child } from './child.ts'
import type { Java } from './java.ts'
import { choosePorts } from './ports.ts'
import { startRegistry } from './registry.ts'

/** JVM options for each program. */
export interface JavaOptions {
  broker: string[]
  registry: string[]
}

// Writing an archive when a program ends takes five seconds on two busy cores.
const archiveGraceMs = 60_000

/**
 * Class archives (CDS) for this Java version, created once by starting and stopping each program: with the parsed classes, the registry is
 * ready in 2.3 s instead of 6.6 s. Everything works without them, if slower, so a failure here is only logged.
 */
export async function ensureClassArchives(
  java: Java,
  artifacts: Artifacts,
  log: Log,
  progress: (line: string) => void,
): Promise<JavaOptions> {
  const suffix = `${java.version.replaceAll(/[^\w.+-]/g, '_')}.jsa`
  const archives = {
    broker: join(artifacts.folder, `broker-${suffix}`),
    registry: join(artifacts.folder, `registry-${suffix}`),
  }
  if (!existsSync(archives.broker) || !existsSync(archives.registry)) {
    progress('preparing faster starts (once)')
    await train(java, artifacts, archives).catch((error: unknown) =>
      log.warn({ err: error }, 'no class archives: starts take longer'),
    )
  }
  const use = (archive: string): string[] =>
    existsSync(archive) ? [`-XX:SharedArchiveFile=${archive}`, '-Xlog:cds=off', '-Xlog:class+path=off'] : []
  return { broker: use(archives.broker), registry: use(archives.registry) }
}

async function train(java: Java, artifacts: Artifacts, archives: { broker: string; registry: string }): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-training-'))
  try {
    const ports = await choosePorts(join(folder, 'ports.json'), portNames)
    const program = (name: string, archive: string): JavaProgram => ({
      java: java.command,
      options: [`-XX:ArchiveClassesAtExit=${archive}.${process.pid}`, '-Xlog:cds=off'],
      folder: join(folder, name),
      logFile: join(folder, `${name}.log`),
      ports,
      started: () => undefined,
    })
    const finish = async (starting: Promise<Child>, archive: string): Promise<void> => {
      const aside = `${archive}.${process.pid}`
      try {
        const whole = await (await starting).stop(archiveGraceMs)
        // Renamed when complete: another process may read it at any time.
        if (whole) renameSync(aside, archive)
      } finally {
        rmSync(aside, { force: true })
      }
    }
    await Promise.all([
      finish(startBroker(program('broker', archives.broker), artifacts.broker), archives.broker),
      finish(startRegistry(program('registry', archives.registry), artifacts.registry), archives.registry),
    ])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
