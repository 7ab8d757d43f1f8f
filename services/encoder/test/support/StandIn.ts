import { Effect } from "effect"
import { chmod, copyFile, mkdtemp, rename, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** STAND-IN, NOT HARDWARE: see `stand-in/ffmpeg`, which says what it is and is not. */
export type Does = "works" | "missing" | "busy" | "memory" | "broken" | "undecodable" | "crash" | "hang"
/** `nvenc.1`: the second NVIDIA card, where it is another case than the others. */
type Hardware = "nvenc" | "nvenc.1" | "qsv" | "amf"

const scripts = join(import.meta.dirname, "..", "stand-in")

/** The stand-in in a folder of its own (which can be put on the PATH), and how to change what its "drivers" do. */
export const makeStandIn = async (drivers: Partial<Record<Hardware, Does>>, gpus: ReadonlyArray<string> = []) => {
  const folder = await mkdtemp(join(tmpdir(), "reelay-stand-in-"))
  // Named apart from the real one, which it calls.
  const ffmpeg = join(folder, "ffmpeg-stand-in")
  const become = async (drivers: Partial<Record<Hardware, Does>>) => {
    for (const [family, does] of Object.entries(drivers)) {
      // Put in place as a whole: one that reads it in between would find nothing, which is another case.
      await writeFile(join(folder, `${family}.next`), does)
      await rename(join(folder, `${family}.next`), join(folder, family))
    }
  }
  await copyFile(join(scripts, "ffmpeg"), ffmpeg)
  await copyFile(join(scripts, "nvidia-smi"), join(folder, "nvidia-smi"))
  for (const script of [ffmpeg, join(folder, "nvidia-smi")]) await chmod(script, 0o755)
  if (gpus.length > 0) await writeFile(join(folder, "gpus"), `${gpus.join("\n")}\n`)
  await become(drivers)
  return { folder, ffmpeg, become, remove: () => rm(folder, { recursive: true, force: true }) }
}

/** The same for a scope, with its nvidia-smi on the PATH. */
export const standIn = Effect.fn("standIn")(function* (
  drivers: Partial<Record<Hardware, Does>>,
  gpus: ReadonlyArray<string> = []
) {
  const made = yield* Effect.acquireRelease(
    Effect.promise(() => makeStandIn(drivers, gpus)),
    (made) => Effect.promise(made.remove)
  )
  const before = process.env["PATH"]
  process.env["PATH"] = `${made.folder}:${before ?? ""}`
  yield* Effect.addFinalizer(() => Effect.sync(() => void (process.env["PATH"] = before)))
  return {
    ffmpeg: made.ffmpeg,
    become: (drivers: Partial<Record<Hardware, Does>>) => Effect.promise(() => made.become(drivers))
  }
})
