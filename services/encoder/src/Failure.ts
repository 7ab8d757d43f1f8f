import type { Family } from "@reelay/contracts/Export"
import { FailureKind } from "@reelay/contracts/messages/Messages"
import { Schema } from "effect"
import { constants } from "node:os"

/**
 * Whose fault a failed task is, from what the process left behind. Pure, so that every rule has a test with the words
 * that ffmpeg really said.
 */
export class TaskFailure extends Schema.TaggedError<TaskFailure>()("TaskFailure", {
  kind: FailureKind,
  /** For the person who asked for the export: no paths, no arguments. */
  message: Schema.String,
  /** The end of what the tools said, for operators. */
  log: Schema.String
}) {}

/** The device is taken right now. Not a failure: the task goes back into the queue for a while. */
export class EncoderBusy extends Schema.TaggedError<EncoderBusy>()("EncoderBusy", { log: Schema.String }) {}

/** How a process ended, when it did not end as wanted. */
export interface Ending {
  readonly exitCode: number | null
  readonly signal: string | null
  /** Who ended it, if the encoder did. */
  readonly stopped: "stalled" | "overdue" | null
  readonly stderr: string
  readonly family: Family
  /** What it read: somebody's source, or objects that other tasks made. */
  readonly reads: "source" | "made"
}

export type Verdict =
  | { readonly _tag: "Busy" }
  | {
      readonly _tag: "Failed"
      readonly kind: FailureKind
      readonly message: string
    }

const failed = (kind: FailureKind, message: string): Verdict => ({ _tag: "Failed", kind, message })

const SAID = {
  diskFull: failed("resource", "The encoder node ran out of disk space."),
  tooLarge: failed("resource", "The output grew larger than the encoder node allows."),
  noMemory: failed("resource", "The encoder node ran out of memory."),
  killed: failed("resource", "The encoder was killed by the system, most likely for want of memory."),
  stalled: failed("timeout", "The encoder stopped making progress."),
  overdue: failed("timeout", "The work took longer than a task may."),
  badInput: failed("input", "The source video is damaged or not readable."),
  badMade: failed("storage", "An intermediate file could not be read back."),
  storage: failed("storage", "A file could not be read or written."),
  device: failed("encoder", "The video encoder of this node does not work."),
  crash: failed("internal", "The encoder crashed."),
  unknown: failed("internal", "The encoder ended with an error.")
} as const

/** Encoder sessions or device memory are all taken: error 10 of the driver is its session limit, too. */
const BUSY = [
  /OpenEncodeSessionEx failed: (?:out of memory \(10\)|incompatible client key \(21\))/,
  /CUDA_ERROR_OUT_OF_MEMORY/,
  /MFX_ERR_DEVICE_BUSY|device busy/i
]
const DEVICE = [
  /Cannot load (?:libcuda|libnvidia-encode|nvcuda|nvEncodeAPI)/,
  /Cannot load (?:libamfrt|amfrt)|DLL \S*amfrt\S* failed to open|AMF failed to initiali[sz]e/,
  /No (?:NVENC )?capable devices found/,
  /Driver does not support the required nvenc API version|minimum required Nvidia driver/,
  /CUDA_ERROR_\w+|cu\w+ failed|OpenEncodeSessionEx failed|InitializeEncoder failed|EncodePicture failed/,
  /Error (?:initializing|creating) (?:an internal |a )?MFX session|Error during encoding: .*\(-\d+\)/,
  /Failed to create (?:a |an )?\S+ device|No device available for encoder|Device creation failed/,
  /Unknown encoder '/,
  /Error: cannot create compression session/,
  /(?:Init|CreateComponent|CreateContext|SubmitInput|QueryOutput)\([^)]*\) failed with error \d+/
]
const NO_MEMORY = [/Cannot allocate memory/, /\bmalloc of size \d+ failed/, /Out of memory/i, /bad_alloc/]
const DISK_FULL = [/No space left on device/, /Disk quota exceeded/]
const STORAGE = [
  /Input\/output error/,
  /Stale file handle/,
  /Permission denied/,
  /Read-only file system/,
  /No such file or directory/
]
const BAD_INPUT = [
  /Invalid data found when processing input/,
  /moov atom not found/,
  /Could not find codec parameters/i,
  /(?:does not contain any stream|matches no streams)/,
  /Error (?:while decoding|submitting (?:a )?packet)/,
  /(?:decode_slice_header error|error while decoding MB|corrupt decoded frame|Invalid NAL unit)/i,
  /End of file/
]

