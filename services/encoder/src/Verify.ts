import type { Reach } from "@reelay/platform/Confinement"
import type { Expectation } from "@reelay/render/Command"
import { decodeCheck, differences, packetArguments, PacketTally, Probe, probeArguments } from "@reelay/render/Verify"
import { Effect, Schema } from "effect"
import { Ffmpeg } from "./Ffmpeg.ts"

const TIMEOUT_SECONDS = 300

/**
 * How a made file differs from what was planned, in words for operators; empty when it is right. Three readings at
 * once, none of which decodes more than key frames or seams: a few hundredths of what making it cost.
 */
export const verify = Effect.fn("Verify.verify")(function* (made: Expectation, reach: Reach) {
  const ffmpeg = yield* Ffmpeg
  const tally = new PacketTally()
  const check = decodeCheck(made)
  const [probed, packets, decoded] = yield* Effect.all(
    [
      ffmpeg.ask("ffprobe", probeArguments(made.path), reach, TIMEOUT_SECONDS),
      ffmpeg.ask("ffprobe", packetArguments(made.path), reach, TIMEOUT_SECONDS, (text) => tally.feed(text)),
      check === null
        ? Effect.succeed({ exitCode: 0, stderr: "" })
        : ffmpeg.ask(check.program, check.argv, reach, TIMEOUT_SECONDS)
    ],
    { concurrency: 3 }
  )

  const problems: Array<string> = []
  if (probed.exitCode !== 0 || packets.exitCode !== 0) {
    return [`cannot be read: ${(probed.stderr || packets.stderr).trim().slice(0, 500)}`]
  }
  if (decoded.exitCode !== 0 || decoded.stderr.trim() !== "") {
    problems.push(`it does not decode: ${decoded.stderr.trim().slice(0, 500)}`)
  }
  const probe = yield* Schema.decodeUnknownEffect(Probe)(probed.stdout).pipe(
    Effect.catch((error) => Effect.succeed(error.message))
  )
  if (typeof probe === "string") return [...problems, `ffprobe's answer is not understood: ${probe.slice(0, 500)}`]
  return [...problems, ...differences(made, probe, tally.end())]
})
