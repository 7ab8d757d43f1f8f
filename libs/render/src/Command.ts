import type { MadeFile, Plan, Task } from "@reelay/contracts/Plan"
import type { Rational } from "@reelay/contracts/Quantity"
import { chunkCommand } from "./ChunkCommand.ts"
import { muxCommand } from "./MuxCommand.ts"
import { soundCommand, soundtrackCommand } from "./SoundCommand.ts"

/** One ffmpeg process: pure data, compared literally by golden tests. */
export interface Step {
  /** Arguments after `ffmpeg` itself. Progress goes to `-progress pipe:1`. */
  readonly argv: ReadonlyArray<string>
  /** Frames it will write, for progress; 0 when it writes none. */
  readonly frames: number
}

/** What a made file must turn out to be; checked by the encoder (Verify.ts) before anything is published. */
export interface Expectation {
  readonly path: string
  readonly role: MadeFile["role"]
  /** Name as an output; empty for intermediate files. */
  readonly name: string
  readonly contentType: string
  /** Null: no such stream may be there. */
  readonly video: {
    readonly codec: string
    readonly width: number
    readonly height: number
    readonly frames: number
    /** Frames per second. */
    readonly rate: Rational
  } | null
  readonly audio: { readonly codec: string; readonly samples: number } | null
  /** Frames at which pieces were joined without decoding them: checked by decoding. Empty for what came in one piece. */
  readonly seams: ReadonlyArray<number>
}

export interface TaskCommand {
  /** Filter scripts and concat lists to write first. */
  readonly files: ReadonlyArray<{ readonly path: string; readonly text: string }>
  /** Run one after the other. Exit 0 is success: a decoder that starts in the middle may grumble on stderr. */
  readonly steps: ReadonlyArray<Step>
  /** In the order of Manifest.files: the media file first. */
  readonly makes: ReadonlyArray<Expectation>
}

/** Where things are on this node while the task runs. */
export interface Places {
  /** Local path of `spec.sources[i]`. */
  readonly source: (index: number) => string
  /** Local path of the media file that a needed task made. */
  readonly made: (key: string) => string
  /** An empty folder of the task's own, on the store's file system. */
  readonly folder: string
  /** The hardware device to use, null for software. */
  readonly device: string | null
}

/** The argv of every step of a task. Not for `zip`, which needs no ffmpeg. */
export const commandFor = (plan: Plan, task: Task, places: Places): TaskCommand => {
  switch (task.work._tag) {
    case "chunk":
      return chunkCommand(plan, task.work, places)
    case "sound":
      return soundCommand(plan, task.work, places)
    case "soundtrack":
      return soundtrackCommand(plan, task.work, places)
    case "mux":
      return muxCommand(plan, task.work, places)
    case "zip":
      throw new Error("a ZIP is not made by ffmpeg")
  }
}
