import type { ImageId } from "@reelay/contracts/Ids"
import type { MadeFile, Operation, Part, Plan, Task } from "@reelay/contracts/Plan"
import type { Rational } from "@reelay/contracts/Quantity"
import { muxCommand } from "./MuxCommand.ts"
import { chunkCommand, dissolveCommand } from "./PictureCommand.ts"
import type { CopiedFrames } from "./SmartCutCheck.ts"
import { copyCommand } from "./SmartCutCommand.ts"
import { soundCopyCommand } from "./SmartCutSound.ts"
import { crossfadeCommand, soundCommand, soundtrackCommand } from "./SoundCommand.ts"

/** One ffmpeg process: pure data, compared literally by golden tests. */
export interface Step {
  /** Arguments after `ffmpeg` itself. Progress goes to `-progress pipe:1`. */
  readonly argv: ReadonlyArray<string>
  /** Frames it will write, for progress; 0 when it writes none. */
  readonly frames: number
  /** Files for the step after it, made of what it says on stderr: it measures. */
  readonly measures?: (said: string) => TaskCommand["files"]
  /** A small file that it makes, and what of it stands in the way of a smart cut; null: nothing. */
  readonly inspects?: { readonly path: string; readonly obstacle: (bytes: Uint8Array) => string | null }
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

/** The argv of every step of a task. Not for `zip`, which needs no ffmpeg. */
export const commandFor = (plan: Plan, { work }: Task, places: Places): TaskCommand => {
  switch (work._tag) {
    case "pass":
      return passCommand(plan, work.parts, places)
    case "zip":
      throw new Error("a ZIP is not made by ffmpeg")
    default:
      return operationCommand(plan, plan.tasks, work, places)
  }
}

/** A task, or an operation of a pass. */
export type Made = Pick<Task, "key" | "frames" | "work">

/** `among`: the pieces that a mux joins, with their lengths. */
const operationCommand = (plan: Plan, among: ReadonlyArray<Made>, work: Operation, places: Places): TaskCommand => {
  switch (work._tag) {
    case "chunk":
      return chunkCommand(plan, work, places)
    case "copy":
      return copyCommand(plan, work, places)
    case "soundcopy":
      return soundCopyCommand(plan, work, places)
    case "dissolve":
      return dissolveCommand(plan, work, places)
    case "sound":
      return soundCommand(plan, work, places)
    case "crossfade":
      return crossfadeCommand(plan, work, places)
    case "soundtrack":
      return soundtrackCommand(plan, work, places)
    case "mux":
      return muxCommand(plan, among, work, places)
  }
}

/** Every part in a folder of its own, reading what the parts before it made; only what the last makes is asked for. */
const passCommand = (plan: Plan, parts: ReadonlyArray<Part>, places: Places): TaskCommand => {
  const made = new Map<string, string>()
  const commands = parts.map((part, position) => {
    const folder = `${places.folder}/${position}`
    const command = operationCommand(plan, parts, part.work, {
      ...places,
      folder,
      made: (key) => made.get(key) ?? places.made(key)
    })
    for (const { path } of command.makes.slice(0, 1)) made.set(part.key, path)
    return { ...command, folders: [folder] }
  })
  return {
    folders: commands.flatMap((command) => command.folders),
    files: commands.flatMap((command) => command.files),
    steps: commands.flatMap((command) => command.steps),
    makes: commands.at(-1)?.makes ?? [],
    onDevice: commands.some((command) => command.onDevice)
  }
}
