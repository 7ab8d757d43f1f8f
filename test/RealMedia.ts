import { execa } from "execa"
import { access, copyFile, mkdir, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"

/**
 * Real video files, out of Debian packages (downloaded and unpacked, never installed), kept in `.reelay/media` between
 * runs. Files that people made with cameras and editors have what generated ones lack.
 */
const folder = resolve(import.meta.dirname, "..", ".reelay", "media")

const FILES = {
  /** 180 s, 480x352, 29.97 fps, H.264 + AAC: a short film with speech. */
  "wannaworktogether.mp4": { deb: "openboard-common" },
  /** 8 s, 568x320, AAC first, then H.264. */
  "motion.mov": { deb: "node-opencv" },
  /** 10 s, 720x576 PAL, H.264 + AAC. */
  "balle-jbart.mp4": { deb: "python3-mecavideo" },
  /** 2.5 s, 1024x768, 10 fps, no sound. */
  "retroMars2018.avi": { deb: "python3-mecavideo" }
} as const

export const realMedia = async (name: keyof typeof FILES): Promise<string> => {
  const path = join(folder, name)
  const there = await access(path).then(
    () => true,
    () => false
  )
  if (there) return path
  await mkdir(folder, { recursive: true })
  const work = await mkdtemp(join(tmpdir(), "reelay-media-"))
  try {
    const download = () => execa("apt-get", ["download", FILES[name].deb], { cwd: work })
    await download().catch(async () => {
      await execa("apt-get", ["update"])
      await download()
    })
    await execa("sh", ["-c", 'for deb in *.deb; do dpkg-deb -x "$deb" x; done'], { cwd: work })
    const { stdout } = await execa("find", ["x", "-name", name, "-type", "f"], { cwd: work })
    const found = stdout.split("\n")[0]
    if (found === undefined || found === "") throw new Error(`${FILES[name].deb} has no ${name}`)
    await copyFile(join(work, found), path)
    return path
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
