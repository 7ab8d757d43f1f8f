import type { ExportError } from "@reelay/contracts/Export"
import type { FailureKind } from "@reelay/contracts/messages/Messages"

const title: Record<ExportError["code"], string> = {
  input_error: "The source cannot be used",
  render_error: "Rendering failed",
  storage_error: "The storage failed",
  encoder_unavailable: "No encoder can do this",
  timed_out: "It took too long",
  out_of_resources: "The encoders ran out of space or memory"
}
const status: Record<ExportError["code"], number> = {
  input_error: 422,
  render_error: 500,
  storage_error: 503,
  encoder_unavailable: 503,
  timed_out: 504,
  out_of_resources: 507
}

export const exportError = (code: ExportError["code"], detail: string): ExportError => ({
  type: `urn:reelay:problem:${code}`,
  title: title[code],
  status: status[code],
  detail,
  code
})

const codes: Record<FailureKind, ExportError["code"]> = {
  input: "input_error",
  encoder: "encoder_unavailable",
  resource: "out_of_resources",
  storage: "storage_error",
  timeout: "timed_out",
  internal: "render_error",
  smartcut: "render_error"
}

/** A failure as the owner of the export reads it. */
export const errorOf = (kind: FailureKind, message: string): ExportError => exportError(codes[kind], message)

export const STORAGE_TRIES = 3

/** Milliseconds before a try after `failures` failed ones: 1 s, 4 s, 16 s, at most a minute. */
export const backoff = (failures: number): number => Math.min(60_000, 1000 * 4 ** (failures - 1))

export interface Circumstances {
  /** How often this task has failed in this run, this time included. */
  readonly failures: number
  readonly maxAttempts: number
  /** Whether another family could take the whole export. False for light tasks, which have no family. */
  readonly otherFamily: boolean
  /** Encoders of the pool on which the task has not failed. */
  readonly otherNodes: number
  /** Whether the plan copies frames. */
  readonly smartCut: boolean
}

export type Remedy =
  | { readonly _tag: "fail" }
  /** The whole export on another family. */
  | { readonly _tag: "replan" }
  /** The whole export where it is, without copying any frames. */
  | { readonly _tag: "encodeAll" }
  /** The task once more, elsewhere where there is an elsewhere, after so many milliseconds. */
  | { readonly _tag: "again"; readonly afterMillis: number }

const again = (afterMillis = 0): Remedy => ({ _tag: "again", afterMillis })
const FAIL: Remedy = { _tag: "fail" }

/** What follows from a failed task: whose fault it is decides (design.md §3). */
export const remedyFor = (kind: FailureKind, at: Circumstances): Remedy => {
  switch (kind) {
    case "input":
      return FAIL
    case "encoder":
      if (at.otherFamily) return { _tag: "replan" }
      return at.failures < at.maxAttempts ? again(at.otherNodes > 0 ? 0 : backoff(at.failures)) : FAIL
    case "resource":
      return at.otherNodes > 0 && at.failures < at.maxAttempts ? again() : FAIL
    case "storage":
      return at.failures < STORAGE_TRIES ? again(backoff(at.failures)) : FAIL
    case "smartcut":
      return at.smartCut ? { _tag: "encodeAll" } : remedyFor("internal", at)
    case "timeout":
    case "internal":
      return at.failures < at.maxAttempts ? again() : FAIL
  }
}
