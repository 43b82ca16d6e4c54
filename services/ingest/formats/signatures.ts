import { type Advice, type Foreign, foreign } from './format.ts'

interface Signature {
  readonly bytes: string | readonly number[]
  readonly at?: number
  readonly what: string
  readonly advice: Advice
}

const filter = (command: string): Advice => ({ filter: command })
const sentence = (text: string): Advice => ({ sentence: text })

const toParquet = (read: string) =>
  sentence(`write it as Parquet or JSON lines first, as with pyarrow: ${read}, then pyarrow.parquet.write_table`)
const unpack = (command: string) => sentence(`unpack it into a folder (${command}) and ingest the folder`)
const export_ = sentence('export its rows as JSON lines or Parquet first')
const decrypt = sentence('decrypt it first')

/** Signatures of formats that may hold rows but are not supported. */
const signatures: readonly Signature[] = [
  { bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], what: 'compressed with xz', advice: filter('xz -dc') },
  { bytes: [0x5d, 0x00, 0x00], what: 'compressed with LZMA', advice: filter('xz --format=lzma -dc') },
  { bytes: 'BZh', what: 'compressed with bzip2', advice: filter('bzip2 -dc') },
  { bytes: [0x04, 0x22, 0x4d, 0x18], what: 'compressed with LZ4', advice: filter('lz4 -dc') },
  { bytes: [0x02, 0x21, 0x4c, 0x18], what: 'compressed with LZ4', advice: filter('lz4 -dc') },
  { bytes: 'LZIP', what: 'compressed with lzip', advice: filter('lzip -dc') },
  { bytes: [0x89, 0x4c, 0x5a, 0x4f, 0x00], what: 'compressed with lzop', advice: filter('lzop -dc') },
  { bytes: [0x1f, 0x9d], what: 'compressed with compress', advice: filter('gzip -dc') },
  {
    bytes: [0xff, 0x06, 0x00, 0x00, 0x73, 0x4e, 0x61, 0x50],
    what: 'compressed with Snappy',
    advice: filter('snzip -dc'),
  },
  { bytes: 'PK\x03\x04', what: 'a zip archive', advice: unpack('unzip') },
  { bytes: 'PK\x05\x06', what: 'an empty zip archive', advice: unpack('unzip') },
  { bytes: 'PK\x07\x08', what: 'a zip archive in parts', advice: unpack('unzip') },
  { bytes: [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], what: 'a 7z archive', advice: unpack('7z x') },
  { bytes: 'Rar!\x1a\x07', what: 'a rar archive', advice: unpack('unrar x') },
  { bytes: 'ustar', at: 257, what: 'a tar archive', advice: unpack('tar -xf') },
  { bytes: '!<arch>\n', what: 'an ar archive', advice: unpack('ar x') },
  { bytes: '070701', what: 'a cpio archive', advice: unpack('cpio -id <') },
  { bytes: 'ARROW1', what: 'an Arrow or Feather file', advice: toParquet('pyarrow.ipc.open_file(F).read_all()') },
  { bytes: 'FEA1', what: 'a Feather file', advice: toParquet('pyarrow.feather.read_table(F)') },
  {
    bytes: [0xff, 0xff, 0xff, 0xff],
    what: 'an Arrow stream',
    advice: toParquet('pyarrow.ipc.open_stream(F).read_all()'),
  },
  { bytes: 'PARE', what: 'Parquet with an encrypted footer', advice: sentence('write it again without encryption') },
  { bytes: 'ORC', what: 'an ORC file', advice: toParquet('pyarrow.orc.read_table(F)') },
  { bytes: 'Obj\x01', what: 'an Avro file', advice: filter('avro-tools tojson') },
  { bytes: [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a], what: 'an HDF5 file', advice: export_ },
  { bytes: 'SQLite format 3\0', what: 'a SQLite database', advice: export_ },
  { bytes: 'DUCK', at: 8, what: 'a DuckDB database', advice: export_ },
  { bytes: [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59], what: 'a NumPy array', advice: export_ },
  { bytes: [0x80, 0x02], what: 'a Python pickle', advice: export_ },
  { bytes: [0x80, 0x03], what: 'a Python pickle', advice: export_ },
  { bytes: [0x80, 0x04, 0x95], what: 'a Python pickle', advice: export_ },
  { bytes: [0x80, 0x05, 0x95], what: 'a Python pickle', advice: export_ },
  { bytes: '%PDF-', what: 'a PDF', advice: sentence('extract its text first') },
  { bytes: '{\\rtf', what: 'a rich text file', advice: sentence('extract its text first') },
  { bytes: 'WARC/', what: 'a WARC file', advice: sentence('extract its texts as JSON lines first') },
  { bytes: 'Salted__', what: 'encrypted by openssl', advice: decrypt },
  { bytes: 'age-encryption.org/', what: 'encrypted by age', advice: decrypt },
  { bytes: '-----BEGIN PGP', what: 'encrypted or signed by PGP', advice: decrypt },
  {
    bytes: 'version https://git-lfs.github.com/spec/',
    what: 'a Git LFS pointer, not the file itself',
    advice: sentence('fetch the file: git lfs pull'),
  },
  {
    bytes: 'version https://hawser.github.com/spec/',
    what: 'a Git LFS pointer, not the file itself',
    advice: sentence('fetch the file: git lfs pull'),
  },
  {
    bytes: '/annex/objects/',
    what: 'a git-annex pointer, not the file itself',
    advice: sentence('fetch the file: git annex get'),
  },
  {
    bytes: '# xet version',
    what: 'a Xet pointer, not the file itself',
    advice: sentence('fetch the file: git xet checkout, or hf download'),
  },
]

/** The format whose signature the bytes begin with, or null. */
export function bySignature(head: Buffer): Foreign | null {
  const found = signatures.find(({ bytes, at = 0 }) => {
    const wanted = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes)
    return head.subarray(at, at + wanted.length).equals(wanted)
  })
  if (found !== undefined) return foreign(found.what, found.advice)
  return isOldTar(head) ? foreign('a tar archive', unpack('tar -xf')) : null
}

/** Formats before 'ustar': the header stores its own checksum in octal, computed with the checksum field taken as spaces. */
function isOldTar(head: Buffer): boolean {
  if (head.length < 512) return false
  const sum = head.subarray(0, 512).reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0)
  return Number.parseInt(head.toString('latin1', 148, 156), 8) === sum
}
