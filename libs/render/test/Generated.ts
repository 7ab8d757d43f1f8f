import { execa } from "execa"
import { createHash } from "node:crypto"
import { access, mkdir, mkdtemp, rename, rm } from "node:fs/promises"
import { join, resolve } from "node:path"

/**
 * What ffmpeg makes of some arguments, made once: by whichever test asks first, and kept for all others and for later
 * runs under the digest of all that goes into it (the arguments, what is read from its standard input, its version).
 */
const folder = resolve(import.meta.dirname, "../../../.reelay/media/generated")

let version: Promise<string> | undefined
const ffmpegVersion = (): Promise<string> =>
  (version ??= execa("ffmpeg", ["-version"]).then(({ stdout }) => stdout.split("\n")[0] ?? ""))

/** A file that is nobody's own: copy it before you change it. `args`: all but the output's name. */
export const generated = async (
  extension: string,
  args: ReadonlyArray<string>,
  input: Uint8Array = new Uint8Array()
): Promise<string> => {
  const all = createHash("sha256").update(JSON.stringify([await ffmpegVersion(), extension, args]))
  const path = join(folder, `${all.update(input).digest("hex").slice(0, 32)}.${extension}`)
  const isThere = await access(path).then(
    () => true,
    () => false
  )
  if (isThere) return path
  await mkdir(folder, { recursive: true })
  // Whole or not at all, for those who ask at the same time.
  const work = await mkdtemp(join(folder, "work-"))
  try {
    const made = join(work, `made.${extension}`)
    await execa("ffmpeg", ["-v", "error", "-y", ...args, made], { input })
    await rename(made, path)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  return path
}
