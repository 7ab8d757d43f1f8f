import { syncTests } from "./Sync.ts"

const RATES = [
  ...[24_000, 30_000, 60_000].map((num) => ({ num, den: 1001 })),
  ...[25, 30, 50, 60].map((num) => ({ num, den: 1 }))
]
const PATHS = ["plain", "speed", "dissolve", "fade", "crop", "all together"]
const KINDS = [
  { format: "mp4", extension: "mkv" },
  { format: "webm", extension: "mp4" },
  { format: "mov", extension: "ts" }
] as const

syncTests(RATES.flatMap((rate) => PATHS.flatMap((path) => KINDS.map((kind) => ({ ...kind, rate, path })))))
