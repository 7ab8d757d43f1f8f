import type { Progress } from "@reelay/contracts/Export"

/** What happens during `reelay export`, in order. With `--json` each is one line, just as it stands here. */
export type Event =
  | { readonly type: "stack"; readonly url: string; readonly started: boolean }
  | { readonly type: "upload"; readonly bytes: number; readonly total: number }
  | {
      readonly type: "accepted"
      readonly exportId: string
      readonly frames: number
      readonly duration: number
    }
  | { readonly type: "progress"; readonly exportId: string; readonly progress: Progress }
  | { readonly type: "download"; readonly bytes: number; readonly total: number }
  | { readonly type: "notice"; readonly message: string }
  /** We go, the export stays. */
  | { readonly type: "detached"; readonly exportId: string; readonly url: string; readonly message: string }
  | Result
  | { readonly type: "error"; readonly code: string; readonly message: string }

export interface Result {
  readonly type: "result"
  readonly status: "completed"
  readonly exportId: string
  /** Absolute. */
  readonly path: string
  readonly bytes: number
  readonly sha256: string
  readonly duration: number
  readonly frames: number
  readonly width: number
  readonly height: number
  /** From the command's start to the file. */
  readonly seconds: number
}
