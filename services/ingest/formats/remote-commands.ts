import { schemeOf } from '../../runtime/stores/place.ts'

/** Commands that write a remote file to standard output, and that copy it; F stands for its address. */
const tools: Readonly<Record<string, readonly [cat: string, copy: string]>> = {
  s3: ['aws s3 cp F -', 'aws s3 cp F .'],
  gs: ['gcloud storage cat F', 'gcloud storage cp F .'],
  http: ['curl -fL F', 'curl -fLO F'],
  https: ['curl -fL F', 'curl -fLO F'],
  hf: ['hf download F', 'hf download F'],
  ftp: ['curl -f F', 'curl -fO F'],
  hdfs: ['hdfs dfs -cat F', 'hdfs dfs -get F'],
  az: ['az storage blob download --blob-url F', 'az storage blob download --blob-url F --file FILE'],
  abfs: ['az storage blob download --blob-url F', 'azcopy copy F .'],
  abfss: ['az storage blob download --blob-url F', 'azcopy copy F .'],
  oci: ['rclone cat F', 'rclone copy F .'],
}

/** The commands for an address, as they are typed. */
export function remoteCommands(uri: string): readonly [cat: string, copy: string] {
  const [cat, copy] = tools[schemeOf(uri) ?? ''] ?? ['rclone cat F', 'rclone copy F .']
  return [cat.replace('F', quoted(uri)), copy.replace('F', quoted(uri))]
}

/** Quoted for a shell. */
export const quoted = (text: string): string =>
  /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
