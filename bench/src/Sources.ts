import { argv } from "@reelay/render/Argv"
import { execa } from "execa"
import { realMedia } from "../../test/RealMedia.ts"

/** Frames a second of the films that measurements are made on; they are 1920x1080 and have sound. */
export const FILM_RATE = 30

/** As films of this size are: what says otherwise is converted, which the command beside it would not do. */
const BT709 = "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"

/** `input`: what has a picture and a sound. The sound is stereo, as ours always is: one channel is half the bytes. */
const write = (path: string, seconds: number, input: ReadonlyArray<string>, look: string) =>
  execa(
    "ffmpeg",
    argv`
      -v error ${input} -map 0:v -map 0:a -t ${seconds}
      -vf ${look},setsar=1,setpts=N/${FILM_RATE}/TB,format=yuv420p,${BT709} -r ${FILM_RATE}
      -c:v libx264 -preset veryfast -crf 18 -c:a aac -ac 2 -ar 48000 ${path}`
  )

/** Everything in it moves, without noise, which no encoder can do anything about. */
export const drawn = async (path: string, seconds: number): Promise<void> => {
  await write(
    path,
    seconds,
    argv`-f lavfi -i ${`testsrc2=s=1920x1080:r=${FILM_RATE}[out0];anoisesrc=c=pink:a=0.1[out1]`}`,
    "null"
  )
}

/** A film that people made, with cuts and speech; enlarged, with as much grain as a camera of that size has in dim light. Looped. */
export const filmed = async (path: string, seconds: number, grain = 5): Promise<void> => {
  const film = await realMedia("wannaworktogether.mp4")
  const look = `scale=1920:1080:flags=lanczos${grain === 0 ? "" : `,noise=alls=${grain}:allf=t`}`
  await write(path, seconds, argv`-stream_loop -1 -ss 30 -i ${film}`, look)
}
