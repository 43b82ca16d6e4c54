/** Schemes of the stores that winnow reads, by the names that people write. */
const stores = { s3: 's3', s3a: 's3', s3n: 's3', gs: 'gs', gcs: 'gs', http: 'http', https: 'http', hf: 'hf' } as const

export type StoreKind = (typeof stores)[keyof typeof stores]

/** The scheme of an address, in lower case; undefined: a path of this machine. */
export const schemeOf = (place: string): string | undefined =>
  /^([a-z][a-z0-9+.-]+):\/\//i.exec(place)?.[1]?.toLowerCase()

/** Which store an address is in; undefined: it is a path, or has a scheme that winnow does not read. */
export function storeOf(place: string): StoreKind | undefined {
  const scheme = schemeOf(place)
  return scheme !== undefined && Object.hasOwn(stores, scheme) ? stores[scheme as keyof typeof stores] : undefined
}

/** An address fit for display and for records: without a login, and without the parameters that a signed address carries. */
export function shownPlace(place: string): string {
  if (storeOf(place) !== 'http') return place
  const bare = place.replace(/[?#].*$/s, '').replace(/^([a-z]+:\/\/)[^/]*@/i, '$1')
  return bare === place.replace(/#.*$/s, '') || !place.includes('?') ? bare : `${bare}?…`
}

/** Bucket and key of `s3://BUCKET/KEY`; the key may be empty. */
export function bucketAndKey(uri: string): { bucket: string; key: string } {
  const [, bucket = '', key = ''] = /^[a-z0-9]+:\/\/([^/]*)\/?(.*)$/is.exec(uri) ?? []
  return { bucket, key }
}

/** The last part of an address's path, decoded: what a file of this content would be called. */
export function nameOfPlace(uri: string): string {
  if (storeOf(uri) !== 'http') return uri.replace(/\/+$/, '').split('/').at(-1) ?? ''
  const name = new URL(uri).pathname.replace(/\/+$/, '').split('/').at(-1) ?? ''
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

/** The address of a file beside another one, as a shard beside its index. */
export function beside(uri: string, name: string): string {
  const [, start = '', query = ''] =
    (storeOf(uri) === 'http' ? /^([^?#]*\/)[^/?#]*(.*)$/s : /^(.*\/)[^/]*()$/s).exec(uri) ?? []
  return `${start}${name}${query}`
}
