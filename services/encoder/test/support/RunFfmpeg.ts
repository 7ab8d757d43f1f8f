/** An encoder that does nothing but run one long ffmpeg in a folder, to be killed: `RunFfmpeg.ts FOLDER`. */
import { Ffmpeg } from "@reelay/encoder/Ffmpeg"
import { Effect } from "effect"
import { join } from "node:path"
import { encodeArgv, ffmpegWith } from "./Harness.ts"

const [folder = ""] = process.argv.slice(2)
let said = false

await Effect.gen(function* () {
  const ffmpeg = yield* Ffmpeg
  yield* ffmpeg.run({
    argv: encodeArgv(join(folder, "out.mp4"), { frames: 100_000, realTime: true }),
    reach: { reads: [], folder, devices: false },
    limitSeconds: 60,
    onProgress: (progress) => {
      if (said || progress.frames === 0) return
      said = true
      process.stdout.write("running\n")
    }
  })
}).pipe(Effect.provide(ffmpegWith({})), Effect.runPromise)
