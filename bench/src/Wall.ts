import { argv } from "@reelay/render/Argv"
import { execa } from "execa"
import { mkdtemp, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { completed, download, submit, upload } from "./Client.ts"
import { besides, sideBySide } from "./Figures.ts"
import { drawn, FILM_RATE, filmed } from "./Sources.ts"
import { withFarm } from "./WithFarm.ts"

export const SECONDS = 60

/** What anybody would type, with our ceiling; threads as ffmpeg likes. */
const bare = (source: string, start: number, out: string) =>
  execa(
    "ffmpeg",
    argv`
      -v error -y -ss ${start} -t ${SECONDS - start} -i ${source} -vf scale=1280:720
      -c:v libx264 -preset fast -crf 23 -maxrate 4M -bufsize 8M -g 60 -c:a aac -b:a 160k -movflags +faststart ${out}`
  )

/** Mean PSNR (dB, all planes) of a file against its source from `start` on, made small by an accurate filter. */
const likeness = async (file: string, source: string, start: number): Promise<number> => {
  const even = `settb=1/${FILM_RATE},setpts=N`
  const graph = `[0:v]${even}[a];[1:v]scale=1280:720:flags=bicubic+accurate_rnd+full_chroma_int,${even}[b];[a][b]psnr`
  const compared = argv`-hide_banner -nostdin -i ${file} -ss ${start} -t ${SECONDS - start} -i ${source}`
  const { stderr } = await execa("ffmpeg", [...compared, ...argv`-lavfi ${graph} -an -f null -`])
  return Number(/average:([\d.]+)/.exec(stderr)?.[1])
}

/**
 * One 60 s export 1080p → 720p through the whole farm, submit to finished file, next to the bare ffmpeg command with its
 * default threads. Answers with the id of the last export.
 */
export const besideBare = async (url: string, folder: string, name: string, source: string, runs: number) => {
  const videoId = await upload(url, source)
  const [out, ours] = [join(folder, "bare.mp4"), join(folder, "ours.mp4")]
  let [id, start] = ["", 0]
  const [farm, one] = await sideBySide(
    async (run) => {
      // One frame less each time, so that no run looks up an earlier one's chunks.
      start = run / FILM_RATE
      const segments = [{ start, end: SECONDS }]
      id = await submit(url, { videoId, segments, settings: { mode: "balanced" } })
      await completed(url, id)
    },
    () => bare(source, start, out),
    runs
  )
  console.log(besides(`${SECONDS} s 1080p → 720p of ${name}, submit → completed : bare ffmpeg`, farm, one))
  await download(url, id, ours)
  const decibels = (await likeness(ours, source, start)) - (await likeness(out, source, start))
  const size = (await stat(ours)).size / (await stat(out)).size - 1
  console.log(`    beside bare ffmpeg's file: ${decibels.toFixed(2)} dB, ${(size * 100).toFixed(1)} % in size`)
  return id
}

export const wall = async (): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), "reelay-wall-"))
  const [film, clean, drawing] = [join(folder, "film.mp4"), join(folder, "clean.mp4"), join(folder, "drawn.mp4")]
  await filmed(film, SECONDS)
  await filmed(clean, SECONDS, 0)
  await drawn(drawing, SECONDS)
  try {
    await withFarm(async ({ url }) => {
      console.log("one export, mode balanced, quality medium")
      await besideBare(url, folder, "a film", film, 3)
      await besideBare(url, folder, "the film without its grain", clean, 3)
      await besideBare(url, folder, "a moving drawing", drawing, 3)
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
