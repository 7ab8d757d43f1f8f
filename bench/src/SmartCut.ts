import { Plan } from "@reelay/contracts/Plan"
import { argv } from "@reelay/render/Argv"
import { Schema } from "effect"
import { execa } from "execa"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { realMedia } from "../../test/RealMedia.ts"
import { completed, download, submit, upload } from "./Client.ts"
import { besides, sideBySide } from "./Figures.ts"
import { FILM_RATE } from "./Sources.ts"
import { withFarm } from "./WithFarm.ts"

/** What a smart cut costs, submit to finished file, beside encoding all of it and beside copying without a care for frames. */
const RUNS = 5
/** Of film that is encoded; the rest of the source is the same again. */
const FILMED = 60
const MINUTES = 11
/** As cameras and our own exports have them. */
const GROUP = 2 * FILM_RATE
/** Settings under which the source is copied. */
const SETTINGS = { resolution: "source", quality: "medium", mode: "balanced" }

/** 1080p with a key frame every two seconds, at a rate that `medium` allows; with or without sound. */
const source = async (folder: string, sound: boolean): Promise<string> => {
  const [once, all] = [join(folder, "once.mp4"), join(folder, sound ? "film.mp4" : "silent.mp4")]
  const film = await realMedia("wannaworktogether.mp4")
  const tags = argv`-colorspace bt709 -color_primaries bt709 -color_trc bt709`
  await execa(
    "ffmpeg",
    argv`
      -v error -y -stream_loop -1 -ss 30 -i ${film} -t ${FILMED} -an
      -vf scale=1920:1080:flags=lanczos,setsar=1,setpts=N/${FILM_RATE}/TB,format=yuv420p -r ${FILM_RATE}
      -c:v libx264 -preset veryfast -crf 20 -maxrate 6M -bufsize 6M -g ${GROUP} ${tags} ${once}`
  )
  const heard = sound ? argv`-f lavfi -i sine=f=440:sample_rate=48000 -map 0:v -map 1:a -c:a aac -ac 2` : []
  await execa(
    "ffmpeg",
    argv`-v error -y -stream_loop ${MINUTES - 1} -i ${once} ${heard} -c:v copy -t ${60 * MINUTES} ${all}`
  )
  return all
}

const digests = async (file: string, start: number, frames: number): Promise<ReadonlyArray<string>> => {
  const { stdout } = await execa(
    "ffmpeg",
    argv`-v error -ss ${start} -i ${file} -map 0:v -frames:v ${frames} -f framemd5 -`,
    { maxBuffer: 1 << 28 }
  )
  return stdout.split("\n").flatMap((line) => (line.startsWith("#") ? [] : [line.split(",").at(-1)?.trim() ?? ""]))
}

export const smartCut = async (): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), "reelay-smartcut-"))
  try {
    const [film, silent] = [await source(folder, true), await source(folder, false)]
    await withFarm(async ({ url }) => {
      console.log(`smart cut (medians of ${RUNS} runs in turns; 1080p, a key frame every two seconds)`)
      const ids = { film: await upload(url, film), silent: await upload(url, silent) }
      let last = { id: "", start: 0 }
      /** Never from a key frame, and no run looks up what an earlier one made. */
      const cut = (videoId: string, seconds: number, offset: number) => async (run: number) => {
        const start = offset + (10 + run) / FILM_RATE
        const id = await submit(url, { videoId, segments: [{ start, end: start + seconds }], settings: SETTINGS })
        await completed(url, id)
        const { reasons } = Schema.decodeUnknownSync(Plan)(await (await fetch(`${url}/api/exports/${id}/plan`)).json())
        if (!reasons.some((reason) => reason.includes("smart cut,"))) throw new Error(reasons.join("; "))
        last = { id, start }
      }
      const out = join(folder, "bare.mp4")
      const encoded = () =>
        execa(
          "ffmpeg",
          argv`
            -v error -y -ss ${5 + 10 / FILM_RATE} -t 45 -i ${film}
            -c:v libx264 -preset fast -crf 23 -maxrate 9M -bufsize 18M -g ${GROUP}
            -c:a aac -b:a 160k -movflags +faststart ${out}`
        )
      const copied = (file: string, seconds: number) => () =>
        execa(
          "ffmpeg",
          argv`-v error -y -ss ${5 + 10 / FILM_RATE} -i ${file} -t ${seconds} -c copy -movflags +faststart ${out}`
        )

      const [short, whole] = await sideBySide(cut(ids.film, 45, 5), encoded, RUNS)
      console.log(besides("45 s from a non-keyframe : encoded by bare ffmpeg, all threads", short, whole))
      const ours = join(folder, "ours.mp4")
      await download(url, last.id, ours)
      const frames = 45 * FILM_RATE
      const [made, theirs] = [await digests(ours, 0, frames), await digests(film, last.start - 0.5 / FILM_RATE, frames)]
      const same = made.filter((digest, n) => digest === theirs[n]).length
      console.log(
        `    ${same} of ${made.length} frames are the source's to the bit: ${((100 * same) / frames).toFixed(1)} %`
      )

      for (const [name, id, file] of [
        ["without sound", ids.silent, silent],
        ["with sound", ids.film, film]
      ] as const) {
        const [long, copy] = await sideBySide(cut(id, 600, 5), copied(file, 600), RUNS)
        console.log(besides(`10 min from a non-keyframe, ${name} : -c copy`, long, copy))
      }
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
