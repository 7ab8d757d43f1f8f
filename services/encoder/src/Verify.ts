import type { Reach } from "@reelay/platform/Confinement"
import type { Expectation } from "@reelay/render/TaskCommand"
import { seamChecks } from "@reelay/render/SmartCutCheck"
import { decodeCheck, differences, readArguments, Reading } from "@reelay/render/Verify"
import { Effect } from "effect"
import { Ffmpeg } from "./Ffmpeg.ts"

const TIMEOUT_SECONDS = 300
/** Of what a program says, for an operator. */
const QUOTED = 500

/**
 * How a made file differs from what was planned, in words for operators; empty when it is right. Nothing is decoded but
 * key frames and seams: a few hundredths of what making it cost. `reach`: what the file itself needs.
 */
export const verify = Effect.fn("Verify.verify")(function* (made: Expectation, reach: Reach) {
  const ffmpeg = yield* Ffmpeg
  const reading = new Reading()
  const check = decodeCheck(made)
  const sources = { ...reach, reads: [...reach.reads, ...(made.copied ?? []).map(({ source }) => source)] }
  const compared = Effect.forEach(
    seamChecks(made),
    ({ argv, differences }) =>
      Effect.map(ffmpeg.ask("ffmpeg", argv, sources, TIMEOUT_SECONDS), ({ stdout }) => differences(stdout)),
    { concurrency: 2 }
  )
  const [read, decoded, seams] = yield* Effect.all(
    [
      ffmpeg.ask("ffprobe", readArguments(made), reach, TIMEOUT_SECONDS, (text) => reading.feed(text)),
      check === null
        ? Effect.succeed({ exitCode: 0, stderr: "" })
        : ffmpeg.ask(check.program, check.argv, reach, TIMEOUT_SECONDS),
      compared
    ],
    { concurrency: 2 }
  )
  if (read.exitCode !== 0) return [`cannot be read: ${read.stderr.trim().slice(0, QUOTED)}`]
  const complaints = [
    { ...read, differs: read.stderr.trim() !== "" },
    { ...decoded, differs: check?.complains(decoded.stderr) === true }
  ].flatMap(({ differs, exitCode, stderr }) =>
    exitCode === 0 && !differs ? [] : [`it does not decode: ${stderr.trim().slice(0, QUOTED)}`]
  )
  return [...complaints, ...differences(made, reading.end()), ...seams.flat()]
})
