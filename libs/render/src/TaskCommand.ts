import type { ImageId } from "@reelay/contracts/Ids"
import type { MadeFile, Task } from "@reelay/contracts/Plan"
import type { Rational } from "@reelay/contracts/Quantity"

/** Frames of a file that were copied from a source, and how many around them were encoded from the same. */
export interface CopiedFrames {
  /** Local path. */
  readonly source: string
  readonly stream: number
  /** Whole microseconds from the source's zero to the first copied frame. */
  readonly at: number
  /** Frames [from, to) of the file. */
  readonly from: number
  readonly to: number
  readonly before: number
  readonly after: number
}

/** A look at a file, in whatever pieces its bytes come. */
export interface Look {
  readonly feed: (bytes: Uint8Array) => void
  /** Once all have come: what of it stands in the way of a smart cut; null: nothing. */
  readonly obstacle: () => string | null
}

/** One ffmpeg process: pure data, compared literally by golden tests. */
export interface Step {
  /** Arguments after `ffmpeg` itself. Progress goes to `-progress pipe:1`. */
  readonly argv: ReadonlyArray<string>
  /** Frames it will write, for progress; 0 when it writes none. */
  readonly frames: number
  /** Files for the step after it, made of what it says on stderr: it measures. */
  readonly measures?: (said: string) => TaskCommand["files"]
  /** A file that it makes, and what is looked for in its bytes. */
  readonly inspects?: { readonly path: string; readonly look: () => Look }
  /** How many of the command's files are whole after it: they can be checked beside the steps that follow. Once at most. */
  readonly completes?: number
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
  /** Which frames were copied: compared with their source around every seam (SmartCutCheck.ts). Absent: none. */
  readonly copied?: ReadonlyArray<CopiedFrames>
}

export interface TaskCommand {
  /** To be there before the files are, each after the one that it lies in. */
  readonly folders: ReadonlyArray<string>
  /** Filter scripts and concat lists to write first. */
  readonly files: ReadonlyArray<{ readonly path: string; readonly text: string }>
  /** Run one after the other. Exit 0 is success: a decoder that starts in the middle may grumble on stderr. */
  readonly steps: ReadonlyArray<Step>
  /** In the order of Manifest.files: the media file first. */
  readonly makes: ReadonlyArray<Expectation>
  /** Pictures are decoded and scaled on a device: what cannot do that may still encode frames from memory. */
  readonly onDevice?: boolean
}

/** Where things are on this node while the task runs. */
export interface Places {
  /** Local path of `spec.sources[i]`. */
  readonly source: (index: number) => string
  /** Local path of an image of the spec's. */
  readonly image: (id: ImageId) => string
  /** Local path of the media file that a needed task made. */
  readonly made: (key: string) => string
  /** An empty folder of the task's own, on the store's file system. */
  readonly folder: string
  /** The hardware device to use, null for software. */
  readonly device: string | null
  /** Whether it may decode and scale too, where nothing else has to see the pixels. Absent: no. */
  readonly resident?: boolean
}

/** A task, or an operation of a pass. */
export type Made = Pick<Task, "key" | "frames" | "work">
