/** Values by what they are for: the files that are given to Helm, and more on the command line. */
export const cases = [
  { name: 'defaults', files: [], set: [] },
  { name: 'strimzi-altinity', files: ['strimzi-altinity'], set: [] },
  { name: 'managed', files: ['managed'], set: [] },
  { name: 'run-on-gpus', files: ['strimzi-altinity', 'run-on-gpus'], set: [] },
  {
    name: 'an ingest once, of an image by its digest',
    files: ['managed', 'run-on-gpus'],
    set: ['ingest.mode="job"', `image.digest="sha256:${'a'.repeat(64)}"`, 'image.pullSecrets=[{"name":"login"}]'],
  },
  {
    name: 'encrypted texts',
    files: ['managed', 'run-on-gpus'],
    set: ['secrets.masterKeys={"name":"winnow-keys","key":"master-keys.json"}'],
  },
] as const
