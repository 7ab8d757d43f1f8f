import { Export, type ExportStatus, placeText, Progress, type Stage } from "@reelay/contracts/Export"
import { ExportId } from "@reelay/contracts/Ids"
import { Schema } from "effect"

/** Where the tests' clock starts (ms). */
export const START = Date.parse("2026-11-20T10:00:00.000Z")
export const idOf = (n: number): ExportId => ExportId.make(`0198c9a0-0000-7000-8000-${String(n).padStart(12, "0")}`)
const at = (ms: number) => new Date(START + ms).toISOString()

export interface RowInput {
  readonly n?: number
  readonly epoch?: number
  readonly status?: ExportStatus
  /** Milliseconds after START. */
  readonly created?: number
  readonly updated?: number
  readonly progress?: ProgressInput | null
  readonly queuePosition?: number | null
  readonly paused?: boolean
}
export interface ProgressInput {
  readonly epoch: number
  readonly percent: number
  readonly status?: ExportStatus
  readonly stage?: Stage
  readonly elapsed?: number
  readonly speed?: number | null
  readonly eta?: number | null
  readonly queuePosition?: number | null
  readonly message?: string
}

/** As on the wire: what a server would send. */
export const wireProgress = (input: ProgressInput) => ({
  epoch: input.epoch,
  status: input.status ?? "processing",
  percent: input.percent,
  stage: input.stage ?? "encoding",
  message: input.message ?? placeText(input.queuePosition ?? null),
  queuePosition: input.queuePosition ?? null,
  framesDone: Math.round(input.percent * 3),
  framesTotal: 300,
  speed: input.speed ?? null,
  elapsedSeconds: input.elapsed ?? 0,
  etaSeconds: input.eta ?? null
})
export const wireRow = (input: RowInput = {}) => {
  const status = input.status ?? "pending"
  const ended = status === "completed" || status === "failed" || status === "cancelled"
  return {
    id: idOf(input.n ?? 1),
    userId: "local",
    projectId: null,
    videoId: idOf(900),
    segments: null,
    type: "framing",
    delivery: "combined",
    settings: {},
    priority: "normal",
    duration: 10,
    frames: 300,
    epoch: input.epoch ?? 0,
    status,
    queuePosition: input.queuePosition ?? null,
    ...(input.paused === undefined ? {} : { paused: input.paused }),
    progress: input.progress == null ? null : wireProgress(input.progress),
    encoder: null,
    outputs: [],
    error: null as object | null,
    warnings: [] as ReadonlyArray<object>,
    createdAt: at(input.created ?? 0),
    startedAt: null,
    updatedAt: at(input.updated ?? input.created ?? 0),
    completedAt: ended ? at(input.updated ?? input.created ?? 0) : null
  }
}

const decodeRow = Schema.decodeUnknownSync(Export)
const decodeProgress = Schema.decodeUnknownSync(Progress)
export const row = (input: RowInput = {}): Export => decodeRow(wireRow(input))
export const progress = (input: ProgressInput): Progress => decodeProgress(wireProgress(input))
