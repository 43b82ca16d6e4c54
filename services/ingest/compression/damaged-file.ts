/** A file that cannot be read to its end, because it is truncated, corrupt, or beyond a limit (`too-large`): what came before is good, and has been yielded. */
export class DamagedFile extends Error {
  readonly reason: 'truncated-file' | 'corrupt-file' | 'too-large'
  /** How many bytes of the file, from its start and as stored on disk, are known to be good; undefined: not known. */
  readonly bytesGood: number | undefined
  /** The damage may have been detected late: what was unpacked since the last checksum may be wrong. */
  readonly late: boolean
  /** Only a checksum shows the damage: nothing says where in what it covers the wrong bytes are. */
  readonly nowhere: boolean

  constructor(
    reason: DamagedFile['reason'],
    message: string,
    cause?: unknown,
    bytesGood?: number,
    { late = false, nowhere = false } = {},
  ) {
    super(message, { cause })
    this.reason = reason
    this.bytesGood = bytesGood
    this.late = late || nowhere
    this.nowhere = nowhere
  }
}
