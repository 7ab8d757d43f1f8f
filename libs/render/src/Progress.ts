import type { ExportStatus, Progress } from "@reelay/contracts/Export"

export interface ProgressInput {
  readonly epoch: number
  readonly status: ExportStatus
  /** 1 is next; null once it runs. */
  readonly queuePosition: number | null
  readonly framesTotal: number
  /** Frames of done chunks plus what running ones report. */
  readonly framesDone: number
  /** Tasks after encoding (soundtrack, mux, zip): done and all. */
  readonly finishingDone: number
  readonly finishingTotal: number
  /** Whether a first chunk has reported frames or is done. */
  readonly encodingBegan: boolean
  /** Times real time, summed over running tasks; null while unknown. */
  readonly speed: number | null
  readonly elapsedSeconds: number
  /** Frames per second of the output, for the ETA. */
  readonly frameRate: number
}

/** The progress that everyone sees; `previous` of the same epoch is never fallen behind. */
export const progressOf = (_input: ProgressInput, _previous: Progress | null): Progress => {
  throw new Error("stub")
}
