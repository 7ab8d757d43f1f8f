import { syncTests } from "./Sync.ts"

syncTests([
  { rate: { num: 30_000, den: 1001 }, path: "all together", format: "mp4", extension: "mkv" },
  { rate: { num: 50, den: 1 }, path: "all together", format: "webm", extension: "mp4" },
  { rate: { num: 60_000, den: 1001 }, path: "speed", format: "mp4", extension: "mp4" },
  { rate: { num: 50, den: 1 }, path: "plain", format: "mov", extension: "ts" }
])