const says = (patterns: ReadonlyArray<RegExp>, text: string) => patterns.some((pattern) => pattern.test(text))

/** Behind a wrapper (bubblewrap, a shell) a death by signal shows as the exit code 128 + n. 255 is ffmpeg's own. */
const signalOf = ({ exitCode, signal }: Pick<Ending, "exitCode" | "signal">): string | null => {
  if (signal !== null || exitCode === null || exitCode <= 128 || exitCode === 255) return signal
  const found = Object.entries(constants.signals).find(([, number]) => number === exitCode - 128)
  return found?.[0] ?? null
}

/**
 * The order matters: a full disk or a missing driver makes ffmpeg complain of many things afterwards, and damaged
 * input is believed only when nothing of ours is to blame.
 */
export const verdictOf = (ending: Ending): Verdict => {
  const { stderr, family } = ending
  const signal = signalOf(ending)
  if (ending.stopped === "stalled") return SAID.stalled
  if (ending.stopped === "overdue") return SAID.overdue
  if (family !== "software" && says(BUSY, stderr)) return { _tag: "Busy" }
  if (says(DISK_FULL, stderr)) return SAID.diskFull
  if (signal === "SIGXFSZ" || /File too large/.test(stderr)) return SAID.tooLarge
  if (says(NO_MEMORY, stderr)) return SAID.noMemory
  if (says(DEVICE, stderr)) return SAID.device
  if (signal === "SIGKILL") return SAID.killed
  if (signal !== null) return family === "software" ? SAID.crash : SAID.device
  if (says(STORAGE, stderr)) return SAID.storage
  if (says(BAD_INPUT, stderr)) return ending.reads === "source" ? SAID.badInput : SAID.badMade
  // Drivers have more ways to say no than anybody has seen: where there is another family, it may do the work.
  return family === "software" ? SAID.unknown : SAID.device
}

/**
 * A process that ended well but made something else than was planned. Damage in the source explains missing frames;
 * otherwise the device is suspect, and in software it is a fault of ours.
 */
export const verdictOfMismatch = (input: Pick<Ending, "stderr" | "family" | "reads">): Verdict => {
  if (input.reads === "source" && says(BAD_INPUT, input.stderr)) return SAID.badInput
  if (input.family !== "software" && input.reads === "source") return SAID.device
  return failed("internal", "The result is not what was planned: it was thrown away.")
}

export const NO_SMART_CUT = {
  kind: "smartcut",
  message: "Copying the source's pictures did not give the right ones."
} as const satisfies Pick<TaskFailure, "kind" | "message">
/** What may come of copying alone. */
const PERHAPS_COPYING: ReadonlySet<FailureKind> = new Set(["input", "encoder", "internal"])

/**
 * The same where frames are copied. What ffmpeg cannot do with a source then, it may very well do by decoding it: nothing
 * is said of the source, nor of the encoder, until that has failed, too.
 */
export const asSmartCut = (verdict: Verdict): Verdict =>
  verdict._tag === "Failed" && PERHAPS_COPYING.has(verdict.kind)
    ? failed(NO_SMART_CUT.kind, NO_SMART_CUT.message)
    : verdict

const LOG_BYTES = 8192

/** The end of a log in at most 8 KiB of UTF-8, without the places of files on this node. */
export const logFor = (text: string, places: ReadonlyArray<string>): string => {
  let out = text
  for (const place of places.toSorted((a, b) => b.length - a.length)) {
    if (place.length > 1) out = out.replaceAll(place, place.endsWith("/") ? "" : (place.split("/").at(-1) ?? ""))
  }
  const bytes = new TextEncoder().encode(out)
  if (bytes.length <= LOG_BYTES) return out
  let start = bytes.length - LOG_BYTES
  // Not in the middle of a character: continuation bytes look like 10xxxxxx.
  while (start < bytes.length && ((bytes[start] ?? 0) & 0xc0) === 0x80) start++
  return new TextDecoder().decode(bytes.subarray(start))
}

/** `log`: for operators. */
export const diskFull = (log: string) =>
  new TaskFailure({ kind: "resource", message: "The encoder node ran out of disk space.", log })
