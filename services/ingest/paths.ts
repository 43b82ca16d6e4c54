import type { Stats } from 'node:fs'
import { access, constants, stat } from 'node:fs/promises'
import { WinnowError } from '../runtime/errors.ts'
import { handedTo, quoted, type Receiver } from './formats/refusal.ts'

/** What is at a path. @throws WinnowError CONFIGURATION for what is remote, missing or unreadable */
export async function inspect(path: string, receiver: Receiver = 'ingest'): Promise<Stats> {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(path)?.[1]?.toLowerCase()
  if (scheme !== undefined) throw remote(path, scheme, receiver)
  try {
    await access(path, constants.R_OK)
    return await stat(path)
  } catch (cause) {
    throw new WinnowError('CONFIGURATION', `cannot read ${path}: ${(cause as Error).message}`, {
      hint: 'check the path and its permissions',
      cause,
    })
  }
}

/** @throws WinnowError CONFIGURATION for a path that is remote, missing or unreadable; `-` is standard input */
export async function checkPaths(paths: readonly string[]): Promise<void> {
  for (const path of paths) if (path !== '-') await inspect(path)
}

/** The length of a file given by its path. @throws WinnowError CONFIGURATION if it is not a file */
export async function lengthOfFile(path: string, receiver: Receiver = 'ingest'): Promise<number> {
  const found = await inspect(path, receiver)
  if (found.isFile()) return found.size
  throw found.isDirectory()
    ? new WinnowError('CONFIGURATION', `${path} is a folder`, { hint: 'give the files in it' })
    : new WinnowError('CONFIGURATION', `${path} is not a file but a pipe or a device`, {
        hint: `pass on its output: cat ${quoted(path)} ${handedTo(receiver, 'NAME')}`,
      })
}

/** Commands that write a remote file to standard output, and that copy it; F stands for its address. */
const tools: Readonly<Record<string, readonly [cat: string, copy: string]>> = {
  s3: ['aws s3 cp F -', 'aws s3 cp F .'],
  s3a: ['aws s3 cp F -', 'aws s3 cp F .'],
  s3n: ['aws s3 cp F -', 'aws s3 cp F .'],
  gs: ['gcloud storage cat F', 'gcloud storage cp F .'],
  gcs: ['gcloud storage cat F', 'gcloud storage cp F .'],
  http: ['curl -fL F', 'curl -fLO F'],
  https: ['curl -fL F', 'curl -fLO F'],
  ftp: ['curl -f F', 'curl -fO F'],
  hdfs: ['hdfs dfs -cat F', 'hdfs dfs -get F'],
  az: ['az storage blob download --blob-url F', 'az storage blob download --blob-url F --file FILE'],
  abfs: ['az storage blob download --blob-url F', 'azcopy copy F .'],
  abfss: ['az storage blob download --blob-url F', 'azcopy copy F .'],
  oci: ['rclone cat F', 'rclone copy F .'],
}

function remote(path: string, scheme: string, receiver: Receiver): WinnowError {
  const message = `${path} is a remote path, and winnow does not read these yet`
  if (scheme === 'file') {
    return new WinnowError('CONFIGURATION', `${path} is an address, not a path`, {
      hint: `give the path alone: ${decodeURIComponent(path.replace(/^file:\/\/(localhost)?/i, ''))}`,
    })
  }
  if (scheme === 'hf') {
    const [kind = 'datasets', owner = 'OWNER', name = 'NAME', ...file] = path.slice('hf://'.length).split('/')
    const type = kind === 'datasets' ? 'dataset' : kind.replace(/s$/, '')
    const what = file.length === 0 ? '' : ` ${quoted(file.join('/'))}`
    return new WinnowError('CONFIGURATION', message, {
      hint: `hf download --repo-type ${type} ${owner}/${name.replace(/@.*/, '')}${what} --local-dir DIR, then ${receiver === 'ingest' ? 'winnow ingest DIR' : 'give the files in DIR'}`,
    })
  }
  const [cat, copy] = (tools[scheme] ?? ['rclone cat F', 'rclone copy F .']).map((command) =>
    command.replace('F', quoted(path.replace(/^s3[an]:/i, 's3:'))),
  )
  const name =
    path
      .replace(/[?#].*/, '')
      .replace(/\/+$/, '')
      .split('/')
      .at(-1) ?? ''
  return new WinnowError('CONFIGURATION', message, {
    hint: `${receiver === 'file' ? `copy it: ${copy}` : `pipe it: ${cat} ${handedTo(receiver, name)} ; Parquet and folders need a copy on this machine: ${copy}`}`,
  })
}
