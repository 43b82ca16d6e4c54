import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { WinnowError } from '../errors.ts'
import { failureOf, library, readOnly } from './failures.ts'
import { openHttp } from './http.ts'
import type { ObjectStore } from './store.ts'

const credentials =
  'a token comes from HF_TOKEN or from hf auth login; a gated repository wants its terms to be accepted once, on its page'

interface HfPlace {
  readonly type: 'dataset' | 'model' | 'space'
  readonly name: string
  /** A branch, a tag, a commit or a reference; default: main. */
  readonly revision: string
  readonly path: string
}

interface Repo {
  readonly type: HfPlace['type']
  readonly name: string
}

/** What is used of the hub's library. */
interface HfLibrary {
  listCommits(options: { repo: Repo; revision: string } & Record<string, unknown>): AsyncIterable<{ oid: string }>
  listFiles(
    options: { repo: Repo; revision: string; path?: string } & Record<string, unknown>,
  ): AsyncIterable<{ type: string; path: string; size: number }>
}

/**
 * Repositories of the Hugging Face hub: `hf://datasets/OWNER/NAME@REVISION/PATH`, `hf://OWNER/NAME/PATH` for models, as huggingface_hub writes them.
 * What is opened is a commit's, so that it cannot change. HF_ENDPOINT names another hub.
 */
export async function createHfStore(): Promise<ObjectStore> {
  const hub = await library<HfLibrary>('@huggingface/hub')
  const hubUrl = (process.env.HF_ENDPOINT ?? 'https://huggingface.co').replace(/\/+$/, '')
  const token = await tokenOf(process.env)
  const shared = { hubUrl, ...(token !== undefined && { accessToken: token }) }
  const commits = new Map<string, Promise<string>>()

  const asked = async <T>(uri: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      const { statusCode: status, message: reason } = error as Error & { statusCode?: number }
      throw failureOf(uri, { status, reason }, credentials)
    }
  }

  /** The commit of a revision, once a process: files of one ingest are of one commit. */
  const commitOf = (uri: string, { type, name, revision }: HfPlace): Promise<string> => {
    const key = `${type} ${name} ${revision}`
    const ask = async () => {
      const repo = { type, name }
      for await (const { oid } of hub.listCommits({ repo, revision, batchSize: 1, ...shared })) return oid
      throw new WinnowError('CONFIGURATION', `${uri} has no commit`, { hint: 'check the address' })
    }
    const found = /^[0-9a-f]{40}$/.test(revision) ? Promise.resolve(revision) : (commits.get(key) ?? asked(uri, ask))
    commits.set(key, found)
    found.catch(() => commits.delete(key))
    return found
  }

  return {
    async open(uri, version) {
      const place = placeOf(uri)
      if (place.path === '') return null
      const commit = version ?? (await commitOf(uri, place))
      const prefix = place.type === 'model' ? '' : `${place.type}s/`
      const path = place.path.split('/').map(encodeURIComponent).join('/')
      const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
      const url = `${hubUrl}/${prefix}${place.name}/resolve/${commit}/${path}`
      return await openHttp(uri, { url, headers }, { fixed: commit, credentials })
    },
    async *list(uri) {
      const place = placeOf(uri)
      const commit = await commitOf(uri, place)
      const path = place.path.replace(/\/+$/, '')
      const repo = { type: place.type, name: place.name }
      const files = hub.listFiles({ repo, revision: commit, recursive: true, ...(path !== '' && { path }), ...shared })
      const iterator = files[Symbol.asyncIterator]()
      const start = path === '' ? 0 : path.length + 1
      const root = uri.slice(0, uri.length - place.path.length).replace(/\/*$/, '/')
      for (
        let next = await asked(uri, () => iterator.next());
        !next.done;
        next = await asked(uri, () => iterator.next())
      ) {
        const { type, path: found, size } = next.value
        if (type === 'file')
          yield { uri: `${root}${found}`, name: found.slice(start), byteLength: size, version: commit }
      }
    },
    async preparePut(uri) {
      throw readOnly(uri)
    },
    async put(uri) {
      throw readOnly(uri)
    },
  }
}

const types = { datasets: 'dataset', models: 'model', spaces: 'space' } as const

/** @throws WinnowError CONFIGURATION for an address without owner and name */
export function placeOf(uri: string): HfPlace {
  const rest = uri.slice('hf://'.length)
  const [, kind, owner, name, revision = 'main', path = ''] =
    /^(?:(datasets|models|spaces)\/)?([^/@]+)\/([^/@]+)(?:@(refs\/(?:convert|pr)\/[^/]+|[^/]+))?(?:\/(.*))?$/s.exec(
      rest,
    ) ?? []
  if (owner === undefined || name === undefined || Object.hasOwn(types, owner)) {
    throw new WinnowError('CONFIGURATION', `${uri} names no repository`, {
      hint: 'hf://datasets/OWNER/NAME/PATH, or hf://OWNER/NAME/PATH for a model; @REVISION may follow NAME',
    })
  }
  const type = kind === undefined ? 'model' : types[kind as keyof typeof types]
  return { type, name: `${owner}/${name}`, revision: decodeURIComponent(revision), path }
}

async function tokenOf(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  if (env.HF_TOKEN) return env.HF_TOKEN
  const home = env.HF_HOME ?? join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'huggingface')
  const text = await readFile(env.HF_TOKEN_PATH ?? join(home, 'token'), 'utf8').catch(() => '')
  return text.trim() || undefined
}
