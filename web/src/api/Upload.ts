import type { Video } from "@reelay/contracts/Media"
import { videoOf } from "./Client.ts"
import { aborted, refusal, RequestFailed, timedOut, unreachable } from "./Problem.ts"

/** Milliseconds without a byte going out before an upload counts as dead. */
const STALLED = 30_000
/** Milliseconds for reading through the whole file once it is there (frame index, fingerprint). */
const READING = 15 * 60_000

export interface UploadOptions {
  readonly base: string
  readonly token: string | null
  readonly signal: AbortSignal
  /** Bytes sent so far. All of them: the server is reading the file. */
  readonly onProgress: (sent: number) => void
}

/** `fetch` cannot tell how much of a body has gone out, so this one request is made the old way. */
export const upload = (file: File, options: UploadOptions): Promise<Video> =>
  new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    let timer: ReturnType<typeof setTimeout> | undefined
    const fail = (failure: ConstructorParameters<typeof RequestFailed>[0]) => reject(new RequestFailed(failure))
    const within = (time: number) => {
      clearTimeout(timer)
      timer = setTimeout(() => {
        fail(timedOut)
        request.abort()
      }, time)
    }
    const stop = () => request.abort()
    options.signal.addEventListener("abort", stop, { once: true })

    request.upload.addEventListener("progress", (event) => {
      options.onProgress(event.loaded)
      within(STALLED)
    })
    request.upload.addEventListener("load", () => {
      options.onProgress(file.size)
      within(READING)
    })
    request.addEventListener("load", () => {
      const body: unknown = parsed(request.responseText)
      if (request.status < 200 || request.status > 299) return fail(refusal(request.status, body))
      try {
        resolve(videoOf(body))
      } catch (error) {
        reject(error)
      }
    })
    request.addEventListener("error", () => fail(unreachable))
    request.addEventListener("abort", () => fail(aborted))
    request.addEventListener("loadend", () => {
      clearTimeout(timer)
      options.signal.removeEventListener("abort", stop)
    })

    if (options.signal.aborted) return fail(aborted)
    request.open("POST", `${options.base}/api/videos?name=${encodeURIComponent(file.name)}`)
    if (options.token !== null) request.setRequestHeader("authorization", `Bearer ${options.token}`)
    request.setRequestHeader("accept", "application/json")
    request.setRequestHeader("content-type", "application/octet-stream")
    within(STALLED)
    request.send(file)
  })

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
