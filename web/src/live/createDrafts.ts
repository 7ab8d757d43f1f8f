import type { ExportRequest } from "@reelay/contracts/Export"
import type { Video } from "@reelay/contracts/Media"
import { batch, onCleanup } from "solid-js"
import { createStore, produce } from "solid-js/store"
import { failureOf, type Failure } from "../api/Problem.ts"
import { type Choice, requestOf, retimed, type Trim } from "../state/Draft.ts"

/** Uploads at a time: more would only share the same line. */
const LINES = 2

export interface Draft {
  readonly id: string
  readonly name: string
  readonly bytes: number
  /** Where the picture for trimming comes from: the file on this computer, else the server. */
  readonly preview: string
  /** Seconds; null until the browser or the server has said. */
  readonly duration: number | null
  readonly phase: "waiting" | "uploading" | "reading" | "ready" | "failed"
  readonly sent: number
  readonly video: Video | null
  readonly trim: Trim | null
  /** What to ask for as soon as the upload is done; null: the person has not said "Export" yet. */
  readonly wanted: Choice | null
  /** The same for every attempt to send one request, so that an answer lost on the way makes no second export. */
  readonly key: string
  readonly failure: Failure | null
}

export interface DraftsOptions {
  readonly upload: (file: File, signal: AbortSignal, onProgress: (sent: number) => void) => Promise<Video>
  readonly create: (request: ExportRequest, key: string) => Promise<unknown>
  readonly onUploaded: (video: Video) => void
  readonly onExported: (draft: Draft) => void
}

const fresh = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("")

/** Videos on their way to becoming exports: chosen, uploaded, trimmed, asked for. */
export const createDrafts = (options: DraftsOptions) => {
  const [drafts, setDrafts] = createStore<Array<Draft>>([])
  const files = new Map<string, { readonly file: File; stop: AbortController }>()

  const find = (id: string) => drafts.find((draft) => draft.id === id)
  const set = (id: string, change: Partial<Draft>) => setDrafts((draft) => draft.id === id, change)
  const drop = (id: string) => {
    const draft = find(id)
    if (draft !== undefined && draft.preview.startsWith("blob:")) URL.revokeObjectURL(draft.preview)
    files.get(id)?.stop.abort()
    files.delete(id)
    setDrafts((all) => all.filter((other) => other.id !== id))
  }

  const send = async (id: string) => {
    const draft = find(id)
    if (draft === undefined || draft.video === null || draft.wanted === null) return
    try {
      await options.create(requestOf(draft.video, draft.wanted, draft.trim), draft.key)
      const done = { ...draft }
      drop(id)
      options.onExported(done)
    } catch (error) {
      const failure = failureOf(error)
      // Refused means nothing was made: a changed request may follow under a new key.
      set(id, { failure, wanted: null, ...(failure.kind === "refused" ? { key: fresh() } : {}) })
    }
  }

  const start = async (id: string) => {
    const held = files.get(id)
    if (held === undefined) return
    held.stop = new AbortController()
    set(id, { phase: "uploading", sent: 0, failure: null })
    try {
      const video = await options.upload(held.file, held.stop.signal, (sent) =>
        set(id, { sent, phase: sent >= held.file.size ? "reading" : "uploading" })
      )
      options.onUploaded(video)
      const draft = find(id)
      const trim = retimed(draft?.trim ?? null, draft?.duration ?? null, video.duration)
      set(id, { phase: "ready", video, duration: video.duration, trim, sent: held.file.size })
      void send(id)
    } catch (error) {
      const failure = failureOf(error)
      if (failure.kind !== "aborted") set(id, { phase: "failed", failure, wanted: null })
    }
    fill()
  }
  const fill = () => {
    const busy = drafts.filter((draft) => draft.phase === "uploading" || draft.phase === "reading").length
    for (const draft of drafts.filter((one) => one.phase === "waiting").slice(0, Math.max(0, LINES - busy))) {
      void start(draft.id)
    }
  }

  const blank = { sent: 0, video: null, trim: null, wanted: null, failure: null }
  const leaving = (event: BeforeUnloadEvent) => {
    if (drafts.some((draft) => (draft.phase !== "ready" && draft.phase !== "failed") || draft.wanted !== null)) {
      event.preventDefault()
    }
  }
  window.addEventListener("beforeunload", leaving)
  onCleanup(() => {
    window.removeEventListener("beforeunload", leaving)
    for (const id of drafts.map((draft) => draft.id)) drop(id)
  })

  return {
    list: drafts,
    addFiles: (chosen: Iterable<File>) => {
      const added = [...chosen].map((file): Draft => {
        const id = fresh()
        const empty = file.size === 0
        if (!empty) files.set(id, { file, stop: new AbortController() })
        return {
          ...blank,
          id,
          key: fresh(),
          name: file.name,
          bytes: file.size,
          duration: null,
          preview: URL.createObjectURL(file),
          phase: empty ? "failed" : "waiting",
          failure: empty ? { kind: "refused", status: 0, code: "empty", message: "This file is empty." } : null
        }
      })
      setDrafts(produce((all) => all.push(...added)))
      fill()
    },
    /** One that is on the server already. */
    addVideo: (video: Video) => {
      if (drafts.some((draft) => draft.video?.id === video.id)) return
      setDrafts(
        produce((all) =>
          all.push({
            ...blank,
            id: fresh(),
            key: fresh(),
            name: video.name,
            bytes: video.bytes,
            duration: video.duration,
            preview: video.contentUrl,
            phase: "ready",
            sent: video.bytes,
            video
          })
        )
      )
    },
    /** Stops its upload, too. */
    remove: (id: string) => {
      drop(id)
      fill()
    },
    uploadAgain: (id: string) => {
      set(id, { phase: "waiting", failure: null, sent: 0 })
      fill()
    },
    /** The browser could read the file's length before the server did. */
    learn: (id: string, duration: number) => {
      if (find(id)?.duration === null && Number.isFinite(duration) && duration > 0) set(id, { duration })
    },
    trim: (id: string, trim: Trim | null) => set(id, { trim, failure: null }),
    /** How many would be exported now. */
    ready: () => drafts.filter((draft) => draft.phase !== "failed" && draft.wanted === null).length,
    /** Asks for everything that is there; what is still uploading follows by itself. */
    exportAll: (choice: Choice) =>
      batch(() => {
        for (const draft of drafts.filter((one) => one.phase !== "failed" && one.wanted === null)) {
          set(draft.id, { wanted: { ...choice }, failure: null })
          if (draft.phase === "ready") void send(draft.id)
        }
      })
  }
}
