import type { Expectation } from "@reelay/render/TaskCommand"

/** A file that was made and found right, in the task's own folder. */
export interface Made {
  readonly path: string
  readonly role: Expectation["role"]
  readonly name: string
  readonly contentType: string
  readonly frames: number
  /** Seconds. */
  readonly duration: number
  readonly width: number
  readonly height: number
  /** Characters that had no font; absent: none. */
  readonly missingGlyphs?: string
}
