import { argv } from "./Argv.ts"

/**
 * What ffmpeg and ffprobe may touch: media is treated as hostile. Only local files are read, and only containers that
 * hold their media themselves: an HLS playlist named .mp4 would make ffmpeg call any URL that it names. Everything that
 * opens a user's file uses these; the names that we give to files never come from users.
 */

/** The only protocols. The encoder fetches, ffmpeg reads what lies there. */
export const PROTOCOLS = "file,pipe"

/** Demuxers for users' files. Never here: hls, dash, concat, image2, lavfi, sdp, tty… (each can name other files). */
export const MEDIA_FORMATS =
  "mov,matroska,avi,mpegts,mpeg,mpegvideo,flv,live_flv,asf,ogg,mxf,nut,ivf,dv,gxf,wtv,rm,h264,hevc,obu"

/** Demuxers for files that Reelay wrote itself. */
export const OWN_FORMATS = "concat,mov,matroska,wav,image2,jpeg_pipe,mjpeg"

/** Decoders stop at pictures larger than this: a 0.75 MB file can hold 16000² pixels, which take 873 MB. */
export const MAX_PIXELS = 8192 * 8192

/** Options before `-i` (ffmpeg) or the file (ffprobe) for a user's media. */
export const mediaInput = argv`
  -protocol_whitelist ${PROTOCOLS} -format_whitelist ${MEDIA_FORMATS} -max_pixels ${MAX_PIXELS}`

/** The same for a file that Reelay wrote. */
export const ownInput = argv`-protocol_whitelist ${PROTOCOLS} -format_whitelist ${OWN_FORMATS}`

/** An image that Reelay made. Its demuxer is named: by a file's name ffmpeg would look for a row of numbered ones. */
export const imageInput = argv`-protocol_whitelist ${PROTOCOLS} -format_whitelist png_pipe -f png_pipe`

/** Sound that was evened out, with the time of each of its packets. */
export const evenInput = argv`-protocol_whitelist ${PROTOCOLS} -format_whitelist nut -f nut`

/** A path as ffmpeg's `file:` URL: no name can be read as an option or as another protocol. */
export const fileUrl = (path: string): string => `file:${path}`

/** The head of every ffmpeg run: no terminal, errors only, progress as `key=value` lines on stdout four times a second. */
export const RUN = argv`-hide_banner -nostdin -v error -y -nostats -stats_period 0.25 -progress pipe:1`
